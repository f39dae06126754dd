"""What planted bugs and mutants showed: rules that were kept, and that no other test would have missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.allocate import Offer, cheapest
from autoscaler.core.codec import snapshot_from_json
from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import (
    ErrorKind,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Override,
    Pause,
    Phase,
    Sample,
    exactly,
)
from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.core.start_up import start_up_s
from autoscaler.core.views import prices_of, view_of
from autoscaler.policies.queue_depth import QueueDepth
from tests.core.fleets import START, Limit, a_fleet, a_service, a_snapshot, ranged, seen
from tests.core.run import Run, chat_run

DEAR = Deployment("chat", "a", "exo", 16, 6)
CHEAP = Deployment("chat", "b", "cheap", 16, 6)
ALIKE = {"exo/gpua5000": 1.0, "cheap/l4": 1.0}


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


def test_the_largest_of_several_known_demands_is_the_demand_in_any_order() -> None:
    other = NamedPolicy("queue-alone", QueueDepth(signals=("queued",)))
    service = a_service(policies=(other,))
    turned_round = replace(service, policies=tuple(reversed(service.policies)))

    for either in (service, turned_round):
        run = Run(a_fleet(either)).tick(20, 40, a=5)
        assert run.evidence().demand == 60.0


def test_a_write_that_was_not_executed_leaves_the_cooldown_of_the_change_before_it() -> None:
    run = chat_run(cooldown_s=120, stabilise_down_s=0).tick(0, 30, a=1)
    assert run.to() == 3
    run.tick(0, 60, a=3)
    assert run.to() == 5
    run.tick(0, 10, a=3, outcomes=(Outcome("chat", "a", OutcomeWord.STALE),))

    assert run.verdict() == (3, "cooldown")


def test_a_refused_move_tells_what_would_be_paid_twice() -> None:
    service = a_service(deployments=(DEAR, CHEAP), switch_payback_s=100.0)
    run = Run(a_fleet(service, fixed_prices={"exo/gpua5000": 1.0, "cheap/l4": 0.5}))
    run.settle(21, running=32, a=3, b=0)

    # Three at 0.5 USD/h for 180 s, against 1.5 USD/h less for 100 s.
    assert "over 100 s that saves 0.0417 USD against 0.0750 USD paid twice" in run.evidence().notes[0]


def test_where_a_budget_stops_one_it_is_named_for_those_that_stay() -> None:
    service = a_service(deployments=(DEAR, CHEAP), budget_usd_per_hour=3.0)
    run = Run(a_fleet(service, fixed_prices={"exo/gpua5000": 1.0, "cheap/l4": 0.5}))
    run.tick(0, 160, a=0, b=seen(6, provider="cheap"))

    assert (run.verdict("a"), run.verdict("b")) == ((0, "budget"), (6, "budget"))


def test_a_smaller_want_for_the_same_count_is_a_hold_and_for_less_is_the_window() -> None:
    run = chat_run().settle(26, running=60, a=5)

    assert run.tick(0, 58, a=5).verdict() == (5, "hold")
    assert run.tick(0, 30, a=5).verdict() == (5, "stabilised")


def test_a_floor_of_exactly_what_there_may_be_is_named() -> None:
    run = Run(a_fleet(a_service(policies=(NamedPolicy("floor", Limit(at_least=6)),)))).tick(0, 0, a=0)

    assert run.verdict() == (6, "limit")


def test_a_pause_stops_even_the_return_of_a_foreign_count_to_max_replicas() -> None:
    run = chat_run().tick(0, 64, a=5)
    pause = Human(pauses=(Pause("chat", None, START + 10_000, "a freeze", "anna"),))

    run.tick(0, 64, a=9, human=pause)

    assert run.verdict() == (9, "paused")


class Half(Policy, kind="half", demand=True):
    """Knows what it wants at least, and not the demand."""

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return (Proposal("half of it", want=32.0, blind=True),)


def test_a_want_of_unknown_demand_is_demand_that_was_seen() -> None:
    service = a_service(policies=(NamedPolicy("half", Half()),), demand=False)

    run = Run(a_fleet(service)).tick(a=2)

    assert run.past().demand_seen_at == START + run.at


def test_a_floor_that_is_met_is_beyond_no_budget_any_more() -> None:
    service = a_service(policies=(NamedPolicy("floor", Limit(at_least=4)),), budget_usd_per_hour=2.0)
    run = Run(a_fleet(service, fixed_prices={"exo/gpua5000": 1.0})).tick(0, 0, a=1)
    assert run.verdict() == (4, "floor_over_budget")

    assert run.tick(0, 0, a=4).verdict() == (4, "limit")


def test_steps_of_the_period_count_also_when_older_ones_are_forgotten() -> None:
    run = chat_run(step_up_replicas_max=2, step_period_s=60).tick(0, 10, a=0)
    assert run.to() == 1
    run.tick(0, 25, a=1, after=45.0)
    assert run.to() == 2

    run.tick(0, 200, a=2, after=30.0)  # The first is 75 s ago, the second 30 s.

    assert run.verdict() == (3, "step")


@pytest.mark.parametrize("other", ["alpha", "zulu"])
def test_an_override_of_one_service_is_none_of_another(other: str) -> None:
    elsewhere = a_service(other, deployments=(Deployment(other, "x", "exo", 16, 6),))
    act = Human(overrides=(Override(other, None, 5, None, START + 10_000, "a launch", "anna"),))

    run = Run(a_fleet(a_service(), elsewhere)).tick(0, 10, a=1, keys={f"{other}/x": seen(1)}, human=act)

    assert run.to() == 1
    assert run.verdict("x", other) == (5, "override")


def test_what_is_set_when_blindness_begins_is_what_must_be_carried() -> None:
    run = chat_run().settle(3, running=10, a=5)
    assert run.evidence().need == 12.5

    assert run.tick(None, None, a=5).evidence().need == 80.0


def test_a_doubted_clock_keeps_what_is_set_and_remembers_that_it_did() -> None:
    run = chat_run().settle(25, running=60, a=5).tick(0, 10, a=5, clock="back")

    assert run.past().kept


def test_a_large_count_at_its_maximum_is_at_its_bound() -> None:
    run = chat_run(replicas_max=1000).tick(0, 100_000, a=0)

    assert run.verdict() == (1000, "bounds")


def test_an_obstacle_is_named_below_a_floor_and_not_above_it() -> None:
    floor = (replace(DEAR, min_replicas=4),)

    below = Run(a_fleet(a_service(deployments=floor))).tick(0, 0, a=seen(1, available=False))
    above = Run(a_fleet(a_service(deployments=floor))).tick(0, 60, a=seen(5, available=False))

    assert below.verdict() == (1, "no_capacity")
    assert above.verdict() == (5, "hold")


def test_the_day_of_hands_off_is_over_at_its_last_instant() -> None:
    run = chat_run().tick(0, 20, a=2)
    for count in (3, 4, 5, 5):
        run.tick(0, 20, a=count)
    until = run.known().left_alone_until
    assert until is not None

    run.tick(0, 20, a=4, after=until - START - run.at)

    assert run.known().drift_until == until + 600


def test_under_a_budget_the_cheaper_of_large_replicas_goes_first() -> None:
    large = tuple(replace(d, capacity_per_replica=2_000_000.0, max_replicas=1) for d in (DEAR, CHEAP))
    service = a_service(deployments=large, budget_usd_per_hour=1.0)
    run = Run(a_fleet(service, fixed_prices={"exo/gpua5000": 1.0, "cheap/l4": 0.5}))

    run.tick(0, 3_000_000, a=seen(0), b=seen(0, provider="cheap"))

    assert run.counts() == {"a": 0, "b": 1}


def test_free_replicas_take_nothing_from_what_ranges_may_spend() -> None:
    ranges = a_service(deployments=(replace(DEAR, control="floor"),))
    free = a_service("draw", deployments=(Deployment("draw", "x", "cheap", 16, 6),))
    fleet = a_fleet(
        ranges, free, budget_usd_per_hour=2.0, fixed_prices={"exo/gpua5000": 1.0, "cheap/l4": 0.0}
    )

    run = Run(fleet).tick(0, 10, a=ranged(1, 1, 1), keys={"draw/x": seen(3, provider="cheap")})

    assert run.decision().range_to == (1, 2)


def test_a_change_is_forgotten_when_its_period_is_over() -> None:
    run = chat_run(step_period_s=60).tick(0, 60, a=1)
    assert run.known().changes == ((START + run.at, 4),)

    assert run.tick(0, 60, a=5, after=59.0).known().changes
    assert run.tick(0, 60, a=5, after=1.0).known().changes == ()


@pytest.mark.parametrize(("running", "reason"), [(84, "hold"), (60, "stabilised")])
def test_with_several_deployments_too_a_hold_is_told_from_the_window(running: float, reason: str) -> None:
    run = Run(
        a_fleet(a_service(deployments=(DEAR, CHEAP)), fixed_prices={"exo/gpua5000": 1.0, "cheap/l4": 1.0})
    )
    run.settle(26, running=86, a=4, b=seen(3, provider="cheap"))

    run.tick(0, running, a=4, b=seen(3, provider="cheap"))

    assert run.verdict("a") == (4, reason)


@pytest.mark.parametrize(("running", "reason"), [(60, "hold"), (30, "clock")])
def test_a_doubted_clock_is_named_only_where_it_keeps_something(running: float, reason: str) -> None:
    run = chat_run().settle(26, running=60, a=5)
    run.tick(0, running, a=5, clock="back")
    assert run.verdict() == (5, reason)

    pair = Run(a_fleet(a_service(deployments=(DEAR, CHEAP)), fixed_prices=ALIKE))
    pair.settle(26, running=86, a=4, b=seen(3, provider="cheap"))
    pair.tick(0, 86 if running == 60 else 30, a=4, b=seen(3, provider="cheap"), clock="back")
    assert pair.verdict("a") == (4, reason)
