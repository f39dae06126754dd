"""Budgets stop increases, and nothing else: floors first, then one replica at a time.

The order is by the service's priority, then its relative shortage, then its name. What a decrease
will free counts as freed only once it is observed.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from autoscaler.core.case import Case, Site
from autoscaler.core.fleet import Fleet
from autoscaler.core.money import micro_usd, usd


def apply_budgets(cases: Sequence[Case], fleet: Fleet) -> None:
    """Cut the targets of all cases to what the fleet's and the services' budgets afford."""
    if fleet.budget_usd_per_hour is None and all(c.service.budget_usd_per_hour is None for c in cases):
        return
    fleet_left = None
    if fleet.budget_usd_per_hour is not None:
        fleet_left = micro_usd(fleet.budget_usd_per_hour) - sum(_cost_now(case) for case in cases)
    for case in cases:
        own = case.service.budget_usd_per_hour
        if own is not None and _increase(case) > micro_usd(own) - _cost_now(case) and case.move:
            _wait_with_move(case)
    if fleet_left is not None and sum(_increase(case) for case in cases) > fleet_left:
        for case in cases:
            if case.move:
                _wait_with_move(case)
    _grant(cases, fleet, fleet_left)
    _share_ranges(cases, fleet)


def _cost_now(case: Case) -> int:
    return sum((site.price.micro_usd or 0) * site.billed for site in case.sites)


def _increase(case: Case) -> int:
    return sum(site.micro_usd * max(0, site.target - site.billed) for site in case.sites if not site.fixed)


def _wait_with_move(case: Case) -> None:
    case.notes.append("the budget cannot hold old and new replicas at once, so the move waits")
    case.move = ""
    for site, count in zip(case.sites, case.stays, strict=True):
        site.target = count


def _grant(cases: Sequence[Case], fleet: Fleet, fleet_left: int | None) -> None:
    left: dict[str, int] = {}
    granted: dict[int, int] = {}
    queue: list[tuple[int, float, str, int]] = []
    spent = 0
    for index, case in enumerate(cases):
        floors = _floor_counts(case)
        for site, count in zip(case.sites, floors, strict=True):
            granted[id(site)] = count
            spent += site.micro_usd * max(0, count - site.billed)
        own = case.service.budget_usd_per_hour
        if own is not None:
            left[case.service.name] = (
                micro_usd(own)
                - _cost_now(case)
                - sum(
                    site.micro_usd * max(0, count - site.billed)
                    for site, count in zip(case.sites, floors, strict=True)
                )
            )
        if own is not None or fleet_left is not None:
            queue.append(_turn(case, index, granted))
        else:
            for site in case.sites:
                granted[id(site)] = site.target
    if fleet_left is not None:
        fleet_left -= spent
    for case in cases:
        over_own = left.get(case.service.name, 0) < 0
        case.floors_over_budget = over_own or (fleet_left is not None and fleet_left < 0)
    heapq.heapify(queue)
    while queue:
        *_, index = heapq.heappop(queue)
        case = cases[index]
        own_left = left.get(case.service.name)
        taken = _next(case, granted, own_left, fleet_left)
        if taken is None:
            _settle(case, granted, own_left, fleet)
            continue
        granted[id(taken)] += 1
        price = taken.micro_usd if granted[id(taken)] > taken.billed else 0
        if own_left is not None:
            left[case.service.name] = own_left - price
        if fleet_left is not None:
            fleet_left -= price
        heapq.heappush(queue, _turn(case, index, granted))


def _share_ranges(cases: Sequence[Case], fleet: Fleet) -> None:
    """How far vendors' own autoscalers may go: what is left when all targets are paid, each part once."""
    left = None
    if fleet.budget_usd_per_hour is not None:
        left = micro_usd(fleet.budget_usd_per_hour) - sum(_cost_planned(case) for case in cases)
    for case in sorted(cases, key=lambda case: (-case.service.priority, case.service.name)):
        site = case.sites[0]
        if site.deployment.control != "floor":
            continue
        own = case.service.budget_usd_per_hour
        rests = [left] if left is not None else []
        if own is not None:
            rests.append(micro_usd(own) - _cost_planned(case))
        if not rests or site.price.micro_usd == 0:
            continue
        paid = max(site.target, site.billed)
        price = site.price.micro_usd
        extra = 0 if price is None else max(0, min(min(rests) // price, site.limits.ceiling - paid))
        site.affords = paid + extra
        if left is not None and price is not None:
            left -= extra * price


def _cost_planned(case: Case) -> int:
    return sum((site.price.micro_usd or 0) * max(site.target, site.billed) for site in case.sites)


def _turn(case: Case, index: int, granted: dict[int, int]) -> tuple[int, float, str, int]:
    carried = sum(granted[id(site)] * site.capacity for site in case.sites)
    need = case.need.amount
    shortage = (need - carried) / need if need > 0 else 0.0
    return (-case.service.priority, -shortage, case.service.name, index)


def _floor_counts(case: Case) -> list[int]:
    """What is there already, and what floors ask for: both beat the budget."""
    counts = []
    for site in case.sites:
        if site.fixed or site.target <= site.committed:
            counts.append(site.target)
        else:
            counts.append(max(site.committed, min(site.target, site.limits.floor)))
    missing = case.hard_least - sum(counts)
    order = sorted(range(len(counts)), key=lambda i: (case.sites[i].micro_usd, case.sites[i].deployment.name))
    for i in order:
        extra = min(missing, case.sites[i].target - counts[i])
        if extra > 0:
            counts[i] += extra
            missing -= extra
    return counts


def _next(case: Case, granted: dict[int, int], own_left: int | None, fleet_left: int | None) -> Site | None:
    """The next replica of this service that somebody can pay: the plan's first, else any that fits."""
    wanted = [site for site in case.sites if granted[id(site)] < site.target]
    if not wanted:
        return None
    by_value = sorted(wanted, key=lambda s: (s.micro_usd / s.capacity, s.deployment.name))
    for site in by_value:
        if _affordable(site, granted, own_left, fleet_left):
            return site
    if _is_supplied(case, granted):
        return None
    spare = sorted(case.sites, key=lambda s: (s.micro_usd / s.capacity, s.deployment.name))
    for site in spare:
        has_room = not site.fixed and not site.no_increase and granted[id(site)] < site.limits.ceiling
        if has_room and not site.overdue and _affordable(site, granted, own_left, fleet_left):
            return site
    return None


def _is_supplied(case: Case, granted: dict[int, int]) -> bool:
    """Whether what is granted carries as much, and counts as many, as the plan asked for."""
    count = sum(granted[id(site)] for site in case.sites)
    if count >= case.limits.total.ceiling:
        return True
    carried = sum(granted[id(site)] * site.capacity for site in case.sites)
    planned = sum(site.target * site.capacity for site in case.sites)
    least = min(case.least, sum(site.target for site in case.sites))
    return carried >= min(planned, case.need.amount) and count >= least


def _affordable(site: Site, granted: dict[int, int], own_left: int | None, fleet_left: int | None) -> bool:
    if granted[id(site)] < site.billed:
        return True
    if site.price.micro_usd is None:
        return False  # Nobody can say that it fits.
    price = site.micro_usd
    return (own_left is None or price <= own_left) and (fleet_left is None or price <= fleet_left)


def _settle(case: Case, granted: dict[int, int], own_left: int | None, fleet: Fleet) -> None:
    short = any(granted[id(site)] < site.target for site in case.sites)
    for site in case.sites:
        site.cut_by_budget = granted[id(site)] < site.target
        site.target = granted[id(site)]
    if not short:
        return
    case.budget_bound = True
    if own_left is not None:
        budget = case.service.budget_usd_per_hour or 0.0
        case.budget_text = f"budget_usd_per_hour is {budget:.2f} and {usd(own_left):.2f} of it is left"
    else:
        budget = fleet.budget_usd_per_hour or 0.0
        case.budget_text = f"the fleet's budget of {budget:.2f} USD/h affords no more"
