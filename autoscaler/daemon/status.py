"""A tick's report as plain JSON values: what ``/v1/...`` answers and the page draws.

Keys carry their units. What is not known is ``null``, never zero. Times are ISO 8601, UTC.
"""

from __future__ import annotations

from typing import Any

from autoscaler.core.codec import instant_text
from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.core.model import (
    Absence,
    Decision,
    DeploymentEvidence,
    Observation,
    Opinion,
    Override,
    Pause,
    Reading,
    ServiceEvidence,
    Snapshot,
)
from autoscaler.daemon.report import TickReport

JSON = dict[str, Any]


def replicas_paid(deployment: Deployment, evidence: DeploymentEvidence) -> int | None:
    """Replicas that cost money: the larger of set and running; None: never observed.

    Where the vendor's own autoscaler moves the count, what runs is paid, whatever the range's minimum.
    """
    if evidence.replicas_set is None or evidence.replicas_ready is None:
        return evidence.replicas_set
    running = evidence.replicas_ready + evidence.replicas_starting
    return running if deployment.control == "floor" else max(evidence.replicas_set, running)


def cost_usd_per_hour(deployment: Deployment, evidence: DeploymentEvidence) -> float | None:
    """USD per hour of what is there now; None where count or price is not known. Zero replicas cost zero."""
    paid = replicas_paid(deployment, evidence)
    if paid is None:
        return None
    if paid == 0:
        return 0.0
    price = evidence.usd_per_replica_hour
    return None if price is None else round(paid * price, 6)


def replicas_starting(observation: Observation) -> int | None:
    """Replicas asked for and not yet serving; None where that is not known."""
    if observation.starting is not None:
        return observation.starting
    if observation.replicas is None or observation.ready is None:
        return None
    return max(0, observation.replicas.minimum - observation.ready)


def direction_of(decision: Decision) -> str:
    """``up``, ``down`` or ``hold``; where the minimum stays, the maximum decides."""
    before, after = decision.range_from, decision.range_to
    pairs = [(decision.replicas_from, decision.replicas_to)]
    if before is not None and after is not None:
        pairs += [(before.minimum, after.minimum), (before.maximum, after.maximum)]
    for old, new in pairs:
        if old is not None and new is not None and old != new:
            return "up" if new > old else "down"
    return "hold"


def pauses_of(report: TickReport, service: str) -> tuple[Pause, ...]:
    """Pauses that hold this service, the fleet's included."""
    return tuple(pause for pause in report.human.pauses if pause.service in (None, service))


def overrides_of(report: TickReport, service: str) -> tuple[Override, ...]:
    """Overrides of this service and of its deployments."""
    return tuple(one for one in report.human.overrides if one.service == service)


def mode_of(fleet: Fleet) -> str:
    """``act`` or ``observe`` where all services agree, else ``mixed``."""
    modes = {service.mode for service in fleet.services.values()}
    return modes.pop() if len(modes) == 1 else "mixed"


def fleet_status(report: TickReport) -> JSON:
    """The whole fleet: totals, and every service with its deployments. ``GET /v1/services``."""
    services = [service_status(report, name) for name in sorted(report.fleet.services)]
    return {
        "at": instant_text(report.at),
        "mode": mode_of(report.fleet),
        "interval_s": report.fleet.interval_s,
        "usd_per_hour": round(sum(one["usd_per_hour"] for one in services), 6),
        "usd_per_hour_complete": all(one["usd_per_hour_complete"] for one in services),
        "budget_usd_per_hour": report.fleet.budget_usd_per_hour,
        "brake": list(report.plan.brake),
        "pauses": [pause_body(pause) for pause in report.human.pauses],
        "services": services,
    }


def service_status(report: TickReport, name: str) -> JSON:
    """One service with its deployments. ``GET /v1/services/{service}``. Raises: KeyError."""
    service = report.fleet.services[name]
    evidence = report.plan.services.get(name)
    decisions = {one.deployment: one for one in report.plan.decisions if one.service == name}
    deployments = [
        deployment_status(report, one, _evidence(evidence, one.name), decisions.get(one.name))
        for one in sorted(service.deployments, key=lambda one: one.name)
    ]
    costs = [one["usd_per_hour"] for one in deployments]
    return {
        "service": name,
        "at": instant_text(report.at),
        "mode": service.mode,
        "labels": dict(report.labels.get(name, {})),
        **_demand(service, evidence),
        "blind": evidence is not None and evidence.blind,
        "brake": name in report.plan.brake,
        "paused": _paused(pauses_of(report, name)),
        "pauses": [pause_body(pause) for pause in pauses_of(report, name)],
        "overrides": [override_body(one) for one in overrides_of(report, name)],
        "usd_per_hour": round(sum(cost for cost in costs if cost is not None), 6),
        "usd_per_hour_complete": None not in costs,
        "budget_usd_per_hour": service.budget_usd_per_hour,
        "signals": _signals(report.snapshot, name, report.at),
        "opinions": [] if evidence is None else [_opinion(one) for one in evidence.opinions],
        "notes": [] if evidence is None else list(evidence.notes),
        "deployments": deployments,
    }


