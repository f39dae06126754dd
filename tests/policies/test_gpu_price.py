"""gpu_price: what is dear is capped until well below the limit; what is not known is neither."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import Price
from autoscaler.core.proposals import DeploymentView, Preference, Proposal, View
from autoscaler.core.remember import STATE_BYTES_MAX
from autoscaler.policies.gpu_price import DEAR_MAX, GpuPrice
from tests.core.fleets import START, a_fleet, a_service, seen
from tests.core.run import Run
from tests.policies.views import a_view

HOUR = 3600.0
DAY = 86_400.0
LIMIT = 3.50
CAPPED = GpuPrice(price_usd_per_gpu_hour_max=LIMIT)


def on(
    price: float | None = 3.0,
    age_s: float | None = 60.0,
    *,
    name: str = "di-h100",
    gpu_type: str | None = "H100",
) -> DeploymentView:
    return DeploymentView(name, "di", gpu_type, 1, 16.0, 4, 4, price, None if price is None else age_s)


def seeing(*deployments: DeploymentView, state: Any = None) -> View:
    return replace(a_view(state=state), deployments=deployments)


class Watch:
    """A policy that is asked again and again; its state goes through JSON, as through a restart."""

    def __init__(self, policy: GpuPrice = CAPPED) -> None:
        self.policy = policy
        self.state: Any = {}

    def look(self, *deployments: DeploymentView) -> tuple[Proposal, ...]:
        view = seeing(*deployments, state=self.state)
        proposals = self.policy.propose(view)
        new = self.policy.remember(self.state, view)
        # The same view twice teaches nothing.
        assert self.policy.remember(new, replace(view, state=new)) == new, (
            "the same view twice teaches nothing"
        )
        self.state = json.loads(json.dumps(new))
        return proposals

    def cap(self, *deployments: DeploymentView) -> int | None:
        """What the first deployment may have."""
        return self.look(*deployments)[0].at_most


# --- the limit ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "cap"), [(0.0, None), (3.49, None), (3.50, None), (3.500001, 1), (3.51, 1), (900.0, 1)]
)
def test_only_what_costs_more_than_the_limit_is_capped(price: float, cap: int | None) -> None:
    assert Watch().cap(on(price)) == cap


@pytest.mark.parametrize(("price", "cap"), [(3.5, 1), (3.4, 1), (3.325, 1), (3.324999, None), (1.0, None)])
def test_a_cap_ends_only_below_95_percent_of_the_limit(price: float, cap: int | None) -> None:
    watch = Watch()
    assert watch.cap(on(3.6)) == 1
    assert watch.cap(on(price)) == cap


def test_the_edge_of_the_band_is_exact_where_binary_fractions_are_not() -> None:
    watch = Watch(GpuPrice(price_usd_per_gpu_hour_max=2.47))
    assert watch.cap(on(2.48)) == 1
    assert 0.95 * 2.47 > 2.3465, "in binary fractions the edge lies above itself"
    assert watch.cap(on(2.3465)) == 1


def test_each_deployment_is_judged_by_its_own_price() -> None:
    dear, cheap = Watch(GpuPrice(price_usd_per_gpu_hour_max=2.0, replicas_when_dear=3)).look(
        on(2.5, name="a"), on(1.5, name="b", gpu_type="L4")
    )
    assert (dear.deployment, dear.at_most) == ("a", 3)
    assert (cheap.deployment, cheap.at_most) == ("b", None)


def test_without_a_limit_nothing_is_capped_and_nothing_said() -> None:
    watch = Watch(GpuPrice())
    assert watch.look(on(1e6)) == ()
    assert watch.state == {}


def test_it_measures_no_demand() -> None:
    assert not GpuPrice.demand
    assert GpuPrice().signals_read() == ()
    for proposal in Watch().look(on(9.0), on(None, name="b")):
        assert (proposal.want, proposal.at_least, proposal.blind) == (None, None, False)


def test_a_cap_of_none_is_allowed() -> None:
    assert Watch(GpuPrice(price_usd_per_gpu_hour_max=1.0, replicas_when_dear=0)).cap(on(2.0)) == 0


# --- what is not known ----------------------------------------------------------------------------


def test_a_price_that_was_never_known_is_neither_zero_nor_dear() -> None:
    (proposal,) = Watch().look(on(None))
    assert proposal.at_most is None
    assert proposal.reason == "no price is known for H100: no cap"


@pytest.mark.parametrize(
    ("age_s", "cap"),
    [(HOUR, 1), (HOUR + 1, 1), (HOUR + DAY, 1), (HOUR + DAY + 0.001, None), (30 * DAY, None)],
)
def test_a_verdict_holds_while_the_price_is_stale_and_24_hours_more(age_s: float, cap: int | None) -> None:
    watch = Watch()
    watch.look(on(3.6))
    assert watch.cap(on(3.6, age_s)) == cap


@pytest.mark.parametrize("age_s", [HOUR + 1, 2 * DAY])
def test_a_stale_price_caps_nobody_who_was_not_capped(age_s: float) -> None:
    watch = Watch()
    assert watch.cap(on(9.0, age_s)) is None
    watch.look(on(3.0))
    assert watch.cap(on(9.0, age_s)) is None


def test_a_stale_price_releases_nobody_within_the_24_hours() -> None:
    watch = Watch()
    watch.look(on(3.6))
    assert watch.cap(on(1.0, HOUR + 1)) == 1


def test_after_a_price_was_not_known_any_more_the_band_starts_anew() -> None:
    watch = Watch()
    watch.look(on(3.6))
    watch.look(on(3.6, 2 * DAY))
    assert watch.state == {}
    assert watch.cap(on(3.45)) is None


def test_a_cap_within_the_band_says_below_what_it_ends() -> None:
    watch = Watch()
    watch.look(on(3.6))

    (proposal,) = watch.look(on(3.4))

    assert proposal.at_most == 1
    assert proposal.reason == "H100 was dear, and 3.40 USD per GPU-hour is not below 3.325 yet"


def test_a_price_fixed_in_the_configuration_never_ages() -> None:
    watch = Watch()
    for _ in range(3):
        assert watch.cap(on(3.6, 0.0)) == 1


# --- memory ---------------------------------------------------------------------------------------


def test_a_verdict_is_about_a_gpu_type_and_not_about_a_name() -> None:
    watch = Watch()
    watch.look(on(3.6, gpu_type="H100"))
    assert watch.cap(on(3.4, gpu_type="A100")) is None
    assert watch.state == {}


def test_a_raised_limit_ends_the_cap_at_once_also_on_a_stale_price() -> None:
    watch = Watch()
    watch.look(on(3.6))
    watch.policy = GpuPrice(price_usd_per_gpu_hour_max=3.65)
    assert watch.cap(on(3.6, 2 * HOUR)) is None, "3.60 lies in the new limit's band, and is allowed now"


def test_a_limit_that_is_raised_too_little_keeps_the_cap_on_a_stale_price() -> None:
    watch = Watch()
    watch.look(on(3.6))
    watch.policy = GpuPrice(price_usd_per_gpu_hour_max=3.55)
    assert watch.cap(on(3.6, 2 * HOUR)) == 1


def test_only_deployments_that_are_there_are_remembered() -> None:
    watch = Watch()
    watch.look(on(3.6, name="a"), on(3.6, name="b"))
    assert watch.state == {"v": 1, "limit": 3.5, "dear": {"a": "H100", "b": "H100"}}
    watch.look(on(3.6, name="b"))
    assert watch.state["dear"] == {"b": "H100"}


@pytest.mark.parametrize(
    "state",
    [
        {"v": 2, "limit": 3.5, "dear": {"di-h100": "H100"}},
        {"limit": 3.5, "dear": {"di-h100": "H100"}},
        {"v": 1, "limit": 3.5, "dear": ["di-h100"]},
        {"v": 1, "limit": 3.5, "dear": {"di-h100": 7}},
        {"v": 1, "limit": 3.5},
    ],
)
def test_a_state_that_it_does_not_know_is_as_none(state: dict[str, Any]) -> None:
    (proposal,) = CAPPED.propose(seeing(on(3.4), state=state))
    assert proposal.at_most is None


def test_what_it_remembers_is_bounded() -> None:
    many = [on(9.0, name=f"{'n' * 60}{i:04d}", gpu_type="G" * 300) for i in range(1000)]
    watch = Watch()
    assert all(proposal.at_most == 1 for proposal in watch.look(*many))
    assert len(watch.state["dear"]) == DEAR_MAX
    assert len(json.dumps(watch.state)) <= STATE_BYTES_MAX


# --- over time ------------------------------------------------------------------------------------

GRID = [round(LIMIT * percent / 100, 6) for percent in (80, 94, 94.9, 95, 95.1, 97, 99, 100, 100.1, 101, 120)]
BAND = [round(LIMIT * percent / 100, 6) for percent in (95, 95.1, 97, 99, 100)]
SPELLS = [15.0, 60.0, HOUR - 1, HOUR + 1, 6 * HOUR, DAY, DAY + HOUR + 1, 3 * DAY]
steps = st.lists(st.tuples(st.sampled_from(SPELLS), st.none() | st.sampled_from(GRID)), max_size=25)
Tick = tuple[float | None, float]  # the last price told, and its age


def ticks_of(walk: list[tuple[float, float | None]]) -> list[Tick]:
    """What each tick sees: after so long, a price is told or none."""
    ticks: list[Tick] = []
    price, age_s = None, 0.0
    for after_s, told in walk:
        price, age_s = (told, 0.0) if told is not None else (price, age_s + after_s)
        ticks.append((price, age_s))
    return ticks


def capped(ticks: list[Tick]) -> bool:
    """The rule, said once more: the newest fresh price outside the band decides, unless nothing is known
    now or nothing was known in between."""
    for price, age_s in reversed(ticks):
        if price is None or age_s > HOUR + DAY:
            return False
        if age_s <= HOUR and (price > LIMIT or price < 0.95 * LIMIT - 1e-9):
            return price > LIMIT
    return False


@settings(max_examples=400, deadline=None)
@given(steps)
def test_the_cap_is_that_of_an_independent_rule_over_any_walk_of_prices(
    walk: list[tuple[float, float | None]],
) -> None:
    watch, ticks = Watch(), ticks_of(walk)
    for i, (price, age_s) in enumerate(ticks):
        assert (watch.cap(on(price, age_s)) is not None) == capped(ticks[: i + 1]), ticks[: i + 1]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GRID), st.lists(st.tuples(st.sampled_from(SPELLS), st.none() | st.sampled_from(BAND))))
def test_within_the_band_a_cap_changes_once_at_most(
    first: float, walk: list[tuple[float, float | None]]
) -> None:
    watch = Watch()
    caps = [watch.cap(on(price, age_s)) for price, age_s in ticks_of([(15.0, first), *walk])]
    assert sum(a != b for a, b in pairwise(caps)) <= 1


# --- through the decision -------------------------------------------------------------------------


def a_run(limit: float | None = 2.0, **keys: Any) -> Run:
    """``a`` at a vendor's own price, ``b`` elsewhere at 2.00; 40 requests at once need four replicas."""
    policy = NamedPolicy("gpu-price", GpuPrice(price_usd_per_gpu_hour_max=limit, **keys))
    service = a_service(
        policies=(policy,),
        deployments=(Deployment("chat", "a", "exo", 16.0, 6), Deployment("chat", "b", "cheap", 16.0, 6)),
    )
    run = Run(a_fleet(service, fixed_prices={"cheap/l4": 2.0}))
    run.tick(0, 40, a=4, b=0, prices=told(run, 1.5))
    return run.follow(25, 0, 40)


