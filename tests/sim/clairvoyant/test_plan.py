"""The plan keeps its promise in the exact simulator, and lies between the bound and what others pay."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import pytest

from autoscaler.sim.clairvoyant import ClairvoyantPlan, PlannedRival, plan
from autoscaler.sim.facts import Facts, KnownDemand, Task
from autoscaler.world.start_up import StartUp
from tests.sim.clairvoyant.plant import START, Plant, requests_at

HOURS = 4 * 3600.0
TASK = Task(min_replicas=1, max_replicas=16, concurrency=4, interval_s=15.0, initial_replicas=1)


def daily(second: float) -> float:
    """Two waves of up to 3 requests a second."""
    return 1.6 - 1.4 * math.cos(2 * math.pi * second / 10_800)


def bursty(second: float) -> float:
    """Three calm minutes, then one of five times as much."""
    return 2.5 if second % 240 >= 180 else 0.5


def spike(second: float) -> float:
    """Little, and a quarter of an hour of much."""
    return 4.0 if 9000 <= second < 9900 else 0.3


SHAPES = {"daily": daily, "bursty": bursty, "spike": spike}


@cache
def plant_of(shape: str, seed: int = 1) -> Plant:
    return Plant(TASK, requests_at(SHAPES[shape], HOURS, seed=seed), HOURS)


def planned(plant: Plant, *, exact: bool = True, share: float = 0.99) -> ClairvoyantPlan:
    return plan(
        plant.demand,
        plant.task,
        starts_at=START,
        length_s=plant.length_s,
        start_ups_s=plant.start_ups_s,
        promise_wait_s=plant.promise_wait_s,
        share=share,
        exact=plant.exact if exact else None,
    )


@cache
def planned_for(shape: str) -> ClairvoyantPlan:
    return planned(plant_of(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plan_keeps_the_promise_in_the_exact_simulator_and_says_what_it_cost(shape: str) -> None:
    found, plant = planned_for(shape), plant_of(shape)

    share, billed_s = plant.exact(found.targets)

    assert found.keeps_promise
    assert share >= 0.99
    assert (found.on_time_share, found.billed_replica_s) == (share, billed_s)
    assert len(found.targets) == plant.ticks
    assert all(1 <= target <= 16 for target in found.targets)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bound_is_below_the_plan_and_near_it(shape: str) -> None:
    found = planned_for(shape)

    assert 0.5 * found.billed_replica_s <= found.lower_bound_replica_s <= found.billed_replica_s


@pytest.mark.parametrize("shape", SHAPES)
def test_no_fixed_size_and_no_reactive_scaler_that_keeps_the_promise_pays_less_than_the_bound(
    shape: str,
) -> None:
    found, plant = planned_for(shape), plant_of(shape)
    kept = 0
    for policy in policies():
        share, billed_s = plant.react(policy)
        if share >= 0.99:
            kept += 1
            assert billed_s >= found.billed_replica_s
            assert billed_s >= found.lower_bound_replica_s
    assert kept >= 2


def policies() -> list[Callable[[int, int, int], int]]:
    def fixed(replicas: int) -> Callable[[int, int, int], int]:
        return lambda tick, queued, running: replicas

    def reactive(used: float, spare: int, hold: int) -> Callable[[int, int, int], int]:
        recent: list[int] = []

        def target(tick: int, queued: int, running: int) -> int:
            recent.append(math.ceil((queued + running) / 4 / used) + spare)
            return max(1, min(16, max(recent[-hold:])))

        return target

    return [
        *(fixed(replicas) for replicas in (3, 5, 7, 9, 12)),
        *(reactive(used, spare, 20) for used, spare in ((0.9, 0), (0.7, 1), (0.5, 2), (0.4, 4))),
    ]


def test_nothing_arrives_and_nothing_is_paid_but_the_minimum() -> None:
    nothing = Plant(TASK, KnownDemand([], []), 3600.0)

    found = planned(nothing)

    assert set(found.targets) == {1}
    assert found.billed_replica_s == found.lower_bound_replica_s == 3600.0
    assert found.keeps_promise


def test_one_request_with_nothing_running_gets_one_replica_just_in_time() -> None:
    lone = Plant(Task(0, 8, 4, 15.0), KnownDemand([START + 1800.0], [8.0]), 3600.0, StartUp.fixed(180.0))

    found = planned(lone)

    assert found.keeps_promise
    assert max(found.targets) == 1
    # Asked for 12 ticks before one that begins at most 10 s after the arrival, gone once the request is over.
    assert 180.0 <= found.billed_replica_s <= 180.0 + 3 * 15.0 + 8.0


def test_without_a_choice_the_plan_is_that() -> None:
    plant = plant_of("daily").with_task(min_replicas=8, max_replicas=8, initial_replicas=8)

    found = planned(plant)

    assert set(found.targets) == {8}
    assert found.billed_replica_s == found.lower_bound_replica_s == 8 * HOURS


def test_a_promise_that_cannot_be_kept_is_said_so() -> None:
    found = planned(plant_of("spike").with_task(max_replicas=2))

    assert not found.keeps_promise
    assert found.on_time_share < 0.99
    assert set(found.targets) == {2}


def test_a_stricter_promise_costs_more() -> None:
    plant = plant_of("spike")
    loose, strict = planned(plant, exact=False, share=0.95), planned(plant, exact=False, share=0.999)

    assert loose.billed_replica_s < planned_for("spike").billed_replica_s < strict.billed_replica_s


def test_the_same_demand_gives_the_same_plan() -> None:
    assert planned(plant_of("bursty")) == planned_for("bursty")


def test_the_stand_in_queue_agrees_with_the_exact_simulator() -> None:
    plant = plant_of("daily")
    found = planned(plant, exact=False)

    share, billed_s = plant.exact(found.targets)

    assert found.on_time_share == pytest.approx(share, abs=5e-4)
    assert found.billed_replica_s == pytest.approx(billed_s, rel=1e-3)


def test_progress_rises_to_the_end() -> None:
    plant, told = plant_of("spike"), list[float]()
    plan(
        plant.demand,
        plant.task,
        starts_at=START,
        length_s=HOURS,
        start_ups_s=plant.start_ups_s,
        progress=told.append,
    )

    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_rival_plays_the_plan_and_stays_at_its_end() -> None:
    rival = PlannedRival([3, 1, 2])
    facts = Facts(at=START, queued=0, running=0, arrived=0, ready=0, starting=0)

    assert [rival.tick(facts) for _ in range(5)] == [3, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"length_s": 0.0}, "length_s"),
        ({"start_ups_s": []}, "start_ups_s"),
        ({"start_ups_s": [math.nan]}, "start_ups_s"),
        ({"share": 1.5}, "share"),
        ({"demand": KnownDemand([START + 2, START + 1], [1.0, 1.0])}, "order"),
        ({"demand": KnownDemand([START], [1.0, 1.0])}, "1 arrivals for 2"),
        ({"demand": KnownDemand([START], [math.inf])}, "finite"),
        ({"task": Task(3, 2, 4, 15.0)}, "min"),
        ({"task": Task(0, 2, 4, 15.0, initial_replicas=3)}, "initial_replicas"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, object], names: str) -> None:
    arguments: dict[str, object] = {
        "demand": KnownDemand([START], [1.0]),
        "task": TASK,
        "starts_at": START,
        "length_s": 60.0,
        "start_ups_s": [180.0],
    }
    with pytest.raises(ValueError, match=names):
        plan(**{**arguments, **changes})  # type: ignore[arg-type]


def test_without_numpy_the_error_says_what_to_install() -> None:
    program = """
import sys
sys.modules["numpy"] = None
from autoscaler.sim.clairvoyant import NumpyMissing, plan
from autoscaler.sim.facts import KnownDemand, Task
try:
    plan(KnownDemand([], []), Task(0, 1, 1, 15.0), starts_at=0.0, length_s=60.0, start_ups_s=[1.0])
except NumpyMissing as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "pip install 'autoscaler[clairvoyant]'" in told.stdout
