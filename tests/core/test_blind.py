"""4.3: what is not known is not zero. The fleet brake is in test_brake."""

from __future__ import annotations

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy, SignalRule
from autoscaler.core.model import Absence, Human, Override
from autoscaler.policies.queue_depth import QueueDepth
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run, unread

FRIDAY_1900 = NamedPolicy("office-hours", Limit(at_most=0))
BOTH = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "cheap", 16, 6))


@pytest.mark.parametrize("age_s", [61.0, 3600.0])
def test_a_stale_queue_never_scales_down(age_s: float) -> None:
    run = chat_run().settle(25, running=60, a=5)
    for _ in range(60):
        run.tick(0, 0, age_s=age_s, a=5)
        assert run.verdict() == (5, "blind")


@pytest.mark.parametrize("word", ["missing", "empty", "nan", "timeout", "several_series"])
def test_an_absent_signal_never_scales_down(word: str) -> None:
    run = chat_run().settle(25, running=60, a=5)
    for _ in range(30):
        run.tick(0, None, signals={"running": Absence(word)}, a=5)
        assert run.verdict() == (5, "blind"), word


def test_blind_and_increases_on_known_facts_go_on() -> None:
    run = chat_run().settle(3, running=10, a=1)
    run.tick(60, None, a=1)

    assert run.verdict() == (5, "queue_depth")


def test_blind_keeps_what_an_override_had_added() -> None:
    boost = Human(overrides=(Override("chat", None, 5, None, START + 100),))
    run = chat_run().settle(3, running=10, a=1)
    run.tick(None, None, a=1, human=boost)
    assert run.to() == 5
    run.settle(10, queued=None, running=None, a=5)

    assert run.memory.human.overrides == ()
    assert run.verdict() == (5, "blind")


def test_when_sight_is_back_demand_decides_again() -> None:
    run = chat_run(stabilise_down_s=60).settle(10, running=60, a=5)
    run.settle(10, queued=None, running=None, a=5)
    run.tick(0, 10, a=5)

    assert run.verdict() == (1, "queue_depth"), "the wants from before the blindness have left the window"


def test_blindness_is_no_gap_and_keeps_the_window() -> None:
    run = chat_run(stabilise_down_s=300).settle(25, running=60, a=5)
    run.settle(4, queued=None, running=None, a=5)
    run.tick(0, 10, a=5)

    assert run.verdict() == (5, "stabilised")


def test_friday_1900_closes_although_blind_and_stays_closed() -> None:
    run = chat_run(fallback_replicas=2).settle(25, running=60, a=5)
    run.settle(4, queued=None, running=None, a=5)
    run.fleet = a_fleet(a_service(fallback_replicas=2, policies=(FRIDAY_1900,)))
    run.tick(None, None, a=5)
    assert run.verdict() == (0, "limit")
    for _ in range(60):
        run.tick(None, None, a=0)
        assert run.to() == 0, "the fallback is weaker than a ceiling"


def test_an_override_of_zero_acts_while_blind() -> None:
    shut = Human(overrides=(Override("chat", None, None, 0, None),))
    run = chat_run(fallback_replicas=2).settle(10, queued=None, running=None, a=3)
    run.tick(None, None, a=3, human=shut)

    assert run.verdict() == (0, "override")
    assert run.tick(None, None, a=0).to() == 0


def test_a_lower_max_replicas_acts_while_blind() -> None:
    run = chat_run(replicas_max=6).settle(10, queued=None, running=None, a=5)
    run.fleet = a_fleet(a_service(replicas_max=2))

    assert run.tick(None, None, a=5).verdict() == (2, "bounds")


def test_capacity_lost_to_a_ceiling_while_blind_is_covered_by_others() -> None:
    run = Run(a_fleet(a_service(deployments=BOTH))).settle(10, queued=None, running=None, a=3, b=1)
    capped = NamedPolicy("dear", Limit(deployment="a", at_most=1))
    run.fleet = a_fleet(a_service(deployments=BOTH, policies=(capped,)))
    run.tick(None, None, a=3, b=1)

    assert run.counts() == {"a": 1, "b": 3}


def test_capacity_lost_to_drift_while_blind_is_covered_by_others() -> None:
    run = Run(a_fleet(a_service(deployments=BOTH))).settle(10, queued=None, running=None, a=3, b=1)
    run.tick(None, None, a=1, b=1)

    assert run.verdict("a") == (1, "drift")
    assert run.to("b") == 3


def test_capacity_lost_to_failure_while_blind_is_covered_by_others() -> None:
    from autoscaler.core.model import Phase

    run = Run(a_fleet(a_service(deployments=BOTH))).settle(10, queued=None, running=None, a=3, b=1)
    run.tick(None, None, a=seen(3, 0, phase=Phase.FAILED), b=1)

    assert run.verdict("a") == (3, "provider_error")
    assert run.to("b") == 4


def test_an_api_outage_while_blind_changes_nothing() -> None:
    run = Run(a_fleet(a_service(deployments=BOTH))).settle(10, queued=None, running=None, a=3, b=1)
    run.tick(None, None, a=None, b=1)

    assert run.counts() == {"a": None, "b": 1}


