"""The core's values: immutable, without room for anything else, and short where they say nothing."""

from __future__ import annotations

import dataclasses
import inspect
from types import ModuleType

import pytest

from autoscaler.core import fleet, limits, memory, model, need, proposals
from autoscaler.core.memory import Memory
from autoscaler.core.model import Snapshot
from autoscaler.core.pack import pack, unpack

GROWS = {"Limits"}  # folded in place, while one service is decided


@pytest.mark.parametrize("module", [fleet, limits, memory, model, need, proposals], ids=lambda m: m.__name__)
def test_what_is_given_from_tick_to_tick_cannot_be_changed(module: ModuleType) -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(module, dataclasses.is_dataclass)
        if isinstance(kind, type) and kind.__module__ == module.__name__ and kind.__name__ not in GROWS
    ]

    assert kinds
    for kind in kinds:
        assert vars(kind)["__dataclass_params__"].frozen, kind
        assert "__slots__" in vars(kind), kind


def test_what_says_nothing_is_packed_as_nothing() -> None:
    assert pack(Memory()) == {}
    assert unpack(Memory, {}) == Memory()
    assert pack(Snapshot(5.0, {}, {})) == {"at": 5.0}
