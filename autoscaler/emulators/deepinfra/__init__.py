"""DeepInfra dedicated deployments, as published: bounds instead of counts, and a scaler of its own.

Sources: DeepInfra's pages for GET /deploy/list and POST /deploy/llm, its OpenAPI of 2026-05-20. What these
do not say is a choice of ours; docs/emulators.md lists those.
"""

from __future__ import annotations

from typing import Final

from autoscaler.emulators.deepinfra.emulator import API_TOKEN, LEGACY_ID, DeepInfraEmulator
from autoscaler.emulators.deepinfra.settings import DeepInfraSettings
from autoscaler.emulators.fleet import EmulatedFleet
from autoscaler.ports import Clock
from autoscaler.world.plant import World

__all__ = ["API_TOKEN", "EMULATOR", "LEGACY_ID", "DeepInfraEmulator", "DeepInfraSettings"]


def _make(fleet: EmulatedFleet, world: World, clock: Clock) -> DeepInfraEmulator:
    return DeepInfraEmulator(fleet, world=world, clock=clock)


EMULATOR: Final = _make
