"""The same facts at another time are decided the same, unless the calendar says otherwise."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.decide import step
from autoscaler.core.elsewhen import moved_memory, moved_snapshot
from autoscaler.core.memory import Memory
from autoscaler.core.model import Plan
from tests.core.fleets import Plant, random_fleet


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(-86_400, 1_000_000))
def test_what_is_decided_does_not_depend_on_when(seed: int, by_s: int) -> None:
    rng = random.Random(seed)
    fleet = random_fleet(rng)
    plant = Plant(fleet, rng, faults=0.6)
    memory = Memory()
    for _ in range(25):
        snapshot = plant.snapshot()
        plan, after = step(memory, snapshot, fleet)

        moved, moved_after = step(moved_memory(memory, by_s), moved_snapshot(snapshot, by_s), fleet)

        assert moved == replace(plan, at=plan.at + by_s)
        assert moved_after == moved_memory(after, by_s)
        memory = after
        plant.carry_out(plan)


def test_moving_there_and_back_is_standing_still() -> None:
    rng = random.Random(3)
    fleet = random_fleet(rng)
    plant = Plant(fleet, rng, faults=0.6)
    memory, plan = Memory(), Plan(0.0, ())
    for _ in range(40):
        snapshot = plant.snapshot()
        plan, memory = step(memory, snapshot, fleet)
        plant.carry_out(plan)

    assert moved_memory(moved_memory(memory, 86_400.123), -86_400.123) == memory
    assert moved_snapshot(moved_snapshot(snapshot, 86_400.123), -86_400.123) == snapshot
