"""The plan into memory: what was wanted, what was meant, and what the policies learned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from autoscaler.core.absorb import back_off_increase
from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.core.memory import (
    HOUR_S,
    INTENTS_MAX,
    Batch,
    DeploymentMemory,
    Intent,
    Memory,
    ServiceMemory,
)
from autoscaler.core.model import Decision, Plan, ServiceEvidence
from autoscaler.core.need import staircase
from autoscaler.core.proposals import View
from autoscaler.core.start_up import deadline_s, repeated_deadline_s

STATE_BYTES_MAX: Final = 65_536
"""What a policy may remember, as JSON."""

_JSON: Final = json.JSONEncoder(allow_nan=False)


def remember(memory: Memory, plan: Plan, fleet: Fleet, views: Mapping[str, Mapping[str, View]]) -> Memory:
    """Memory that has absorbed the snapshot, after the plan made from it.

    ``views`` are the policies' own, by service and policy.
    """
    services = dict(memory.services)
    deployments = dict(memory.deployments)
    for name, service in fleet.services.items():
        evidence = plan.services.get(name)
        if evidence is not None:
            services[name] = _service(services[name], service, evidence, plan, views[name])
    for decision in plan.decisions:
        if not decision.changes:
            continue
        fleet_service = fleet.services.get(decision.service)
        key = f"{decision.service}/{decision.deployment}"
        was = deployments.get(key)
        if fleet_service is None or was is None or fleet_service.mode != "act":
            continue
        deployment = next((d for d in fleet_service.deployments if d.name == decision.deployment), None)
        if deployment is not None:
            deployments[key] = _intend(was, decision, deployment, fleet, plan.at)
    return Memory(
        at=memory.at,
        config_hash=memory.config_hash,
        services=services,
        deployments=deployments,
        human=memory.human,
        prices=memory.prices,
        writes_limited_until=memory.writes_limited_until,
    )


def _service(
    was: ServiceMemory, service: Service, evidence: ServiceEvidence, plan: Plan, views: Mapping[str, View]
) -> ServiceMemory:
    at = plan.at
    held = service.name in plan.brake
    blind_since = (was.blind_since if was.blind_since is not None else at) if evidence.blind else None
    had = evidence.demand is not None and evidence.demand > 0.0
    wanted = evidence.want is not None and evidence.want > 0.0
    seen = had or (evidence.demand is None and wanted)
    kept = evidence.blind or held or (was.clock_hold_until is not None and at < was.clock_hold_until)
    return ServiceMemory(
        watching_since=was.watching_since,
        wants=staircase(was.wants, at, evidence.want, service.stabilise_down_s),
        demand_seen_at=at if seen else was.demand_seen_at,
        blind_since=blind_since,
        need=min(evidence.need, _carried_at_most(service, evidence)) if kept else evidence.need,
        kept=kept,
        had_demand=had and not evidence.blind,
        brake_until=(was.brake_until if was.brake_until is not None else at + HOUR_S) if held else None,
        clock_hold_until=was.clock_hold_until,
        history=was.history,
        policies=_learned(was, service, views),
    )


def _carried_at_most(service: Service, evidence: ServiceEvidence) -> float:
    """What a ceiling on the total leaves to carry: what it took while demand was not known is not owed."""
    return evidence.ceiling * max((d.capacity_per_replica for d in service.deployments), default=0.0)


def _learned(
    was: ServiceMemory, service: Service, views: Mapping[str, View]
) -> Mapping[str, Mapping[str, Any]]:
    learned: dict[str, Mapping[str, Any]] | None = None
    for named in service.learning:
        state = was.policies.get(named.name, {})
        try:
            new = named.policy.remember(state, views[named.name])
            if new == state or len(_JSON.encode(new)) > STATE_BYTES_MAX:
                continue
        except Exception:  # noqa: BLE001, S112 - another's code; what it knew before stays
            continue
        if learned is None:
            learned = dict(was.policies)
        learned[named.name] = new
    return was.policies if learned is None else learned


def _intend(
    was: DeploymentMemory, decision: Decision, deployment: Deployment, fleet: Fleet, at: float
) -> DeploymentMemory:
    range_from, range_to = decision.range_from, decision.range_to
    replicas_from, replicas_to = decision.replicas_from, decision.replicas_to
    assert range_from is not None
    assert range_to is not None
    assert replicas_from is not None
    assert replicas_to is not None
    by = replicas_to - replicas_from
    first_s = deadline_s(deployment, was, fleet.interval_s)
    again = decision.reason == "reassert"
    reasserts = was.reasserts + 1 if again else 0
    due = at + (repeated_deadline_s(first_s, reasserts) if again else first_s)
    intent = Intent(range_from, range_to, at, due)
    kept = tuple(i for i in was.intents if i.deadline >= at)
    batches = was.batches
    backoff = was.backoff
    if by > 0 and not again:  # What is overdue stays so until it serves, however often it is asked for.
        batches = (*(b for b in batches if b.count < replicas_to), Batch(replicas_to, due))
    elif by < 0 and decision.reason == "overdue":
        backoff = back_off_increase(backoff, at)
    return replace(
        was,
        intents=(*kept, intent)[-INTENTS_MAX:],
        changes=(*was.changes, (at, by))[-256:] if by else was.changes,
        last_change_at=at if by else was.last_change_at,
        batches=batches,
        reasserts=reasserts,
        measuring=(at, replicas_to) if by > 0 and not again else None,
        backoff=backoff,
    )