def told(run: Run, price: float, after: float = 15.0) -> dict[str, Price]:
    return {"exo/gpua5000": Price(price, START + run.at + after)}


def test_a_dear_gpu_type_gives_way_to_the_other_and_comes_back_when_it_is_well_below() -> None:
    run = a_run()
    assert run.counts() == {"a": 4, "b": 0}
    run.follow(1, 0, 40, prices=told(run, 2.1))
    assert run.verdict("a") == (1, "gpu_price")
    assert "2.10 USD per GPU-hour of gpua5000 is above 2.00" in run.why("a")
    run.follow(30, 0, 40)
    assert run.counts() == {"a": 1, "b": 3}
    run.follow(1, 0, 40, prices=told(run, 1.95)).follow(30, 0, 40)
    assert run.counts() == {"a": 1, "b": 3}
    run.follow(1, 0, 40, prices=told(run, 1.7)).follow(40, 0, 40)
    assert run.counts() == {"a": 4, "b": 0}


CAPPED_RUN = a_run().follow(1, 0, 40)
CAPPED_RUN = CAPPED_RUN.follow(1, 0, 40, prices=told(CAPPED_RUN, 2.1)).follow(30, 0, 40)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([15.0, 60.0, 2 * HOUR]), st.sampled_from([None, 1.9, 1.95, 2.0])),
        max_size=12,
    )
)
def test_prices_around_the_limit_move_no_replica_to_and_fro(walk: list[tuple[float, float | None]]) -> None:
    run = Run(CAPPED_RUN.fleet, CAPPED_RUN.memory, CAPPED_RUN.at, CAPPED_RUN.plan)
    for after, price in walk:
        prices = None if price is None else told(run, price, after)
        for _ in range(2):
            run.follow(1, 0, 40, prices=prices, after=after)
            assert run.counts() == {"a": 1, "b": 3}
            prices, after = None, 15.0


