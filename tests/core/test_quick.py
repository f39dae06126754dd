"""Dataclasses that are cheap to make are dataclasses like any other: as strict, and as frozen."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from autoscaler.core.model import Decision, Observation, ReplicaRange, Snapshot
from autoscaler.core.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Point:
    """A point with names."""

    x: int
    y: int = 2
    names: Mapping[str, int] = field(default_factory=dict)


def test_arguments_come_by_place_and_by_name_and_defaults_fill_the_rest() -> None:
    assert (Point(1).x, Point(1).y, Point(1).names) == (1, 2, {})
    assert Point(1, 3, {"a": 1}) == Point(names={"a": 1}, y=3, x=1)
    assert Point(1).names is not Point(1).names, "one default was shared by two"


@pytest.mark.parametrize("arguments", [(), (1, 2, {}, 4)])
def test_too_few_and_too_many_arguments_are_refused(arguments: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__"):
        Point(*arguments)  # type: ignore[arg-type]


def test_nobody_can_assign_afterwards() -> None:
    for value, name in ((Point(1), "x"), (Observation(ReplicaRange(1, 1)), "ready"), (Snapshot(0.0), "at")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, 5)


def test_they_compare_hash_replace_copy_and_pickle_as_dataclasses_do() -> None:
    decision = Decision("chat", "a", 1, 2, "hold", "so", ReplicaRange(1, 1), ReplicaRange(2, 2))

    assert replace(decision, reason="step").reason == "step"
    assert replace(decision, reason="step") != decision
    assert pickle.loads(pickle.dumps(decision)) == copy.deepcopy(decision) == decision
    assert len({decision, copy.copy(decision)}) == 1


def test_what_is_no_plain_dataclass_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Derived:
        x: int
        double: int = field(init=False)

    @dataclass(frozen=True, slots=True)
    class Checked:
        x: int

        def __post_init__(self) -> None:
            assert self.x

    for kind in (Derived, Checked):
        with pytest.raises(TypeError, match="no plain dataclass"):
            quick(kind)
