"""4.9: somebody else changed the replicas."""

from __future__ import annotations

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import ErrorKind, Human, OutcomeWord
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run, said


def held(run: Run) -> bool:
    return run.reason() == "drift"


def test_the_first_sight_counts_as_read_back() -> None:
    assert chat_run().tick(0, 10, a=3).reason() == "stabilised"


def test_a_foreign_change_is_left_alone_for_drift_hold_s() -> None:
    run = chat_run(drift_hold_s=600).settle(3, running=60, a=5)
    run.tick(0, 60, a=2)
    for _ in range(39):
        assert run.verdict() == (2, "drift"), run.at
        run.tick(0, 60, a=2)
    run.tick(0, 60, a=2)
    assert run.at == 60 + 600
    assert run.verdict() == (5, "queue_depth"), "at its end what is there counts as read back"


def test_floors_wait_too_and_max_replicas_still_binds() -> None:
    run = chat_run(policies=(NamedPolicy("f", Limit(at_least=4)),)).settle(3, a=4)
    assert run.tick(a=1).verdict() == (1, "drift")
    assert run.tick(a=9).verdict() == (6, "bounds")


def test_others_of_the_service_fill_the_gap() -> None:
    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "cheap", 16, 6))
    run = Run(a_fleet(a_service(deployments=both))).settle(3, running=60, a=5, b=0)
    run.tick(0, 60, a=1, b=0)

    assert run.counts() == {"a": 1, "b": 4}


def test_what_max_replicas_will_take_from_a_foreign_count_carries_nothing() -> None:
    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "cheap", 16, 6))
    run = Run(a_fleet(a_service(deployments=both))).settle(3, running=76, a=6, b=0)
    run.tick(0, 100, a=9, b=0)

    assert run.counts() == {"a": 6, "b": 2}, "125 are 8 replicas: 9 are there, and 6 of them stay"


def test_our_own_write_is_no_drift_whether_accepted_read_back_late_or_early() -> None:
    run = chat_run().tick(0, 60, a=2)
    for count in (2, 2, 5, 5):
        run.tick(0, 60, a=count)
        assert not held(run)


@pytest.mark.parametrize("word", [OutcomeWord.TIMEOUT, OutcomeWord.FAILED])
def test_a_write_of_unknown_fate_stays_ours_until_its_deadline(word: OutcomeWord) -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=2)
    run.tick(0, 10, a=2, outcomes=said(word, ErrorKind.UNAVAILABLE))
    run.settle(10, running=10, a=2)
    run.tick(0, 60, a=5)

    assert not held(run)


def test_an_intent_stays_ours_whatever_stale_reads_say() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 20, a=1)  # 1 -> 2
    run.tick(0, 60, a=1)  # 1 -> 5, although 2 was accepted
    run.tick(0, 60, a=2)  # the first is read back
    assert not held(run)
    run.tick(0, 60, a=5)  # and then the second
    assert not held(run)
    run.tick(0, 60, a=5)
    assert run.verdict() == (5, "hold")


def test_a_stale_read_of_an_earlier_intent_is_still_ours() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 20, a=1)
    run.tick(0, 60, a=2)
    run.tick(0, 60, a=5)
    run.tick(0, 60, a=2)

    assert not held(run), "2 was ours a moment ago, and its deadline has not passed"


def test_back_to_where_a_confirmed_write_came_from_is_drift() -> None:
    run = chat_run().tick(0, 60, a=2)
    run.tick(0, 60, a=5)
    run.tick(0, 60, a=2)

    assert held(run)


def test_a_refused_write_is_not_ours() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=2)
    run.tick(0, 10, a=2, outcomes=said(OutcomeWord.REJECTED, ErrorKind.BUSY))
    run.tick(0, 10, a=5)

    assert held(run)


def test_a_hold_starts_only_when_the_observed_range_changes() -> None:
    run = chat_run(drift_hold_s=60).settle(3, running=60, a=5)
    run.tick(0, 60, a=2)
    run.settle(3, running=60, a=2)
    assert held(run)
    run.tick(0, 60, a=2)
    assert not held(run)
    assert len(run.known().drifts) == 1


def test_another_change_during_a_hold_starts_it_anew() -> None:
    run = chat_run(drift_hold_s=60).settle(3, running=60, a=5)
    run.tick(0, 60, a=2)
    run.settle(2, running=60, a=2)
    run.tick(0, 60, a=3)
    run.settle(3, running=60, a=3)
    assert held(run)
    assert not held(run.tick(0, 60, a=3))


