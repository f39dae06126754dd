"""The independent checker: invariants of every plan, re-derived from its evidence and the snapshot.

It knows what must never happen, not how plans are made, and shares no code with the planner. A violation
stops that write; it never "fixes". Promises 10 (journalled before sent) and 12 (same input, same plan)
are the tick's to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.core.model import (
    REASONS,
    Decision,
    DeploymentEvidence,
    Human,
    Plan,
    ServiceEvidence,
    Snapshot,
)

PROMISES: Final[Mapping[str, str]] = {
    "1": "decides only what it observed",
    "2": "starts from the observed value",
    "3": "gives a reason",
    "4": "a new value lies within bounds, or between the old one and the nearest bound",
    "5": "while blind, no decrease except to a ceiling, override or max_replicas",
    "6": "no change goes below a floor; while below one, the plan raises or names the obstacle",
    "7": "no decrease lowers capacity, or serving capacity, below need",
    "8": "no increase beyond budget except up to a floor or by an override",
    "9": "touches only deployments that the configuration names",
    "10": "a write is journalled before it is sent",
    "11": "paused means no write",
    "12": "same snapshot, memory and configuration: same plan",
}

_SLACK: Final = 1e-9  # relative; sums of floats
_NAMED_OBSTACLES: Final = frozenset(
    {
        *("step", "changing", "paused", "drift", "provider_error", "no_capacity", "overdue", "reassert"),
        *("override", "bounds", "moving", "floor_over_budget"),
    }
)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: ours, never the user's."""

    promise: str
    service: str
    deployment: str
    text: str

    @property
    def key(self) -> str:
        """The deployment whose write it stops."""
        return f"{self.service}/{self.deployment}"


def violations(plan: Plan, snapshot: Snapshot, human: Human, fleet: Fleet) -> tuple[Violation, ...]:
    """Every broken promise of this plan. ``human`` are the acts in force at the plan's time."""
    found: list[Violation] = []
    by_service: dict[str, list[Decision]] = {}
    for decision in plan.decisions:
        by_service.setdefault(decision.service, []).append(decision)
    for name, decisions in by_service.items():
        service = fleet.services.get(name)
        evidence = plan.services.get(name)
        known = {d.name: d for d in service.deployments} if service is not None else {}
        for decision in decisions:
            deployment = known.get(decision.deployment)
            if service is None or deployment is None:
                found.append(_broken("9", decision, "not in the configuration"))
                continue
            found.extend(_alone(decision, service, deployment, snapshot, human))
        if service is not None and evidence is not None:
            named = [d for d in decisions if d.deployment in known]
            found.extend(_together(named, service, evidence))
    found.extend(_budgets(plan, fleet))
    return tuple(found)


def _broken(promise: str, decision: Decision, text: str) -> Violation:
    return Violation(promise, decision.service, decision.deployment, text)


# --- one decision alone -------------------------------------------------------------------------


def _alone(
    decision: Decision, service: Service, deployment: Deployment, snapshot: Snapshot, human: Human
) -> Iterable[Violation]:
    if decision.reason not in REASONS and all(n.policy.kind != decision.reason for n in service.policies):
        yield _broken("3", decision, f"{decision.reason} is no reason")
    if not decision.why:
        yield _broken("3", decision, "no sentence")
    seen = snapshot.deployments.get(f"{decision.service}/{decision.deployment}")
    observed = seen.replicas if seen is not None else None
    if observed is None:
        if decision.replicas_to is not None or decision.changes:
            yield _broken("1", decision, "nothing was observed")
        return
    if decision.range_from != observed or (
        observed.minimum == observed.maximum and decision.replicas_from != observed.minimum
    ):
        yield _broken("2", decision, f"starts from {decision.range_from}, observed {observed}")
    if not decision.changes:
        return
    assert decision.range_to is not None
    if _is_paused(decision, human):
        yield _broken("11", decision, "a pause is in force")
    old, new = decision.replicas_from or 0, decision.replicas_to or 0
    low = 0 if _lowered_by_hand(decision, human) else deployment.min_replicas
    high = deployment.max_replicas
    inside = low <= new <= high
    towards = old <= new <= low or high <= new <= old
    if not inside and not towards and new != old:
        yield _broken("4", decision, f"{old} to {new} with bounds {low} to {high}")
    if decision.range_to.maximum > max(high, new, decision.range_from.maximum if decision.range_from else 0):
        yield _broken("4", decision, f"a maximum of {decision.range_to.maximum} is above {high}")


