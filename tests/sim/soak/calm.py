"""The liveness phase: how long calm must last, and what the fleet must be like at its end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.sim.soak import rules
from tests.sim.soak.referee import Foul, Referee
from tests.sim.soak.rules import Limit
from tests.sim.soak.scenario import Configuration, Place, Shop

STABLE_TICKS: Final = 40
"""For so many ticks at the end nothing may change."""

BACKOFF_S: Final = 3600.0
"""The longest wait after rejections, failures and shortage (4.10)."""

REASSERT_S: Final = 3600.0
"""The longest wait until a change that was accepted and ignored is asked for again (4.6)."""

LEARNED_S: Final = 1200.0
"""No start-up time that a storm of ours can teach is longer, so a deadline is at most twice that."""

_SLACK: Final = 1e-6


def calm_ticks(configuration: Configuration, interval_s: float) -> int:
    """Ticks after which the fleet must be at rest, whatever the storm was, and ``STABLE_TICKS`` more.

    One after the other: the longest back-off, the longest wait for an ignored change, one deadline for what
    was accepted last and one for what replaces it, the stabilisation window with idle time, and steps or
    cooldown for every replica up and down again. Holds of drift, the day of being left alone and the brake
    are ended by ``resume`` when calm begins.
    """
    slowest = max(_slowest_s(shop, configuration, interval_s) for shop in configuration.shops)
    deadline_s = max(2.0 * LEARNED_S, 8.0 * interval_s)
    total_s = BACKOFF_S + REASSERT_S + 2.0 * deadline_s + slowest
    return math.ceil(total_s / interval_s) + STABLE_TICKS


def _slowest_s(shop: Shop, configuration: Configuration, interval_s: float) -> float:
    keys = shop.keys
    replicas = sum(place.max_replicas for place in shop.places) + max(p.replicas for p in shop.places)
    idle_s = max((float(t.get("idle_s", 0.0)) for t in configuration.policies.values()), default=0.0)
    each_s = max(interval_s, float(keys.get("cooldown_s", 0.0)))
    if "step_up_replicas_max" in keys or "step_down_replicas_max" in keys:
        each_s = max(each_s, float(keys.get("step_period_s", 60.0)))
    return max(float(keys.get("stabilise_down_s", 300.0)), idle_s) + 2.0 * replicas * each_s


class Calm:
    """What the last ticks of a run say about one final configuration."""

    def __init__(self, configuration: Configuration, demand: Mapping[str, float], referee: Referee) -> None:
        self._configuration = configuration
        self._demand = demand
        self._referee = referee
        self._at = 0.0
        self.fouls: list[Foul] = []

    def judge(self, ticks: Sequence[tuple[float, Mapping[str, Any]]], settled_s: float) -> list[Foul]:
        """``ticks`` are instants and bodies of the calm's records, oldest first. ``settled_s``: how long a
        schedule's last edge must be past for its service to be judged."""
        self._at, last = ticks[-1]
        settled_s += self._at - ticks[-STABLE_TICKS:][0][0]
        for shop in self._configuration.shops:
            if self._had_edge(shop, ticks, settled_s):
                continue
            self._quiet(shop, [body for _, body in ticks[-STABLE_TICKS:]])
            if shop.keys.get("mode") != "observe":
                self._supply(shop, last["plan"]["services"][shop.name])
        return self.fouls

    def _foul(self, check: str, shop: Shop, text: str) -> None:
        self.fouls.append(Foul(check, self._at, f"{shop.name}: {text}"))

    def _had_edge(
        self, shop: Shop, ticks: Sequence[tuple[float, Mapping[str, Any]]], settled_s: float
    ) -> bool:
        limits = [
            _limits(body["plan"]["services"].get(shop.name, {}))
            for at, body in ticks
            if at > self._at - settled_s
        ]
        return any(one != limits[-1] for one in limits)

    def _quiet(self, shop: Shop, bodies: Sequence[Mapping[str, Any]]) -> None:
        for body in bodies:
            for decision in body["plan"]["decisions"]:
                if decision["service"] != shop.name:
                    continue
                observes = shop.keys.get("mode") == "observe"
                ends = [decision.get(f"range_{e}", decision[f"replicas_{e}"]) for e in ("from", "to")]
                if (not observes and ends[0] != ends[1]) or decision["replicas_to"] is None:
                    self._foul("calm: restless", shop, f"{decision} at {body['snapshot']['at']}")
                    return

    def _supply(self, shop: Shop, evidence: Mapping[str, Any]) -> None:
        opinions = evidence.get("opinions", ())
        each = {place.name: rules.limit_of(place, opinions, ()) for place in shop.places}
        total, each = rules.total_of(each, opinions, ())
        counts = {place.name: self._referee.known[f"{shop.name}/{place.name}"].count for place in shop.places}
        need = self._need(shop)
        least = max(total.low, min(total.high, self._weak_floor(shop)))
        if total.low > sum(limit.high for limit in each.values()):
            each = {name: Limit(one.low, one.forced, one.forced) for name, one in each.items()}
        most = max(total.high, total.low)
        covers = [
            combination
            for combination in itertools.product(
                *(range(each[p.name].low, max(each[p.name].low, each[p.name].high) + 1) for p in shop.places)
            )
            if least <= sum(combination) <= most
        ]
        told = f"{counts}, need {need:g}, at least {least}, limits {each}"
        self._covered(shop, counts, need, covers, told)
        self._spare(shop, counts, need, least, each, told)
        self._dear(shop, counts, need, covers, evidence, told)

    def _need(self, shop: Shop) -> float:
        if not rules.measures(shop, self._configuration):
            return 0.0
        tables = [self._configuration.policies[name] for name in shop.policies]
        target = min(float(t.get("target_utilisation", 0.8)) for t in tables if t["kind"] == "queue_depth")
        return self._demand.get(shop.name, 0.0) / target

    def _weak_floor(self, shop: Shop) -> int:
        if not rules.measures(shop, self._configuration):
            baseline = shop.keys.get("baseline_replicas")
            return int(sum(p.min_replicas for p in shop.places) if baseline is None else baseline)
        return 0 if shop.wakes_by_signal or any(place.wakes for place in shop.places) else 1

    def _has_budget(self, shop: Shop) -> bool:
        return "budget_usd_per_hour" in shop.keys or self._configuration.budget_usd_per_hour is not None

    def _covered(
        self,
        shop: Shop,
        counts: Mapping[str, int],
        need: float,
        covers: Sequence[tuple[int, ...]],
        told: str,
    ) -> None:
        if self._has_budget(shop):
            return
        carried = _capacity(shop.places, list(counts.values()))
        best = max((_capacity(shop.places, one) for one in covers), default=0.0)
        if carried < min(need, best) * (1 - _SLACK):
            self._foul("calm: short", shop, f"{carried:g} carried, {told}")

    def _spare(
        self,
        shop: Shop,
        counts: Mapping[str, int],
        need: float,
        least: int,
        each: Mapping[str, Limit],
        told: str,
    ) -> None:
        for place in shop.places:
            if self._usd(shop, place) == 0.0:
                continue  # What costs nothing is no waste.
            fewer = {**counts, place.name: counts[place.name] - 1}
            if fewer[place.name] < each[place.name].low or sum(fewer.values()) < least:
                continue
            if _capacity(shop.places, list(fewer.values())) >= need * (1 + _SLACK):
                self._foul("calm: spare", shop, f"{place.name} has one too many: {told}")

    def _usd(self, shop: Shop, place: Place) -> float | None:
        """What a replica costs per hour; None is not known."""
        known = self._referee.known.get(f"{shop.name}/{place.name}")
        return rules.usd_per_replica_hour(place, known, self._configuration, self._referee.prices)

    def _dear(
        self,
        shop: Shop,
        counts: Mapping[str, int],
        need: float,
        covers: Sequence[tuple[int, ...]],
        evidence: Mapping[str, Any],
        told: str,
    ) -> None:
        """A move that pays (4.5) must have been made."""
        prices = [self._usd(shop, place) for place in shop.places]
        if self._has_budget(shop) or None in prices:
            return
        usd = [price or 0.0 for price in prices]
        enough = [one for one in covers if _capacity(shop.places, one) >= need * (1 + _SLACK)]
        if not enough:
            return
        now = [counts[place.name] for place in shop.places]
        cost = _cost(usd, now)
        best_cost = min(_cost(usd, one) for one in enough)
        best = [one for one in enough if _cost(usd, one) <= best_cost + _SLACK]
        tables = [self._configuration.policies[name] for name in shop.policies]
        percent = max((t["switch_if_saves_percent"] for t in tables if t["kind"] == "gpu_price"), default=0.0)
        payback_s = float(shop.keys.get("switch_payback_s", 3600.0))
        starts_s = [evidence["deployments"][place.name].get("start_up_p90_s", 0.0) for place in shop.places]

        def pays(one: tuple[int, ...]) -> bool:
            twice = sum(
                max(0, b - n) * price * start_s
                for b, n, price, start_s in zip(one, now, usd, starts_s, strict=True)
            )
            saves = cost - best_cost
            return (
                saves * payback_s > twice * (1 + _SLACK) + _SLACK and saves >= cost * percent / 100 + _SLACK
            )

        if all(pays(one) for one in best):
            self._foul("calm: dear", shop, f"{cost:.3f} USD/h, {best_cost:.3f} would do by {best}: {told}")


def _limits(evidence: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (o["policy"], o.get("deployment"), o.get("at_least"), o.get("at_most"))
        for o in evidence.get("opinions", ())
    ]


def _capacity(places: Sequence[Place], counts: Sequence[int]) -> float:
    return sum(place.capacity * count for place, count in zip(places, counts, strict=True))


def _cost(usd: Sequence[float], counts: Sequence[int]) -> float:
    return sum(price * count for price, count in zip(usd, counts, strict=True))
