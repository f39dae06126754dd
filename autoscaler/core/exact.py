"""Rounding as a person does it: in decimal, exactly.

A float stands for the decimal number that it prints as: 4.8 is 48/10, not the binary neighbour of it.
So 4.8 / 0.6 is 8, and 8 replicas carry it; binary arithmetic says 8.000000000000001, and asks for 9.
All arguments must be finite.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import Final

LARGEST: Final = sys.float_info.max
"""Results that no float can hold are this instead: the limits in replicas come later."""

WHOLE_BELOW: Final = float(2**53)
"""Whole floats up to here are the numbers that they print as, and so are their sums and products of them
as Python integers; from 1e16 on a float prints shorter than it is."""

_BINARY_ERROR: Final = 1e-12
# A float and the number that it prints as differ by under 2.3e-16 of either, a binary division adds as much
# again: where this far down and up rounds to the same count, so does the exact quotient.
_PLAIN_BELOW: Final = 1e9
_TINY: Final = 1e-300  # below, floats lose digits


@lru_cache(maxsize=4096)
def _ratio(x: float) -> tuple[int, int]:
    """The decimal number that ``x`` prints as, as numerator and denominator."""
    # Cached for the divisors, which are few (targets, capacities of replicas).
    return Decimal(repr(x)).as_integer_ratio()


def _fraction(x: float) -> tuple[int, int]:
    """As :func:`_ratio`, at once for whole numbers."""
    if -WHOLE_BELOW < x < WHOLE_BELOW and x == int(x):
        return int(x), 1
    return Decimal(repr(x)).as_integer_ratio()


def _nearest(numerator: int, denominator: int) -> float:
    """The double nearest to a fraction, at most :data:`LARGEST` in size."""
    try:
        return numerator / denominator  # int / int rounds once, and correctly
    except OverflowError:
        return LARGEST if (numerator > 0) == (denominator > 0) else -LARGEST


def quotient(a: float, b: float) -> float:
    """The double nearest to ``a / b``, both read as the decimals that they print as.

    ``b`` must not be zero: ZeroDivisionError.
    """
    numerator, denominator = _fraction(a)
    by_numerator, by_denominator = _ratio(b)
    return _nearest(numerator * by_denominator, denominator * by_numerator)


def total(values: Iterable[float]) -> float:
    """The double nearest to the sum of the decimals that the values print as; 0.1 + 0.2 is 0.3."""
    some = [value for value in values if value]
    if len(some) < 2:
        return float(some[0]) if some else 0.0
    numerator, denominator = 0, 1
    for value in some:
        n, d = _fraction(value)
        if d == denominator:
            numerator += n
        else:
            numerator, denominator = numerator * d + n * denominator, denominator * d
    return _nearest(numerator, denominator)


def replicas_needed(capacity: float, capacity_per_replica: float) -> int:
    """The least count of replicas that carries ``capacity``; both in the same unit.

    None for a capacity of zero or less; one for anything above it, however little.
    ``capacity_per_replica`` must be above zero.
    """
    if capacity <= 0:
        return 0
    binary = capacity / capacity_per_replica if capacity_per_replica > _TINY else LARGEST
    if binary < _PLAIN_BELOW:
        least = ceil(binary * (1 - _BINARY_ERROR))
        if least == ceil(binary * (1 + _BINARY_ERROR)):
            return max(1, least)
    numerator, denominator = _fraction(capacity)
    by_numerator, by_denominator = _ratio(capacity_per_replica)
    return -(-(numerator * by_denominator) // (denominator * by_numerator))
