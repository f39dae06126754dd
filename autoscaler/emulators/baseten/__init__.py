"""Baseten dedicated deployments and chains, as published: bounds, a native autoscaler, environments.

Sources: docs.baseten.co (Management API, autoscaling, metrics), PyPI ``baseten`` 0.13.1. What they leave
open is a choice of ours; docs/emulators.md lists those.
"""

from __future__ import annotations

from typing import Final

from autoscaler.emulators.baseten.autoscaling import Autoscaling
from autoscaler.emulators.baseten.emulator import API_KEY, BasetenEmulator
from autoscaler.emulators.baseten.managed import Answer
from autoscaler.emulators.baseten.settings import BasetenSettings
from autoscaler.emulators.fleet import EmulatedFleet
from autoscaler.ports import Clock
from autoscaler.world.plant import World

__all__ = ["API_KEY", "EMULATOR", "Answer", "Autoscaling", "BasetenEmulator", "BasetenSettings"]


def _make(fleet: EmulatedFleet, world: World, clock: Clock) -> BasetenEmulator:
    return BasetenEmulator(fleet, world=world, clock=clock)


EMULATOR: Final = _make
