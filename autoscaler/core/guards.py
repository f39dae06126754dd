"""Rails of one deployment, applied after the allocation, in fixed order.

Each takes the number that came out before and gives the one that may pass, with its reason code.
Increases and decreases go their own ways: an increase must be known before a decrease may lean on it.
"""

from __future__ import annotations

from collections.abc import Callable

from autoscaler.core.case import Case, Site
from autoscaler.core.memory import Intent
from autoscaler.core.model import Step
from autoscaler.core.start_up import deadline_s

Verdict = tuple[int, str, str]
"""The number that may pass, the reason code and the sentence's clause."""

Guard = Callable[[Case, Site, int], Verdict | None]


def guard_increase(case: Case, site: Site) -> None:
    """Pass an increase through its guards; sets ``site.to``."""
    _run(case, site, (_paused, _obstacle, _steps_up, _changing_up, _reassert))


def guard_decrease(case: Case, site: Site) -> None:
    """Pass a decrease, already limited by make before break, through its guards; sets ``site.to``."""
    _run(case, site, (_paused, _obstacle, _steps_down, _cooldown, _changing_down))


def _run(case: Case, site: Site, guards: tuple[Guard, ...]) -> None:
    for guard in guards:
        if site.to == site.now:
            return
        verdict = guard(case, site, site.to)
        if verdict is None:
            continue
        passed, reason, text = verdict
        if passed == site.to and reason != "reassert":
            continue
        site.steps.append(Step(reason, site.to, passed, text))
        site.to, site.reason, site.text = passed, reason, text


def is_forced(case: Case, site: Site, to: int) -> bool:
    """Whether ``max_replicas`` or a person demands this change."""
    if to < site.now:
        return to >= _forced_down_to(case, site)
    return to <= _forced_up_to(case, site)


def _forced_down_to(case: Case, site: Site) -> int:
    """The count that ``max_replicas`` or a person forces; what is there where they force nothing."""
    lowest = min(site.now, site.limits.forced_ceiling)
    surplus = sum(s.now for s in case.sites) - case.limits.total.forced_ceiling
    return min(lowest, max(site.target, site.now - surplus)) if surplus > 0 else lowest


def _forced_up_to(case: Case, site: Site) -> int:
    """The count that a person forces; 0 where nobody does."""
    highest = site.limits.override_floor or 0
    missing = (case.limits.total.override_floor or 0) - sum(s.now for s in case.sites)
    return max(highest, min(site.target, site.now + missing)) if missing > 0 else highest


def _paused(case: Case, site: Site, to: int) -> Verdict | None:
    if case.paused == "both" or (case.paused == "down" and to < site.now):
        return site.now, "paused", case.pause_text
    return None


def _obstacle(case: Case, site: Site, to: int) -> Verdict | None:
    if site.obstacle is None:
        return None
    if site.obstacle == "drift":
        # Hands off for a while, but never above what the configuration allows.
        if to < site.now and site.now > site.deployment.max_replicas:
            return max(to, site.deployment.max_replicas), "bounds", _max_text(site)
        return site.now, "drift", site.obstacle_text
    if site.fixed or (site.no_increase and to > site.now):
        return site.now, site.obstacle, site.obstacle_text
    return None


def _max_text(site: Site) -> str:
    return f"max_replicas is {site.deployment.max_replicas}"


def _used(case: Case, site: Site, sign: int) -> int:
    """Replicas that our own changes of the last period have added (or taken)."""
    if site.memory is None:
        return 0
    oldest = case.at - case.service.step_period_s
    return sum(sign * by for at, by in site.memory.changes if at > oldest and sign * by > 0)


def _newest(site: Site) -> Intent | None:
    if site.memory is None or not site.memory.intents:
        return None
    return site.memory.intents[-1]


def _steps_up(case: Case, site: Site, to: int) -> Verdict | None:
    limit = case.service.step_up_replicas_max
    if limit is None or is_forced(case, site, to):
        return None
    base = site.now
    newest = _newest(site)
    if newest is not None and case.at <= newest.deadline:
        base = max(base, newest.range_to.minimum)  # Sent already, and counted as such.
    highest = max(base + max(0, limit - _used(case, site, 1)), _forced_up_to(case, site))
    if to <= highest:
        return None
    text = f"at most {limit} more within {case.service.step_period_s:.0f} s"
    return max(site.now, highest), "step", text


def _steps_down(case: Case, site: Site, to: int) -> Verdict | None:
    limit = case.service.step_down_replicas_max
    if limit is None:
        return None
    lowest = min(site.now - max(0, limit - _used(case, site, -1)), _forced_down_to(case, site))
    if to >= lowest:
        return None
    text = f"at most {limit} fewer within {case.service.step_period_s:.0f} s"
    return min(site.now, lowest), "step", text


def _cooldown(case: Case, site: Site, to: int) -> Verdict | None:
    """Delays decreases by demand or move, after any change."""
    changed_at = site.memory.last_change_at if site.memory else None
    if case.service.cooldown_s <= 0.0 or changed_at is None:
        return None
    since_s = case.at - changed_at
    if since_s >= case.service.cooldown_s:
        return None
    lowest = min(site.now, _ceiling(case, site))
    if to >= lowest:
        return None
    return lowest, "cooldown", f"changed {since_s:.0f} s ago, cooldown_s is {case.service.cooldown_s:.0f}"


def _ceiling(case: Case, site: Site) -> int:
    """The tightest ceiling on this deployment; the service's counts where it forces this very decrease."""
    surplus = sum(s.now for s in case.sites) - case.limits.total.ceiling
    if surplus > 0:
        return min(site.limits.ceiling, max(site.target, site.now - surplus))
    return site.limits.ceiling


def _changing_up(case: Case, site: Site, to: int) -> Verdict | None:
    if site.memory is None:
        return None
    if site.memory.last.busy:
        return site.now, "changing", "the provider still applies the last change and takes no other"
    pending = site.memory.pending(case.at)
    if pending is not None and to <= pending.range_to.minimum:
        asked_s = case.at - pending.at
        if site.overdue:
            text = f"{site.overdue} of {site.asked} replicas are overdue; asked for again {asked_s:.0f} s ago"
            return site.now, "overdue", text
        return site.now, "changing", f"{pending.range_to.minimum} were asked for {asked_s:.0f} s ago"
    return None


def _changing_down(case: Case, site: Site, to: int) -> Verdict | None:
    memory = site.memory
    if memory is None:
        return None
    if memory.last.busy:
        return site.now, "changing", "the provider still applies the last change and takes no other"
    if is_forced(case, site, to):
        return None
    if memory.pending(case.at) is not None:
        return site.now, "changing", "the last change is accepted and not read back yet"
    since = memory.scaling_since
    if since is not None and not site.gives_back_overdue:
        if memory.last_change_at is not None:
            since = max(since, memory.last_change_at)
        if case.at - since <= deadline_s(site.deployment, memory, case.interval_s):
            return site.now, "changing", "the provider still applies the last change"
    return None


def _reassert(case: Case, site: Site, to: int) -> Verdict | None:
    """Overdue: the same count again, never more, and only once per deadline."""
    memory = site.memory
    if memory is None or site.overdue == 0 or memory.last.replicas is None:
        return None
    if site.now >= site.asked:
        return (
            site.now,
            "overdue",
            f"{site.overdue} of {site.asked} replicas are overdue, no more are asked for",
        )
    return min(to, site.asked), "reassert", f"{site.asked} were accepted and did not come: asked for again"
