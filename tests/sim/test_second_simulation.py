"""Two simulations that share no code agree on the bill, on who waited and for how long."""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass, field

import pytest

from autoscaler.world.chance import stream
from autoscaler.world.default_day import day_rows
from autoscaler.world.demand import arrivals
from autoscaler.world.gateway import Gateway
from autoscaler.world.plant import DeploymentSpec, World
from autoscaler.world.service_time import MeanServiceTime
from tests.sim.second_simulation import simulate

PROMISE_WAIT_S = 10.0
USD_PER_HOUR = 3.3


@dataclass
class InOrder:
    """Start-up times as they are listed, in order of asking."""

    seconds: list[float]
    used: int = field(default=0)

    def draw_s(self, chance: random.Random) -> float:
        self.used += 1
        return self.seconds[self.used - 1]


@dataclass(frozen=True)
class Case:
    requests: list[tuple[float, float]]
    plan: list[tuple[float, int]]
    start_ups_s: list[float]
    places: int
    until: float


def check(case: Case) -> None:
    world, record_s = World(), array("d")
    start_up = InOrder(case.start_ups_s)
    world.add(
        DeploymentSpec(
            "a", "a", "g", concurrency=case.places, usd_per_gpu_hour=USD_PER_HOUR, start_up=start_up
        )
    )
    gateway = Gateway(
        world, "s", ["a"], arrivals=[case.requests], promise_wait_s=PROMISE_WAIT_S, record_s=record_s
    )
    for at, wanted in case.plan:
        world.set_replicas("a", wanted, at)
    world.advance(case.until)

    usd, in_time, p99_s, waits = simulate(
        case.requests,
        case.plan,
        case.start_ups_s,
        case.places,
        USD_PER_HOUR,
        PROMISE_WAIT_S,
        case.until,
    )
    report = gateway.report()
    assert world.billed_usd() == pytest.approx(usd, rel=1e-6)
    assert report.on_time_share == in_time
    assert report.requests == len(waits)
    assert list(record_s) == waits[: len(record_s)]
    if p99_s is None:
        assert report.p99_s is None
    else:
        assert report.p99_s == pytest.approx(p99_s, rel=0.011)


def a_small_case(seed: int) -> Case:
    """A few replicas that come and go while they are busy.

    Quarter seconds are exact in binary, and few, so that much happens at one instant.
    """
    chance = stream(seed, "small")
    at, requests = 0.0, []
    gap, length = chance.choice([1, 4, 12]), chance.choice([8, 40, 160])
    for _ in range(chance.randint(0, 100)):
        at += chance.randint(0, gap) / 4
        requests.append((at, chance.randint(1, length) / 4))
    tick_s, most = chance.choice([0.25, 2.0, 5.0, 15.0]), chance.choice([2, 4, 12])
    return Case(
        requests=requests,
        plan=[(n * tick_s, chance.randint(0, most)) for n in range(chance.randint(1, 20))],
        start_ups_s=[chance.randint(0, chance.choice([8, 120])) / 4 for _ in range(250)],
        places=chance.randint(1, 3),
        until=20 * tick_s + chance.randint(0, 800) / 4,
    )


@pytest.mark.parametrize("start", range(0, 1000, 100))
def test_both_agree_where_much_happens_at_one_instant(start: int) -> None:
    for seed in range(start, start + 100):
        check(a_small_case(seed))


@pytest.mark.parametrize("seed", range(5))
def test_both_agree_on_a_day_of_chat(seed: int) -> None:
    chance = stream(seed, "second")
    rows = day_rows(peak_per_s=0.15, seed=seed, step_s=600.0)
    plan = [(60.0 * n, chance.choice([0, 1, 1, 2, 2, 3])) for n in range(1440)]
    check(
        Case(
            requests=[one for batch in arrivals(rows, MeanServiceTime(8.0), seed=seed) for one in batch],
            plan=plan,
            start_ups_s=[chance.lognormvariate(5.0, 0.5) for _ in range(2000)],
            places=1,
            until=86_400.0,
        )
    )


def test_the_second_one_is_right_about_a_case_worked_by_hand() -> None:
    # Two replicas of one place from 0 s, ready at 10 and 12 s; one of them is taken away at 20 s.
    # The first request waits 8 s and runs to 30 s. The second waits 9 s and runs until 32 s on the newer
    # replica, which drains. The third gets the older one's place at 30 s, after 25 s. The fourth still waits.
    usd, in_time, p99_s, waits = simulate(
        [(2.0, 20.0), (3.0, 20.0), (5.0, 20.0), (35.0, 1.0)],
        [(0.0, 2), (20.0, 1)],
        [10.0, 12.0],
        places=1,
        usd_per_replica_hour=3600.0,
        promise_wait_s=10.0,
        until=40.0,
    )
    assert waits == [8.0, 9.0, 25.0, 5.0]
    assert usd == pytest.approx(40.0 + 32.0)
    assert in_time == 0.75
    assert p99_s == 25.0
