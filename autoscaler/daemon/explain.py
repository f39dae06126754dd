"""Why: the recorded decision of a service, with the facts and opinions behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoscaler.core.codec import decision_to_json, instant_text, snapshot_to_json
from autoscaler.core.fleet import Fleet, Service
from autoscaler.core.memory import Memory
from autoscaler.core.model import Plan, ServiceEvidence, Snapshot
from autoscaler.core.pack import spell_out
from autoscaler.daemon.counterfactuals import counterfactuals


def explain(
    service: str,
    snapshot: Snapshot,
    plan: Plan,
    memory: Memory,
    fleet: Fleet,
    decided_with: str | None = None,
) -> dict[str, Any]:
    """One service's decision as JSON: facts, opinions, need, limits, each guard, and counterfactuals.

    ``silent`` are policies that said nothing, ``preferring`` those with a say in where replicas go,
    ``unsaid`` what cannot be said of what would have changed it.
    ``memory`` is the one that the plan was made from, ``decided_with`` the hash of the configuration that
    it was made with; None: that of ``fleet``. Raises: KeyError for an unknown service.
    """
    own = fleet.services[service]
    slice_ = _slice(service, snapshot)
    evidence = plan.services.get(service)
    other_config = None if decided_with in (None, fleet.config_hash) else decided_with
    found, unsaid = counterfactuals(service, slice_, plan, memory, fleet, other_config)
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
        "config_hash": decided_with or fleet.config_hash,
        "silent": _silent(own, evidence) if other_config is None else [],
        "preferring": [named.name for named in own.preferring],
        "counterfactuals": found,
        "unsaid": unsaid,
    }


def _silent(own: Service, evidence: ServiceEvidence | None) -> list[str]:
    """Policies that said nothing. Not for ticks of another configuration, which may have had others."""
    if evidence is None:
        return []
    heard = {one.policy for one in evidence.opinions}
    return [named.name for named in own.policies if named.name not in heard]


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
