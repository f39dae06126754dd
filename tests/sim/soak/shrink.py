"""A failing scenario, cut down by hypothesis until a person can read it.

Everything that can go has a number of its own, where 0 means that it goes. Hypothesis draws the numbers, so
most of what it tries first is nearly the whole scenario, which fails; then its shrinker brings one number
after the other to 0 as long as the same check still fails.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from hypothesis import HealthCheck, Phase, assume, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from tests.sim.soak.play import Verdict, play
from tests.sim.soak.scenario import Act, Configuration, Scenario, Shop, What

TRIES: Final = 400
_STAY: Final = 60
"""A number from 0 to this: only 0 (or a few, for what is made smaller by degrees) takes something away."""

_GAPS: Final = (0, 1, 2, 5, 20)


def shrunk(scenario: Scenario, verdict: Verdict, *, tries: int = TRIES) -> Scenario:
    """The smallest scenario found whose first foul is of the same check; the given one where none is."""
    fails = _Fails(verdict.check)
    small = _until(scenario, verdict)
    for part in (_without_acts, _without_estate, _sooner, _without_acts):
        small = _smallest(part(small), fails, small, tries)
    return small


class _Fails:
    """Whether a scenario fails by this check."""

    def __init__(self, check: str | None) -> None:
        self._check = check
        self._known: dict[str, bool] = {}

    def __call__(self, scenario: Scenario) -> bool:
        text = scenario.text()
        if text not in self._known:
            self._known[text] = _plays(scenario, lambda verdict: verdict.check == self._check)
        return self._known[text]


def _plays(scenario: Scenario, holds: Callable[[Verdict], bool]) -> bool:
    try:
        return holds(play(scenario))
    except (KeyError, StopIteration):
        return False  # What was cut is still spoken of: no scenario.


def _smallest(
    strategy: st.SearchStrategy[Scenario], fails: _Fails, otherwise: Scenario, tries: int
) -> Scenario:
    try:
        return find(
            strategy,
            fails,
            settings=settings(
                max_examples=tries,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
            random=random.Random(0),  # the same shrinking every time
        )
    except NoSuchExample:
        return otherwise


def _until(scenario: Scenario, verdict: Verdict) -> Scenario:
    """Nothing that comes after the foul is needed."""
    end = verdict.fouled_at_tick
    if end is None or end >= scenario.storm_ticks:
        return scenario
    acts = tuple(act for act in scenario.acts if act.tick <= end)
    return scenario.model_copy(update={"acts": acts, "storm_ticks": end + 1, "calm_ticks": 0})


@st.composite
def _without_acts(draw: st.DrawFn, scenario: Scenario) -> Scenario:
    kept = [act for act in scenario.acts if draw(st.integers(0, _STAY))]
    return scenario.model_copy(update={"acts": tuple(kept)})


@st.composite
def _without_estate(draw: st.DrawFn, scenario: Scenario) -> Scenario:
    """Fewer configurations, services, deployments, policies, keys and budgets."""
    gone = {shop.name for shop in scenario.configurations[0].shops if not draw(st.integers(0, _STAY))}
    places = {key for one in scenario.configurations for key in one.places()}
    gone |= {key for key in sorted(places) if not draw(st.integers(0, _STAY))}
    configurations = [_poorer(draw, one, gone) for one in scenario.configurations]
    if not draw(st.integers(0, _STAY)):
        configurations = configurations[:1]
    left = {name for one in configurations for name in [*one.places(), *(shop.name for shop in one.shops)]}
    acts = [act for act in scenario.acts if _is_about(act, left, gone, len(configurations))]
    demand = {name: level for name, level in scenario.demand.items() if name in left}
    calm = {name: level for name, level in scenario.calm_demand.items() if name in left}
    assume(all(one.shops for one in configurations))
    return scenario.model_copy(
        update={
            "configurations": tuple(configurations),
            "acts": tuple(acts),
            "demand": demand,
            "calm_demand": calm,
        }
    )


def _poorer(draw: st.DrawFn, configuration: Configuration, gone: set[str]) -> Configuration:
    shops = []
    for shop in configuration.shops:
        places = tuple(place for place in shop.places if f"{shop.name}/{place.name}" not in gone)
        if shop.name not in gone and places:
            shops.append(_plainer(draw, shop.model_copy(update={"places": places})))
    used = {name for shop in shops for name in shop.policies}
    update: dict[str, object] = {
        "shops": tuple(shops),
        "policies": {name: table for name, table in configuration.policies.items() if name in used},
    }
    if not draw(st.integers(0, _STAY)):
        update["budget_usd_per_hour"] = None
    if not draw(st.integers(0, _STAY)):
        update["fixed_prices"] = {}
    return configuration.model_copy(update=update)


def _plainer(draw: st.DrawFn, shop: Shop) -> Shop:
    keys = {key: value for key, value in shop.keys.items() if draw(st.integers(0, _STAY))}
    policies = tuple(name for name in shop.policies if draw(st.integers(0, _STAY))) or shop.policies[:1]
    counters = bool(shop.counters and draw(st.integers(0, _STAY)))
    return shop.model_copy(update={"keys": keys, "policies": policies, "counters": counters})


def _is_about(act: Act, left: set[str], gone: set[str], configurations: int) -> bool:
    if act.what is What.RELOAD:
        return act.amount < configurations
    return act.target not in gone and act.target.partition("/")[0] not in gone


@st.composite
def _sooner(draw: st.DrawFn, scenario: Scenario) -> Scenario:
    """The same acts after shorter waits, for shorter times."""
    acts, at, before = [], 0, 0
    for act in scenario.acts:
        gap = _less(draw, act.tick - before)
        before = act.tick
        at += gap
        acts.append(act.model_copy(update={"tick": at, "ticks": max(1, _less(draw, act.ticks))}))
    rest = _less(draw, max(1, scenario.storm_ticks - before))
    storm_ticks = max(at + rest, at + 1)
    return scenario.model_copy(update={"acts": tuple(acts), "storm_ticks": storm_ticks})


def _less(draw: st.DrawFn, length: int) -> int:
    """This length, or a shorter one of a few."""
    shorter = [gap for gap in _GAPS if gap < length]
    drawn = draw(st.integers(0, _STAY))
    return shorter[drawn] if drawn < len(shorter) else length
