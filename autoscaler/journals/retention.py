"""What is kept for how long: pure rules, the same for every journal.

A tick's body has this shape; whatever is missing is passed over::

    {"snapshot": <a line of decide>,
     "plan": {"decisions": [{"service", "deployment", "replicas_from", "replicas_to", "reason", "why", ...}],
              "services": {NAME: {"demand": float | null, "usd_per_hour": float | null,
                                  "deployments": {NAME: {"replicas_set": .., "replicas_ready": ..}}}}}}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

FULL_DETAIL_S: Final = 7 * 86_400.0
"""Ticks and checkpoints are kept whole for this long, seconds."""

KEPT_S: Final = 400 * 86_400.0
"""Everything else is kept for this long, seconds: more than a year, so that years can be compared."""

THINNED_KIND: Final = "decisions"
"""The kind of what is left of an old tick: a tick without its snapshot must not be taken for a whole one."""


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What minute means are made of; None is not known. Demand in capacity units, cost in USD per hour."""

    service: str
    demand: float | None
    replicas_set: float | None
    replicas_ready: float | None
    usd_per_hour: float | None


Reasons = Mapping[str, str]
"""Reason by ``"service/deployment"`` of one tick."""


def thinned(body: Mapping[str, Any], earlier: Reasons) -> tuple[dict[str, Any] | None, Reasons]:
    """What stays of a tick older than ``FULL_DETAIL_S``, or None; and the tick's own reasons.

    A decision stays if it changed something or if its reason is not that of the tick before.
    """
    plan = _mapping(body.get("plan"))
    kept = []
    reasons: dict[str, str] = {}
    for decision in _items(plan.get("decisions")):
        key = f"{decision.get('service')}/{decision.get('deployment')}"
        reasons[key] = str(decision.get("reason"))
        if _changes(decision) or earlier.get(key) != reasons[key]:
            kept.append(decision)
    if not kept:
        return None, reasons
    rest: dict[str, Any] = {"decisions": kept}
    if "at" in plan:
        rest["at"] = plan["at"]
    return {"plan": rest}, reasons


def facts_of(body: Mapping[str, Any]) -> Iterator[ServiceFacts]:
    """The facts of each service in a tick, for its minute means."""
    services = _mapping(_mapping(body.get("plan")).get("services"))
    for name, service in services.items():
        facts = _mapping(service)
        deployments = [_mapping(item) for item in _mapping(facts.get("deployments")).values()]
        yield ServiceFacts(
            service=str(name),
            demand=_number(facts.get("demand")),
            replicas_set=_total([item.get("replicas_set") for item in deployments]),
            replicas_ready=_total([item.get("replicas_ready") for item in deployments]),
            usd_per_hour=_number(facts.get("usd_per_hour")),
        )


def still_in_force(body: Mapping[str, Any], now: float) -> bool:
    """Whether a human act binds at ``now``; one without an end does, for as long as there is a journal."""
    until = _number(body.get("until"))
    return until is None or until > now


def needed_from(checkpoint_seq: int, body: Mapping[str, Any]) -> int:
    """Number of the first record that whoever starts from this checkpoint reads.

    A checkpoint may name in ``after_seq`` the tick that it was made after: that one is needed as well.
    """
    after = _number(body.get("after_seq"))
    return checkpoint_seq if after is None else min(checkpoint_seq, int(after))


def says_nothing(body: Mapping[str, Any]) -> bool:
    """Whether an ``outcomes`` record tells of no write at all: only the fold over whole ticks needs it."""
    return "outcomes" in body and not body["outcomes"]


def _changes(decision: Mapping[str, Any]) -> bool:
    return decision.get("replicas_from") != decision.get("replicas_to") or (
        decision.get("range_from") != decision.get("range_to")
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            if isinstance(item, Mapping):
                yield item


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _total(values: Sequence[object]) -> float | None:
    # One part not known makes the sum not known: a partial sum would read as a loss of replicas.
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    return sum(known) if known and len(known) == len(numbers) else None