def _is_paused(decision: Decision, human: Human) -> bool:
    assert decision.range_from is not None
    assert decision.range_to is not None
    falls = (
        decision.range_to.minimum < decision.range_from.minimum
        or decision.range_to.maximum < decision.range_from.maximum
    )
    return any(
        pause.service in (None, decision.service) and (pause.direction != "down" or falls)
        for pause in human.pauses
    )


def _lowered_by_hand(decision: Decision, human: Human) -> bool:
    return any(
        o.service == decision.service
        and o.deployment in (None, decision.deployment)
        and o.at_most is not None
        for o in human.overrides
    )


# --- the decisions of one service ---------------------------------------------------------------


def _together(decisions: list[Decision], service: Service, evidence: ServiceEvidence) -> Iterable[Violation]:
    sizes = {d.name: d.capacity_per_replica for d in service.deployments}
    # What could not be read counts with what was last seen of it.
    last = {name: site.replicas_set or 0 for name, site in evidence.deployments.items()}
    old = {d.deployment: _or(d.replicas_from, last[d.deployment]) for d in decisions}
    new = {d.deployment: _or(d.replicas_to, last[d.deployment]) for d in decisions}
    decisions = [d for d in decisions if d.replicas_to is not None]
    falling = [d for d in decisions if new[d.deployment] < old[d.deployment]]
    raised = sum(max(0, min(new[n], evidence.deployments[n].floor) - old[n]) for n in old)
    over_total = sum(old.values()) + raised - evidence.ceiling
    for decision in falling:
        site = evidence.deployments[decision.deployment]
        was, to = old[decision.deployment], new[decision.deployment]
        over_own = was - site.ceiling
        if evidence.blind and was - to > max(over_own, over_total, 0) and not site.replicas_overdue:
            yield _broken("5", decision, f"{was} to {to} while blind, ceiling {site.ceiling}")
        if to < site.floor:
            yield _broken("6", decision, f"{was} to {to}, floor {site.floor}")
    floor = min(evidence.floor, sum(old.values()))
    if falling and sum(new.values()) < floor and not _forced_down(falling, evidence, old, new):
        yield _broken("6", falling[0], f"the service falls below its floor of {evidence.floor}")
    yield from _below_floor(decisions, evidence, old, new)
    if falling:
        yield from _capacity(falling, evidence, sizes, old, new)


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _below_floor(
    decisions: list[Decision],
    evidence: ServiceEvidence,
    old: Mapping[str, int],
    new: Mapping[str, int],
) -> Iterable[Violation]:
    for decision in decisions:
        site = evidence.deployments[decision.deployment]
        name = decision.deployment
        if new[name] < site.floor and new[name] <= old[name] and decision.reason not in _NAMED_OBSTACLES:
            yield _broken("6", decision, f"{new[name]} is below the floor {site.floor}; no obstacle is named")


def _capacity(
    falling: list[Decision],
    evidence: ServiceEvidence,
    sizes: Mapping[str, float],
    old: Mapping[str, int],
    new: Mapping[str, int],
) -> Iterable[Violation]:
    sites = evidence.deployments
    for what, of in (("serving capacity", _serving), ("capacity", _held)):
        before = sum(
            of(site, old.get(name, site.replicas_set or 0)) * sizes[name] for name, site in sites.items()
        )
        after = sum(
            of(site, new.get(name, site.replicas_set or 0)) * sizes[name] for name, site in sites.items()
        )
        if after >= before - _SLACK * max(1.0, before) or after >= evidence.need * (1 - _SLACK):
            continue
        # What every deployment's own ceiling leaves of what was there.
        left = sum(
            of(site, min(old.get(name, site.replicas_set or 0), site.ceiling)) * sizes[name]
            for name, site in sites.items()
        )
        # A policy's ceiling on the total excuses no loss of what serves for the sake of what only starts.
        counted = {n: of(sites[n], count) for n, count in old.items()}
        rest = {n: of(sites[n], count) for n, count in new.items()}
        by_hand = sum(old.values()) > evidence.forced_ceiling
        excused = _forced_down(falling, evidence, *((old, new) if by_hand else (counted, rest)))
        if after < left * (1 - _SLACK) and not excused:
            yield _broken(
                "7", falling[0], f"{what} falls from {before:g} to {after:g}, need is {evidence.need:g}"
            )