def test_blind_moves_nothing_although_another_is_cheaper() -> None:
    run = Run(a_fleet(a_service(deployments=BOTH))).settle(60, queued=None, running=None, a=3, b=0)

    assert run.counts() == {"a": 3, "b": 0}


@pytest.mark.parametrize(("ticks", "expected"), [(20, 1), (21, 3)])
def test_the_fallback_comes_blind_after_s_after_the_first_blind_tick(ticks: int, expected: int) -> None:
    run = chat_run(fallback_replicas=3, blind_after_s=300).tick(0, 10, a=1)
    run.settle(ticks, queued=None, running=None, a=1)

    assert run.to() == expected
    assert run.reason() == ("fallback" if expected == 3 else "blind")


def test_the_fallback_ends_when_sight_is_back() -> None:
    run = chat_run(fallback_replicas=3, blind_after_s=0, stabilise_down_s=30).settle(5, running=10, a=1)
    run.tick(None, None, a=1)
    assert run.verdict() == (3, "fallback")
    run.settle(3, queued=None, running=None, a=3)
    run.tick(0, 10, a=3)

    assert run.verdict() == (1, "queue_depth")


def test_the_fallback_takes_nothing_away() -> None:
    run = chat_run(fallback_replicas=2, blind_after_s=0).settle(40, queued=None, running=None, a=5)

    assert run.verdict() == (5, "blind")


def test_sight_in_between_starts_the_count_to_the_fallback_again() -> None:
    run = chat_run(fallback_replicas=3, blind_after_s=60).tick(0, 10, a=1)
    for _ in range(5):
        run.settle(4, queued=None, running=None, a=1)
        assert run.to() == 1
        run.tick(0, 10, a=1)


def test_no_running_signal_while_nothing_is_ready_is_not_blindness() -> None:
    run = chat_run().settle(25, queued=0, running=None, a=0)
    assert not run.evidence().blind
    assert run.verdict() == (0, "hold")

    run.tick(20, None, a=0)
    assert run.verdict() == (2, "queue_depth")
    run.tick(20, None, a=seen(2, 0))
    assert not run.evidence().blind, "two are set and none is ready"
    run.tick(20, None, a=seen(2, 1))
    assert run.evidence().blind, "one is ready and exports nothing"


def test_a_queue_that_exists_at_zero_is_missed_although_nothing_is_ready() -> None:
    run = chat_run(fallback_replicas=1, blind_after_s=0).tick(None, None, a=0)

    assert run.evidence().blind
    assert run.verdict() == (1, "fallback")


def test_ready_not_known_excuses_no_absent_signal() -> None:
    run = chat_run().tick(0, None, a=unread())

    assert run.evidence().blind, "a deployment that was never read may well serve"


# --- no wake signal -------------------------------------------------------------------------------

DEAF = {"queued": SignalRule(60), "running": SignalRule(60)}


def test_without_a_signal_at_zero_the_last_replica_stays() -> None:
    run = chat_run(signals=DEAF).settle(60, a=1)

    assert run.verdict() == (1, "no_wake_signal")


def test_without_a_signal_at_zero_one_replica_is_wanted_from_zero() -> None:
    assert chat_run(signals=DEAF).tick(None, None, a=0).verdict() == (1, "no_wake_signal")


def test_a_ceiling_of_zero_acts_on_that_want_as_on_any_other() -> None:
    run = chat_run(signals=DEAF, policies=(FRIDAY_1900,)).tick(a=1)

    assert run.verdict() == (0, "limit")


def test_an_override_of_zero_acts_on_that_want() -> None:
    run = chat_run(signals=DEAF).tick(a=1, human=Human(overrides=(Override("chat", None, None, 0, None),)))

    assert run.verdict() == (0, "override")


def test_a_vendor_that_wakes_by_traffic_may_sleep() -> None:
    run = chat_run(signals=DEAF).settle(20, a=seen(1, wakes=True))

    assert run.verdict() == (1, "stabilised")
    assert run.tick(a=seen(1, wakes=True)).to() == 0


def test_one_signal_at_zero_is_enough_for_a_policy() -> None:
    assert chat_run().settle(21, a=1).to() == 0


def test_a_signal_at_zero_that_the_demand_policy_does_not_read_is_none() -> None:
    rules = {**DEAF, "visitors": SignalRule(60, True)}

    assert chat_run(signals=rules).settle(60, a=1).verdict() == (1, "no_wake_signal")


def test_a_service_without_a_demand_policy_needs_no_wake_signal() -> None:
    assert chat_run(signals=DEAF, demand=False).settle(21, a=1).to() == 0


def test_two_demand_policies_are_blind_when_one_is() -> None:
    second = NamedPolicy("other", QueueDepth(signals=("tokens",)))
    rules = {"queued": SignalRule(60, True), "running": SignalRule(60), "tokens": SignalRule(60)}
    run = chat_run(policies=(second,), signals=rules).settle(40, running=10, a=4)

    assert run.evidence().blind
    assert run.verdict() == (4, "blind")
