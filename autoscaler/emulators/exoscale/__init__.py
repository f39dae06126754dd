"""Exoscale Dedicated Inference, as published: signed requests, exact counts, asynchronous operations.

Sources: Exoscale API reference (AI deployments), PyPI ``exoscale`` 0.16.4. What neither says is a
choice of ours; docs/emulators.md lists those.
"""

from __future__ import annotations

from typing import Final

from autoscaler.emulators.exoscale.emulator import PUBLIC_ID, ExoscaleEmulator
from autoscaler.emulators.exoscale.operations import OperationReason, OperationState
from autoscaler.emulators.exoscale.settings import ErrorBody, ExoscaleSettings, NextOperations
from autoscaler.emulators.fleet import EmulatedFleet
from autoscaler.ports import Clock
from autoscaler.world.plant import World

__all__ = [
    "EMULATOR",
    "PUBLIC_ID",
    "ErrorBody",
    "ExoscaleEmulator",
    "ExoscaleSettings",
    "NextOperations",
    "OperationReason",
    "OperationState",
]


def _make(fleet: EmulatedFleet, world: World, clock: Clock) -> ExoscaleEmulator:
    return ExoscaleEmulator(fleet, world=world, clock=clock)


EMULATOR: Final = _make
