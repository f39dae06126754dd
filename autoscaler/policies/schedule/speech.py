"""The sentences of a schedule, and its proposals with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from autoscaler.core.proposals import Proposal
from autoscaler.policies.schedule.lead import Early
from autoscaler.policies.schedule.timetable import Limit, Segment, Timetable
from autoscaler.policies.schedule.wall import local
from autoscaler.policies.schedule.windows import WEEK

_DAYS_PLAIN_MAX: Final = 6

Proposals = tuple[Proposal, ...]


class Speech:
    """Turns what holds into proposals. It keeps the last ones, which changes nothing that it says."""

    def __init__(self, table: Timetable) -> None:
        self._table = table
        self._last: tuple[Segment, Proposals] | None = None
        self._last_early: tuple[Segment, Early, float, Proposals] | None = None

    def proposals(self, segment: Segment, opened: Sequence[tuple[Early, float]]) -> Proposals:
        """One floor and one ceiling at most. ``opened`` are floors that opened early, with their leads."""
        if opened:
            return self._with_early(segment, opened)
        if self._last is None or self._last[0] is not segment:
            self._last = (segment, self._of(segment))
        return self._last[1]

    def _of(self, segment: Segment) -> Proposals:
        limit, most = segment.floor, segment.ceiling
        if limit is not None and most is not None and limit.window == most.window:
            why = self._why_open(limit.window, segment)
            return (Proposal(why, at_least=limit.replicas, at_most=most.replicas),)
        found = []
        if limit is not None:
            found.append(Proposal(self._why_open(limit.window, segment), at_least=limit.replicas))
        if most is not None:
            found.append(self._at_most(most, segment))
        return tuple(found)

    def _with_early(self, segment: Segment, opened: Sequence[tuple[Early, float]]) -> Proposals:
        early, lead_s = opened[0]
        if len(opened) > 1:
            early, lead_s = max(opened, key=lambda one: (one[0].floor, -one[0].start, -one[0].window))
        last = self._last_early
        if last is not None and last[0] is segment and last[1] is early and last[2] == lead_s:
            return last[3]
        said = self._of_early(segment, early, lead_s)
        self._last_early = (segment, early, lead_s, said)
        return said

    def _of_early(self, segment: Segment, early: Early, lead_s: float) -> Proposals:
        if segment.floor is not None and segment.floor.replicas >= early.floor:
            return self.proposals(segment, ())
        proposal = Proposal(self._why_early(early, lead_s), at_least=early.floor)
        return (proposal,) if segment.ceiling is None else (proposal, self._at_most(segment.ceiling, segment))

    def _at_most(self, limit: Limit, segment: Segment) -> Proposal:
        return Proposal(self._why_open(limit.window, segment), at_most=limit.replicas)

    # --- sentences ------------------------------------------------------------------------------

    def _subject(self, position: int) -> tuple[str, str]:
        """The window's name and times, and what goes between them and more words."""
        window = self._table.window(position)
        times = window.when_in(self._table.zone.key)
        return (f"{window.name} ({times})", " ") if window.name else (times, ", ")

    def _why_open(self, position: int, segment: Segment) -> str:
        """``Office hours (mon-fri 08:00-19:00 Europe/Zurich) until 19:00``."""
        subject, then = self._subject(position)
        over = self._table.over_at(position, segment.since)
        if over is None:
            return subject
        return f"{subject}{then}until {self._clock(self._table.current(position, segment.since).start, over)}"

    def _why_early(self, early: Early, lead_s: float) -> str:
        """``Office hours (mon-fri 08:00-19:00 Europe/Zurich) from mon 08:00, opened 300 s early ...``."""
        subject, then = self._subject(early.window)
        start = local(early.start, self._table.zone)
        return f"{subject}{then}from {_weekday(start)} {start:%H:%M}, opened {lead_s:.0f} s early to start up"

    def _clock(self, start: int, at: int) -> str:
        """An instant as short as can be, seen from the start of an occurrence."""
        day, then = local(start, self._table.zone), local(at, self._table.zone)
        if day.date() == then.date():
            return f"{then:%H:%M}"
        if then.toordinal() - day.toordinal() <= _DAYS_PLAIN_MAX:
            return f"{_weekday(then)} {then:%H:%M}"
        return f"{then:%Y-%m-%d %H:%M}"


def _weekday(when: datetime) -> str:
    return WEEK[when.weekday()]
