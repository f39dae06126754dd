"""4.10: each error of the closed set has its own wait."""

from __future__ import annotations

import pytest

from autoscaler.core.fleet import Deployment
from autoscaler.core.model import ErrorKind, Observation, OutcomeWord
from tests.core.fleets import a_fleet, a_service, seen
from tests.core.run import Run, chat_run, said, unread


def failed(run: Run, error: ErrorKind, word: OutcomeWord = OutcomeWord.REJECTED, **more: object) -> Run:
    """The last write failed; the same demand again."""
    return run.tick(0, 60, a=2, outcomes=said(word, error, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [ErrorKind.UNAVAILABLE, ErrorKind.BAD_REPLY, ErrorKind.BUSY])
def test_the_next_tick_is_the_retry(error: ErrorKind) -> None:
    run = failed(chat_run().tick(0, 60, a=2), error, OutcomeWord.FAILED)

    assert run.verdict() == (5, "queue_depth")


def test_a_timeout_is_tried_again_next_tick() -> None:
    run = failed(chat_run().tick(0, 60, a=2), ErrorKind.UNAVAILABLE, OutcomeWord.TIMEOUT)

    assert run.verdict() == (5, "queue_depth")


def test_no_capacity_waits_300_s_doubling_to_an_hour() -> None:
    run = chat_run().tick(0, 60, a=2)
    waits = []
    for _ in range(6):
        failed(run, ErrorKind.NO_CAPACITY)
        refused_at = run.at
        while not run.decision().changes:
            assert run.verdict() == (2, "no_capacity")
            run.tick(0, 60, a=2)
        waits.append(run.at - refused_at)
    assert waits == [300, 600, 1200, 2400, 3600, 3600]


def test_no_capacity_stops_no_decrease() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=2)
    failed(run, ErrorKind.NO_CAPACITY)

    assert run.tick(0, 10, a=2).to() == 1


def test_no_capacity_ends_its_doubling_when_replicas_have_come() -> None:
    run = failed(chat_run().tick(0, 60, a=2), ErrorKind.NO_CAPACITY)
    run.settle(20, running=60, a=2)
    assert run.verdict() == (5, "queue_depth")
    run.tick(0, 60, a=5)
    assert run.known().backoff is None


def test_others_take_what_no_capacity_leaves() -> None:
    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "dear", 16, 6))
    run = Run(a_fleet(a_service(deployments=both))).tick(0, 60, a=2, b=0)
    assert run.counts() == {"a": 5, "b": 0}
    run.tick(0, 60, a=2, b=0, outcomes=said(OutcomeWord.REJECTED, ErrorKind.NO_CAPACITY))

    assert run.counts() == {"a": 2, "b": 3}


@pytest.mark.parametrize("error", [ErrorKind.REJECTED, ErrorKind.UNAUTHORIZED, ErrorKind.NOT_FOUND])
def test_what_only_a_person_can_mend_waits_an_hour(error: ErrorKind) -> None:
    run = failed(chat_run().tick(0, 60, a=2), error)
    refused_at = run.at
    while not run.decision().changes:
        assert run.verdict() == (2, "provider_error")
        run.tick(0, 60, a=2)
    assert run.at - refused_at == 3600


@pytest.mark.parametrize("error", [ErrorKind.REJECTED, ErrorKind.UNAUTHORIZED, ErrorKind.NOT_FOUND])
def test_a_changed_configuration_ends_that_wait(error: ErrorKind) -> None:
    run = failed(chat_run().tick(0, 60, a=2), error)
    run.fleet = a_fleet(a_service(), config_hash="another")

    assert run.tick(0, 60, a=2).to() == 5


def test_a_changed_configuration_finds_no_capacity() -> None:
    run = failed(chat_run().tick(0, 60, a=2), ErrorKind.NO_CAPACITY)
    run.fleet = a_fleet(a_service(), config_hash="another")

    assert run.tick(0, 60, a=2).to() == 2


