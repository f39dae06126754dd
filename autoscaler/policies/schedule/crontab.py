"""Windows that a cron line opens, exactly when APScheduler's ``CronTrigger`` would fire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from autoscaler.policies.schedule.occurrences import AHEAD_DAYS, Around, DayRule, Occurrence
from autoscaler.policies.schedule.wall import (
    DAY_S,
    day_of,
    first_change,
    first_instant,
    last_change,
    offset_s,
    utc,
)

CHANGES_MAX: Final = 100
"""Changes of the clock that may lie between a time of firing and the next: some 50 years."""

_LINE_CHARS_MAX: Final = 200
_YEAR_2000: Final = datetime(2000, 1, 1, tzinfo=UTC)


def check_line(line: str) -> None:
    """Raises: ValueError, saying what is wrong with the line in CronTrigger's words."""
    if len(line) > _LINE_CHARS_MAX:
        raise ValueError(f"is longer than {_LINE_CHARS_MAX} characters")
    try:
        first = _trigger(line, ZoneInfo("UTC")).get_next_fire_time(None, _YEAR_2000)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"not a cron line: {error}; allowed are minute, hour, day, month and weekday (0 or mon is Monday)"
        ) from None
    if first is None:
        raise ValueError("this cron line never fires")


def _trigger(line: str, zone: ZoneInfo) -> Any:
    # Here and not above: only those who use cron lines wait for the import.
    from apscheduler.triggers.cron import CronTrigger

    return CronTrigger.from_crontab(line, timezone=zone)


class CronWindow:
    """``for_s`` seconds from each time that the line fires on an allowed day."""

    def __init__(
        self, line: str, for_s: int, zone: ZoneInfo, allowed: DayRule, first_day: int, last_day: int
    ) -> None:
        self._fires = _trigger(line, zone)
        self._for_s = for_s
        self._zone = zone
        self._allowed = allowed
        self._first_day = first_day
        self._last_day = last_day
        self._known: Around | None = None  # A hint that saves looking back; no answer depends on it.
        self._known_at = 0

    def around(self, at: int) -> Around:
        """What is in force at this instant, and what comes next."""
        latest = self._latest(at)
        start = self._next(at)
        until = start if start is not None else at + AHEAD_DAYS // 2 * DAY_S
        current = None if latest is None else Occurrence(latest, latest + self._for_s)
        found = Around(current, start, until if current is None else min(until, current.end))
        self._known, self._known_at = found, at
        return found

    def _latest(self, at: int) -> int | None:
        """The last time of firing that is still in force."""
        known = self._known
        if known is not None and known.next_start is not None and self._known_at <= at:
            hint = known.next_start
            if hint > at:
                return known.current.start if known.current is not None and known.current.end > at else None
            if (second := self._next(hint)) is None or second > at:
                return hint if hint + self._for_s > at else None
        oldest = at - self._for_s
        fire = self._next(oldest)
        if fire is None or fire > at:
            return None
        # The latest is that before which nothing fires up to now: half the doubt at each look.
        newest = at
        while newest - oldest > 1:
            middle = (oldest + newest) // 2
            later = self._next(middle)
            if later is not None and later <= at:
                oldest, fire = middle, later
            else:
                newest = middle
        return fire

    def _next(self, after: int) -> int | None:
        """The first time of firing after this instant on an allowed day; None: none within a year or so."""
        zone = self._zone
        horizon = after + AHEAD_DAYS * DAY_S
        if self._first_day > day_of(after, zone):
            after = first_instant(self._first_day, 0, zone) - 1
            horizon = after + AHEAD_DAYS * DAY_S
        while after < horizon:
            fire = self._fire_after(after)
            if fire is None or (day := day_of(fire, zone)) > self._last_day:
                return None
            if self._allowed(day):
                return fire
            after = first_instant(day + 1, 0, zone) - 1
        return None

    def _fire_after(self, after: int) -> int | None:
        """The first time of firing after this instant; the same however long before one asks."""
        now, zone = after + 1, self._zone
        late = self._late(change, after) if (change := last_change(now - DAY_S, now, zone)) else None
        for _ in range(CHANGES_MAX):
            fire = self._ask(now)
            if fire is None or (change := first_change(now, fire, zone)) is None:
                break
            # Asked from before a change the trigger may jump over the next time (midnight of the day after,
            # or of the next first of a month). So it is asked anew after each.
            late = late if late is not None else self._late(change, after)
            now = change
        return late if fire is None or (late is not None and late < fire) else fire

    def _late(self, change: int, after: int) -> int | None:
        """When a time fires that clocks skip at this change, which is late; None: not after this instant."""
        skipped_s = offset_s(change, self._zone) - offset_s(change - 1, self._zone)
        fire = self._ask(change - 1)
        # Who asks between the change and then is told the next day's; a scheduler asked before the change.
        return fire if fire is not None and max(change, after + 1) <= fire < change + skipped_s else None

    def _ask(self, now: int) -> int | None:
        fire = self._fires.get_next_fire_time(None, utc(now))
        return None if fire is None else int(fire.timestamp())
