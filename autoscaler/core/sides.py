"""Two sides of a comparison: what each cost and left unserved, and where their decisions differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from autoscaler.core.fleet import Deployment, Service
from autoscaler.core.model import Decision, DeploymentEvidence, Plan, ServiceEvidence

DIFFERENCES_MAX: Final = 10
"""Decisions that differed and are remembered, the newest."""


@dataclass(frozen=True, slots=True)
class Account:
    """What one side cost and left unserved since the shadow began.

    ``short_s`` are seconds in which demand exceeded what serves, ``short_capacity_s`` the capacity that was
    missing, times seconds: with the usual signals, request-seconds. ``changes`` are changes of what is set.
    """

    usd: float = 0.0
    replica_s: float = 0.0
    short_s: float = 0.0
    short_capacity_s: float = 0.0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Rates:
    """What one side is from one tick to the next. None: not known. ``short`` is missing capacity."""

    usd_per_hour: float | None = None
    replicas: int | None = None
    short: float | None = None
    replicas_set: Mapping[str, int] = field(default_factory=dict)  # by deployment, as far as known


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision in short."""

    replicas_from: int | None
    replicas_to: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Both sides' decisions for one deployment, where they differ and one of them changes something."""

    at: float
    deployment: str
    active: Verdict
    shadow: Verdict


# --- both sides' accounts -----------------------------------------------------------------------


def account(was: Account, last: Rates, now: Rates, elapsed_s: float, is_gap: bool) -> Account:
    """An interval is what its first tick showed. In a gap cost goes on, and demand is not known."""
    short = last.short if last.short is not None and not is_gap else 0.0
    before = last.replicas_set
    return Account(
        usd=was.usd + (last.usd_per_hour or 0.0) * elapsed_s / 3600.0,
        replica_s=was.replica_s + (last.replicas or 0) * elapsed_s,
        short_s=was.short_s + (elapsed_s if short > 0.0 else 0.0),
        short_capacity_s=was.short_capacity_s + short * elapsed_s,
        changes=was.changes
        + sum(1 for n, count in now.replicas_set.items() if before.get(n, count) != count),
    )


def rates(service: Service, evidence: ServiceEvidence, demand: float | None, last: Rates) -> Rates:
    """What is there by the evidence; a count or cost that is not known goes on as it was."""
    found = [(d, evidence.deployments.get(d.name, DeploymentEvidence())) for d in service.deployments]
    paid = [(_paid(d, facts), facts.usd_per_replica_hour) for d, facts in found]
    serves = sum((facts.replicas_ready or 0) * d.capacity_per_replica for d, facts in found)
    replicas = _sum([count for count, _ in paid])
    usd_per_hour = _sum([_cost(count, price) for count, price in paid])
    return Rates(
        usd_per_hour=last.usd_per_hour if usd_per_hour is None else usd_per_hour,
        replicas=last.replicas if replicas is None else int(replicas),
        short=None if demand is None else max(0.0, demand - serves),
        replicas_set={d.name: f.replicas_set for d, f in found if f.replicas_set is not None},
    )


def _sum(values: Sequence[float | None]) -> float | None:
    """None where any is not known: a partial sum would read as a saving."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _cost(replicas: int | None, usd_per_replica_hour: float | None) -> float | None:
    if replicas == 0:
        return 0.0
    return None if replicas is None or usd_per_replica_hour is None else replicas * usd_per_replica_hour


def _paid(deployment: Deployment, facts: DeploymentEvidence) -> int | None:
    """Replicas that cost money; with a vendor's own autoscaler what runs, whatever the range's minimum."""
    if facts.replicas_set is None or facts.replicas_ready is None:
        return facts.replicas_set
    running = facts.replicas_ready + facts.replicas_starting
    return running if deployment.control == "floor" else max(facts.replicas_set, running)


# --- where they differ --------------------------------------------------------------------------


def wanted(plan: Plan, service: str) -> Mapping[str, int]:
    """The counts that a plan wants, by deployment; those that were not read are left out."""
    return {
        d.deployment: d.replicas_to
        for d in plan.decisions
        if d.service == service and d.replicas_to is not None
    }


def differences(
    known: tuple[Difference, ...], plan: Plan, own: Plan, service: Service
) -> tuple[Difference, ...]:
    """With those of this tick: one side changes something, and not to what the other wants.

    What is only repeated, as in mode observe, is there once.
    """
    others = {d.deployment: d for d in own.decisions}
    for one in plan.decisions:
        other = others.get(one.deployment)
        if one.service != service.name or other is None or not (one.changes or other.changes):
            continue
        if (one.replicas_to, one.range_to) == (other.replicas_to, other.range_to):
            continue
        new = Difference(plan.at, one.deployment, _verdict(one), _verdict(other))
        last = next((d for d in reversed(known) if d.deployment == one.deployment), None)
        if last is None or replace(last, at=new.at) != new:
            known = (*known, new)[-DIFFERENCES_MAX:]
    return known


def _verdict(decision: Decision) -> Verdict:
    return Verdict(decision.replicas_from, decision.replicas_to, decision.reason)