def test_a_rate_limit_stops_all_writes_of_that_provider_until_then() -> None:
    draw = a_service("draw", deployments=(Deployment("draw", "x", "exo", 16, 6),))
    paint = a_service("paint", deployments=(Deployment("paint", "y", "cheap", 16, 6),))
    run = Run(a_fleet(a_service(), draw, paint)).tick(
        0, 60, a=2, keys={"draw/x": seen(1), "paint/y": seen(1)}
    )
    others = {"draw/x": seen(1), "paint/y": seen(1, provider="cheap")}
    levels = {"draw": (0.0, 60.0), "paint": (0.0, 60.0)}
    outcome = said(OutcomeWord.REJECTED, ErrorKind.RATE_LIMITED, retry_after_s=60)
    run.tick(0, 60, a=2, keys=others, services=levels, outcomes=outcome)
    assert run.verdict("a") == (2, "provider_error")
    assert run.verdict("x", "draw") == (1, "provider_error")
    assert run.verdict("y", "paint") == (5, "queue_depth")
    for _ in range(3):
        run.tick(0, 60, a=2, keys=others, services=levels, outcomes=())
        assert run.to() == 2
    run.tick(0, 60, a=2, keys=others, services=levels, outcomes=())
    assert (run.to("a"), run.to("x", "draw")) == (5, 5)


def test_reads_go_on_under_a_rate_limit_of_writes() -> None:
    run = chat_run().tick(0, 60, a=2)
    run.tick(0, 60, a=2, outcomes=said(OutcomeWord.REJECTED, ErrorKind.RATE_LIMITED, retry_after_s=600))
    run.tick(0, 60, a=4)

    assert run.reason() == "drift", "a foreign change is noticed meanwhile"


def test_a_limit_without_a_time_is_one_interval() -> None:
    run = failed(chat_run().tick(0, 60, a=2), ErrorKind.RATE_LIMITED)
    assert run.to() == 2

    assert run.tick(0, 60, a=2).to() == 5


@pytest.mark.parametrize("error", list(ErrorKind))
def test_a_read_that_fails_decides_nothing_and_names_the_error(error: ErrorKind) -> None:
    run = chat_run().settle(3, running=10, a=2)
    run.tick(0, 60, a=unread(error))

    decision = run.decision()
    assert (decision.replicas_from, decision.replicas_to) == (None, None)
    assert decision.reason == "provider_error"
    assert error.value in decision.why


def test_a_deployment_that_a_line_does_not_name_was_not_observed() -> None:
    run = chat_run().tick(0, 60)

    assert (run.decision().replicas_from, run.decision().replicas_to) == (None, None)
    assert run.reason() == "provider_error"


def test_an_observation_with_an_error_is_not_written() -> None:
    odd: Observation = seen(2, error=ErrorKind.BAD_REPLY)

    assert chat_run().tick(0, 60, a=odd).verdict() == (2, "provider_error")


def test_a_stale_skip_is_decided_anew() -> None:
    run = chat_run().tick(0, 60, a=2)
    run.tick(0, 60, a=2, outcomes=said(OutcomeWord.STALE))

    assert run.verdict() == (5, "queue_depth")


def test_others_cover_where_writes_fail_again_and_again() -> None:
    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "dear", 16, 6))
    run = Run(a_fleet(a_service(deployments=both))).tick(0, 60, a=2, b=0)
    assert (run.to("a"), run.to("b")) == (5, 0)

    run.tick(0, 60, a=2, b=0, outcomes=said(OutcomeWord.TIMEOUT, ErrorKind.UNAVAILABLE))
    assert (run.to("a"), run.to("b")) == (5, 0), "after one failure the next tick is the retry"
    run.tick(0, 60, a=2, b=0, outcomes=said(OutcomeWord.FAILED, ErrorKind.UNAVAILABLE))

    assert (run.to("a"), run.to("b")) == (2, 3)
    assert run.verdict("a") == (2, "provider_error")


def test_a_write_that_is_taken_ends_the_wait_after_failures() -> None:
    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "dear", 16, 6))
    run = Run(a_fleet(a_service(deployments=both))).tick(0, 60, a=2, b=0)
    for _ in range(2):
        run.tick(0, 60, a=2, b=0, outcomes=said(OutcomeWord.FAILED, ErrorKind.UNAVAILABLE))
    run.tick(0, 90, after=61, a=2, b=3, outcomes=())
    assert run.decision("a").changes, "asked again after 60 s"
    run.tick(0, 90, a=run.to("a"), b=3)

    assert run.known("a").backoff is None
