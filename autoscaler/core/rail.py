"""Make before break: no decrease takes serving capacity that the need still rests on.

A rail of the whole service, before the guards of decreases and with the increases that passed theirs.
"""

from __future__ import annotations

from decimal import Decimal

from autoscaler.core.case import Case, Site
from autoscaler.core.model import Step


def make_before_break(case: Case) -> None:
    """Shorten decreases (``site.to``) so that what serves, and what is set, still carries the need.

    The bar is the smaller of need and what ceilings, overrides and ``max_replicas`` leave. Deployments are
    taken dearest first, each counting what earlier ones leave.
    """
    falling = [site for site in case.sites if site.to < site.now]
    if not falling:
        return
    need = Decimal(repr(case.need.amount))
    serving = {id(s): min(_ready(s), s.to if s.to > s.now else s.now) for s in case.sites}
    held = {id(s): _held(s, max(s.to, s.now)) for s in case.sites}
    for site in sorted(falling, key=lambda s: (-s.micro_usd, s.deployment.name)):
        to = site.to
        ceiling = _allowed(case, site)
        capacity = Decimal(repr(site.capacity))
        for counts, limit in ((serving, _ready(site)), (held, site.now)):
            others = sum(
                (Decimal(repr(s.capacity)) * counts[id(s)] for s in case.sites if s is not site), Decimal(0)
            )
            missing = need - others
            if missing > 0:
                keep = min(int(-(-missing // capacity)), limit, ceiling)
                to = max(to, keep)
        if to > site.to:
            text = f"{to} stay until others serve: make before break"
            site.steps.append(Step("moving", site.to, to, text))
            site.to, site.reason, site.text = to, "moving", text
        serving[id(site)] = min(_ready(site), site.to)
        held[id(site)] = _held(site, site.to)


def _ready(site: Site) -> int:
    if site.memory is None:
        return 0
    if site.memory.last.phase.value == "failed" and site.memory.last.ready is None:
        return 0
    return min(site.memory.ready, site.now)


def _held(site: Site, count: int) -> int:
    """Replicas that count as capacity: overdue ones do not, a failed deployment's ready ones only."""
    if site.fixed:
        return min(site.carries, count)
    return min(count, max(0, site.asked - site.overdue))


def _allowed(case: Case, site: Site) -> int:
    """What ceilings leave to this site: its own, and the service's where it has too many in all."""
    total = case.limits.total.ceiling
    count = sum(s.now for s in case.sites)
    if count > total:
        # Replicas being replaced do not count; what a ceiling on the total takes, it takes from what is there.
        falling = sum(s.now - s.to for s in case.sites if s.to < s.now)
        due = min(count - total, falling)
        mine = min(site.now - site.to, due)
        return min(site.limits.ceiling, site.now - mine)
    return site.limits.ceiling