def deployment_status(
    report: TickReport,
    deployment: Deployment,
    evidence: DeploymentEvidence | None,
    decision: Decision | None,
) -> JSON:
    """One deployment: what is there, what it costs, and the last decision."""
    seen = report.snapshot.deployments.get(deployment.key) or Observation(replicas=None)
    p50_p90 = report.start_up_estimates.get(deployment.key)
    return {
        "deployment": deployment.name,
        "provider": deployment.provider,
        "gpu_type": seen.gpu_type,
        "gpus_per_replica": seen.gpus_per_replica,
        "control": deployment.control,
        "capacity_per_replica": deployment.capacity_per_replica,
        "phase": str(seen.phase) if seen.replicas is not None else None,
        "error": None if seen.error is None else str(seen.error),
        "replicas_set": None if seen.replicas is None else seen.replicas.minimum,
        "range": None if seen.replicas is None or seen.replicas.is_exact else list(seen.replicas),
        "replicas_ready": seen.ready,
        "replicas_starting": replicas_starting(seen),
        "replicas_overdue": 0 if evidence is None else evidence.replicas_overdue,
        "replicas_wanted": None if decision is None else decision.replicas_to,
        "replicas_min": deployment.min_replicas,
        "replicas_max": deployment.max_replicas,
        "price_usd_per_gpu_hour": None if evidence is None else evidence.price_usd_per_gpu_hour,
        "price_age_s": None if evidence is None else evidence.price_age_s,
        "usd_per_replica_hour": None if evidence is None else evidence.usd_per_replica_hour,
        "usd_per_hour": None if evidence is None else cost_usd_per_hour(deployment, evidence),
        "start_up_p50_s": p50_p90[0] if p50_p90 else None,
        "start_up_p90_s": p50_p90[1] if p50_p90 else None,
        "drift": decision is not None and decision.reason == "drift",
        "obstacle": None if evidence is None else evidence.obstacle,
        "evidence": list(seen.evidence),
        "decision": None if decision is None else decision_body(decision),
    }


def plan_status(report: TickReport) -> JSON:
    """All decisions of the last tick. ``GET /v1/plan``."""
    return {
        "at": instant_text(report.at),
        "mode": mode_of(report.fleet),
        "brake": list(report.plan.brake),
        "decisions": [decision_body(one) for one in report.plan.decisions],
    }


def decision_body(decision: Decision) -> JSON:
    """One decision; ranges only where the vendor has an autoscaler of its own."""
    body: JSON = {
        "service": decision.service,
        "deployment": decision.deployment,
        "replicas_from": decision.replicas_from,
        "replicas_to": decision.replicas_to,
        "direction": direction_of(decision),
        "reason": decision.reason,
        "why": decision.why,
    }
    ranges = (decision.range_from, decision.range_to)
    if any(one is not None and not one.is_exact for one in ranges):
        body["range_from"] = None if decision.range_from is None else list(decision.range_from)
        body["range_to"] = None if decision.range_to is None else list(decision.range_to)
    return body


def pause_body(pause: Pause) -> JSON:
    """A pause; ``service`` null is the whole fleet, ``direction`` null both."""
    return {
        "service": pause.service,
        "direction": pause.direction,
        "until": None if pause.until is None else instant_text(pause.until),
        "reason": pause.reason,
        "actor": pause.actor,
    }


def override_body(override: Override) -> JSON:
    """An override; ``deployment`` null is the service's total."""
    return {
        "service": override.service,
        "deployment": override.deployment,
        "at_least": override.at_least,
        "at_most": override.at_most,
        "until": None if override.until is None else instant_text(override.until),
        "reason": override.reason,
        "actor": override.actor,
    }


def _evidence(service: ServiceEvidence | None, deployment: str) -> DeploymentEvidence | None:
    return None if service is None else service.deployments.get(deployment)


def _demand(service: Service, evidence: ServiceEvidence | None) -> JSON:
    return {
        "demand": None if evidence is None else evidence.demand,
        "want": None if evidence is None else evidence.want,
        "need": None if evidence is None else evidence.need,
        "need_reason": None if evidence is None else evidence.need_reason,
        "floor": None if evidence is None else evidence.floor,
        "ceiling": None if evidence is None else evidence.ceiling,
        "policies": [one.name for one in service.policies],
    }


def _paused(pauses: tuple[Pause, ...]) -> str | None:
    if not pauses:
        return None
    return "both" if any(pause.direction is None for pause in pauses) else "down"


def _signals(snapshot: Snapshot, service: str, at: float) -> JSON:
    return {name: _reading(one, at) for name, one in sorted(snapshot.signals.get(service, {}).items())}


def _reading(reading: Reading, at: float) -> JSON:
    if isinstance(reading, Absence):
        return {"value": None, "at": None, "age_s": None, "absent": reading.reason, "detail": reading.detail}
    return {
        "value": reading.value,
        "at": instant_text(reading.at),
        "age_s": round(max(0.0, at - reading.at), 3),
    }


def _opinion(opinion: Opinion) -> JSON:
    return {
        "policy": opinion.policy,
        "kind": opinion.kind,
        "deployment": opinion.deployment,
        "want": opinion.want,
        "at_least": opinion.at_least,
        "at_most": opinion.at_most,
        "blind": opinion.blind,
        "reason": opinion.reason,
    }