def test_a_cap_is_kept_over_a_restart_by_the_state() -> None:
    run = Run(CAPPED_RUN.fleet, CAPPED_RUN.memory, CAPPED_RUN.at, CAPPED_RUN.plan)
    assert run.past().policies["gpu-price"] == {"v": 1, "limit": 2.0, "dear": {"a": "gpua5000"}}


def test_a_cap_holds_while_demand_is_not_known() -> None:
    run = a_run()
    run.follow(1, None, None, prices=told(run, 2.5)).follow(30, None, None)
    assert run.to("a") == 1


def test_it_says_what_a_move_must_save_and_how_old_a_price_may_be() -> None:
    policy = GpuPrice(switch_if_saves_percent=25, price_max_age_s=900, gpu_types=("H100", "L4"))
    assert policy.prefer(seeing()) == Preference(25.0, 900.0, frozenset({"H100", "L4"}))
    assert GpuPrice().prefer(seeing()) == Preference(10.0, 3600.0, None)


@pytest.mark.parametrize(("price", "moves"), [(1.81, False), (1.8, True)])
def test_replicas_move_for_the_percentage_and_for_no_less(price: float, moves: bool) -> None:
    run = a_run(None)
    run.follow(1, 0, 40, a=0, b=4).follow(25, 0, 40, prices=told(run, 2.0))
    run.follow(1, 0, 40, prices=told(run, price)).follow(20, 0, 40)
    assert run.counts() == ({"a": 4, "b": 0} if moves else {"a": 0, "b": 4})


