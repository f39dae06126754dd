"""What was decided, in words: reason codes, sentences and evidence."""

from __future__ import annotations

from autoscaler.core.case import Case, Site
from autoscaler.core.exact import replicas_needed
from autoscaler.core.limits import UNLIMITED, Limits
from autoscaler.core.model import (
    Decision,
    DeploymentEvidence,
    Opinion,
    ReplicaRange,
    ServiceEvidence,
    Step,
    exactly,
)
from autoscaler.core.money import usd
from autoscaler.core.need import Voice
from autoscaler.core.start_up import start_up_times_s


def decisions_of(case: Case) -> list[Decision]:
    """One decision per deployment, holds too, by name."""
    decisions = []
    for site in sorted(case.sites, key=lambda s: s.deployment.name):
        if site.observed is None:
            decisions.append(
                Decision(
                    case.service.name, site.deployment.name, None, None, "provider_error", site.obstacle_text
                )
            )
            continue
        reason, why = _reason(case, site)
        range_from = site.observed.replicas
        range_to = _range_to(case, site)
        assert range_from is not None
        if range_to != range_from and site.to == site.now and reason in ("hold", "drift"):
            if site.deployment.control == "pin" and reason == "hold":
                reason, why = case.need.reason, _pinned(why, range_from)
            elif range_to.maximum != range_from.maximum:
                reason, why = _top_reason(case, site, range_to.maximum)
        decisions.append(
            Decision(
                case.service.name,
                site.deployment.name,
                site.now,
                site.to,
                reason,
                why,
                range_from,
                range_to,
                site.observed.native,
            )
        )
    return decisions


# --- ranges -------------------------------------------------------------------------------------


def _range_to(case: Case, site: Site) -> ReplicaRange:
    """The range to write: exact under ``pin``; under ``floor`` up to what ceilings and budget afford."""
    assert site.observed is not None
    seen = site.observed.replicas
    assert seen is not None
    if site.deployment.control == "pin":
        if site.to == site.now and (site.reason or site.fixed or case.paused is not None):
            return seen  # A guard holds it: the range stays, whatever it is.
        return seen if seen.is_exact and seen.minimum == site.to else exactly(site.to)
    if site.obstacle == "drift" and case.paused is None:
        most = site.deployment.max_replicas  # Hands off, but never above what the configuration allows.
        return ReplicaRange(min(seen.minimum, most), min(seen.maximum, most))
    if site.fixed or case.paused == "both":
        return seen
    running = max(site.to, min(site.billed, seen.maximum))
    top = min(site.limits.ceiling, case.limits.total.ceiling)
    top = max(site.to, min(top, max(site.affords, running)))
    if case.paused == "down":
        top = max(top, seen.maximum)
    return ReplicaRange(
        site.to,
        min(top, site.deployment.max_replicas) if site.to <= site.deployment.max_replicas else site.to,
    )


def _pinned(why: str, seen: ReplicaRange) -> str:
    """The count is right already, and the vendor's own autoscaler could change it."""
    return _sentence(why, f"its bounds were {seen.minimum} to {seen.maximum}: pinned to this count")


def _top_reason(case: Case, site: Site, top: int) -> tuple[str, str]:
    """What set the maximum of a range whose minimum stays."""
    total = case.limits.total
    if site.obstacle == "drift" or top == site.deployment.max_replicas:
        return "bounds", f"max_replicas is {site.deployment.max_replicas}"
    for limits in (site.limits, total):
        if top == limits.ceiling:
            return limits.ceiling_reason, limits.ceiling_text
    if top == max(site.to, site.billed):
        return "budget", f"the budget affords no more than the {top} that run"
    return "budget", f"the budget affords {top} replicas"


# --- reasons ------------------------------------------------------------------------------------


def _reason(case: Case, site: Site) -> tuple[str, str]:
    if site.reason:
        return site.reason, _sentence(_need_text(case), site.text)
    if site.obstacle is not None and site.fixed:
        if site.to != site.now:
            return "bounds", _sentence(site.obstacle_text, f"max_replicas is {site.deployment.max_replicas}")
        return site.obstacle, site.obstacle_text
    if case.paused == "both":
        return "paused", case.pause_text
    if site.gives_back_overdue and site.to < site.now:
        return "overdue", f"{site.overdue} overdue replicas are given back to make room elsewhere"
    if site.no_increase and site.obstacle is not None and site.to < site.limits.floor:
        return site.obstacle, _sentence(site.limits.floor_text, site.obstacle_text)
    if site.cut_by_budget or (case.budget_bound and site.to == site.now and not site.overdue):
        return _cut_by_budget(case, site)
    if site.overdue and site.to >= site.now:
        late = f"{site.overdue} of {site.asked} replicas are overdue"
        return "overdue", _sentence(_need_text(case), late)
    if case.move and site.to != site.now and site.to != _stays(case, site):
        return "moving", _sentence(_need_text(case), f"moving pays: {case.move}")
    limit = _limit(case, site)
    if limit is not None:
        return limit
    if site.no_increase and site.obstacle is not None and (_is_short(case) or _others_rise(case, site)):
        return site.obstacle, _sentence(_need_text(case), site.obstacle_text)
    return _need_reason(case, site)


