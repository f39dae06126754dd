"""The nearest value at which an answer differs, found with few questions.

Nothing is taken for granted about how the answer follows the value, so it is looked for in steps that double,
outward from what is, and then by bisection between the last value that changes nothing and the first that
does. What is found is a true turn; where the answer turns back and forth, one nearer by may be passed over.
"""

from __future__ import annotations

from collections.abc import Callable


def nearest(differs: Callable[[int], bool], start: int, reach_max: int, up: bool) -> int | None:
    """The whole number nearest to ``start``, above it or below it down to 0, where something differs.

    Nearest as far as steps that double tell: between two of them nothing is looked at unless they disagree.
    """
    same, reach = start, 1
    while True:
        other = start + reach if up else max(0, start - reach)
        if other == same or reach > reach_max:
            return None
        if differs(other):
            break
        same, reach = other, reach * 2
    return between(differs, same, other)


def between(differs: Callable[[int], bool], same: int, other: int) -> int:
    """By bisection: a whole number that differs, whose neighbour towards ``same`` does not."""
    while abs(other - same) > 1:
        middle = (other + same) // 2
        if differs(middle):
            other = middle
        else:
            same = middle
    return other