def test_a_gpu_type_that_is_not_allowed_does_not_grow() -> None:
    run = a_run(None, gpu_types=("l4",))
    run.tick(0, 80, a=4, b=seen(0, provider="cheap"))
    assert run.counts() == {"a": 4, "b": 3}


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("price_usd_per_gpu_hour_max", 0),
        ("price_usd_per_gpu_hour_max", -1),
        ("price_usd_per_gpu_hour_max", True),
        ("price_usd_per_gpu_hour_max", "3.50"),
        ("price_usd_per_gpu_hour_max", float("nan")),
        ("price_usd_per_gpu_hour_max", 1_000_001),
        ("replicas_when_dear", -1),
        ("replicas_when_dear", 1.5),
        ("replicas_when_dear", 10_001),
        ("switch_if_saves_percent", -0.1),
        ("switch_if_saves_percent", 100.1),
        ("price_max_age_s", -1),
        ("price_max_age_s", 2_592_001),
        ("gpu_types", []),
        ("gpu_types", ["L4", "L4"]),
        ("gpu_types", [""]),
        ("gpu_types", "L4"),
        ("price_max", 3.5),
    ],
)
def test_what_makes_no_sense_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        GpuPrice.model_validate({key: value})


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [
        ("replicas_when_dear", 0, 10_000),
        ("switch_if_saves_percent", 0.0, 100.0),
        ("price_max_age_s", 0.0, 2_592_000.0),
    ],
)
def test_the_ends_of_each_range_are_allowed_and_nothing_beyond(key: str, least: float, most: float) -> None:
    for value in (least, most):
        assert getattr(GpuPrice.model_validate({key: value}), key) == value
    for value in (least - 1, most + 1):
        with pytest.raises(ValidationError):
            GpuPrice.model_validate({key: value})


def test_the_keys_have_the_published_defaults() -> None:
    assert GpuPrice().model_dump() == {
        "price_usd_per_gpu_hour_max": None,
        "replicas_when_dear": 1,
        "switch_if_saves_percent": 10.0,
        "price_max_age_s": 3600.0,
        "gpu_types": None,
    }