def _cut_by_budget(case: Case, site: Site) -> tuple[str, str]:
    if site.to > site.now and case.floors_over_budget:
        floor_text = site.limits.floor_text or case.limits.total.floor_text
        return "floor_over_budget", _sentence(floor_text, case.budget_text)
    return "budget", _sentence(_need_text(case), case.budget_text)


def _stays(case: Case, site: Site) -> int:
    for other, count in zip(case.sites, case.stays, strict=True):
        if other is site:
            return count
    return site.now


def _limit(case: Case, site: Site) -> tuple[str, str] | None:
    """The floor or ceiling that set the number; at a tie the floor, then the ceiling, then the need."""
    budget_beaten = site.to > site.now and case.floors_over_budget
    total = case.limits.total
    count = _count(case)
    if site.limits.floor > 0 and site.to == site.limits.floor and _is_spare(case, site, site.limits):
        text = _sentence(_need_text(case), site.limits.floor_text)
        return ("floor_over_budget" if budget_beaten else site.limits.floor_reason), text
    if total.floor > 0 and count <= total.floor and _is_spare(case, site, total):
        text = _sentence(_need_text(case), total.floor_text)
        return ("floor_over_budget" if budget_beaten else total.floor_reason), text
    if site.to == site.limits.ceiling and _reaches(case, site, site.limits):
        return site.limits.ceiling_reason, _sentence(_need_text(case), site.limits.ceiling_text)
    if count >= total.ceiling and _reaches(case, site, total):
        return total.ceiling_reason, _sentence(_need_text(case), total.ceiling_text)
    return None


def _is_spare(case: Case, site: Site, limits: Limits) -> bool:
    """Whether a floor holds this number: the need alone asks for no more than this, alone or together."""
    if len(case.sites) == 1:
        return _needed(case, site) <= site.to
    if limits is site.limits and any(
        s.to < s.limits.ceiling and not s.no_increase and _value(s) < _value(site)
        for s in case.sites
        if s is not site
    ):
        return True  # A cheaper one has room, and would have it.
    return _carried_with_one_less(case, site) >= case.need.amount and _weak(case) < _count(case)


def _value(site: Site) -> float:
    """What a unit of capacity costs here."""
    return site.micro_usd / site.capacity


def _reaches(case: Case, site: Site, limits: Limits) -> bool:
    """Whether a ceiling holds this number: the need alone would take as much or more."""
    if limits.ceiling >= UNLIMITED:
        return False
    if len(case.sites) == 1:
        if limits.ceiling < site.now and site.keep >= site.to:
            return True
        return _needed(case, site) >= site.to and (_needed(case, site) > 0 or limits.ceiling < site.now)
    if limits is site.limits and any(
        s.to > s.limits.floor and _value(s) > _value(site) for s in case.sites if s is not site
    ):
        return True  # A dearer one has what this one may not.
    return _is_short(case) or _count(case) < _weak(case) or (site.to < site.now and limits.ceiling < site.now)


def _others_rise(case: Case, site: Site) -> bool:
    """Whether others take what this deployment may not."""
    return site.to == site.now and any(s.to > s.now for s in case.sites)


def _is_short(case: Case) -> bool:
    return sum([s.to * s.capacity for s in case.sites]) < case.need.amount


def _count(case: Case) -> int:
    return sum([s.to for s in case.sites])


def _carried_with_one_less(case: Case, site: Site) -> float:
    """What the service carries without one replica of this deployment."""
    others = sum([s.to * s.capacity for s in case.sites if s is not site])
    return others + (site.to - 1) * site.capacity


def _weak(case: Case) -> int:
    return max((f.replicas for f in case.need.floors if not f.holds_only), default=0)


def _needed(case: Case, site: Site) -> int:
    """Replicas that the need, with its weak floors, asks of a service's only deployment."""
    needed = replicas_needed(case.need.amount, site.capacity) if case.need.amount > 0 else 0
    for floor in case.need.floors:
        needed = max(needed, min(floor.replicas, site.now) if floor.holds_only else floor.replicas)
    return needed


def _need_reason(case: Case, site: Site) -> tuple[str, str]:
    """The need set the number: by its policy, or by one of the rules that keep it up."""
    need = case.need
    count = _count(case)
    for floor in reversed(need.floors):
        ties = floor.reason == "fallback" and len(case.sites) == 1 and _needs_at_most(case, floor.replicas)
        if 0 < count <= floor.replicas and (ties or _covers_without(case, site)):
            return floor.reason, floor.text
    if need.keeps_set and site.to == site.now and _is_kept(case, site):
        return need.keep_reason, _need_text(case)
    if site.keep and site.to <= site.keep and _is_idle(case, site):
        return "stabilised", _sentence(
            _need_text(case), f"{site.keep} were set when watching resumed and stay for one window"
        )
    if need.reason == "stabilised":
        if site.to == site.now and need.want is not None and not _want_is_less(case, site):
            return "hold", _need_text(case)
        return "stabilised", _need_text(case)
    if site.to == site.now and need.reason != "blind":
        return "hold", _need_text(case)
    if need.reason == "hold":
        return _quiet_reason(case), _need_text(case)
    return need.reason, _need_text(case)


