"""Which vendors have an emulator. Another vendor is one module and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from autoscaler.emulators.exoscale import ExoscaleEmulator
from autoscaler.emulators.fleet import EmulatedFleet
from autoscaler.emulators.vendor import VendorEmulator
from autoscaler.ports import Clock
from autoscaler.world.plant import World

Make = Callable[[EmulatedFleet, World, Clock], VendorEmulator]

EMULATORS: Final[Mapping[str, Make]] = {
    "exoscale": lambda fleet, world, clock: ExoscaleEmulator(fleet, world=world, clock=clock),
}
