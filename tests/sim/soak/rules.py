"""Limits, money and windows as the design's text has them, written anew: nothing of the planner is used.

Plain values only. Where the text leaves room, the weaker reading is taken: the referee may miss a foul, and
must not invent one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.sim.soak.scenario import Configuration, Place, Shop

NO_LIMIT = 10**9


@dataclass(frozen=True)
class Limit:
    """Floor and ceiling in replicas. ``forced`` is the ceiling of ``max_replicas`` and people alone."""

    low: int
    high: int
    forced: int
    by_hand: int = 0  # the floor that a person set


@dataclass
class Acts:
    """What people have said and the journal has kept, as its last record of them says."""

    pauses: list[Mapping[str, Any]] = field(default_factory=list)
    overrides: list[Mapping[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, human: Mapping[str, Any]) -> Acts:
        """From a journalled body; instants become seconds."""
        return cls(
            [_dated(p) for p in human.get("pauses", ())], [_dated(o) for o in human.get("overrides", ())]
        )

    def pauses_on(self, service: str, at: float) -> list[Mapping[str, Any]]:
        """Pauses in force for a service."""
        return [p for p in self.pauses if p.get("service") in (None, service) and _in_force(p, at)]

    def overrides_on(self, service: str, deployment: str | None, at: float) -> list[Mapping[str, Any]]:
        """Overrides in force of exactly this scope."""
        return [
            o
            for o in self.overrides
            if o.get("service") == service and o.get("deployment") == deployment and _in_force(o, at)
        ]


def _dated(act: Mapping[str, Any]) -> Mapping[str, Any]:
    until = act.get("until")
    return {**act, "until": None if until is None else seconds(until)}


def _in_force(act: Mapping[str, Any], at: float) -> bool:
    return act["until"] is None or act["until"] > at


def seconds(text: str) -> float:
    """Epoch seconds of an ISO 8601 instant."""
    return datetime.fromisoformat(text).timestamp()


def limit_of(
    place: Place, opinions: Sequence[Mapping[str, Any]], overrides: Iterable[Mapping[str, Any]]
) -> Limit:
    """One deployment's: max_replicas, override, min_replicas, at_least, at_most, strongest first (4.4)."""
    mine = [o for o in opinions if o.get("deployment") == place.name]
    low = max((o["at_least"] for o in mine if o.get("at_least") is not None), default=0)
    high = min((o["at_most"] for o in mine if o.get("at_most") is not None), default=NO_LIMIT)
    low = max(low, place.min_replicas)
    high = max(high, low)
    low, high, forced, by_hand = _overridden(low, high, overrides)
    if place.zero == "impossible" and place.max_replicas > 0:
        low, high = max(low, 1), max(high, 1)
    most = place.max_replicas
    return Limit(min(low, most), min(high, most), min(forced, most), min(by_hand, most))


def _overridden(low: int, high: int, overrides: Iterable[Mapping[str, Any]]) -> tuple[int, int, int, int]:
    """Both limits after what people said, the ceiling that they force, and the floor that is theirs."""
    forced, by_hand = NO_LIMIT, 0
    for override in overrides:
        least, most = override.get("at_least"), override.get("at_most")
        if least is not None:
            low, high, by_hand = max(low, least), max(high, least), max(by_hand, least)
        if most is not None:
            low, high, forced, by_hand = (
                min(low, most),
                min(high, most),
                min(forced, most),
                min(by_hand, most),
            )
    return low, high, forced, by_hand


def total_of(
    each: Mapping[str, Limit],
    opinions: Sequence[Mapping[str, Any]],
    overrides: Iterable[Mapping[str, Any]],
) -> tuple[Limit, dict[str, Limit]]:
    """The service's total, and the deployments' once a person's ceiling on the total has beaten them."""
    mine = [o for o in opinions if o.get("deployment") is None]
    low = max((o["at_least"] for o in mine if o.get("at_least") is not None), default=0)
    high = min((o["at_most"] for o in mine if o.get("at_most") is not None), default=NO_LIMIT)
    high = max(high, low, sum(limit.low for limit in each.values()))
    low, high, forced, by_hand = _overridden(low, high, overrides)
    if forced < sum(limit.low for limit in each.values()):
        each = {name: Limit(o.by_hand, o.high, o.forced, o.by_hand) for name, o in each.items()}
        high = max(high, sum(limit.low for limit in each.values()))
        low = min(low, high)
    most = sum(limit.forced for limit in each.values())
    high = min(high, sum(limit.high for limit in each.values()))
    return Limit(min(low, most), high, min(forced, most), min(by_hand, most)), dict(each)


@dataclass
class Known:
    """The last that was seen of one deployment, by the journal."""

    count: int
    ready: int
    running: int  # ready and starting, for the bill
    spread: tuple[int, int]
    gpu_type: str | None = None
    gpus: int = 1


def observed(seen: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """The range that a journalled observation tells; None where it was not read."""
    if seen is None:
        return None
    if seen.get("range") is not None:
        return int(seen["range"][0]), int(seen["range"][1])
    count = seen.get("replicas_set")
    return None if count is None else (int(count), int(count))


def look(was: Known | None, seen: Mapping[str, Any], control: str) -> Known:
    """What is known after reading this: ready that is not told counts as min(last known, set)."""
    spread = observed(seen)
    assert spread is not None
    low, high = spread
    ready, starting = seen.get("replicas_ready"), seen.get("replicas_starting")
    count = low
    if control != "floor" and low != high:
        count = high if ready is None else min(max(ready + (starting or 0), low), high)
    if ready is None:
        phase = seen.get("phase", "ready")
        if phase in ("failed", "stopped"):
            ready = 0
        elif was is not None:
            ready = min(was.ready, count)
        else:
            ready = count if phase == "ready" else 0
    if starting is None:
        starting = max(0, count - ready)
    gpu_type = seen.get("gpu_type") or (was.gpu_type if was else None)
    gpus = seen.get("gpus_per_replica") or (was.gpus if was else 1)
    return Known(count, ready, ready + starting, spread, gpu_type, gpus)


def usd_per_replica_hour(
    place: Place, known: Known | None, configuration: Configuration, prices: Mapping[str, float]
) -> float | None:
    """The configuration's own price, else the last one told; None: never known."""
    if known is None or known.gpu_type is None:
        return None
    key = f"{place.provider}/{known.gpu_type}"
    price = configuration.fixed_prices.get(key, prices.get(key))
    return None if price is None else price * known.gpus


def plain_target(shop: Shop, configuration: Configuration) -> float | None:
    """The target utilisation where the want is the plain sum of the signals over it; None elsewhere."""
    tables = [configuration.policies[name] for name in shop.policies]
    demanding = [table for table in tables if table["kind"] == "queue_depth"]
    if len(demanding) != 1 or shop.counters or "service_s" in demanding[0]:
        return None
    return float(demanding[0].get("target_utilisation", 0.8))


def measures(shop: Shop, configuration: Configuration) -> bool:
    """Whether any policy of the service measures demand."""
    return any(configuration.policies[name]["kind"] == "queue_depth" for name in shop.policies)
