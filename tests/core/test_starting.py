"""4.6: replicas that start, and replicas that never come."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy, SignalRule
from autoscaler.core.memory import Memory
from autoscaler.core.model import Observation, OutcomeWord, Sample
from autoscaler.core.start_up import deadline_s, quantile, repeated_deadline_s
from autoscaler.policies.queue_depth import QueueDepth
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run, said

A = Deployment("chat", "a", "exo", 16, 6)
B = Deployment("chat", "b", "dear", 16, 6)


def pair(**settings: Any) -> Run:
    return Run(a_fleet(a_service(deployments=(A, B), **settings)))


def starting(count: int, ready: int = 0) -> Observation:
    return seen(count, ready)


# --- deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prior_s", "interval_s", "expected"), [(180.0, 15.0, 360.0), (30.0, 15.0, 120.0)])
def test_the_deadline_is_twice_the_p90_and_at_least_eight_intervals(
    prior_s: float, interval_s: float, expected: float
) -> None:
    deployment = Deployment("chat", "a", "exo", 16, 6, start_up_s=prior_s)

    assert deadline_s(deployment, None, interval_s) == expected


def test_repeated_deadlines_double_to_an_hour_and_never_fall_below_the_first() -> None:
    assert [repeated_deadline_s(360, n) for n in range(6)] == [360, 720, 1440, 2880, 3600, 3600]
    assert repeated_deadline_s(7200, 3) == 7200


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5.0), (0.9, 9.0), (0.91, 10.0), (1.0, 10.0)])
def test_a_quantile_is_a_sample(share: float, expected: float) -> None:
    assert quantile([float(n) for n in range(10, 0, -1)], share) == expected


def test_starting_replicas_count_until_their_deadline() -> None:
    run = pair().settle(3, running=20, a=2, b=0)
    run.tick(0, 60, a=2, b=0)
    assert run.counts() == {"a": 5, "b": 0}
    while run.at < 60 + 360 - 15:
        run.tick(0, 60, a=starting(5, 2), b=0)
        assert run.counts() == {"a": 5, "b": 0}, run.at
    run.tick(0, 60, a=starting(5, 2), b=0)
    assert run.evidence().deployments["a"].replicas_overdue == 0, "at the deadline itself they still count"
    run.tick(0, 60, a=starting(5, 2), b=0)
    assert run.evidence().deployments["a"].replicas_overdue == 3
    assert run.counts() == {"a": 5, "b": 3}, "others cover what does not come"
    assert run.reason("a") == "overdue"


def test_others_that_cover_are_kept_while_the_overdue_stay_away() -> None:
    run = pair().settle(3, running=20, a=2, b=0)
    run.tick(0, 60, a=2, b=0)
    run.settle(26, running=60, a=starting(5, 2), b=0)
    for ready in (0, 1, 2, 3, 3, 3, 3):
        run.tick(0, 60, a=starting(5, 2), b=seen(3, ready, provider="dear"))
        assert run.counts() == {"a": 5, "b": 3}
    run.settle(200, running=60, a=starting(5, 2), b=seen(3, provider="dear"))
    assert run.counts() == {"a": 5, "b": 3}


def test_a_sole_deployment_that_is_overdue_asks_for_no_more_for_the_same_demand() -> None:
    run = chat_run().settle(3, running=20, a=2)
    for _ in range(100):
        run.tick(0, 60, a=starting(5, 2))
        assert run.to() == 5


# --- accepted and ignored -------------------------------------------------------------------------


def test_an_accepted_write_that_is_ignored_is_asked_again_with_doubling_deadlines() -> None:
    run = chat_run().settle(3, running=20, a=2)
    asked = []
    for _ in range(800):
        run.tick(0, 60, a=2)
        if run.decision().changes:
            asked.append((run.at, run.verdict()))
    assert asked[0] == (60, (5, "queue_depth"))
    assert all(verdict == (5, "reassert") for _, verdict in asked[1:]), asked
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(asked)]
    assert gaps == [375, 735, 1455, 2895, 3615], "each deadline has passed by the tick after it"


def test_an_ignored_write_is_reported_as_overdue_while_it_is_late() -> None:
    run = chat_run().settle(3, running=20, a=2)
    run.tick(0, 60, a=2)
    reasons = []
    for _ in range(200):
        run.tick(0, 60, a=2)
        reasons.append((run.reason(), run.evidence().deployments["a"].replicas_overdue))
    late = [overdue for reason, overdue in reasons[24:]]
    assert late == [3] * len(late), "from the first deadline on, whether or not it has been asked again"
    assert {reason for reason, _ in reasons[25:]} <= {"overdue", "reassert", "changing"}


def test_others_cover_an_ignored_write_from_its_deadline_on() -> None:
    run = pair().settle(3, running=20, a=2, b=0)
    run.tick(0, 60, a=2, b=0)
    run.settle(24, running=60, a=2, b=0)
    assert run.counts() == {"a": 2, "b": 0}, "accepted, and counted until its deadline"
    run.tick(0, 60, a=2, b=0)
    assert run.counts() == {"a": 5, "b": 3}
    for ready in (0, 0, 1, 2, 3, 3):
        run.tick(0, 60, a=2, b=seen(3, ready, provider="dear"))
        assert run.to("b") == 3, "asking again is no reason to give the cover back"


def test_an_ignored_write_that_comes_late_after_all_ends_the_matter() -> None:
    run = chat_run().settle(3, running=20, a=2)
    run.tick(0, 60, a=2)
    run.settle(30, running=60, a=2)
    run.tick(0, 60, a=5)
    assert run.verdict() == (5, "hold")
    assert run.evidence().deployments["a"].replicas_overdue == 0
    run.settle(30, running=60, a=5)
    assert run.verdict() == (5, "hold")


def test_cost_counts_overdue_replicas_fully() -> None:
    run = chat_run().settle(3, running=20, a=2)
    run.settle(60, running=60, a=starting(5, 2))

    assert run.evidence().usd_per_hour == pytest.approx(5.5)


# --- giving overdue ones back ---------------------------------------------------------------------


def test_overdue_replicas_are_given_back_where_a_ceiling_leaves_the_others_no_room() -> None:
    run = pair(policies=(NamedPolicy("cap", Limit(at_most=5)),)).settle(3, running=20, a=2, b=0)
    run.tick(0, 60, a=2, b=0)
    run.settle(25, running=60, a=starting(5, 2), b=0)

    assert run.counts() == {"a": 2, "b": 3}
    assert run.reason("a") == "overdue"
    run.tick(0, 60, a=2, b=seen(3, 0, provider="dear"))
    assert run.counts() == {"a": 2, "b": 3}
    backoff = run.known("a").backoff
    assert backoff is not None
    assert backoff.until == START + run.at - 15 + 300, "increases back off as for NoCapacity"


def test_a_deployment_that_gave_back_gets_no_increase_for_300_s() -> None:
    run = pair(policies=(NamedPolicy("cap", Limit(at_most=5)),)).settle(3, running=20, a=2, b=0)
    run.tick(0, 60, a=2, b=0)
    run.settle(25, running=60, a=starting(5, 2), b=0)
    run.fleet = a_fleet(a_service(deployments=(A, B)))
    run.tick(0, 90, a=2, b=seen(3, provider="dear"))

    assert run.to("a") == 2
    assert run.to("b") == 6


# --- learning -------------------------------------------------------------------------------------


def start_up(run: Run, seconds: int, frm: int = 1, to: int = 2) -> None:
    """One scale call ``frm`` to ``to`` whose replica serves after ``seconds``."""
    need = 16 * to * 0.8
    run.tick(0, need, a=frm)
    assert run.to() == to
    for _ in range(seconds // 15 - 1):
        run.tick(0, need, a=starting(to, frm))
    run.tick(0, need, a=to)


def test_the_prior_counts_until_five_samples() -> None:
    run = chat_run(stabilise_down_s=0).settle(25, running=12, a=1)
    for count, seconds in enumerate((30, 45, 60, 75, 90), 1):
        assert run.evidence().deployments["a"].start_up_p90_s == 180
        start_up(run, seconds)
        assert len(run.known().start_ups_s) == count
        run.tick(0, 12, a=2)
        run.tick(0, 12, a=1)
    assert run.known().start_ups_s == (30, 45, 60, 75, 90)
    assert run.evidence().deployments["a"].start_up_p90_s == 90
    assert run.evidence().deployments["a"].start_up_p50_s == 60


def test_fifty_samples_are_kept() -> None:
    run = chat_run(stabilise_down_s=0).settle(25, running=12, a=1)
    for _ in range(60):
        start_up(run, 30)
        run.tick(0, 12, a=2)
        run.tick(0, 12, a=1)
    assert len(run.known().start_ups_s) == 50


def test_one_scale_call_is_one_sample_however_many_replicas_it_starts() -> None:
    run = chat_run().settle(3, running=12, a=1)
    run.tick(0, 60, a=1)
    run.tick(0, 60, a=starting(5, 1))
    run.tick(0, 60, a=starting(5, 3))
    run.tick(0, 60, a=5)

    assert run.known().start_ups_s == (45,)


def test_a_sample_interrupted_by_another_write_is_dropped() -> None:
    run = chat_run().settle(3, running=12, a=1)
    run.tick(0, 25, a=1)
    assert run.to() == 2
    run.tick(0, 60, a=starting(2, 1))
    assert run.to() == 5
    run.tick(0, 60, a=starting(5, 2))
    run.tick(0, 60, a=starting(5, 4))
    run.tick(0, 60, a=5)

    assert run.known().start_ups_s == (45,), "only the second call's own time"


def test_a_write_that_was_refused_is_no_sample() -> None:
    run = chat_run(stabilise_down_s=0).settle(3, running=12, a=1)
    run.tick(0, 60, a=1)
    run.tick(0, 12, a=1, outcomes=said(OutcomeWord.STALE))
    run.tick(0, 12, a=5)

    assert run.known().start_ups_s == ()


# --- the queue that built up while replicas start -------------------------------------------------


@dataclass
class Line:
    """One queue before replicas of 16, with counters; requests of 30 s; a start-up time of 600 s."""

    run: Run
    arrivals_per_s: float = 1.5
    start_up_s: float = 600.0
    queued: float = 0.0
    running: float = 0.0
    arrived: float = 0.0
    started: float = 0.0
    ready: int = 2
    set_: int = 2
    due: list[tuple[float, int]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def tick(self) -> None:
        for _ in range(15):
            self.running -= self.running / 30.0
            self.queued += self.arrivals_per_s
            self.arrived += self.arrivals_per_s
            taken = min(self.queued, max(0.0, self.ready * 16 - self.running))
            self.queued -= taken
            self.started += taken
            self.running += taken
        now = self.run.at + 15
        for at, count in list(self.due):
            if at <= now:
                self.ready = max(self.ready, min(count, self.set_))
                self.due.remove((at, count))
        at = START + now
        signals = {
            "arrived_total": Sample(round(self.arrived, 3), at),
            "started_total": Sample(round(self.started, 3), at),
        }
        self.run.tick(
            round(self.queued, 3), round(self.running, 3), a=seen(self.set_, self.ready), signals=signals
        )
        to = self.run.to()
        assert to is not None
        self.asked.append(to)
        if to > self.set_:
            self.due.append((now + self.start_up_s, to))
        self.set_, self.ready = to, min(self.ready, to)


def line(counters: bool = True, drain_within_s: float | None = None) -> Line:
    names = ("arrived_total", "started_total") if counters else ()
    rules = {"queued": SignalRule(60, True), "running": SignalRule(60), **{n: SignalRule(60) for n in names}}
    policy = (NamedPolicy("queue-depth", QueueDepth(drain_within_s=drain_within_s)),)
    slow = Deployment("chat", "a", "exo", 16, 40, start_up_s=600.0)
    service = a_service(demand=False, policies=policy, deployments=(slow,), signals=rules)
    return Line(Run(a_fleet(service)), running=16.0)


def test_a_queue_that_builds_up_while_replicas_start_is_counted_once() -> None:
    busy = line(drain_within_s=600)
    for _ in range(160):  # 40 minutes
        busy.tick()

    assert max(busy.asked) == 4, "1.5 a second of 30 s are 45 at once: 4 replicas of 16 at 0.8, not 23"
    assert busy.asked[-1] == 4
    assert busy.queued < 1, "and the queue is drained"


def test_the_plain_sum_would_end_far_above() -> None:
    busy = line(counters=False)
    for _ in range(50):
        busy.tick()

    assert max(busy.asked) > 12


def test_more_real_demand_still_scales() -> None:
    busy = line(drain_within_s=600)
    for _ in range(160):
        busy.tick()
    busy.arrivals_per_s = 3.0
    for _ in range(20):
        busy.tick()

    assert max(busy.asked) >= 8, "90 at once at 0.8 are 112.5: 8 replicas"
    assert max(busy.asked) <= 12


def test_memory_without_ticks_knows_no_start_up() -> None:
    assert Memory().deployments == {}