def _forced_down(
    falling: list[Decision], evidence: ServiceEvidence, old: Mapping[str, int], new: Mapping[str, int]
) -> bool:
    """Whether ceilings take all that goes: each its own surplus, or the total's together."""
    own = sum(
        max(0, old[n] - max(new[n], evidence.deployments[n].ceiling)) for n in (d.deployment for d in falling)
    )
    gone = sum(old[d.deployment] - new[d.deployment] for d in falling)
    surplus = max(0, sum(old.values()) - evidence.ceiling)
    return gone <= max(own, surplus) or gone <= own + max(0, surplus - own)


def _serving(site: DeploymentEvidence, count: int) -> int:
    return min(site.replicas_ready or 0, count)


def _held(site: DeploymentEvidence, count: int) -> int:
    """Replicas set, without those that are overdue."""
    there = max(site.replicas_set or 0, site.replicas_asked or 0, count)
    return min(count, max(0, there - site.replicas_overdue))


# --- money --------------------------------------------------------------------------------------


def _budgets(plan: Plan, fleet: Fleet) -> Iterable[Violation]:
    fleet_cost = 0.0
    costs: dict[str, float] = {}
    for decision in plan.decisions:
        evidence = plan.services.get(decision.service)
        site = evidence.deployments.get(decision.deployment) if evidence else None
        if site is None:
            continue
        count = max(decision.replicas_to or 0, site.replicas_set or 0, _running(site))
        cost = (site.usd_per_replica_hour or 0.0) * count
        costs[decision.service] = costs.get(decision.service, 0.0) + cost
        fleet_cost += cost
    for decision in plan.decisions:
        service = fleet.services.get(decision.service)
        evidence = plan.services.get(decision.service)
        if service is None or evidence is None:
            continue
        budgets = [
            (budget, cost)
            for budget, cost in (
                (service.budget_usd_per_hour, costs.get(service.name, 0.0)),
                (fleet.budget_usd_per_hour, fleet_cost),
            )
            if budget is not None
        ]
        if not budgets or not _rises_freely(decision, plan, evidence):
            continue
        site = evidence.deployments[decision.deployment]
        for budget, cost in budgets:
            if site.usd_per_replica_hour is None:
                yield _broken("8", decision, "an increase at an unknown price under a budget")
            elif cost > budget * (1 + _SLACK) + 1e-6:
                yield _broken("8", decision, f"{cost:.2f} USD/h with a budget of {budget:.2f}")


def _running(site: DeploymentEvidence) -> int:
    return (site.replicas_ready or 0) + site.replicas_starting


def _rises_freely(decision: Decision, plan: Plan, evidence: ServiceEvidence) -> bool:
    """An increase that no floor asks for, and that costs more than what runs already."""
    if decision.replicas_to is None or decision.replicas_from is None:
        return False
    site = evidence.deployments.get(decision.deployment)
    if site is None or decision.replicas_to <= max(decision.replicas_from, _running(site)):
        return False
    # What has to go to a ceiling, and only waits for it, holds no floor up; nor does what is overdue.
    total = sum(
        _held(
            evidence.deployments[d.deployment],
            min(d.replicas_to or 0, evidence.deployments[d.deployment].ceiling),
        )
        for d in plan.decisions
        if d.service == decision.service and d.deployment in evidence.deployments
    )
    return decision.replicas_to > site.floor and total > evidence.floor
