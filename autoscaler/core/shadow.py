"""What other policies would have done: decided on the same signals, carried out on an imagined plant.

A shadow is a fold over ticks, as memory is: ``advance`` takes what was known of the shadow before a tick, and
the tick's facts and plan, and gives what is known after it. Nothing here can write, and nothing that is
decided here is anybody's plan.

The signals are those of the real fleet. A queue that the shadow would have avoided is seen by it all the
same, and one that it alone would have caused is not there: short time of the shadow is judged by the demand
that there was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from autoscaler.core.absorb import GAP_MIN_S
from autoscaler.core.decide import step
from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.core.imagine import Imagined, carried_out, observed, passed
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Decision,
    DeploymentEvidence,
    Human,
    Outcome,
    OutcomeWord,
    Plan,
    ServiceEvidence,
    Snapshot,
)
from autoscaler.core.pack import pack, unpack
from autoscaler.core.sides import Account, Difference, Rates, account, differences, rates, wanted

STATE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Shadow:
    """All that is known of one service's shadow after a tick.

    ``name`` is the hash of the configuration that the comparison is about: under another one it begins
    anew. ``unseen_s`` is time without ticks, in which both sides are taken to go on as they were and no
    demand is known. ``differs_first`` and ``differs_last`` are ticks at which the sides wanted different
    counts.
    """

    name: str
    since: float
    at: float
    ticks: int = 0
    unseen_s: float = 0.0
    memory: Memory = field(default_factory=Memory)
    plant: Mapping[str, Imagined] = field(default_factory=dict)
    written: tuple[str, ...] = ()  # deployments that the last decision changed
    active: Account = field(default_factory=Account)
    shadow: Account = field(default_factory=Account)
    active_now: Rates = field(default_factory=Rates)
    shadow_now: Rates = field(default_factory=Rates)
    wanted: Mapping[str, int] = field(default_factory=dict)  # by deployment, of the last decision
    differs_first: float | None = None
    differs_last: float | None = None
    differences: tuple[Difference, ...] = ()  # the last ones, oldest first


def begin(snapshot: Snapshot, known: Memory, alone: Fleet) -> Shadow:
    """A shadow that has decided nothing yet: it takes over what is there, and what people have said.

    ``alone`` is the service with the shadow's policies, and nothing else; ``known`` the real memory of
    now. Wants of the past are the other policies' own: as at a first start, nothing decreases by demand
    until one stabilisation window has been seen.
    """
    service = _service(alone)
    mine = {d.provider for d in service.deployments}
    memory = Memory(
        human=replace(_own_human(known.human, service.name), resumes=()),
        prices={key: price for key, price in known.prices.items() if key.partition("/")[0] in mine},
    )
    return Shadow(alone.config_hash, since=snapshot.at, at=snapshot.at, memory=memory)


def advance(known: Shadow, snapshot: Snapshot, plan: Plan, alone: Fleet) -> tuple[Shadow, Plan]:
    """One tick later: what is known then, and what the shadow would have done.

    ``snapshot`` and ``plan`` are the real ones. Pure; it raises what a defect raises.
    """
    service = _service(alone)
    at = snapshot.at
    active = plan.services.get(service.name, ServiceEvidence())
    plant = _plant(known, snapshot, active, service)
    imagined = _imagined_snapshot(known, snapshot, plant, active, service)
    own, memory = step(known.memory, imagined, alone)
    shadow = own.services[service.name]
    changed = [d for d in own.decisions if d.changes]
    elapsed_s = max(0.0, at - known.at)
    is_gap = elapsed_s > max(4.0 * alone.interval_s, GAP_MIN_S)
    demand = active.demand if active.demand is not None else shadow.demand
    active_now = rates(service, active, demand, known.active_now)
    shadow_now = rates(service, shadow, demand, known.shadow_now)
    differs = wanted(plan, service.name) != wanted(own, service.name)
    after = Shadow(
        name=known.name,
        since=known.since,
        at=at,
        ticks=known.ticks + 1,
        unseen_s=known.unseen_s + (elapsed_s if is_gap else 0.0),
        memory=_unlearned(memory),
        plant=_carried_out(plant, changed, at, active, service),
        written=tuple(d.deployment for d in changed),
        active=account(known.active, known.active_now, active_now, elapsed_s, is_gap),
        shadow=account(known.shadow, known.shadow_now, shadow_now, elapsed_s, is_gap),
        active_now=active_now,
        shadow_now=shadow_now,
        wanted=wanted(own, service.name),
        differs_first=at if differs and known.differs_first is None else known.differs_first,
        differs_last=at if differs else known.differs_last,
        differences=differences(known.differences, plan, own, service),
    )
    return after, own


def _service(alone: Fleet) -> Service:
    (service,) = alone.services.values()
    return service


# --- the imagined plant and its facts -----------------------------------------------------------


def _plant(
    known: Shadow, snapshot: Snapshot, active: ServiceEvidence, service: Service
) -> dict[str, Imagined]:
    """What is there now, by deployment, as far as it was ever read."""
    plant = {}
    for d in service.deployments:
        real = snapshot.deployments.get(d.key)
        now = passed(known.plant.get(d.key), real, snapshot.at, _facts(active, d))
        if now is not None:
            plant[d.key] = now
    return plant


def _carried_out(
    plant: Mapping[str, Imagined],
    changed: list[Decision],
    at: float,
    active: ServiceEvidence,
    service: Service,
) -> Mapping[str, Imagined]:
    by_name = {d.name: d for d in service.deployments}
    after = dict(plant)
    for decision in changed:
        d = by_name[decision.deployment]
        if d.key in after:
            after[d.key] = carried_out(after[d.key], decision, at, _facts(active, d))
    return after


def _imagined_snapshot(
    known: Shadow,
    snapshot: Snapshot,
    plant: Mapping[str, Imagined],
    active: ServiceEvidence,
    service: Service,
) -> Snapshot:
    """The tick's facts, with the service's counts replaced by the imagined ones."""
    seen = {}
    for d in service.deployments:
        real = snapshot.deployments.get(d.key)
        if real is not None:
            seen[d.key] = observed(real, plant.get(d.key), _facts(active, d))
    name = service.name
    return Snapshot(
        at=snapshot.at,
        signals={name: snapshot.signals[name]} if name in snapshot.signals else {},
        deployments=seen,
        prices=snapshot.prices,
        human=None if snapshot.human is None else _own_human(snapshot.human, name),
        outcomes=tuple(Outcome(name, deployment, OutcomeWord.ACCEPTED) for deployment in known.written),
        clock=snapshot.clock,
    )


def _own_human(human: Human, service: str) -> Human:
    """What people said that concerns this service."""
    return Human(
        tuple(p for p in human.pauses if p.service in (None, service)),
        tuple(o for o in human.overrides if o.service == service),
        tuple(r for r in human.resumes if r in (None, service)),
    )


def _unlearned(memory: Memory) -> Memory:
    """Without start-up times: imagined ones teach nothing. The real ones come with each observation."""
    if not any(one.start_ups_s or one.measuring for one in memory.deployments.values()):
        return memory
    plain = {key: replace(one, start_ups_s=(), measuring=None) for key, one in memory.deployments.items()}
    return replace(memory, deployments=plain)


def _facts(evidence: ServiceEvidence, deployment: Deployment) -> DeploymentEvidence:
    known = evidence.deployments.get(deployment.name)
    if known is not None:
        return known
    return DeploymentEvidence(start_up_p50_s=deployment.start_up_s, start_up_p90_s=deployment.start_up_s)


# --- journal ------------------------------------------------------------------------------------


def shadow_to_json(shadow: Shadow) -> dict[str, Any]:
    """A shadow as a checkpoint holds it."""
    packed: dict[str, Any] = pack(shadow)
    return {"version": STATE_VERSION, **packed}


def shadow_from_json(body: Any) -> Shadow | None:
    """What ``shadow_to_json`` wrote; None for another version's.

    Raises: ValueError, TypeError, KeyError or AttributeError for a damaged one.
    """
    if body["version"] != STATE_VERSION:
        return None
    return unpack(Shadow, body)
