"""Budgets stop increases, and nothing else: floors first, then one replica at a time.

The order is by the service's priority, then its relative shortage, then its name. What a decrease
will free counts as freed only once it is observed.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from autoscaler.core.case import Case
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
    return sum([(site.price.micro_usd or 0) * site.billed for site in case.sites])


def _increase(case: Case) -> int:
    return sum([site.micro_usd * max(0, site.target - site.billed) for site in case.sites if not site.fixed])


def _wait_with_move(case: Case) -> None:
    case.notes.append("the budget cannot hold old and new replicas at once, so the move waits")
    case.move = ""
    for site, count in zip(case.sites, case.stays, strict=True):
        site.target = count


class _Share:
    """One service while the budget is shared out. Lists are in the order of its sites."""

    def __init__(self, case: Case, index: int) -> None:
        self.case = case
        self.index = index
        # At hand, because they are asked for at every replica that is granted:
        self.rank, self.name, self.need = -case.service.priority, case.service.name, case.need.amount
        self.targets = [site.target for site in case.sites]
        self.granted = _floor_counts(case)
        self.paid = [site.billed for site in case.sites]
        self.capacities = [site.capacity for site in case.sites]
        self.floors_cost = sum(
            [
                site.micro_usd * max(0, count - paid)
                for site, count, paid in zip(case.sites, self.granted, self.paid, strict=True)
            ]
        )
        own = case.service.budget_usd_per_hour
        self.own_left = None if own is None else micro_usd(own) - _cost_now(case) - self.floors_cost
        self.by_value: list[int] = []  # sites by what a unit of capacity costs there
        self.asked: list[int] = []  # of these the ones that may yet be granted more of the plan

    def starts(self) -> bool:
        """Get ready to ask; False where floors and what is there are all that the plan asks for."""
        if not self._is_short():
            return False
        sites = self.case.sites
        self.by_value = sorted(
            range(len(sites)),
            key=lambda i: (sites[i].micro_usd / sites[i].capacity, sites[i].deployment.name),
        )
        self.asked = self.by_value.copy()
        return True

    def turn(self) -> tuple[int, float, str, int]:
        """When this service is asked next: smaller is sooner."""
        need = self.need
        shortage = (need - self.carried()) / need if need > 0 else 0.0
        return (self.rank, -shortage, self.name, self.index)

    def carried(self) -> float:
        """What is granted carries, in capacity."""
        return sum([count * capacity for count, capacity in zip(self.granted, self.capacities, strict=True)])

    def take(self, i: int) -> int:
        """Grant one replica more to a site; what it costs, nothing where it is paid already."""
        self.granted[i] += 1
        price = self.case.sites[i].micro_usd if self.granted[i] > self.paid[i] else 0
        if self.own_left is not None:
            self.own_left -= price
        return price

    def affords(self, i: int, fleet_left: int | None) -> bool:
        """Whether one replica more of a site fits into what is left."""
        if self.granted[i] < self.paid[i]:
            return True
        site = self.case.sites[i]
        if site.price.micro_usd is None:
            return False  # Nobody can say that it fits.
        price, own_left = site.micro_usd, self.own_left
        return (own_left is None or price <= own_left) and (fleet_left is None or price <= fleet_left)

    def next(self, fleet_left: int | None) -> int | None:
        """Where the next replica that somebody can pay goes: the plan's first, else any that fits."""
        asked = self.asked
        while asked:
            i = asked[0]
            if self.granted[i] < self.targets[i] and self.affords(i, fleet_left):
                return i
            asked.pop(0)  # For good: what is left only shrinks.
        if not self._is_short() or self._is_supplied():
            return None
        for i in self.by_value:
            site = self.case.sites[i]
            has_room = not site.fixed and not site.no_increase and self.granted[i] < site.limits.ceiling
            if has_room and not site.overdue and self.affords(i, fleet_left):
                return i
        return None

    def _is_short(self) -> bool:
        return any(count < target for count, target in zip(self.granted, self.targets, strict=True))

    def _is_supplied(self) -> bool:
        """Whether what is granted carries as much, and counts as many, as the plan asked for."""
        case = self.case
        count = sum(self.granted)
        if count >= case.limits.total.ceiling:
            return True
        planned = sum([n * capacity for n, capacity in zip(self.targets, self.capacities, strict=True)])
        return self.carried() >= min(planned, case.need.amount) and count >= min(
            case.least, sum(self.targets)
        )

    def settle(self, fleet: Fleet) -> None:
        """Nothing more is granted: that is the plan."""
        case = self.case
        for site, count in zip(case.sites, self.granted, strict=True):
            site.cut_by_budget = count < site.target
            site.target = count
        if not any(site.cut_by_budget for site in case.sites):
            return
        case.budget_bound = True
        unpriced = [s.deployment.name for s in case.sites if s.cut_by_budget and s.price.micro_usd is None]
        if unpriced:
            case.budget_text = (
                f"no price is known for {', '.join(unpriced)}: nobody can say that the budget holds it"
            )
        elif self.own_left is not None:
            budget = case.service.budget_usd_per_hour or 0.0
            case.budget_text = (
                f"budget_usd_per_hour is {budget:.2f} and {usd(self.own_left):.2f} of it is left"
            )
        else:
            budget = fleet.budget_usd_per_hour or 0.0
            case.budget_text = f"the fleet's budget of {budget:.2f} USD/h affords no more"


def _grant(cases: Sequence[Case], fleet: Fleet, fleet_left: int | None) -> None:
    shares = [_Share(case, index) for index, case in enumerate(cases)]
    if fleet_left is not None:
        fleet_left -= sum(share.floors_cost for share in shares)
    queue = []
    for share in shares:
        limits = [left for left in (share.own_left, fleet_left) if left is not None]
        share.case.floors_over_budget = any(left < 0 for left in limits)
        if limits and share.starts():
            queue.append(share.turn())
    heapq.heapify(queue)
    while queue:
        share = shares[queue[0][-1]]
        i = share.next(fleet_left)
        if i is None:
            heapq.heappop(queue)
            share.settle(fleet)
            continue
        price = share.take(i)
        if fleet_left is not None:
            fleet_left -= price
        heapq.heapreplace(queue, share.turn())


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
    return sum([(site.price.micro_usd or 0) * max(site.target, site.billed) for site in case.sites])


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
