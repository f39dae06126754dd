"""Where: whole replicas per deployment at least cost. Exact, in integers, and the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from math import ceil
from typing import Final, NamedTuple

from autoscaler.core.covering import Item, cover
from autoscaler.core.exact import WHOLE_BELOW, replicas_needed

REMEMBERED: Final = 4096
"""Questions whose answers are kept: from tick to tick most services ask the same ones again."""


class Offer(NamedTuple):
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
    return _cheapest_of_several(tuple(offers), need, least, most)


@lru_cache(maxsize=REMEMBERED)
def _cheapest_of_several(offers: tuple[Offer, ...], need: float, least: int, most: int) -> tuple[int, ...]:
    counts = [offer.lo for offer in offers]
    room = max(0, most - sum(counts))
    covered = _covers(offers, room, need)
    if covered is not None:
        reach = min(room, sum([max(0, offer.hi - offer.lo) for offer in offers]))
        return _covering(offers, covered, min(max(0, least - sum(counts)), reach), room)
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


def _covering(
    offers: Sequence[Offer], covered: tuple[tuple[int, ...], int], least: int, room: int
) -> tuple[int, ...]:
    """The cheapest cover, which exists; of equal ones, the most of what costs least for its capacity."""
    capacities, units = covered
    order = sorted(
        range(len(offers)),
        key=lambda i: (offers[i].micro_usd / capacities[i], offers[i].micro_usd, offers[i].name),
    )
    items = [Item(capacities[i], offers[i].micro_usd, max(0, offers[i].hi - offers[i].lo)) for i in order]
    result = [offer.lo for offer in offers]
    for i, count in zip(order, cover(items, units, least, room), strict=True):
        result[i] += count
    return tuple(result)


def _covers(offers: Sequence[Offer], room: int, need: float) -> tuple[tuple[int, ...], int] | None:
    """Capacities and the need beyond the ``lo``s as integers of one unit; None if it cannot be covered."""
    capacities, units = integer_units([offer.capacity for offer in offers], need)
    units -= sum([c * offer.lo for c, offer in zip(capacities, offers, strict=True)])
    left = room
    reach = 0
    for capacity, span in sorted(
        [(-c, max(0, offer.hi - offer.lo)) for c, offer in zip(capacities, offers, strict=True)]
    ):
        reach -= min(left, span) * capacity
        left -= min(left, span)
    return (capacities, max(0, units)) if reach >= units else None


def integer_units(capacities: Sequence[float], need: float) -> tuple[tuple[int, ...], int]:
    """Capacities and need in a unit in which all capacities are whole; the need is rounded up, exactly."""
    whole = tuple([int(capacity) for capacity in capacities])
    if whole == tuple(capacities):
        # Between whole numbers that floats can hold, a float and the decimal it prints as round up alike.
        return whole, ceil(need) if need < WHOLE_BELOW else int(Decimal(repr(need)))
    decimals = [Decimal(repr(capacity)).normalize() for capacity in capacities]
    places = max(0, max(-int(d.as_tuple().exponent) for d in decimals))
    scale = Decimal(10) ** places
    return (
        tuple(int(d * scale) for d in decimals),
        int((Decimal(repr(need)) * scale).to_integral_value(ROUND_CEILING)),
    )
