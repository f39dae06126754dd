"""Where: whole replicas per deployment at least cost. Exact, in integers, and the same every time.

A covering knapsack with few kinds of items: depth first in order of cost per capacity, cut by the
linear relaxation's bound and by dominance (the same remainder reached at no higher cost before).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from autoscaler.core.exact import replicas_needed

FREE: Final = 1  # micro-USD; a replica without a price is never quite free, so that none is added in vain


@dataclass(frozen=True, slots=True)
class Offer:
    """One deployment that may take ``lo`` to ``hi`` replicas."""

    name: str
    capacity: float  # per replica
    micro_usd: int  # per replica and hour
    lo: int
    hi: int


def cheapest(offers: Sequence[Offer], need: float, least: int, most: int) -> tuple[int, ...]:
    """Replicas per offer: cover ``need`` with ``least`` to ``most`` replicas in all, at least cost.

    Infeasible: the least shortage, then the least cost, then the earlier name. Offers' ``lo`` hold in any
    case, also against ``most``. Source: exhaustive comparison in the tests.
    """
    if len(offers) == 1:
        offer = offers[0]
        count = max(replicas_needed(need, offer.capacity) if need > 0.0 else 0, least)
        return (max(offer.lo, min(count, most, offer.hi)),)
    counts = [offer.lo for offer in offers]
    room = max(0, most - sum(counts))
    covered = _covers(offers, room, need)
    if covered is not None:
        reach = min(room, sum(max(0, offer.hi - offer.lo) for offer in offers))
        return _Search(offers, covered, min(max(0, least - sum(counts)), reach), room).best()
    # Not to be covered: the largest replicas first, of equals the cheaper, then by name.
    order = sorted(
        range(len(offers)), key=lambda i: (-offers[i].capacity, offers[i].micro_usd, offers[i].name)
    )
    for i in order:
        extra = min(offers[i].hi - offers[i].lo, room)
        if extra > 0:
            counts[i] += extra
            room -= extra
    return tuple(counts)


def _covers(offers: Sequence[Offer], room: int, need: float) -> tuple[tuple[int, ...], int] | None:
    """Capacities and the need beyond the ``lo``s as integers of one unit; None if it cannot be covered."""
    capacities, units = integer_units([offer.capacity for offer in offers], need)
    units -= sum(c * offer.lo for c, offer in zip(capacities, offers, strict=True))
    left = room
    reach = 0
    for i in sorted(range(len(offers)), key=lambda i: -capacities[i]):
        extra = min(left, max(0, offers[i].hi - offers[i].lo))
        reach += extra * capacities[i]
        left -= extra
    return (capacities, max(0, units)) if reach >= units else None


def integer_units(capacities: Sequence[float], need: float) -> tuple[tuple[int, ...], int]:
    """Capacities and need in a unit in which all capacities are whole; the need is rounded up, exactly."""
    if all(capacity == int(capacity) for capacity in capacities):
        whole = tuple(int(capacity) for capacity in capacities)
        return whole, int(Decimal(repr(need)).to_integral_value(ROUND_CEILING))
    decimals = [Decimal(repr(capacity)).normalize() for capacity in capacities]
    places = max(0, max(-int(d.as_tuple().exponent) for d in decimals))
    scale = Decimal(10) ** places
    return (
        tuple(int(d * scale) for d in decimals),
        int((Decimal(repr(need)) * scale).to_integral_value(ROUND_CEILING)),
    )


class _Search:
    """The depth-first search; counts are beyond the offers' ``lo``."""

    def __init__(
        self, offers: Sequence[Offer], covered: tuple[tuple[int, ...], int], least: int, room: int
    ) -> None:
        capacities, self.units = covered
        self.offers = offers
        self.order = sorted(
            range(len(offers)),
            key=lambda i: (offers[i].micro_usd / capacities[i], offers[i].micro_usd, offers[i].name),
        )
        self.capacities = [capacities[i] for i in self.order]
        self.costs = [offers[i].micro_usd for i in self.order]
        self.spans = [max(0, offers[i].hi - offers[i].lo) for i in self.order]
        self.least, self.room = least, room
        n = len(self.order)
        self.spans_after = [0] * (n + 1)
        self.reach_after = [0] * (n + 1)
        self.cost_min_after = [0] * (n + 1)
        for i in range(n - 1, -1, -1):
            self.spans_after[i] = self.spans_after[i + 1] + self.spans[i]
            self.reach_after[i] = self.reach_after[i + 1] + self.spans[i] * self.capacities[i]
            self.cost_min_after[i] = (
                min(self.cost_min_after[i + 1], self.costs[i]) if i < n - 1 else self.costs[i]
            )
        self.best_cost: int | None = None
        self.best_counts: list[int] = []
        self.counts = [0] * n
        self.reached: dict[tuple[int, int, int], int] = {}

    def best(self) -> tuple[int, ...]:
        """Counts per offer in the order given, ``lo`` included."""
        self._visit(0, self.units, 0, 0)
        result = [offer.lo for offer in self.offers]
        for position, i in enumerate(self.order):
            result[i] += self.best_counts[position] if self.best_counts else 0
        return tuple(result)

    def _bound(self, i: int, units: int, used: int) -> int:
        """What the rest costs at least."""
        cost, rest = 0, units
        for j in range(i, len(self.costs)):
            if rest <= 0:
                break
            whole = self.spans[j] * self.capacities[j]
            if whole >= rest:
                cost += -(-rest * self.costs[j] // self.capacities[j])
                rest = 0
            else:
                cost += self.spans[j] * self.costs[j]
                rest -= whole
        missing = self.least - used
        if missing > 0:
            cost = max(cost, missing * self.cost_min_after[i])
        return cost

    def _visit(self, i: int, units: int, used: int, cost: int) -> None:
        if i == len(self.costs):
            if units <= 0 and used >= self.least and (self.best_cost is None or cost < self.best_cost):
                self.best_cost, self.best_counts = cost, self.counts.copy()
            return
        units = max(0, units)
        if units > self.reach_after[i] or self.least - used > self.spans_after[i]:
            return
        if self.best_cost is not None and cost + self._bound(i, units, used) >= self.best_cost:
            return
        state = (i, units, used)
        known = self.reached.get(state)
        if known is not None and known <= cost:
            return
        self.reached[state] = cost
        capacity = self.capacities[i]
        wanted = max(-(-units // capacity), self.least - used, 0)
        top = min(self.spans[i], self.room - used, wanted)
        # What must be taken here because the later ones cannot carry or count it.
        after = self.reach_after[i + 1]
        bottom = max(0, -(-(units - after) // capacity), self.least - used - self.spans_after[i + 1])
        for count in range(top, bottom - 1, -1):
            self.counts[i] = count
            self._visit(i + 1, units - count * capacity, used + count, cost + count * self.costs[i])
        self.counts[i] = 0
