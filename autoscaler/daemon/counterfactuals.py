"""What would have changed a decision: found by asking ``decide`` again with one fact changed.

Only the service itself is asked about, a bounded number of times; how the values to ask about are chosen is
in ``turns``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, runtime_checkable

from autoscaler.core.codec import instant_text
from autoscaler.core.decide import decide
from autoscaler.core.elsewhen import moved_memory, moved_snapshot
from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.core.memory import Memory
from autoscaler.core.model import Decision, Plan, Price, Sample, Snapshot
from autoscaler.core.start_up import start_up_s
from autoscaler.daemon.turns import between, nearest

ASKED_MAX: Final = 600
"""How often ``decide`` is asked for one answer."""

STEPS_MAX: Final = 1 << 20
"""A fact is not imagined further than this many steps from what it is."""

PRICE_STEP_USD: Final = 0.0001

EDGES_MAX: Final = 24
"""Beginnings and ends of a schedule's windows that are looked at."""

JSON = dict[str, Any]


@runtime_checkable
class Calendar(Protocol):
    """A policy that can tell when its limits change."""

    def edges(self, after: float, count: int, lead_s: float = 0.0) -> Sequence[Any]:
        """The next changes, each with ``at`` in epoch seconds."""
        ...


class _Enough(Exception):
    """``decide`` has been asked as often as it may be."""


@dataclass(slots=True)
class _Asked:
    """One service alone, its facts and memory, and how often it was asked about."""

    service: Service
    snapshot: Snapshot
    memory: Memory
    alone: Fleet
    now_total: int
    times: int = 0
    found: list[JSON] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)

    def plan(
        self, snapshot: Snapshot | None = None, memory: Memory | None = None, alone: Fleet | None = None
    ) -> Plan:
        """The plan with something changed."""
        if self.times >= ASKED_MAX:
            raise _Enough
        self.times += 1
        return decide(snapshot or self.snapshot, memory or self.memory, alone or self.alone)


def counterfactuals(
    service: str,
    snapshot: Snapshot,
    plan: Plan,
    memory: Memory,
    fleet: Fleet,
    other_config: str | None = None,
) -> tuple[list[JSON], list[str]]:
    """The nearest other signals, prices and instants that change the decision; and what cannot be said.

    ``snapshot`` and ``plan`` hold the service at least, ``memory`` is the one that the plan was made from.
    ``other_config`` is the hash of the configuration that the plan was made with, where ``fleet`` is another.
    """
    alone = replace(fleet, services={service: fleet.services[service]}, budget_usd_per_hour=None)
    now_total = total_of([d for d in plan.decisions if d.service == service])
    if now_total is None:
        return [], ["no count of this service was known at this tick, so there is nothing to compare with"]
    asked = _Asked(fleet.services[service], snapshot, _own(memory, service), alone, now_total)
    if other_config is not None:
        asked.unsaid.append(
            f"it was decided with configuration {other_config}; {fleet.config_hash} is asked now"
        )
    again = total_of(asked.plan().decisions)
    if again != now_total:
        others = (
            ""
            if other_config
            else ": other services bind it, by the fleet's budget or brake, or another version decided"
        )
        text = f"asked about this service alone, decide gives {again} and not {now_total}{others}"
        return [], [*asked.unsaid, text]
    try:
        _signals(asked)
        _prices(asked)
        _time(asked)
    except _Enough:
        asked.unsaid.append(f"the search ended after {ASKED_MAX} questions")
    return asked.found, asked.unsaid


def total_of(decisions: Sequence[Decision]) -> int | None:
    """Replicas of these decisions together; None where none was read."""
    counts = [d.replicas_to for d in decisions if d.replicas_to is not None]
    return sum(counts) if counts else None


def _own(memory: Memory, service: str) -> Memory:
    """The part of one service: the others' is not asked about, and need not be carried along."""
    return replace(
        memory,
        services={name: one for name, one in memory.services.items() if name == service},
        deployments={key: one for key, one in memory.deployments.items() if key.startswith(f"{service}/")},
    )


def _reason(plan: Plan) -> str:
    changed = [d for d in plan.decisions if d.replicas_to != d.replicas_from]
    return (changed or list(plan.decisions))[0].reason


# --- signals ------------------------------------------------------------------------------------


def _signals(asked: _Asked) -> None:
    readings = asked.snapshot.signals.get(asked.service.name, {})
    counters = [name for name in readings if name.endswith("_total")]
    without: list[str] = []
    for name, reading in readings.items():
        if name in counters:
            continue
        if not isinstance(reading, Sample) or not reading.is_usable:
            asked.unsaid.append(f"{name} is not known, so no other value of it is imagined")
            continue
        for up in (True, False):
            tried = _signal(asked, name, reading, up)
            if tried is not None:
                without.append(tried)
    if without:
        asked.unsaid.append(f"no {', no '.join(without)} that was tried changes it")
    if counters:
        asked.unsaid.append(f"{' and '.join(counters)} count what is past: another value is another past")


def _signal(asked: _Asked, name: str, reading: Sample, up: bool) -> str | None:
    """Finds the turn in one direction; where there is none, what was tried in vain."""
    service, snapshot = asked.service.name, asked.snapshot

    def plan_at(value: int) -> Plan:
        own = {**snapshot.signals[service], name: Sample(float(value), reading.at)}
        return asked.plan(replace(snapshot, signals={**snapshot.signals, service: own}))

    start = math.floor(reading.value) if up else math.ceil(reading.value)
    value = nearest(lambda one: total_of(plan_at(one).decisions) != asked.now_total, start, STEPS_MAX, up)
    if value is None:
        return f"{'larger' if up else 'smaller'} {name}" if up or start > 0 else None
    plan = plan_at(value)
    total = total_of(plan.decisions)
    asked.found.append(
        {
            "signal": name,
            "now": reading.value,
            "value": float(value),
            "replicas_now": asked.now_total,
            "replicas": total,
            "reason": _reason(plan),
            "text": f"{total} {'from' if up else 'at'} {value:g} {name}; now {reading.value:g}",
        }
    )
    return None


