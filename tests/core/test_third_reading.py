"""What planted bugs and mutants showed: rules that were kept, and that no other test would have missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.allocate import Offer, cheapest
from autoscaler.core.codec import snapshot_from_json
from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import ErrorKind, Observation, Outcome, OutcomeWord, Phase, Sample, exactly
from autoscaler.core.start_up import start_up_s
from autoscaler.core.views import prices_of, view_of
from tests.core.fleets import Limit, a_fleet, a_service, a_snapshot, seen
from tests.core.run import Run, chat_run

DEAR = Deployment("chat", "a", "exo", 16, 6)
CHEAP = Deployment("chat", "b", "cheap", 16, 6)


def silent(count: int) -> Observation:
    """A reply that says how many are set and not how many serve."""
    return Observation(exactly(count), None, None, Phase.SCALING, "l4", 1)


def moving() -> Run:
    """Three dear replicas that two or three cheap ones are about to replace."""
    service = a_service(deployments=(DEAR, CHEAP))
    run = Run(a_fleet(service, fixed_prices={"exo/gpua5000": 1.0, "cheap/l4": 0.5}))
    return run.settle(21, running=32, a=3, b=0)


@pytest.mark.parametrize("waits_s", [(600.0, 60.0), (60.0, 600.0)])
def test_of_two_limits_of_a_provider_the_longer_holds(waits_s: tuple[float, float]) -> None:
    draw = a_service("draw", deployments=(Deployment("draw", "x", "exo", 16, 6),))
    refused = tuple(
        Outcome(service, name, OutcomeWord.REJECTED, ErrorKind.RATE_LIMITED, wait_s)
        for (service, name), wait_s in zip((("chat", "a"), ("draw", "x")), waits_s, strict=True)
    )
    same = {"keys": {"draw/x": seen(1)}, "services": {"draw": (0.0, 60.0)}}
    run = Run(a_fleet(a_service(), draw)).tick(0, 60, a=2, **same)  # type: ignore[arg-type]
    run.tick(0, 60, a=2, outcomes=refused, **same)  # type: ignore[arg-type]

    run.tick(0, 60, a=2, after=90.0, outcomes=(), **same)  # type: ignore[arg-type]

    assert run.verdict() == (2, "provider_error")


def test_ready_that_is_not_told_is_what_was_last_told_and_not_zero() -> None:
    run = moving().tick(0, 32, a=3, b=seen(3, 2, provider="cheap"))
    assert run.to("a") == 1

    run.tick(0, 32, a=3, b=silent(3), outcomes=())

    assert run.to("a") == 1, "two of b serve still"


def test_what_is_set_and_does_not_serve_is_starting_where_the_vendor_does_not_say() -> None:
    run = chat_run().tick(0, 60, a=seen(5, 2))

    assert run.evidence().deployments["a"].replicas_starting == 3


def test_a_line_that_leaves_ready_out_does_not_say_zero() -> None:
    line = {"at": "2026-11-21T12:00:00Z", "deployments": {"chat/a": {"replicas_set": 4}}}

    assert snapshot_from_json(line).deployments["chat/a"].ready is None


def test_others_cover_what_is_overdue_where_nothing_can_be_written() -> None:
    dear = replace(CHEAP, provider="dear")
    run = Run(a_fleet(a_service(deployments=(DEAR, dear)))).settle(3, running=20, a=2, b=0)
    run.tick(0, 60, a=2, b=0)
    run.settle(24, running=60, a=seen(5, 2), b=0)

    run.tick(0, 60, a=replace(seen(5, 2), error=ErrorKind.BUSY), b=0)

    assert run.counts() == {"a": 5, "b": 3}


def test_a_floor_of_the_service_lifts_one_ceiling_where_one_is_enough() -> None:
    capped = [NamedPolicy(f"cap-{name}", Limit(deployment=name, at_most=1)) for name in "ab"]
    floor = NamedPolicy("floor", Limit(at_least=5))
    service = a_service(deployments=(DEAR, CHEAP), policies=(floor, *capped))

    run = Run(a_fleet(service)).tick(0, 500, a=0, b=0)

    assert sorted(count or 0 for count in run.counts().values()) == [1, 4]


def test_a_need_between_two_whole_replicas_takes_the_one_more() -> None:
    offers = [Offer("a", 0.5, 1, 0, 99), Offer("b", 0.7, 9, 0, 99)]

    assert cheapest(offers, 1.00001, 0, 99) == (3, 0)


def test_what_the_vendor_measured_is_a_better_prior_than_the_configured_one() -> None:
    run = chat_run().tick(a=seen(2, start_up_p50_s=40.0, start_up_p90_s=500.0))

    assert start_up_s(run.fleet.services["chat"].deployments[0], run.known(), 0.5) == 40.0
    assert start_up_s(run.fleet.services["chat"].deployments[0], run.known(), 0.9) == 500.0


def test_policies_see_the_median_and_the_90th_percentile_of_the_slowest() -> None:
    run = Run(a_fleet(a_service(deployments=(DEAR, CHEAP))))
    run.tick(
        a=seen(2, start_up_p50_s=40.0, start_up_p90_s=500.0),
        b=seen(1, provider="cheap", start_up_p50_s=60.0, start_up_p90_s=90.0),
    )
    service = run.fleet.services["chat"]
    snapshot = a_snapshot(run.at, deployments={})

    view = view_of(service, run.memory, snapshot, prices_of(service, run.memory, run.fleet, snapshot.at))

    assert (view.start_up_p50_s, view.start_up_p90_s) == (60.0, 500.0)


def test_what_has_failed_before_blindness_is_not_covered_for_twice() -> None:
    run = Run(a_fleet(a_service(deployments=(DEAR, CHEAP))))
    failed = Observation(exactly(3), 0, None, Phase.FAILED, "gpua5000", 1)
    run.settle(25, running=32, a=failed, b=seen(3, provider="cheap"))
    assert run.to("b") == 3

    run.tick(None, None, a=failed, b=seen(3, provider="cheap"))

    assert run.to("b") == 3


def test_a_deployment_that_a_floor_cannot_lift_is_at_its_own_bound() -> None:
    policies = (NamedPolicy("floor", Limit(at_least=9)), NamedPolicy("cap", Limit(deployment="b", at_most=1)))
    run = Run(a_fleet(a_service(deployments=(DEAR, CHEAP), policies=policies))).tick(0, 500, a=0, b=0)

    assert run.verdict("a") == (6, "bounds")
    assert run.verdict("b") == (3, "limit")


def test_at_zero_replicas_ready_that_is_not_told_is_zero() -> None:
    at_zero = Observation(exactly(0), None, None, Phase.READY, "gpua5000", 1)
    run = chat_run().tick(0, None, a=at_zero)

    assert not run.evidence().blind, "nothing runs that could tell how much is running"


def test_a_deployment_that_cannot_be_read_hides_none_that_comes_after_it() -> None:
    run = Run(a_fleet(a_service(deployments=(DEAR, CHEAP)))).tick(0, 32, a=2, b=seen(1, provider="cheap"))

    run.tick(0, 32, a=None, b=seen(3, provider="cheap"))

    assert run.known("b").replicas_set == 3
    assert run.reason("b") == "drift"


@pytest.mark.parametrize("value", [0, 0.0])
def test_zero_in_a_line_is_zero(value: float) -> None:
    sample = {"value": value, "at": "2026-11-21T11:59:58Z"}
    price = {"usd_per_gpu_hour": value, "at": "2026-11-21T11:59:58Z"}
    line = {
        "at": "2026-11-21T12:00:00Z",
        "signals": {"chat": {"queued": sample}},
        "prices": {"exo/l4": price},
    }

    snapshot = snapshot_from_json(line)

    reading = snapshot.signals["chat"]["queued"]
    assert isinstance(reading, Sample)
    assert (reading.value, snapshot.prices["exo/l4"].usd_per_gpu_hour) == (0.0, 0.0)


def test_a_hold_for_the_clock_says_so_in_its_own_words() -> None:
    run = chat_run().settle(25, running=60, a=5).tick(0, 60, a=5)
    run.tick(0, 10, a=5, clock="back")

    assert run.verdict() == (5, "clock")
    assert "the clock was set back" in run.why()
