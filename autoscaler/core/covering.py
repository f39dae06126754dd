"""Whole numbers of items that cover a need at least cost, exactly.

Let each unit of capacity have a price, and each replica. At these prices an item is worth taking wholly or
not at all, and a count that departs from that costs a *penalty*: cost less worth, times the departure. What
a plan costs is an amount that is the same for all plans, and its penalties; so once one plan is known, no
count departs by more than what is left between that amount and the plan's cost. With the prices of the
relaxation (the same question, with parts of replicas allowed) little is left, and few plans to try.

All in integers: nothing is rounded. Any prices bound the cost truly, the right ones closely.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, inf
from typing import Final, NamedTuple

FINENESS_BITS: Final = 16
"""Prices are whole in units of 2^-16 of the smallest difference that decides."""

PRICE_STEPS_MAX: Final = 100
"""Finding the prices takes a handful of steps; what is found by then is valid in any case."""


AWAY_MAX: Final = 8
"""So many counts beyond a limit are looked at before a branch is visited instead."""


class Item(NamedTuple):
    """Up to ``span`` replicas of this capacity and cost each: whole numbers, of any unit."""

    capacity: int
    cost: int
    span: int


def cover(items: Sequence[Item], units: int, least: int, most: int) -> list[int]:
    """Counts that cover ``units`` with ``least`` to ``most`` replicas in all, at least cost.

    Of equal costs the plan with more of the first item, then of the second, and so on, but none that
    the need does not take. There must be such counts, and capacities must be above zero.
    Source: exhaustive comparison in the tests.
    """
    counts = [0] * len(items)
    live = [i for i, item in enumerate(items) if item.span > 0]
    if not live or (units <= 0 and least <= 0):
        return counts
    # All capacities are multiples of this, and so is all that any plan carries.
    unit = gcd(*[items[i].capacity for i in live])
    units = -(-units // unit)
    usable = []
    for i in live:
        capacity, cost, span = items[i]
        capacity //= unit
        usable.append(Item(capacity, cost, min(span, most, max(-(-units // capacity), least))))
    found = _Search(_told_apart(usable), units, least, most).best()
    for i, item, count in zip(live, usable, found, strict=True):
        # Of what costs nothing, more may have been taken than is of use.
        counts[i] = min(count, max(-(-units // item.capacity), least, 0))
        units -= counts[i] * item.capacity
        least -= counts[i]
    return counts


def _told_apart(items: list[Item]) -> list[Item]:
    """The same items, at costs that no two plans share: a little less for each replica, and for each of an
    earlier item more than for all of the later ones, but all together less than any difference in cost."""
    weights = [1]
    for item in reversed(items):
        weights.append(weights[-1] * (item.span + 1))
    whole = weights.pop()
    return [
        Item(item.capacity, (item.cost * whole - weight) << FINENESS_BITS, item.span)
        for item, weight in zip(items, reversed(weights), strict=True)
    ]


# --- prices -------------------------------------------------------------------------------------


class _Relaxed(NamedTuple):
    """The cheapest cover with parts of replicas where each replica is paid ``per_replica``, and what a
    unit of capacity costs there. Its count, and its cost without that pay, are these over ``parts``."""

    per_unit: int
    per_replica: int
    replicas: int
    cost: int
    parts: int

    def misses(self, limit: int, sign: int) -> bool:
        """Whether its count lies on the wrong side: below with sign 1, above with -1."""
        return sign * (limit * self.parts - self.replicas) > 0

    def more_than(self, other: _Relaxed) -> int:
        """How many replicas more than the other, over the parts of both."""
        return self.replicas * other.parts - other.replicas * self.parts

    def pay_between(self, other: _Relaxed) -> int:
        """The pay for each replica at which both cost the same; their counts must differ."""
        return (self.cost * other.parts - other.cost * self.parts) // self.more_than(other)


def _relaxed(items: list[Item], units: int, per_replica: int) -> _Relaxed:
    """Without limits of the count: all of what pays for itself, then the least cost per capacity first."""
    count = cost = per_unit = 0
    by_worth = []
    for item in items:
        net = item.cost - per_replica
        if net < 0:
            count += item.span
            cost += item.span * item.cost
            units -= item.span * item.capacity
        else:
            # With so many places, different quotients by capacities of up to 32 bits stay different.
            by_worth.append(((net << 64) // item.capacity, net, item))
    by_worth.sort(key=lambda entry: entry[0])
    for _, net, item in by_worth:
        if units <= 0:
            break
        per_unit = net // item.capacity
        if item.span * item.capacity > units:
            parts = item.capacity
            return _Relaxed(
                per_unit, per_replica, count * parts + units, cost * parts + item.cost * units, parts
            )
        count += item.span
        cost += item.span * item.cost
        units -= item.span * item.capacity
    return _Relaxed(per_unit, per_replica, count, cost, 1)


def _prices(items: list[Item], units: int, least: int, most: int) -> tuple[int, int]:
    """What a unit of capacity and what a replica is worth in the relaxation. The latter is above zero where
    ``least`` binds, below where ``most`` does."""
    here = _relaxed(items, units, 0)
    if here.misses(most, -1):
        limit, sign = most, -1
    elif here.misses(least, 1):
        limit, sign = least, 1
    else:
        return here.per_unit, 0
    # Cost over count is a convex line. Draw the chord over the limit, from here to where only the count
    # matters, and move its ends to what lies below it until nothing does.
    extreme = 1 + max(abs(item.cost) for item in items) * max(item.capacity for item in items)
    found = there = _relaxed(items, units, sign * extreme)
    for _ in range(PRICE_STEPS_MAX):
        if not here.more_than(there):
            break
        found = _relaxed(items, units, here.pay_between(there))
        if found.more_than(here) * found.more_than(there) >= 0:
            break  # One of the ends, or beyond: nothing lies below the chord.
        if found.misses(limit, sign):
            here = found
        else:
            there = found
    return found.per_unit, found.per_replica


# --- the search ---------------------------------------------------------------------------------


class _Later(NamedTuple):
    """The items after a place, together."""

    unit: int = 0  # what they carry is a multiple of this
    reach: int = 0  # they carry at most
    span: int = 0  # and count at most
    largest: int = 0  # capacity
    smallest: int = 0
    step: int = 0  # what all capacities differ by is a multiple of this


class _Place(NamedTuple):
    """An item at its place in the search."""

    capacity: int
    cost: int
    span: int
    suggested: int  # what the prices suggest: nothing or all
    net: int  # cost less worth of one replica; times the departure from ``suggested`` it is the penalty
    later: _Later
    cheaper: int | None  # the place before this of the next cheaper item of the same capacity
    dearer: int | None  # and of the next dearer


class _Search:
    """Depth first, the items first whose departures are dearest. A plan must exist."""

    def __init__(self, items: list[Item], units: int, least: int, most: int) -> None:
        per_unit, per_replica = _prices(items, units, least, most)
        self.units, self.least, self.most = units, least, most
        self.per_unit, self.per_replica = per_unit, per_replica
        self.limit = least if per_replica > 0 else most
        nets = [cost - per_unit * capacity - per_replica for capacity, cost, _ in items]
        self.order = sorted(range(len(items)), key=lambda i: -abs(nets[i]))
        self.places = _placed([items[i] for i in self.order], [nets[i] for i in self.order])
        self.last = len(items) - 1
        self.is_counted = least > 0 or most < sum([item.span for item in items])
        self.reached: dict[tuple[int, int, int], int] = {}
        self.counts = [0] * len(items)
        self.best_counts: list[int] = []
        self.best_cost: float = inf  # an integer, once a plan is known

    def best(self) -> list[int]:
        """Counts in the order of the items given."""
        floor = self.per_unit * self.units + self.per_replica * self.limit
        floor += sum([place.net * place.suggested for place in self.places])
        self._visit(0, self.units, 0, floor)
        result = [0] * len(self.order)
        for i, count in zip(self.order, self.best_counts, strict=True):
            result[i] = count
        return result

    def _visit(self, k: int, units: int, used: int, floor: int) -> None:
        """Try the counts of the item at place ``k``; any plan from here costs at least ``floor``."""
        capacity, cost, span, suggested, net, later, cheaper, dearer = self.places[k]
        top = min(span, self.most - used)
        if cost >= 0:
            top = min(top, max(0, -(-units // capacity), self.least - used))
        # At least what the later ones cannot carry or count.
        bottom = max(0, -((later.reach - units) // capacity), self.least - used - later.span)
        # Of equal capacities the cheaper is full before the dearer is used.
        if cheaper is not None and self.counts[cheaper] < self.places[cheaper].span:
            top = 0
        if dearer is not None and self.counts[dearer] > 0:
            bottom = span
        if k == self.last:
            if bottom <= top:
                self._end(units, used, floor, bottom if cost >= 0 else top)
            return
        # So many places may be taken by what is small that the largest could not carry the rest.
        spare = (self.most - used) * later.largest - units
        if capacity < later.largest:
            top = min(top, spare // (later.largest - capacity))
        elif capacity > later.largest:
            bottom = max(bottom, -(spare // (capacity - later.largest)))
        # From what the prices suggest away from it, each step at a further penalty.
        for count in range(top, bottom - 1, -1) if suggested else range(bottom, top + 1):
            at_least = floor + net * (count - suggested)
            if at_least >= self.best_cost:
                return
            rest = units - count * capacity
            if self.best_cost < inf and self._wastes(later, rest, used + count, self.best_cost - at_least):
                continue
            state = (k, rest, used + count if self.is_counted else 0)
            if self.reached.get(state, inf) <= at_least:
                continue  # What is left to do was done from here at no higher cost.
            self.reached[state] = at_least
            self.counts[k] = count
            self._visit(k + 1, rest, used + count, at_least)

    def _wastes(self, later: _Later, rest: int, used: int, left: float) -> bool:
        """Whether the later items cannot but carry or count so much beyond what is asked that it costs
        all that is left to the best plan."""
        waste = (self.least - used) * later.smallest - rest
        if rest > 0:
            waste = max(waste, -rest % later.unit)
        if self.per_unit * waste >= left:
            return True
        if self.per_replica == 0:
            return False
        sign = 1 if self.per_replica > 0 else -1
        count = self.limit - used
        for away in range(AWAY_MAX):
            left_for_units = left - abs(self.per_replica) * away
            if left_for_units <= 0:
                return True
            # So many replicas carry the smallest capacity each, and beyond it multiples of a step.
            beyond = rest - later.smallest * max(0, count + sign * away)
            waste = -beyond % later.step if beyond > 0 and later.step else -beyond
            if self.per_unit * waste < left_for_units:
                return False
        return False

    def _end(self, units: int, used: int, floor: int, count: int) -> None:
        """A whole plan costs the floor, the last penalty, and the worth of what it carries or counts beyond
        what the prices are for."""
        place = self.places[self.last]
        cost = floor + place.net * (count - place.suggested)
        cost += self.per_unit * (count * place.capacity - units)
        cost += self.per_replica * (used + count - self.limit)
        if cost < self.best_cost:
            self.counts[self.last] = count
            self.best_cost, self.best_counts = cost, self.counts.copy()


def _placed(items: list[Item], nets: list[int]) -> list[_Place]:
    places: list[_Place] = []
    alone = len({item.capacity for item in items}) == len(items)
    later = _Later()
    for k in range(len(items) - 1, -1, -1):
        capacity, cost, span = items[k]
        net = nets[k]
        cheaper, dearer = (None, None) if alone else _neighbours(items, k)
        places.append(_Place(capacity, cost, span, span if net < 0 else 0, net, later, cheaper, dearer))
        later = _Later(
            gcd(later.unit, capacity),
            later.reach + capacity * span,
            later.span + span,
            max(later.largest, capacity),
            min(later.smallest, capacity) if later.smallest else capacity,
            gcd(later.step, capacity - later.smallest) if later.smallest else 0,
        )
    places.reverse()
    return places


def _neighbours(items: list[Item], k: int) -> tuple[int | None, int | None]:
    """Of the items before place ``k`` with its capacity, the next cheaper and the next dearer one."""
    capacity, cost, _ = items[k]
    alike = [j for j in range(k) if items[j].capacity == capacity]
    cheaper = [j for j in alike if items[j].cost < cost]
    dearer = [j for j in alike if items[j].cost > cost]
    return (
        max(cheaper, key=lambda j: items[j].cost) if cheaper else None,
        min(dearer, key=lambda j: items[j].cost) if dearer else None,
    )
