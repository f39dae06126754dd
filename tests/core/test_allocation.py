"""4.5: whole replicas at least cost, exactly."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.allocate import Offer, cheapest
from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import ErrorKind, Observation, Phase, Price, exactly
from autoscaler.core.proposals import Policy, Preference, Proposal, View
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, a_run, unread


def exhaustive(offers: list[Offer], need: float, least: int, most: int) -> tuple[int, ...]:
    """Every allocation, by count below ``least``, shortage, cost; of equals the one found here is any."""
    lowest = sum(o.lo for o in offers)
    top = max(most, lowest)
    best = None
    for counts in product(*(range(o.lo, o.hi + 1) for o in offers)):
        if sum(counts) > top:
            continue
        carried = sum(
            (Decimal(repr(o.capacity)) * n for o, n in zip(offers, counts, strict=True)), Decimal(0)
        )
        short = max(Decimal(0), Decimal(repr(need)) - carried)
        cost = sum(o.micro_usd * n for o, n in zip(offers, counts, strict=True))
        key = (short, max(0, least - sum(counts)), cost)
        if best is None or key < best[0]:
            best = (key, counts)
    assert best is not None
    return best[1]


offers_of = st.lists(
    st.builds(
        lambda capacity, micro, lo, span: Offer("", capacity, micro, lo, lo + span),
        st.sampled_from([0.1, 0.3, 1.0, 4.0, 16.0, 2.5]),
        st.integers(1, 6).map(lambda n: n * 100_000),
        st.integers(0, 1),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=3,
).map(lambda offers: [Offer(f"d{i}", o.capacity, o.micro_usd, o.lo, o.hi) for i, o in enumerate(offers)])


@settings(max_examples=400, deadline=None)
@given(
    offers_of,
    st.sampled_from([0.0, 1e-9, 0.3, 0.6, 1.0, 5.0, 17.5, 33.0]),
    st.integers(0, 6),
    st.integers(0, 9),
)
def test_the_allocation_is_as_good_as_an_exhaustive_search(
    offers: list[Offer], need: float, least: int, most: int
) -> None:
    least = min(least, most)
    found = cheapest(offers, need, least, most)
    expected = exhaustive(offers, need, least, most)

    def worth(counts: tuple[int, ...]) -> tuple[Decimal, int, int]:
        carried = sum(
            (Decimal(repr(o.capacity)) * n for o, n in zip(offers, counts, strict=True)), Decimal(0)
        )
        cost = sum(o.micro_usd * n for o, n in zip(offers, counts, strict=True))
        return max(Decimal(0), Decimal(repr(need)) - carried), max(0, least - sum(counts)), cost

    assert all(o.lo <= n <= o.hi for o, n in zip(offers, found, strict=True))
    assert sum(found) <= max(most, sum(o.lo for o in offers))
    assert worth(found) == worth(expected), f"{found} is worse than {expected}"


eight_offers = st.lists(
    st.builds(
        lambda capacity, micro, lo, span: Offer("", capacity, micro, lo, lo + span),
        st.sampled_from([1.0, 2.0, 3.0, 5.0, 2.5]),
        st.sampled_from([0, 1, 2, 3, 4, 5, 1_000_000]),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([0, 1, 1, 2]),
    ),
    min_size=4,
    max_size=8,
).map(lambda offers: [Offer(f"d{i}", o.capacity, o.micro_usd, o.lo, o.hi) for i, o in enumerate(offers)])


def by_the_rule(offers: list[Offer], need: float, least: int, most: int) -> tuple[int, ...] | None:
    """Of all covers at least cost, none with more than is of use, the one with most of what is cheapest for
    its capacity; None where the need cannot be covered."""
    order = sorted(range(len(offers)), key=lambda i: _value(offers[i]))
    lows = [offers[i].lo for i in order]
    room = max(0, most - sum(lows))
    reach = min(room, sum(offers[i].hi - offers[i].lo for i in order))
    units = Decimal(repr(need)) - sum(Decimal(repr(o.capacity)) * o.lo for o in offers)
    missing = min(max(0, least - sum(lows)), reach)
    best = None

    def visit(place: int, rest: Decimal, short: int, left: int, counts: tuple[int, ...], cost: int) -> None:
        nonlocal best
        if best is not None and cost >= best[0]:
            return
        if place == len(order):
            if rest <= 0 and short <= 0:
                best = (cost, counts)
            return
        offer = offers[order[place]]
        of_use = max(0, short, ceil(rest / Decimal(repr(offer.capacity))))
        for count in range(min(offer.hi - offer.lo, left, of_use), -1, -1):
            visit(
                place + 1,
                rest - count * Decimal(repr(offer.capacity)),
                short - count,
                left - count,
                (*counts, count),
                cost + count * offer.micro_usd,
            )

    visit(0, units, missing, room, (), 0)
    if best is None:
        return None
    found = [offer.lo for offer in offers]
    for i, count in zip(order, best[1], strict=True):
        found[i] += count
    return tuple(found)


def _value(offer: Offer) -> tuple[float, int, str]:
    return offer.micro_usd / (offer.capacity * 10), offer.micro_usd, offer.name


@settings(max_examples=100, deadline=None)
@given(
    eight_offers,
    st.sampled_from([0.0, 1e-9, 1.0, 4.0, 6.5, 9.0, 14.0]),
    st.integers(0, 6),
    st.sampled_from([2, 3, 4, 5, 6, 9, 99]),
)
def test_of_all_the_cheapest_plans_the_one_by_the_rule_is_taken(
    offers: list[Offer], need: float, least: int, most: int
) -> None:
    expected = by_the_rule(offers, need, min(least, most), most)

    if expected is not None:
        assert cheapest(offers, need, min(least, most), most) == expected


@pytest.mark.parametrize("capacities", [(7, 11, 13, 17, 19, 23, 29, 31), (4, 6, 8, 10, 16, 24, 24, 8)])
@pytest.mark.parametrize("share", [0.1, 0.37, 0.5, 0.93])
def test_rivals_at_one_price_for_their_capacity_are_told_apart_at_once(
    capacities: tuple[int, ...], share: float
) -> None:
    offers = [Offer(f"d{i}", float(c), c * 100_000, 0, 60) for i, c in enumerate(capacities)]
    need = float(int(sum(capacities) * 60 * share)) + 1e-6
    counts = cheapest(offers, need, 0, 10_000)

    carried = sum(o.capacity * n for o, n in zip(offers, counts, strict=True))
    assert need <= carried < need + 2.0, "nothing is cheaper than the next sum there is"


@given(offers_of, st.sampled_from([0.0, 5.0, 17.5]), st.randoms(use_true_random=False))
def test_the_order_of_offers_decides_nothing(offers: list[Offer], need: float, rng: object) -> None:
    shuffled = list(offers)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    plain = {o.name: n for o, n in zip(offers, cheapest(offers, need, 0, 9), strict=True)}
    other = {o.name: n for o, n in zip(shuffled, cheapest(shuffled, need, 0, 9), strict=True)}

    assert plain == other


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (4.0, (1, 0)),
        (16.0, (0, 1)),
        (17.0, (1, 1)),
        (20.0, (1, 1)),
        (32.0, (0, 2)),
        (0.0, (0, 0)),
        (1e-9, (1, 0)),
    ],
)
def test_large_and_small_replicas_are_mixed_for_the_least_money(
    need: float, expected: tuple[int, int]
) -> None:
    offers = [Offer("small", 4.0, 400_000, 0, 9), Offer("large", 16.0, 1_000_000, 0, 9)]

    assert cheapest(offers, need, 0, 18) == expected


def test_of_equal_costs_the_earlier_name_serves() -> None:
    offers = [Offer("b", 16.0, 1_000_000, 0, 9), Offer("a", 16.0, 1_000_000, 0, 9)]

    assert cheapest(offers, 40.0, 0, 18) == (0, 3)


def test_what_cannot_be_covered_leaves_the_least_shortage_then_the_least_cost() -> None:
    offers = [Offer("a", 16.0, 3_000_000, 0, 2), Offer("b", 16.0, 1_000_000, 0, 2), Offer("c", 4.0, 1, 0, 9)]

    assert cheapest(offers, 1e6, 0, 3) == (1, 2, 0)
    assert cheapest(offers, 1e6, 0, 99) == (2, 2, 9)


def test_ten_tenths_cover_one() -> None:
    assert cheapest([Offer("a", 0.1, 1, 0, 99), Offer("b", 0.3, 9, 0, 99)], 1.0, 0, 99) == (10, 0)


def test_a_large_fleet_of_offers_is_solved_at_once() -> None:
    offers = [Offer(f"d{i}", 3.0 + i * 0.7, 310_000 + i * 70_001, 0, 60) for i in range(8)]
    counts = cheapest(offers, 997.3, 5, 300)

    assert sum(o.capacity * n for o, n in zip(offers, counts, strict=True)) >= 997.3


# --- through the whole decision -------------------------------------------------------------------

BOTH = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "cheap", 16, 6))


def run_of(*deployments: Deployment, policies: tuple[NamedPolicy, ...] = (), **more: Any) -> Run:
    return Run(a_fleet(a_service(deployments=deployments or BOTH, policies=policies), **more))


def test_new_replicas_go_where_they_are_cheapest() -> None:
    assert run_of().tick(0, 60, a=1, b=1).counts() == {"a": 1, "b": 4}


def test_the_dearest_goes_first_when_demand_falls() -> None:
    run = run_of().settle(25, running=60, a=2, b=3)
    run.tick(0, 24, after=100, a=2, b=3)
    run.tick(0, 24, after=100, a=2, b=3)
    run.tick(0, 24, after=101, a=2, b=3)

    assert run.counts() == {"a": 0, "b": 2}


def test_a_price_is_of_one_replica_with_all_its_gpus() -> None:
    a = seen(0)
    b = Observation(exactly(0), 0, None, Phase.STOPPED, "l4", 4)
    run = run_of().tick(0, 30, a=a, b=b)

    assert run.counts() == {"a": 3, "b": 0}, "four l4 at 0.50 are dearer than one gpua5000 at 1.10"


def test_a_price_of_the_configuration_beats_the_vendors() -> None:
    prices = {"cheap/l4": Price(99.0, START)}

    assert run_of().tick(0, 30, a=0, b=0, prices=prices).counts() == {"a": 0, "b": 3}


def test_an_unknown_price_is_the_dearest() -> None:
    unpriced = Deployment("chat", "b", "cheap", 16, 6)
    run = run_of(BOTH[0], unpriced, fixed_prices={"exo/gpua5000": 1.1}).tick(0, 30, a=0, b=0)

    assert run.counts() == {"a": 3, "b": 0}


def test_the_last_known_price_serves_when_a_line_has_none() -> None:
    run = run_of(fixed_prices={"exo/gpua5000": 1.1})
    run.tick(0, 0, a=0, b=0, prices={"cheap/l4": Price(0.5, START)})
    run.tick(0, 30, a=0, b=0)

    assert run.counts() == {"a": 0, "b": 3}
    assert run.evidence().deployments["b"].price_age_s == 30


def test_no_increase_goes_where_the_provider_fails() -> None:
    run = run_of().tick(0, 0, a=0, b=0)
    run.tick(0, 30, a=0, b=None)

    assert run.counts() == {"a": 3, "b": None}


def test_no_increase_goes_where_no_gpu_is_free() -> None:
    run = run_of().tick(0, 60, a=0, b=seen(1, available=False))

    assert run.counts() == {"a": 4, "b": 1}


def test_what_could_not_be_read_counts_with_what_was_last_seen() -> None:
    run = run_of().settle(25, running=60, a=0, b=5)
    run.tick(0, 60, a=0, b=None)

    assert run.counts() == {"a": 0, "b": None}
    assert run.evidence().usd_per_hour == pytest.approx(2.5)
    assert run.verdict("b") == (None, "provider_error")


def test_an_unknown_phase_counts_with_what_was_last_seen_and_is_not_written() -> None:
    run = run_of().settle(25, running=60, a=0, b=5)
    odd = Observation(exactly(5), None, None, Phase.UNKNOWN, "l4", 1)
    run.tick(0, 10, a=0, b=odd)

    assert run.counts() == {"a": 0, "b": 5}
    assert run.reason("b") == "provider_error"


@pytest.mark.parametrize(("ready", "covers"), [(None, 5), (0, 5), (2, 3)])
def test_failed_counts_its_reported_ready_else_zero(ready: int | None, covers: int) -> None:
    run = run_of().settle(25, running=60, a=0, b=5)
    failed = Observation(exactly(5), ready, None, Phase.FAILED, "l4", 1, evidence=("CUDA error",))
    run.tick(0, 60, a=0, b=failed)

    assert run.counts() == {"a": covers, "b": 5}
    assert run.reason("b") == "provider_error"
    assert "CUDA error" in run.why("b")


def test_an_unread_deployment_counts_against_the_service_ceiling() -> None:
    cap = NamedPolicy("cap", Limit(at_most=6))
    run = run_of(policies=(cap,)).settle(3, running=60, a=0, b=5)
    run.tick(0, 500, a=0, b=None)

    assert run.to("a") == 1


def test_gpu_types_that_are_not_preferred_get_no_increase() -> None:
    class OnlyA5000(Policy, kind="only"):
        def propose(self, view: View) -> tuple[Proposal, ...]:
            return ()

        def prefer(self, view: View) -> Preference:
            return Preference(gpu_types=frozenset({"gpua5000"}))

    run = run_of(policies=(NamedPolicy("only", OnlyA5000()),)).tick(0, 60, a=0, b=1)

    assert run.counts() == {"a": 4, "b": 1}


def test_minima_are_kept_although_dear() -> None:
    a = Deployment("chat", "a", "exo", 16, 6, 2)

    assert run_of(a, BOTH[1]).tick(0, 60, a=0, b=0).counts() == {"a": 2, "b": 3}


def test_a_provider_that_cannot_do_zero_keeps_one() -> None:
    from autoscaler.core.model import ZeroCapability

    run = a_run().settle(21, a=seen(1, zero=ZeroCapability.IMPOSSIBLE))

    assert run.verdict() == (1, "bounds")


@pytest.mark.parametrize("error", list(ErrorKind))
def test_no_read_error_stops_the_others(error: ErrorKind) -> None:
    run = run_of().tick(0, 0, a=0, b=0)
    run.tick(0, 30, a=0, b=unread(error))

    assert run.to("a") == 3