def _needs_at_most(case: Case, count: int) -> bool:
    return replicas_needed(case.need.amount, case.sites[0].capacity) <= count


def _quiet_reason(case: Case) -> str:
    """A change with neither want nor limit: what the service rests at."""
    return "stabilised" if case.service.measures else "baseline"


def _covers_without(case: Case, site: Site) -> bool:
    return site.to > 0 and _carried_with_one_less(case, site) >= case.need.amount


def _is_idle(case: Case, site: Site) -> bool:
    return site.to > 0 and _covers_without(case, site)


def _is_kept(case: Case, site: Site) -> bool:
    """Whether what is known of the demand would have given replicas back."""
    want = case.need.want
    if want is None or case.need.blind:
        return True
    return site.to > 0 and _carried_with_one_less(case, site) >= want


def _want_is_less(case: Case, site: Site) -> bool:
    """Whether this tick's want alone would need fewer replicas."""
    want = case.need.want or 0.0
    return site.to > 0 and _carried_with_one_less(case, site) >= want


def _need_text(case: Case) -> str:
    text = case.need.text
    if "{supply}" not in text:
        return text
    return text.replace("{supply}", supply_text(case))


def supply_text(case: Case) -> str:
    """How many replicas the need comes to, in words: "5 replicas of 16"."""
    if len(case.sites) > 1:
        return f"capacity {amount(case.need.amount)}"
    site = case.sites[0]
    count = replicas_needed(case.need.amount, site.capacity) if case.need.amount > 0 else 0
    return f"{count} replica{'' if count == 1 else 's'} of {site.capacity:g}"


def amount(capacity: float) -> str:
    """Capacity as a person reads it: 38.1, not 38.0502."""
    return f"{round(capacity, 1 if capacity >= 10.0 else 2):g}"


def _sentence(need: str, limit: str) -> str:
    return f"{need}; {limit}" if limit and need else (limit or need)


# --- evidence -----------------------------------------------------------------------------------


def evidence_of(case: Case) -> ServiceEvidence:
    """The facts that another needs to check the decisions, and a person to believe them."""
    need = case.need
    total = case.limits.total
    return ServiceEvidence(
        demand=need.demand,
        want=need.want,
        need=need.amount,
        need_reason=need.reason,
        blind=need.blind,
        floor=total.floor,
        ceiling=min(total.ceiling, sum([s.limits.ceiling for s in case.sites])),
        forced_ceiling=min(total.forced_ceiling, sum([s.limits.forced_ceiling for s in case.sites])),
        paused=case.paused,
        overridden=case.overridden,
        opinions=tuple([_opinion(voice) for voice in case.voices]),
        deployments={site.deployment.name: _site_evidence(site) for site in case.sites},
        usd_per_hour=_cost(case),
        notes=(*((case.move,) if case.move else ()), *case.notes),
    )


def _opinion(voice: Voice) -> Opinion:
    p = voice.proposal
    reason = p.reason
    if "{supply}" in reason:
        wanted = "capacity" if p.want is None else f"capacity {amount(p.want)}"
        reason = reason.replace("{supply}", wanted)
    return Opinion(voice.name, voice.kind, p.deployment, p.want, p.at_least, p.at_most, p.blind, reason)


def _cost(case: Case) -> float | None:
    """USD per hour of what is there; None where a price was never known."""
    micro = 0
    for site in case.sites:
        if site.billed == 0:
            continue
        if site.price.micro_usd is None:
            return None
        micro += site.price.micro_usd * site.billed
    return usd(micro)


def _site_evidence(site: Site) -> DeploymentEvidence:
    memory = site.memory
    limits = site.limits
    per_replica = site.price.micro_usd
    p50_s, p90_s = start_up_times_s(site.deployment, memory)
    return DeploymentEvidence(
        replicas_set=site.now if memory is not None else None,
        replicas_ready=memory.ready if memory is not None else None,
        replicas_starting=memory.starting if memory is not None else 0,
        replicas_overdue=site.overdue,
        floor=limits.floor,
        ceiling=limits.ceiling,
        forced_ceiling=limits.forced_ceiling,
        override_floor=limits.override_floor,
        price_usd_per_gpu_hour=site.price.usd_per_gpu_hour,
        price_age_s=site.price.age_s,
        usd_per_replica_hour=usd(per_replica) if per_replica is not None else None,
        start_up_p50_s=p50_s,
        start_up_p90_s=p90_s,
        obstacle=site.obstacle or (site.reason or None),
        steps=tuple(site.steps) if site.steps else _NO_STEPS,
        replicas_asked=site.asked if site.asked != site.now else None,
    )


_NO_STEPS: tuple[Step, ...] = ()