# --- prices -------------------------------------------------------------------------------------


def _prices(asked: _Asked) -> None:
    """At which price a cap of a ``gpu_price`` policy begins or ends."""
    if not any(named.policy.kind == "gpu_price" for named in asked.service.policies):
        return
    now = _caps(asked.plan(), asked.service.name)
    without: list[str] = []
    for key, price in dict(_price_keys(asked)).items():
        turns = [turn for up in (True, False) if (turn := _price(asked, key, price, now, up)) is not None]
        asked.found.extend(turns)
        if not turns:
            without.append(key)
    if without:
        asked.unsaid.append(f"no price of {' or '.join(without)} that was tried begins or ends a cap")


def _caps(plan: Plan, service: str) -> Mapping[str, int]:
    """By deployment: the replicas that a dear price leaves it."""
    return {
        one.deployment or "": one.at_most
        for one in plan.services[service].opinions
        if one.kind == "gpu_price" and one.at_most is not None
    }


def _price_keys(asked: _Asked) -> Iterator[tuple[str, Price]]:
    """The prices that count for the service's deployments, as they are."""
    for d in asked.service.deployments:
        known = asked.memory.deployments.get(d.key)
        for seen in (asked.snapshot.deployments.get(d.key), known.last if known else None):
            found = None if seen is None else _paid_price(asked, d, (seen.instance_type, seen.gpu_type))
            if found is not None:
                yield found
                break


def _paid_price(asked: _Asked, d: Deployment, words: Sequence[str | None]) -> tuple[str, Price] | None:
    """As the decision prices a replica: the configuration's own price first, the closer word before."""
    keys = [f"{d.provider}/{word}" for word in words if word is not None]
    for key in keys:
        if key in asked.alone.fixed_prices:
            return key, Price(asked.alone.fixed_prices[key], asked.snapshot.at)
    known = {**asked.memory.prices, **asked.snapshot.prices}
    return next(((key, known[key]) for key in keys if key in known), None)


def _price(asked: _Asked, key: str, price: Price, caps_now: Mapping[str, int], up: bool) -> JSON | None:
    service, alone = asked.service.name, asked.alone

    def plan_at(steps: int) -> Plan:
        amount = round(steps * PRICE_STEP_USD, 4)
        if key in alone.fixed_prices:
            return asked.plan(alone=replace(alone, fixed_prices={**alone.fixed_prices, key: amount}))
        prices = {**asked.snapshot.prices, key: replace(price, usd_per_gpu_hour=amount)}
        return asked.plan(replace(asked.snapshot, prices=prices))

    now = price.usd_per_gpu_hour
    exact = round(now / PRICE_STEP_USD, 6)
    start = math.floor(exact) if up else math.ceil(exact)
    steps = nearest(lambda one: _caps(plan_at(one), service) != caps_now, start, STEPS_MAX, up)
    if steps is None:
        return None
    plan = plan_at(steps)
    total, amount = total_of(plan.decisions), round(steps * PRICE_STEP_USD, 4)
    what = "begins" if len(_caps(plan, service)) > len(caps_now) else "ends"
    return {
        "price": key,
        "now": now,
        "value": amount,
        "replicas_now": asked.now_total,
        "replicas": total,
        "reason": _reason(plan),
        "text": f"{total} {'from' if up else 'at'} {amount:g} USD per GPU-hour of {key}, where a cap {what}; "
        f"now {now:g}",
    }


# --- time ---------------------------------------------------------------------------------------


def _time(asked: _Asked) -> None:
    """When a schedule next changes the number, all else being as it is."""
    calendars = [named.policy for named in asked.service.policies if isinstance(named.policy, Calendar)]
    if not calendars:
        return
    at, lead_s = asked.snapshot.at, _lead_s(asked)
    instants = sorted({e.at for one in calendars for e in one.edges(at, EDGES_MAX, lead_s)})[:EDGES_MAX]

    def plan_at(instant: int) -> Plan:
        by_s = instant - at
        return asked.plan(moved_snapshot(asked.snapshot, by_s), moved_memory(asked.memory, by_s))

    def differs(instant: int) -> bool:
        return total_of(plan_at(instant).decisions) != asked.now_total

    same = math.floor(at)
    for instant in instants:
        if not differs(instant):
            same = instant
            continue
        turn = between(differs, same, instant)
        plan = plan_at(turn)
        total, when = total_of(plan.decisions), instant_text(turn)
        asked.found.append(
            {
                "time": when,
                "now": instant_text(at),
                "replicas_now": asked.now_total,
                "replicas": total,
                "reason": _reason(plan),
                "text": f"{total} from {when} on by the schedule, with the facts of now",
            }
        )
        return
    until = f" up to {instant_text(instants[-1])}" if instants else ""
    asked.unsaid.append(f"no edge of the schedule{until} changes it, with the facts of now")


def _lead_s(asked: _Asked) -> float:
    """How early floors open: the slowest deployment counts."""
    known = asked.memory.deployments
    return max((start_up_s(d, known.get(d.key), 0.9) for d in asked.service.deployments), default=0.0)
