"""Windows of days, start and end: "is the local wall time inside?", with clocks that change."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from autoscaler.policies.schedule.occurrences import AHEAD_DAYS, Around, DayRule, Occurrence
from autoscaler.policies.schedule.wall import DAY_MIN, day_of, first_instant, last_instant


@dataclass(frozen=True, slots=True)
class DayWindow:
    """Each allowed day's time from ``start_min`` to ``end_min``, in minutes from midnight.

    An end at or before the start is on the next day. ``first_day`` and ``last_day`` (ordinals) bound the days
    of the start; they are part of ``allowed`` too and only make looking faster.
    """

    zone: ZoneInfo
    start_min: int
    end_min: int
    allowed: DayRule
    first_day: int
    last_day: int

    def around(self, at: int) -> Around:
        """What is in force at this instant, and what comes next."""
        today = day_of(at, self.zone)
        current: Occurrence | None = None
        next_start: int | None = None
        # Two days back: where clocks go back over midnight, the day before yesterday's end is repeated.
        day = max(today - 2, self.first_day)
        horizon = day + AHEAD_DAYS
        while day <= self.last_day and day < horizon:
            if self.allowed(day) and (found := self._occurrence(day)) is not None:
                if found.start > at:
                    next_start = found.start
                    break
                if found.end > at and (current is None or found.end > current.end):
                    current = found
            day += 1
        until = next_start if next_start is not None else first_instant(today + AHEAD_DAYS // 2, 0, self.zone)
        return Around(current, next_start, until if current is None else min(until, current.end))

    def _occurrence(self, day: int) -> Occurrence | None:
        """None where clocks skip all of it."""
        end_min = self.end_min if self.end_min > self.start_min else self.end_min + DAY_MIN
        start = first_instant(day, self.start_min, self.zone)
        end = last_instant(day, end_min, self.zone)
        return Occurrence(start, end) if start < end else None
