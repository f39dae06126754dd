"""The decision: snapshot, memory and configuration in, plan out. The same code runs everywhere.

One tick is a straight line: absorb the facts, ask the policies, fold their opinions to a need, place it
at least cost, share the budget, pass the rails, and say why.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.core.absorb import absorb, count_of
from autoscaler.core.brake import brakes
from autoscaler.core.budget import apply_budgets
from autoscaler.core.case import Case, Site
from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.core.guards import guard_decrease, guard_increase
from autoscaler.core.limits import Limits, limits_of
from autoscaler.core.memory import DeploymentMemory, Memory
from autoscaler.core.model import ErrorKind, Observation, Phase, Plan, Snapshot
from autoscaler.core.money import ReplicaPrice
from autoscaler.core.need import Voice, need_of
from autoscaler.core.proposals import View
from autoscaler.core.rail import make_before_break
from autoscaler.core.remember import remember
from autoscaler.core.sentences import decisions_of, evidence_of
from autoscaler.core.start_up import asked, overdue
from autoscaler.core.supply import supply
from autoscaler.core.views import own_views, preference_of, prices_of, view_of, voices_of


def decide(snapshot: Snapshot, memory: Memory, fleet: Fleet) -> Plan:
    """All decisions of one tick over the whole fleet. Pure: the same three values give the same plan."""
    return step(memory, snapshot, fleet)[0]


def step(memory: Memory, snapshot: Snapshot, fleet: Fleet) -> tuple[Plan, Memory]:
    """One tick: the plan, and the memory that the next tick starts from."""
    known = absorb(memory, snapshot, fleet)
    plan, views = _plan(snapshot, known, fleet)
    return plan, remember(known, plan, fleet, views)


def fold(memory: Memory, snapshot: Snapshot, plan: Plan, fleet: Fleet) -> Memory:
    """Memory after a journalled tick: what was planned then counts, not what would be planned today."""
    known = absorb(memory, snapshot, fleet)
    views = {}
    for name, service in fleet.services.items():
        view = view_of(service, known, snapshot, prices_of(service, known, fleet, snapshot.at))
        views[name] = own_views(service, view, known.services[name])
    return remember(known, plan, fleet, views)


def _plan(snapshot: Snapshot, memory: Memory, fleet: Fleet) -> tuple[Plan, Mapping[str, Mapping[str, View]]]:
    """The plan, and what it rests on: each policy's own view, by service and policy."""
    at = snapshot.at
    views: dict[str, View] = {}
    own: dict[str, Mapping[str, View]] = {}
    prices: dict[str, tuple[ReplicaPrice, ...]] = {}
    voices: dict[str, tuple[Voice, ...]] = {}
    names = sorted(fleet.services)
    for name in names:
        service = fleet.services[name]
        prices[name] = prices_of(service, memory, fleet, at)
        views[name] = view_of(service, memory, snapshot, prices[name])
        own[name] = own_views(service, views[name], memory.services[name])
        voices[name] = voices_of(service, own[name])
    held = brakes(memory, fleet, voices, at)
    cases = [
        _case(fleet.services[name], snapshot, memory, fleet, views[name], prices[name], voices[name], held)
        for name in names
    ]
    for case in cases:
        supply(case)
    apply_budgets(cases, fleet)
    decisions = []
    evidence = {}
    for case in cases:
        _pass_guards(case)
        decisions.extend(decisions_of(case))
        evidence[case.service.name] = evidence_of(case)
    return Plan(at, tuple(decisions), evidence, tuple(sorted(held))), own


def _case(
    service: Service,
    snapshot: Snapshot,
    memory: Memory,
    fleet: Fleet,
    view: View,
    prices: tuple[ReplicaPrice, ...],
    voices: tuple[Voice, ...],
    held: Mapping[str, float],
) -> Case:
    at = snapshot.at
    known = memory.services[service.name]
    memories = tuple([memory.deployments.get(d.key) for d in service.deployments])
    wakes = any(m is not None and m.last.wakes for m in memories)
    need = need_of(service, known, memories, voices, at, wakes, service.name in held)
    overrides = memory.human.overrides
    if overrides:
        overrides = tuple(o for o in overrides if o.service == service.name)
    limits = limits_of(service, voices, overrides, memories)
    preference = preference_of(service, view)
    sites = [
        _site(deployment, memories[i], snapshot, memory, prices[i], limits.each[i], preference.gpu_types)
        for i, deployment in enumerate(service.deployments)
    ]
    for site in sites:
        _keep(site, service, need.keeps_set, at)
    paused, pause_text = _pause(service.name, memory)
    return Case(
        service=service,
        memory=known,
        view=view,
        voices=voices,
        need=need,
        limits=limits,
        preference=preference,
        sites=sites,
        paused=paused,
        pause_text=pause_text,
        overridden=bool(overrides),
        at=at,
        interval_s=fleet.interval_s,
    )


