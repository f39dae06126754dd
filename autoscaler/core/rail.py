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
    Floors of the total are kept in the same way.
    """
    falling = [site for site in case.sites if site.to < site.now]
    if not falling:
        return
    falling.sort(key=lambda s: (-s.micro_usd, s.deployment.name))
    need = Decimal(repr(case.need.amount))
    serving, held = (_left_by_ceilings(case, falling, counting) for counting in (_serving, _held))
    floor = case.limits.total.floor
    for site in falling:
        to = max(
            site.to,
            _kept(case, site, serving, need, _serving),
            _kept(case, site, held, need, _held),
            _kept_for_floors(case, site, serving),
            min(held[id(site)], floor - sum(held[id(s)] for s in case.sites if s is not site)),
        )
        if to > site.to:
            text = f"{to} stay until others serve: make before break"
            site.steps.append(Step("moving", site.to, to, text))
            site.to, site.reason, site.text = to, "moving", text
        serving[id(site)] = held[id(site)] = site.to


def _kept_for_floors(case: Case, site: Site, serving: dict[int, int]) -> int:
    """Serving replicas of this site that floors of the total rest on, weak ones too: the last one does not
    go to another deployment before it serves there."""
    missing = case.least - sum(_serving(s, serving[id(s)]) for s in case.sites if s is not site)
    return min(missing, _serving(site, serving[id(site)]))


def _left_by_ceilings(case: Case, falling: list[Site], counting: _Counting) -> dict[int, int]:
    """What ceilings leave to each deployment: its own, and its share of what the total's takes.

    What serves is measured alone: replicas that replace others, and do not serve yet, count only against
    a person's ceiling. It is obeyed first, from what is there.
    """
    left = {id(s): max(s.to, s.now) for s in case.sites}
    left.update({id(s): min(s.now, s.limits.ceiling) for s in falling})
    _take(case, falling, left, _set, case.limits.total.forced_ceiling)
    _take(case, falling, left, counting if counting is _serving else _set, case.limits.total.ceiling)
    return left


def _take(case: Case, falling: list[Site], left: dict[int, int], counting: _Counting, ceiling: int) -> None:
    due = sum(counting(s, left[id(s)]) for s in case.sites) - ceiling
    for site in falling:
        count = counting(site, left[id(site)])
        share = min(due, count - site.to)
        if share > 0:
            left[id(site)] = count - share
            due -= share


def _set(site: Site, count: int) -> int:
    """Replicas that are set already; what is only being asked for takes nothing from others."""
    return min(count, site.now)


def _kept(case: Case, site: Site, left: dict[int, int], need: Decimal, counting: _Counting) -> int:
    """Replicas of this site that the need still rests on, when the others have what is left to them."""
    others = sum(
        (Decimal(repr(s.capacity)) * counting(s, left[id(s)]) for s in case.sites if s is not site),
        Decimal(0),
    )
    missing = need - others
    if missing <= 0:
        return 0
    wanted = int((missing / Decimal(repr(site.capacity))).to_integral_value(ROUND_CEILING))
    return min(wanted, counting(site, left[id(site)]))


def _serving(site: Site, count: int) -> int:
    if site.memory is None or (site.memory.last.phase.value == "failed" and site.memory.last.ready is None):
        return 0
    return min(site.memory.ready, count, site.now)


def _held(site: Site, count: int) -> int:
    """Replicas that count as capacity: overdue ones do not, a failed deployment's ready ones only."""
    if site.fixed:
        return min(site.carries, count)
    return min(count, max(0, max(site.asked, site.to) - site.overdue))
