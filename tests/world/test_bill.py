"""A bill is the sum of what each replica owes, by the second or by the block, and never falls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.world.bill import Bill, ByBlock, BySecond
from autoscaler.world.deployment import DeploymentSpec
from autoscaler.world.plant import World
from autoscaler.world.start_up import StartUp

BLOCK_S = 10.0
quarters = st.integers(0, 240).map(lambda n: n / 4)


@dataclass(frozen=True)
class Life:
    begin: float
    end: float


lives = st.lists(st.tuples(quarters, quarters).map(lambda two: Life(min(two), max(two))), max_size=8)


def bills(bill: Bill, replicas: list[Life], looks: list[float]) -> list[tuple[float, float]]:
    """Seconds and USD at each look."""
    acts = [(life.begin, 1, number) for number, life in enumerate(replicas)]
    acts += [(life.end, 2, number) for number, life in enumerate(replicas)]
    found = []
    for at, kind, number in sorted([*acts, *((at, 0, -1) for at in looks)]):
        if kind == 1:
            bill.begin(number, at)
        elif kind == 2:
            bill.end(number, at)
        else:
            bill.settle(at)
            found.append((bill.replica_s, bill.usd))
    return found


@given(lives, st.lists(quarters, min_size=1, max_size=8).map(sorted))
def test_each_replica_owes_its_age_rounded_up_to_blocks_whenever_one_looks(
    replicas: list[Life], looks: list[float]
) -> None:
    found = bills(ByBlock(7.2, BLOCK_S), replicas, looks)
    for at, (replica_s, usd) in zip(looks, found, strict=True):
        ages = [max(0.0, min(at, life.end) - life.begin) for life in replicas]
        assert replica_s == sum(math.ceil(age / BLOCK_S) * BLOCK_S for age in ages)
        assert usd == pytest.approx(replica_s * 7.2 / 3600)
    assert all(one <= other for one, other in pairwise(found))


@given(lives, st.lists(quarters, min_size=1, max_size=8).map(sorted))
def test_each_replica_owes_its_age_by_the_second(replicas: list[Life], looks: list[float]) -> None:
    found = bills(BySecond(7.2, 0.0), replicas, looks)
    for at, (replica_s, usd) in zip(looks, found, strict=True):
        assert replica_s == sum(max(0.0, min(at, life.end) - life.begin) for life in replicas)
        assert usd == pytest.approx(replica_s * 7.2 / 3600)


def a_world(**changes: object) -> World:
    values: dict[str, object] = {
        "id": "a",
        "name": "a",
        "gpu_type": "g",
        "gpus_per_replica": 2,
        "usd_per_gpu_hour": 1.5,
        "start_up": StartUp.fixed(60.0),
        "billing_block_s": 3600.0,
    }
    world = World()
    world.add(DeploymentSpec(**(values | changes)))  # type: ignore[arg-type]
    return world


def test_a_replica_of_ten_minutes_costs_the_hour_and_one_that_runs_on_the_next_hour_too() -> None:
    world = a_world()
    world.set_replicas("a", 2, 0.0)
    world.set_replicas("a", 1, 600.0)
    assert world.status("a").billed_replica_s == 7200.0

    world.advance(3600.0)
    assert world.status("a").billed_replica_s == 7200.0
    world.advance(3600.5)
    assert world.status("a").billed_replica_s == 10_800.0
    assert world.billed_usd() == pytest.approx(3 * 2 * 1.5)


def test_a_block_costs_what_it_cost_when_it_began() -> None:
    world = a_world()
    world.set_replicas("a", 1, 0.0)
    world.set_price("a", 4.0, 1800.0)
    world.advance(3599.0)
    assert world.billed_usd() == pytest.approx(2 * 1.5)
    world.advance(3601.0)
    assert world.billed_usd() == pytest.approx(2 * (1.5 + 4.0))


def test_a_price_that_changes_where_a_block_begins_is_the_price_of_that_block() -> None:
    world = a_world()
    world.set_replicas("a", 1, 0.0)
    world.set_price("a", 4.0, 3600.0)
    world.advance(3601.0)
    assert world.billed_usd() == pytest.approx(2 * (1.5 + 4.0))


def test_a_replica_that_dies_and_starts_anew_is_billed_on_in_its_blocks() -> None:
    world = a_world(initial_replicas=1)
    world.kill_replica("a", 600.0)
    world.advance(3600.0)
    assert world.status("a").billed_replica_s == 3600.0


@given(st.lists(st.tuples(st.floats(0, 5000), st.integers(0, 4)), max_size=12), st.floats(1, 4000))
def test_the_bill_by_block_never_falls_and_is_never_below_the_bill_by_second(
    script: list[tuple[float, int]], block_s: float
) -> None:
    by_block = a_world(billing_block_s=block_s, drain_s=30.0)
    by_second = a_world(billing_block_s=0.0, drain_s=30.0)
    now, before = 0.0, 0.0
    for wait_s, replicas in script:
        now += wait_s
        for world in (by_block, by_second):
            world.set_replicas("a", replicas, now)
        assert by_block.billed_usd() >= before
        before = by_block.billed_usd()
        assert before >= by_second.billed_usd() * (1 - 1e-9)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"billing_block_s": -1.0}, "billing_block_s is -1.0"),
        ({"billing_block_s": math.inf}, "billing_block_s is inf"),
        ({"billing_block_s": math.nan}, "billing_block_s is nan"),
        ({"mean_life_s": 0.0}, "mean_life_s is 0.0"),
        ({"mean_life_s": math.inf}, "mean_life_s is inf"),
        ({"start_up_failure_share": 1.0}, "start_up_failure_share is 1.0"),
        ({"start_up_failure_share": -0.1}, "start_up_failure_share is -0.1"),
    ],
)
def test_impossible_deployments_are_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        a_world(**changes)
