"""Make before break: no decrease takes serving capacity that the need still rests on.

A rail of the whole service, before the guards of decreases and with the increases that passed theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal

from autoscaler.core.case import Case, Site
from autoscaler.core.model import Step

_Counting = Callable[[Site, int], int]


def make_before_break(case: Case) -> None:
    """Shorten decreases (``site.to``) so that what serves, and what is set, still carries the need.

    The bar is the smaller of need and what ceilings, overrides and ``max_replicas`` leave: those are obeyed
    first, from what is there. Deployments are taken dearest first, each counting what earlier ones leave.
    The floor of the total is kept in the same way.
    """
    falling = [site for site in case.sites if site.to < site.now]
    if not falling:
        return
    falling.sort(key=lambda s: (-s.micro_usd, s.deployment.name))
    left = {id(s): max(s.to, s.now) for s in case.sites}
    left.update(_left_by_ceilings(case, falling))
    need = Decimal(repr(case.need.amount))
    for site in falling:
        ceiling = left[id(site)]
        to = max(
            site.to,
            _kept(case, site, left, need, _serving, ceiling),
            _kept(case, site, left, need, _held, ceiling),
            min(ceiling, case.limits.total.floor - sum(left[id(s)] for s in case.sites if s is not site)),
        )
        if to > site.to:
            text = f"{to} stay until others serve: make before break"
            site.steps.append(Step("moving", site.to, to, text))
            site.to, site.reason, site.text = to, "moving", text
        left[id(site)] = site.to


def _left_by_ceilings(case: Case, falling: list[Site]) -> dict[int, int]:
    """How many each falling deployment may have: its own ceiling, and its share of what the total's takes.

    Replicas being replaced do not count against the total: what it takes, it takes from what is there now.
    """
    own = {id(s): min(s.now, s.limits.ceiling) for s in falling}
    forced = sum(s.now - own[id(s)] for s in falling)
    due = sum(s.now for s in case.sites) - case.limits.total.ceiling - forced
    for site in falling:
        share = min(max(0, due), max(0, own[id(site)] - site.to))
        own[id(site)] -= share
        due -= share
    return own


def _kept(
    case: Case, site: Site, left: dict[int, int], need: Decimal, counting: _Counting, ceiling: int
) -> int:
    """Replicas of this site that the need still rests on, when the others have what is left to them."""
    others = sum(
        (Decimal(repr(s.capacity)) * counting(s, left[id(s)]) for s in case.sites if s is not site),
        Decimal(0),
    )
    missing = need - others
    if missing <= 0:
        return 0
    wanted = int((missing / Decimal(repr(site.capacity))).to_integral_value(ROUND_CEILING))
    return min(wanted, counting(site, ceiling))


def _serving(site: Site, count: int) -> int:
    if site.memory is None or (site.memory.last.phase.value == "failed" and site.memory.last.ready is None):
        return 0
    return min(site.memory.ready, count, site.now)


def _held(site: Site, count: int) -> int:
    """Replicas that count as capacity: overdue ones do not, a failed deployment's ready ones only."""
    if site.fixed:
        return min(site.carries, count)
    return min(count, max(0, max(site.asked, site.to) - site.overdue))
