"""Which vendors have an emulator: every package here that exports an ``EMULATOR``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Final

from autoscaler.emulators.fleet import EmulatedFleet
from autoscaler.emulators.vendor import VendorEmulator
from autoscaler.ports import Clock
from autoscaler.world.plant import World

Make = Callable[[EmulatedFleet, World, Clock], VendorEmulator]


def _found() -> Iterator[tuple[str, Make]]:
    for found in iter_modules([str(Path(__file__).parent)]):
        if found.ispkg:
            yield found.name, import_module(f"autoscaler.emulators.{found.name}").EMULATOR


EMULATORS: Final[Mapping[str, Make]] = MappingProxyType(dict(sorted(_found())))
"""How each is made, by the vendor's word in a fleet file."""
