"""4.2: how much, and for how long it is remembered."""

from __future__ import annotations

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy, SignalRule
from autoscaler.core.model import Human, Override
from autoscaler.core.need import staircase
from autoscaler.policies.queue_depth import QueueDepth
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run, unread
from tests.core.test_proposals import Wish


def test_the_largest_want_is_the_want() -> None:
    wishes = (
        NamedPolicy("w1", Wish(want=20)),
        NamedPolicy("w2", Wish(want=50)),
        NamedPolicy("w3", Wish(want=3)),
    )
    run = chat_run(policies=wishes).tick(0, 20, a=1)

    assert run.evidence().want == 50
    assert run.verdict() == (4, "wish")


def test_need_is_the_largest_want_of_the_window() -> None:
    run = chat_run(stabilise_down_s=60).settle(6, queued=0, running=10, a=1)
    run.tick(0, 60, a=1)  # 75 wanted at t0
    assert run.to() == 5
    for after_s in (15, 30, 45):
        run.tick(0, 10, a=5)
        assert run.evidence().need == 75, f"{after_s} s after the peak"
        assert run.verdict() == (5, "stabilised")
    run.tick(0, 10, a=5)  # The window is (t0, t0 + 60].
    assert run.evidence().need == 12.5
    assert run.verdict() == (1, "queue_depth")


@pytest.mark.parametrize(("after_s", "held"), [(59.999, True), (60.0, False)])
def test_the_window_is_open_at_its_old_end(after_s: float, held: bool) -> None:
    wants = staircase(staircase((), 100.0, 75.0, 60.0), 100.0 + after_s, 5.0, 60.0)

    assert (wants[0][1] == 75.0) is held


def test_the_staircase_keeps_only_wants_that_can_still_be_the_largest() -> None:
    wants: tuple[tuple[float, float], ...] = ()
    for at, want in enumerate((5.0, 9.0, 3.0, 3.0, 4.0, 1.0)):
        wants = staircase(wants, float(at), want, 100.0)

    assert wants == ((1.0, 9.0), (4.0, 4.0), (5.0, 1.0))


def test_a_want_that_repeats_the_largest_renews_it() -> None:
    wants = staircase(staircase((), 0.0, 9.0, 60.0), 50.0, 9.0, 60.0)

    assert staircase(wants, 100.0, 1.0, 60.0)[0] == (50.0, 9.0)


def test_after_the_first_start_nothing_is_given_back_for_one_window() -> None:
    run = chat_run()
    run.tick(0, 10, a=5)
    for _ in range(19):
        assert run.verdict() == (5, "stabilised"), run.at
        run.tick(0, 10, a=5)
    run.tick(0, 10, a=5)  # 300 s after the first tick
    assert run.at == 15 + 300
    assert run.verdict() == (1, "queue_depth")


def test_after_the_first_start_nothing_is_added_without_demand() -> None:
    run = chat_run().tick(0, 10, a=0)

    assert run.to() == 1


@pytest.mark.parametrize(("gap_s", "keeps"), [(120.0, False), (120.001, True)])
def test_a_gap_of_over_two_minutes_forbids_decreases_for_one_window(gap_s: float, keeps: bool) -> None:
    run = chat_run(stabilise_down_s=100).settle(20, running=60, a=5)
    run.tick(0, 10, after=gap_s, a=5)

    assert run.to() == (5 if keeps else 1)
    if keeps:
        run.tick(0, 10, after=99, a=5)
        assert run.verdict() == (5, "stabilised")
        run.tick(0, 10, after=1, a=5)
        assert run.to() == 1


def test_a_gap_is_four_intervals_where_these_are_longer() -> None:
    run = Run(a_fleet(a_service(stabilise_down_s=100), interval_s=60.0)).settle(6, after=60, running=60, a=5)

    assert run.tick(0, 10, after=240, a=5).to() == 1
    run = Run(a_fleet(a_service(stabilise_down_s=100), interval_s=60.0)).settle(6, after=60, running=60, a=5)
    assert run.tick(0, 10, after=241, a=5).to() == 5


def test_a_gap_causes_no_increase() -> None:
    run = chat_run().settle(25, running=60, a=5)
    run.tick(0, 10, after=4000, a=2)

    assert run.to() == 2


def test_within_the_first_window_what_was_added_since_may_go_again() -> None:
    boost = Human(overrides=(Override("chat", None, 5, None, START + 60),))
    run = chat_run().tick(0, 10, a=2, human=boost)
    assert run.to() == 5
    run.settle(2, running=10, a=5)
    assert run.verdict() == (5, "override")
    run.tick(0, 10, a=5)

    assert run.verdict() == (2, "stabilised"), "two were set when watching began"


