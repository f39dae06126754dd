"""4.5, 4.6 and 4.8 together: vendors that shrink slowly, scale by themselves, have no GPU, or no zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoscaler.core.fleet import Deployment
from autoscaler.core.model import (
    ErrorKind,
    Observation,
    OutcomeWord,
    Phase,
    Price,
    ReplicaRange,
    ZeroCapability,
    exactly,
)
from tests.core.fleets import START, a_fleet, a_service, seen
from tests.core.run import Run, chat_run, said

CHEAP = Deployment("chat", "a", "exo", 16, 6)
DEAR = Deployment("chat", "b", "cheap", 16, 6)
PRICES = {"exo/gpua5000": 1.0, "cheap/l4": 2.0}


def two(**settings: Any) -> Run:
    """A cheap and a dear deployment, the cheap one in use and at rest."""
    service = a_service(deployments=(CHEAP, DEAR), **settings)
    return Run(a_fleet(service, fixed_prices=PRICES))


# --- a vendor that shrinks only after a delay of its own ------------------------------------------


def test_replicas_that_a_vendor_keeps_for_its_own_delay_are_neither_overdue_nor_asked_for_again() -> None:
    run = chat_run(stabilise_down_s=60).settle(6, running=60, a=exact(5, 5))
    run.settle(4, running=20, a=exact(5, 5))
    assert run.decision().range_to == exactly(2)
    writes = 0
    for _ in range(60):  # its scale_down_delay is 900 s; the settings read back at once
        run.tick(0, 20, a=exact(2, 5))
        writes += run.decision().changes
        facts = run.evidence().deployments["a"]
        assert run.verdict() == (2, "hold")
        assert facts.replicas_overdue == 0
        assert run.known().billed == 5, "what runs is paid, whatever was asked for"
    run.tick(0, 20, a=exact(2, 2))

    assert writes == 0
    assert run.known().billed == 2


def test_more_demand_during_that_delay_is_served_by_asking_for_more_again() -> None:
    run = chat_run(stabilise_down_s=60).settle(6, running=60, a=exact(5, 5))
    run.settle(4, running=20, a=exact(5, 5))
    run.tick(0, 20, a=exact(2, 5))
    run.tick(0, 50, a=exact(2, 5))

    assert run.to() == 4


def exact(count: int, ready: int) -> Observation:
    phase = Phase.READY if ready == count else Phase.SCALING
    return Observation(exactly(count), ready, None, phase, "h100", 1)


# --- a vendor's own autoscaler under pin ----------------------------------------------------------


def test_pin_under_a_vendors_autoscaler_is_a_guarded_decrease_from_what_runs_and_starts_and_one_write() -> (
    None
):
    own = Observation(ReplicaRange(1, 4), 2, 1, Phase.SCALING, "h100", 1, native=True)
    run = chat_run(stabilise_down_s=0).tick(0, 20, a=own)
    assert (run.decision().replicas_from, run.verdict()) == (3, (3, "changing")), "two run and one starts"
    own = replace(own, ready=3, starting=0, phase=Phase.READY)
    writes = []
    for _ in range(30):
        run.tick(0, 20, a=own)
        if run.decision().changes:
            writes.append(run.decision().range_to)
            own = exact(2, 2)

    assert writes == [exactly(2)]


def test_a_vendor_that_never_rests_is_pinned_at_the_deadline() -> None:
    own = Observation(ReplicaRange(1, 4), 2, 1, Phase.SCALING, "h100", 1, native=True)
    run = chat_run(stabilise_down_s=0)
    while not run.tick(0, 20, a=own).decision().changes:
        assert run.at < 600, "its start-up is taken for 180 s: twice that is the deadline"

    assert run.decision().range_to == exactly(2)


def test_a_step_limit_holds_for_the_decrease_from_what_the_vendor_runs() -> None:
    own = Observation(ReplicaRange(1, 4), 4, 0, Phase.READY, "h100", 1, native=True)
    run = chat_run(step_down_replicas_max=1, stabilise_down_s=0)
    writes = []
    for _ in range(30):
        run.tick(0, 20, a=own)
        if run.decision().changes:
            writes.append(run.decision().range_to)
            own = exact(run.to() or 0, run.to() or 0)

    assert writes == [exactly(3), exactly(2)]


# --- no GPU free where it is cheap ----------------------------------------------------------------


def test_the_next_cheapest_covers_in_the_same_tick_where_a_vendor_says_that_it_has_none() -> None:
    none_left = replace(seen(1, provider="exo"), available=False)
    run = two().settle(3, running=10, a=1, b=0)
    run.tick(0, 40, a=none_left, b=0)

    assert run.counts() == {"a": 1, "b": 3}
    assert run.reason("b") == "queue_depth"


def test_the_next_cheapest_covers_in_the_next_tick_after_a_refusal_and_the_cheap_one_returns() -> None:
    run = two(stabilise_down_s=60).settle(6, running=10, a=1, b=0)
    run.tick(0, 40, a=1, b=0)
    assert run.counts() == {"a": 4, "b": 0}
    run.tick(0, 40, a=1, b=0, outcomes=said(OutcomeWord.REJECTED, ErrorKind.NO_CAPACITY))
    assert run.counts() == {"a": 1, "b": 3}
    seconds = 0.0
    while run.to("a") == 1:
        run.tick(0, 40, a=1, b=3)
        seconds += 15
        assert seconds <= 600, "it is asked again after 300 s"
    assert seconds >= 285
    assert (run.counts(), run.reason("a")) == ({"a": 4, "b": 3}, "moving")
    run.tick(0, 40, a=4, b=3)

    assert run.counts() == {"a": 4, "b": 0}


def test_stock_that_comes_and_goes_moves_nothing_that_does_not_pay_back() -> None:
    run = two(stabilise_down_s=60, switch_payback_s=60).settle(6, running=40, a=1, b=3)
    for tick in range(40):
        free = replace(seen(1, provider="exo"), available=tick % 2 == 0)
        run.tick(0, 40, a=free, b=3)
        assert run.counts() == {"a": 1, "b": 3}


# --- zero, by vendor ------------------------------------------------------------------------------


def test_a_vendor_without_zero_keeps_one_and_is_asked_for_nothing_each_tick() -> None:
    one = replace(seen(1, provider="exo"), zero=ZeroCapability.IMPOSSIBLE)
    run = chat_run(stabilise_down_s=0).settle(40, a=one)

    assert run.verdict() == (1, "bounds")
    assert not run.decision().changes


def test_a_refused_zero_is_not_asked_for_again_each_tick() -> None:
    run = chat_run(stabilise_down_s=0)
    writes = 0
    for _ in range(200):
        refused = run.plan.decisions and run.decision().changes
        run.tick(0, 0, a=1, outcomes=said(OutcomeWord.REJECTED, ErrorKind.REJECTED) if refused else ())
        writes += run.decision().changes

    assert writes == 1, "3000 s: until the configuration changes, or an hour"


# --- a price that is no longer known --------------------------------------------------------------


def test_replicas_stay_where_they_are_while_nobody_knows_the_price() -> None:
    run = Run(a_fleet(a_service(deployments=(CHEAP, DEAR)), fixed_prices={"exo/gpua5000": 1.0}))
    price = {"cheap/l4": Price(0.5, START)}
    run.tick(0, 32, a=3, b=0, prices=price).settle(20, running=32, a=3, b=0)
    assert run.reason("b") == "moving"
    run.settle(280, running=32, a=0, b=3)  # the feed is dead for over an hour

    assert run.counts() == {"a": 0, "b": 3}
