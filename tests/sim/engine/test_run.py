"""A run over the simulated plant: repeatable, the same demand for everybody, an honest bill."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from autoscaler.core.model import OutcomeWord, Snapshot
from autoscaler.core.turn import Turn
from autoscaler.sim.facts import Facts
from autoscaler.sim.plant import Design
from autoscaler.sim.result import RunResult
from autoscaler.sim.run import run
from autoscaler.sim.scaler import OurDecision, RivalScaler
from tests.sim.engine.plants import INTERVAL_S, START, a_demand, a_deployment, a_design, a_fleet

WAVE = [4, 8, 30, 60, 90, 90, 60, 30, 8, 4, 0, 0, 0, 0, 0, 20, 40] * 3


@dataclass
class Plays:
    """A rival that asks for these counts, in order, then for the last one."""

    counts: list[int]
    seen: list[Facts]

    def tick(self, facts: Facts) -> int:
        self.seen.append(facts)
        return self.counts[min(len(self.seen), len(self.counts)) - 1]


def _ours(design: Design, **keys: object) -> tuple[RunResult, OurDecision]:
    scaler = OurDecision(a_fleet(design, **keys))
    made = run("ours", "config", design, scaler, INTERVAL_S, violations=lambda: scaler.broken)
    return made, scaler


def _fixed(design: Design, replicas: int) -> RunResult:
    return run("fixed", "rival", design, RivalScaler({"chat": Plays([replicas], [])}), INTERVAL_S)


def test_the_same_seed_gives_the_same_run() -> None:
    design = a_design(a_demand(WAVE))
    first, _ = _ours(design, stabilise_down_s=60.0)
    second, _ = _ours(design, stabilise_down_s=60.0)
    assert first == second
    other, _ = _ours(replace(design, seed=1), stabilise_down_s=60.0)
    assert other.requests != first.requests


def test_everybody_gets_the_same_requests() -> None:
    design = a_design(a_demand(WAVE))
    ours, _ = _ours(design)
    assert ours.requests == _fixed(design, 1).requests == _fixed(design, 9).requests > 1000


def test_a_fixed_count_is_billed_for_every_second_of_it() -> None:
    design = a_design(a_demand(WAVE), a_deployment(usd_per_gpu_hour=3.0, initial_replicas=5))
    made = _fixed(design, 5)
    assert made.gpu_hours == pytest.approx(5 * design.length_s / 3600)
    assert made.usd == pytest.approx(3.0 * made.gpu_hours)
    assert made.changes_per_hour == 0


def test_more_replicas_cost_more_and_let_fewer_wait() -> None:
    design = a_design(a_demand(WAVE))
    few, many = _fixed(design, 2), _fixed(design, 8)
    assert few.usd < many.usd
    assert few.late > many.late
    assert (few.services["chat"].p99_s or 0) > (many.services["chat"].p99_s or 0)


def test_our_decision_scales_up_and_down_and_breaks_no_promise() -> None:
    design = a_design(a_demand(WAVE))
    made, scaler = _ours(design, stabilise_down_s=60.0)
    assert not scaler.broken
    series = made.services["chat"].series
    assert series is not None
    counts = series.deployments["a"].replicas_set
    assert max(counts) >= 4
    assert min(counts) == 0
    assert made.changes_per_hour == pytest.approx(
        sum(abs(b - a) for a, b in pairwise([1, *counts])) / (design.length_s / 3600)
    )
    assert made.usd < _fixed(design, max(counts)).usd


def test_a_replica_serves_only_after_its_start_up() -> None:
    design = a_design(a_demand([60] * 10), a_deployment(initial_replicas=0, start_up_s=100.0))
    rival = Plays([2], [])
    made = run("two", "rival", design, RivalScaler({"chat": rival}), INTERVAL_S)
    series = made.services["chat"].series
    assert series is not None
    ready = series.deployments["a"].ready
    first = next(index for index, count in enumerate(ready) if count)
    assert first * INTERVAL_S == 105.0  # the first tick at or after 100 s
    assert rival.seen[1].starting == 2
    assert rival.seen[1].replicas_set == 2
    assert made.gpu_hours == pytest.approx(2 * design.length_s / 3600)  # billed from the request on


def test_arrivals_are_told_once_each() -> None:
    design = a_design(a_demand([30] * 20))
    rival = Plays([3], [])
    made = run("three", "rival", design, RivalScaler({"chat": rival}), INTERVAL_S)
    series = made.services["chat"].series
    assert series is not None
    assert sum(facts.arrived for facts in rival.seen) == series.arrived_total[-1]


def test_what_is_out_of_stock_is_refused_and_covered_elsewhere() -> None:
    turns: list[tuple[Snapshot, Turn]] = []
    design = a_design(
        a_demand([90] * 30),
        a_deployment("a", 1.0),
        a_deployment("b", 2.0, initial_replicas=0),
        a=2,
    )
    scaler = OurDecision(a_fleet(design), told=lambda snapshot, turned, _: turns.append((snapshot, turned)))
    made = run("ours", "config", design, scaler, INTERVAL_S)
    refused = [
        o for snapshot, _ in turns for o in snapshot.outcomes or () if o.outcome is OutcomeWord.REJECTED
    ]
    assert refused
    assert {outcome.deployment for outcome in refused} == {"a"}
    series = made.services["chat"].series
    assert series is not None
    assert max(series.deployments["a"].replicas_set) <= 2
    assert max(series.deployments["b"].replicas_set) >= 2


def test_a_rival_scales_the_cheapest_place_alone() -> None:
    design = a_design(a_demand([90] * 10), a_deployment("a", 2.0), a_deployment("b", 1.0, initial_replicas=0))
    made = run("four", "rival", design, RivalScaler({"chat": Plays([4], [])}), INTERVAL_S)
    series = made.services["chat"].series
    assert series is not None
    assert set(series.deployments["a"].replicas_set) == {1}
    assert series.deployments["b"].replicas_set[-1] == 4


def test_ticks_are_an_interval_apart_and_the_run_ends_with_its_demand() -> None:
    design = a_design(a_demand([10] * 5))
    made = _fixed(design, 1)
    series = made.services["chat"].series
    assert series is not None
    assert list(series.at) == [START + INTERVAL_S * tick for tick in range(20)]


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[float] = []
    design = a_design(a_demand([1] * 300))
    run("fixed", "rival", design, RivalScaler({"chat": Plays([1], [])}), INTERVAL_S, progress=told.append)
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert told == sorted(told)
    assert len(told) > 3