def test_a_new_deployment_is_kept_for_one_window_and_the_others_are_not() -> None:
    a = Deployment("chat", "a", "exo", 16, 6)
    b = Deployment("chat", "b", "exo", 16, 6)
    run = Run(a_fleet(a_service(deployments=(a,))))
    run.settle(21, running=16, a=4)
    assert run.to() == 2
    run.fleet = a_fleet(a_service(deployments=(a, b)))
    run.tick(0, 16, a=2, b=3)
    for _ in range(19):
        assert run.to("b") == 3, "b is new: its window has no records"
        run.tick(0, 16, a=run.to("a"), b=3)
    run.tick(0, 16, a=run.to("a"), b=3)
    counts = run.counts()
    assert (counts["a"] or 0) + (counts["b"] or 0) == 2


def test_a_deployment_unread_at_the_end_of_a_gap_is_kept_like_the_others() -> None:
    run = chat_run().settle(25, running=60, a=5)
    run.tick(0, 10, after=900, a=None)
    run.tick(0, 10, a=5)

    assert run.verdict() == (5, "stabilised"), (
        "downtime is no record of low demand, whenever the first read succeeds"
    )


def test_the_last_replica_waits_for_idle_s_when_that_is_longer() -> None:
    policy = (NamedPolicy("queue-depth", QueueDepth(idle_s=600)),)
    run = chat_run(demand=False, policies=policy, stabilise_down_s=60)
    run.settle(10, running=10, a=1)
    for _ in range(39):
        run.tick(0, 0, a=1)
        assert run.verdict() == (1, "stabilised")
    run.tick(0, 0, a=1)  # 600 s after the last demand
    assert run.to() == 0


def test_the_last_replica_waits_for_the_window_when_that_is_longer() -> None:
    policy = (NamedPolicy("queue-depth", QueueDepth(idle_s=60)),)
    run = chat_run(demand=False, policies=policy, stabilise_down_s=300)
    run.settle(25, running=10, a=1)
    for _ in range(19):
        run.tick(0, 0, a=1)
        assert run.to() == 1
    assert run.tick(0, 0, a=1).to() == 0


def test_only_the_last_replica_waits_for_idle_s() -> None:
    policy = (NamedPolicy("queue-depth", QueueDepth(idle_s=6000)),)
    run = chat_run(demand=False, policies=policy, stabilise_down_s=60).settle(10, running=60, a=5)
    run.settle(4, running=0, a=5)

    assert run.verdict() == (1, "stabilised")


def test_demand_never_seen_counts_idle_from_when_watching_resumed() -> None:
    policy = (NamedPolicy("queue-depth", QueueDepth(idle_s=600)),)
    run = chat_run(demand=False, policies=policy, stabilise_down_s=60)
    run.settle(40, a=1)
    assert run.at == 600
    assert run.verdict() == (1, "stabilised")
    assert run.tick(a=1).to() == 0


def test_idle_time_is_not_a_reason_to_start_a_replica() -> None:
    run = chat_run(stabilise_down_s=30, demand=False, policies=(NamedPolicy("q", QueueDepth(idle_s=6000)),))
    run.settle(3, running=10, a=1)
    run.tick(a=0, after=31)  # somebody took it
    run.settle(50, a=0)

    assert run.verdict() == (0, "hold")


@pytest.mark.parametrize(
    ("minima", "baseline", "expected"), [((0, 0), None, 0), ((1, 2), None, 3), ((1, 0), 2, 2)]
)
def test_without_a_demand_policy_the_baseline_is_the_rest(
    minima: tuple[int, int], baseline: int | None, expected: int
) -> None:
    both = tuple(Deployment("chat", n, "exo", 16, 6, low) for n, low in zip("ab", minima, strict=True))
    run = Run(a_fleet(a_service(demand=False, deployments=both, baseline_replicas=baseline)))
    run.tick(None, None, a=0, b=0)

    assert sum(count or 0 for count in run.counts().values()) == expected
    assert not run.evidence().blind


def test_a_service_without_a_demand_policy_gives_back_what_is_above_its_baseline() -> None:
    run = chat_run(demand=False, baseline_replicas=2, stabilise_down_s=60).settle(4, a=5)
    assert run.verdict() == (5, "stabilised")

    assert run.tick(a=5).verdict() == (2, "baseline")


def test_the_baseline_is_weaker_than_every_ceiling() -> None:
    run = chat_run(demand=False, baseline_replicas=4, policies=(NamedPolicy("cap", Limit(at_most=1)),))

    assert run.tick(a=0).verdict() == (1, "limit")


def test_the_baseline_is_nothing_to_a_service_that_measures_demand() -> None:
    run = chat_run(baseline_replicas=4).tick(0, 10, a=0)

    assert run.to() == 1


def test_a_zero_demand_rests_at_zero_and_stays() -> None:
    run = chat_run().settle(50, a=0)

    assert run.verdict() == (0, "hold")


def test_an_unread_deployment_does_not_end_the_others_window() -> None:
    rules = {"queued": SignalRule(60, True), "running": SignalRule(60)}
    run = chat_run(signals=rules).settle(25, running=10, a=1)
    run.tick(0, 10, a=unread())
    run.tick(0, 10, a=seen(1))

    assert run.verdict() == (1, "hold")