def _site(
    deployment: Deployment,
    was: DeploymentMemory | None,
    snapshot: Snapshot,
    memory: Memory,
    price: ReplicaPrice,
    limits: Limits,
    gpu_types: frozenset[str] | None,
) -> Site:
    at = snapshot.at
    seen = snapshot.deployments.get(deployment.key)
    observed = seen if seen is not None and seen.replicas is not None else None
    fixed, no_increase, obstacle, text = _obstacle(deployment, was, seen, memory, at)
    if gpu_types is not None and was is not None and was.last.gpu_type not in gpu_types:
        no_increase = True
        obstacle, text = (
            obstacle or "bounds",
            text or f"GPU type {was.last.gpu_type} is not among those allowed",
        )
    now = was.replicas_set if was is not None else 0
    if observed is not None:
        now = count_of(observed, deployment.control)
    late = overdue(was, at) if was is not None and observed is not None else 0
    carries = now
    if was is not None and was.last.phase is Phase.FAILED:
        carries = was.last.ready or 0
    elif obstacle == "drift":
        carries = min(now, deployment.max_replicas)
    if late and was is not None:
        carries = min(carries, max(0, max(now, asked(was)) - late))
    return Site(
        deployment=deployment,
        memory=was,
        observed=observed,
        price=price,
        limits=limits,
        now=now,
        asked=max(now, asked(was)) if was is not None else now,
        committed=_committed(was, now, at),
        carries=carries,
        overdue=late,
        obstacle=obstacle,
        obstacle_text=text,
        fixed=fixed,
        no_increase=no_increase,
    )


def _committed(was: DeploymentMemory | None, now: int, at: float) -> int:
    """What is set, or will be by a change that was accepted and may still come."""
    pending = was.pending(at) if was is not None else None
    return max(now, pending.range_to.minimum) if pending is not None else now


def _obstacle(
    deployment: Deployment,
    was: DeploymentMemory | None,
    seen: Observation | None,
    memory: Memory,
    at: float,
) -> tuple[bool, bool, str | None, str]:
    """Whether the count is fixed, whether it may not grow, and the reason code and clause for that."""
    if seen is None or seen.replicas is None or was is None:
        error = f": {seen.error}" if seen is not None and seen.error else ""
        return True, True, "provider_error", f"{deployment.name} could not be read{error}"
    if seen.error is not None:
        return True, True, "provider_error", f"{deployment.name}: {seen.error}"
    if seen.phase is Phase.FAILED or seen.phase is Phase.UNKNOWN:
        what = "; ".join(seen.evidence[:1])
        return True, True, "provider_error", f"{deployment.name} is {seen.phase}{': ' + what if what else ''}"
    if was.left_alone_until is not None and at < was.left_alone_until:
        text = f"{len(was.drifts)} foreign changes within a day: left alone until resume"
        return True, True, "drift", text
    if was.drift_until is not None and at < was.drift_until:
        return (
            True,
            True,
            "drift",
            f"somebody else set {was.replicas_set}; hands off for {was.drift_until - at:.0f} s",
        )
    limited_until = memory.writes_limited_until.get(deployment.provider)
    if limited_until is not None and at < limited_until:
        wait_s = limited_until - at
        return (
            True,
            True,
            "provider_error",
            f"{deployment.provider} limits the rate of writes for {wait_s:.0f} s",
        )
    if was.backoff is not None and at < was.backoff.until:
        if was.backoff.kind is ErrorKind.NO_CAPACITY:
            text = f"no GPU free at {deployment.provider}; asked again in {was.backoff.until - at:.0f} s"
            return False, True, "no_capacity", text
        if was.backoff.kind is ErrorKind.UNAVAILABLE:
            text = f"{was.backoff.repeats} writes at {deployment.provider} failed in a row"
            return False, True, "provider_error", text
        return True, True, "provider_error", f"{deployment.provider} answered {was.backoff.kind}"
    if seen.available is False:
        return False, True, "no_capacity", f"{deployment.provider} has no {was.last.gpu_type} free"
    return False, False, None, ""


def _keep(site: Site, service: Service, keeps_set: bool, at: float) -> None:
    """Replicas that demand and moves may not take: all, or those from before watching began."""
    if keeps_set:
        site.keep = site.asked
    elif site.memory is not None and at - site.memory.watching_since < service.stabilise_down_s:
        site.keep = min(site.asked, site.memory.set_when_resumed)


def _pause(service: str, memory: Memory) -> tuple[str | None, str]:
    """The strongest pause in force for a service, and how a person reads it."""
    paused: str | None = None
    text = ""
    for pause in memory.human.pauses:
        if pause.service is not None and pause.service != service:
            continue
        if paused == "both":
            break
        paused = "down" if pause.direction == "down" else "both"
        text = f"paused{' downwards' if paused == 'down' else ''} by {pause.actor or 'a person'}"
        if pause.reason:
            text = f"{text}: {pause.reason}"
    return paused, text


def _pass_guards(case: Case) -> None:
    for site in case.sites:
        site.to = site.target
    for site in case.sites:
        if site.to > site.now:
            guard_increase(case, site)
    for site in case.sites:
        if site.to < site.now and site.fixed:
            guard_decrease(case, site)
    make_before_break(case)
    for site in case.sites:
        if site.to < site.now and not site.fixed:
            guard_decrease(case, site)
