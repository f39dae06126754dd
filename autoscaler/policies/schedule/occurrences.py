"""What any kind of window offers: its occurrences around an instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

AHEAD_DAYS: Final = 400
"""How far a next start is looked for at once: a rule that is met once a year is found."""

CHAIN_MAX: Final = 8
"""Occurrences that follow each other at once are told as one, up to so many."""

DayRule = Callable[[int], bool]
"""Whether an occurrence may begin on a day (an ordinal)."""


class Occurrence(NamedTuple):
    """From ``start`` until just before ``end``; whole seconds since the Unix epoch."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Around:
    """A window's occurrences around an instant; the same for every instant from then until ``until``."""

    current: Occurrence | None  # the one in force; of several the one that ends last
    next_start: int | None  # None: none within a year or so
    until: int


class Recurring(Protocol):
    """The occurrences of one window."""

    def around(self, at: int) -> Around:
        """What is in force at this instant, and what comes next."""
        ...


def lasting(recurring: Recurring, current: Occurrence) -> int | None:
    """When an occurrence and those that follow it at once are over; None: not for long.

    It depends on the occurrence alone and not on when one asks, so that reasons do not either.
    """
    end = current.end
    for _ in range(CHAIN_MAX):
        after = recurring.around(end).current
        if after is None:
            return end
        end = after.end
    return None
