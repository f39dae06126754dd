"""When the limits of a schedule change, for people to check that they are the ones they meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil, floor
from typing import Final, NamedTuple

from autoscaler.policies.schedule.lead import Early
from autoscaler.policies.schedule.timetable import Segment, Timetable

EDGES_MAX: Final = 1_000
LOOK_AHEAD_S: Final = 11 * 366 * 86_400
STEPS_MAX: Final = 5_000
"""Beginnings and ends that are looked at; a schedule that changes nothing in so many is told as steady."""


@dataclass(frozen=True, slots=True)
class Edge:
    """From ``at`` (seconds since the Unix epoch) on, other limits hold.

    ``at_least`` 0 is no floor, ``at_most`` None no ceiling; a floor above a ceiling raises it, as it does in
    the decision. ``opens`` and ``closes`` name the windows that begin or end to count then.
    """

    at: int
    opens: tuple[str, ...]
    closes: tuple[str, ...]
    at_least: int
    at_most: int | None


class _State(NamedTuple):
    open: frozenset[int]
    early: frozenset[int]
    at_least: int
    at_most: int | None


def edges_of(table: Timetable, after: float, count: int, lead_s: float) -> tuple[Edge, ...]:
    """The next edges after an instant, where start-up takes ``lead_s`` seconds throughout."""
    return tuple(islice(_changes(table, floor(after), lead_s), max(0, min(count, EDGES_MAX))))


def limits_at(table: Timetable, at: float, lead_s: float) -> tuple[int, int | None]:
    """Floor and ceiling of the service at an instant, by this schedule alone."""
    state = _state(table.segment(floor(at)), floor(at), lead_s)
    return state.at_least, state.at_most


def _changes(table: Timetable, at: int, lead_s: float) -> Iterator[Edge]:
    before, last = _state(table.segment(at), at, lead_s), at + LOOK_AHEAD_S
    for _ in range(STEPS_MAX):
        segment = table.segment(at)
        openings = (_opening(early, lead_s) for early in segment.coming)
        at = min([segment.until, *(opening for opening in openings if opening > at)])
        if at > last:
            return
        now = _state(table.segment(at), at, lead_s)
        if (now.at_least, now.at_most) != (before.at_least, before.at_most):
            yield _edge(table, at, before, now, lead_s)
        before = now


def _opening(early: Early, lead_s: float) -> int:
    return ceil(early.start - early.lead({}, lead_s))


def _state(segment: Segment, at: int, lead_s: float) -> _State:
    early = [one for one in segment.coming if _opening(one, lead_s) <= at]
    least = max([one.floor for one in early], default=0)
    if segment.floor is not None:
        least = max(least, segment.floor.replicas)
    most = max(segment.ceiling.replicas, least) if segment.ceiling is not None else None
    return _State(frozenset(segment.open), frozenset(one.window for one in early), least, most)


def _edge(table: Timetable, at: int, before: _State, now: _State, lead_s: float) -> Edge:
    opens = [table.title(i) for i in sorted(now.open - before.open)]
    for i in sorted(now.early - before.early):
        window = table.window(i)
        ahead_s = lead_s if window.lead_s == "auto" else window.lead_s
        opens.append(f"{table.title(i)} (its floor, {ahead_s:.0f} s early)")
    closes = [table.title(i) for i in sorted((before.open | before.early) - now.open - now.early)]
    return Edge(at, tuple(opens), tuple(closes), now.at_least, now.at_most)
