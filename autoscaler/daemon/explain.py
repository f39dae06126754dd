"""Why: the recorded decision of a service, and what would have changed it, found by asking ``decide``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from autoscaler.core.codec import decision_to_json, instant_text, snapshot_to_json
from autoscaler.core.decide import decide
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import Decision, Plan, Sample, Snapshot
from autoscaler.core.pack import spell_out

SEARCH_FACTOR_MAX: Final = 1 << 20
"""A signal is not imagined above this many times its value (or this value, from zero)."""


def explain(service: str, snapshot: Snapshot, plan: Plan, memory: Memory, fleet: Fleet) -> dict[str, Any]:
    """One service's decision as JSON: facts, opinions, need, limits, each guard, and counterfactuals.

    ``memory`` is the one that the plan was made from. Raises: KeyError for an unknown service.
    """
    own = fleet.services[service]
    slice_ = _slice(service, snapshot)
    evidence = plan.services.get(service)
    return {
        "service": service,
        "at": instant_text(plan.at),
        "mode": own.mode,
        "signals": snapshot_to_json(slice_)["signals"].get(service, {}),
        "deployments": snapshot_to_json(slice_)["deployments"],
        "decisions": [decision_to_json(d) for d in plan.decisions if d.service == service],
        "evidence": spell_out(evidence) if evidence is not None else {},
        "settings": {
            "stabilise_down_s": own.stabilise_down_s,
            "budget_usd_per_hour": own.budget_usd_per_hour,
            "max_age_s": {name: rule.max_age_s for name, rule in own.signals.items()},
            "capacity_per_replica": {d.name: d.capacity_per_replica for d in own.deployments},
        },
        "brake": service in plan.brake,
        "counterfactuals": counterfactuals(service, slice_, plan, memory, fleet),
    }


def _slice(service: str, snapshot: Snapshot) -> Snapshot:
    prefix = f"{service}/"
    return replace(
        snapshot,
        signals={name: s for name, s in snapshot.signals.items() if name == service},
        deployments={key: o for key, o in snapshot.deployments.items() if key.startswith(prefix)},
        outcomes=(
            tuple(o for o in snapshot.outcomes if o.service == service)
            if snapshot.outcomes is not None
            else None
        ),
    )


def counterfactuals(
    service: str, snapshot: Snapshot, plan: Plan, memory: Memory, fleet: Fleet
) -> list[dict[str, Any]]:
    """For each fresh signal, the nearest other value that changes the service's total, with the others as
    they were: "6 from 81 running; now 60". Found by bisection over ``decide`` itself."""
    alone = Fleet(
        services={service: fleet.services[service]},
        interval_s=fleet.interval_s,
        budget_usd_per_hour=None,  # the others' share of it is not known here
        fixed_prices=fleet.fixed_prices,
        config_hash=fleet.config_hash,
    )
    now_total = _total(tuple(d for d in plan.decisions if d.service == service))
    found: list[dict[str, Any]] = []
    if now_total is None:
        return found
    if _total(decide(snapshot, memory, alone).decisions) != now_total:
        return found  # Other services bound it, through the fleet's budget or brake: alone it tells nothing.
    for name, reading in snapshot.signals.get(service, {}).items():
        if not isinstance(reading, Sample) or name.endswith("_total"):
            continue
        for up in (True, False):
            turn = _turn(service, name, reading, snapshot, memory, alone, now_total, up)
            if turn is not None:
                value, total, reason = turn
                found.append(
                    {
                        "signal": name,
                        "now": reading.value,
                        "value": value,
                        "replicas_now": now_total,
                        "replicas": total,
                        "reason": reason,
                        "text": f"{total} {'from' if up else 'at'} {value:g} {name}; now {reading.value:g}",
                    }
                )
    return found


def _turn(
    service: str,
    name: str,
    reading: Sample,
    snapshot: Snapshot,
    memory: Memory,
    fleet: Fleet,
    now_total: int,
    up: bool,
) -> tuple[float, int, str] | None:
    """The whole value nearest to the present one at which the total differs, searched in one direction."""

    def total_at(value: float) -> tuple[int | None, str]:
        signals: Mapping[str, Any] = {
            **snapshot.signals,
            service: {**snapshot.signals[service], name: Sample(value, reading.at)},
        }
        decisions = decide(replace(snapshot, signals=signals), memory, fleet).decisions
        changed = [d for d in decisions if d.replicas_to != d.replicas_from]
        return _total(decisions), (changed or list(decisions))[0].reason

    base = math.floor(reading.value) if up else math.ceil(reading.value)
    same, other = base, None
    if up:
        reach = 1
        while other is None and reach <= SEARCH_FACTOR_MAX:
            if total_at(float(base + reach))[0] != now_total:
                other = base + reach
            else:
                same = base + reach
                reach *= 2
    elif base > 0 and total_at(0.0)[0] != now_total:
        other = 0
    if other is None:
        return None
    while abs(other - same) > 1:
        middle = (other + same) // 2
        if total_at(float(middle))[0] != now_total:
            other = middle
        else:
            same = middle
    total, reason = total_at(float(other))
    return None if total is None else (float(other), total, reason)


def _total(decisions: tuple[Decision, ...]) -> int | None:
    counts = [d.replicas_to for d in decisions if d.replicas_to is not None]
    return sum(counts) if counts else None