def three_times(run: Run) -> Run:
    run.settle(3, running=60, a=5)
    for count in (2, 3, 2):
        run.tick(0, 60, a=count)
        run.settle(5, running=60, a=count)
    return run


def test_after_three_holds_a_day_the_deployment_is_left_alone() -> None:
    run = three_times(chat_run(drift_hold_s=30))
    assert len(run.known().drifts) == 3
    assert run.verdict() == (2, "drift")
    assert "left alone" in run.why()
    for count in (4, 4, 1, 1):
        run.tick(0, 60, a=count)
        assert run.verdict() == (count, "drift")


def test_resume_ends_it() -> None:
    run = three_times(chat_run(drift_hold_s=30))
    run.tick(0, 60, a=2, human=Human(resumes=("chat",)))

    assert run.verdict() == (5, "queue_depth")
    assert run.known().drifts == ()


def test_resume_of_another_service_ends_nothing() -> None:
    run = three_times(chat_run(drift_hold_s=30))

    assert held(run.tick(0, 60, a=2, human=Human(resumes=("draw",))))


def test_a_day_ends_it() -> None:
    run = three_times(chat_run(drift_hold_s=30))
    until = run.known().left_alone_until
    assert until is not None
    run.tick(0, 60, a=2, after=until - START - run.at - 1)
    assert held(run)
    run.tick(0, 60, a=2, after=1)
    assert not held(run)


def test_two_holds_within_a_day_and_one_after_it_are_no_three() -> None:
    run = chat_run(drift_hold_s=30).settle(3, running=60, a=5)
    run.tick(0, 60, a=2)
    run.settle(4, running=60, a=2)
    run.tick(0, 60, a=3)
    run.settle(4, running=60, a=3)
    run.tick(0, 60, a=3, after=90_000)
    run.tick(0, 60, a=1)
    run.settle(4, running=60, a=1)

    assert not held(run)


# --- nobody knows what became of the last plan ----------------------------------------------------


def test_without_outcomes_set_equal_to_to_confirms() -> None:
    run = chat_run().tick(0, 60, a=2)
    run.tick(0, 60, a=5, outcomes=None)

    assert run.verdict() == (5, "hold")


def test_without_outcomes_set_equal_to_from_decides_anew() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=2)
    run.tick(0, 60, a=2, outcomes=None)
    assert run.verdict() == (5, "queue_depth"), "not executed (yet)"
    run.tick(0, 20, a=2, outcomes=None)
    assert run.to() == 2, "and with today's facts"


def test_without_outcomes_anything_else_is_drift() -> None:
    run = chat_run().tick(0, 60, a=2)

    assert run.tick(0, 60, a=4, outcomes=None).verdict() == (4, "drift")


@pytest.mark.parametrize("downtime_s", [60.0, 500.0, 7200.0])
def test_after_a_kill_and_a_long_downtime_our_last_write_is_still_ours(downtime_s: float) -> None:
    run = chat_run().tick(0, 60, a=2)
    run.tick(0, 60, a=5, outcomes=None, after=downtime_s)

    assert not held(run)
    assert run.to() == 5


def test_a_kill_loses_no_window_and_forgets_no_override() -> None:
    from autoscaler.core.model import Override

    run = chat_run(stabilise_down_s=300).settle(25, running=60, a=5)
    run.tick(0, 10, a=5, human=Human(overrides=(Override("chat", None, 2, None, START + 900),)))
    run.tick(0, 10, a=5, outcomes=None, after=100)
    assert run.verdict() == (5, "stabilised"), "the wants of before the kill are in the journal"
    run.tick(0, 0, a=5, outcomes=None, after=100)
    run.tick(0, 0, a=5, outcomes=None, after=100)
    assert run.verdict() == (2, "override")


def test_outcomes_that_do_not_name_our_write_say_that_it_was_never_sent() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=2)
    run.tick(0, 20, a=2, outcomes=())
    assert run.known().intents == ()

    assert held(run.tick(0, 10, a=5))


def test_drift_survives_a_restart() -> None:
    run = chat_run(drift_hold_s=600).settle(3, running=60, a=5)
    run.tick(0, 60, a=2)
    run.tick(0, 60, a=2, after=200, outcomes=None)

    assert held(run)


def test_a_change_during_an_api_outage_is_drift_when_it_ends() -> None:
    run = chat_run().settle(3, running=60, a=5)
    run.settle(4, running=60, a=None)

    assert held(run.tick(0, 60, a=seen(2)))
