"""What holds at an instant: windows that are open, floors that open early, and who of several wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from autoscaler.policies.schedule.days_off import DaysOff
from autoscaler.policies.schedule.lead import Early
from autoscaler.policies.schedule.occurrences import Around, Occurrence, Recurring, lasting
from autoscaler.policies.schedule.windows import Window


class Limit(NamedTuple):
    """Replicas, and the position of the window that asks for them."""

    replicas: int
    window: int


@dataclass(frozen=True, slots=True)
class Segment:
    """What holds from ``since`` until just before ``until``, but for floors that open early meanwhile."""

    since: int
    until: int
    open: tuple[int, ...]  # positions of the windows that count
    floor: Limit | None
    ceiling: Limit | None
    coming: tuple[Early, ...]  # by start
    learns: bool  # whether any of these waits for what is learned


@dataclass(slots=True)
class _Row:
    """One window at work, and what was last worked out about it."""

    window: Window
    recurring: Recurring
    known: Around | None = None
    known_at: int = 0

    def around(self, at: int) -> Around:
        known = self.known
        if known is None or not self.known_at <= at < known.until:
            known = self.known = self.recurring.around(at)
            self.known_at = at
        return known


class Timetable:
    """The windows of one schedule. It keeps what it last worked out, which changes no answer."""

    def __init__(self, windows: Sequence[Window], zone: ZoneInfo, days_off: DaysOff | None) -> None:
        self.zone = zone
        self._rows = tuple(_Row(window, window.recurring(zone, days_off)) for window in windows)
        self._exactly = tuple(i for i, window in enumerate(windows) if window.exactly is not None)
        self._last: Segment | None = None

    def window(self, position: int) -> Window:
        """The window at this position of the file."""
        return self._rows[position].window

    def segment(self, at: int) -> Segment:
        """What holds at this instant, and for how long."""
        last = self._last
        if last is None or not last.since <= at < last.until:
            last = self._last = self._segment(at)
        return last

    def _segment(self, at: int) -> Segment:
        seen = [row.around(at) for row in self._rows]
        winner = self._winner(at)
        holding = tuple(
            i
            for i, around in enumerate(seen)
            if around.current is not None and (self._rows[i].window.exactly is None or i == winner)
        )
        floors = [Limit(n, i) for i in holding if (n := self._rows[i].window.floor) is not None]
        ceilings = [Limit(n, i) for i in holding if (n := self._rows[i].window.ceiling) is not None]
        coming = self._coming(seen, holding)
        return Segment(
            since=at,
            until=min(around.until for around in seen),
            open=holding,
            # Of equals the first in the file speaks.
            floor=max(floors, key=lambda limit: (limit.replicas, -limit.window), default=None),
            ceiling=min(ceilings, default=None),
            coming=coming,
            learns=any(early.lead_s is None for early in coming),
        )

    def _winner(self, at: int) -> int | None:
        """Of the windows that say ``exactly``, the one that is heard."""
        return self._strongest([i for i in self._exactly if self._rows[i].around(at).current is not None])

    def _strongest(self, positions: Sequence[int]) -> int | None:
        def rank(position: int) -> tuple[int, int, int]:
            window = self._rows[position].window
            assert window.exactly is not None
            return window.priority, window.exactly, -position

        return max(positions, key=rank, default=None)

    def _coming(self, seen: Sequence[Around], holding: tuple[int, ...]) -> tuple[Early, ...]:
        found = []
        for i, around in enumerate(seen):
            window = self._rows[i].window
            if i in holding or not window.floor or window.lead_s == 0 or around.next_start is None:
                continue
            if self._will_hold(i, around.next_start):
                lead_s = None if window.lead_s == "auto" else window.lead_s
                found.append(Early(around.next_start, lead_s, window.floor, i))
        return tuple(sorted(found, key=lambda early: (early.start, early.window)))

    def _will_hold(self, position: int, start: int) -> bool:
        """Whether a window will be heard when it begins: no replica is started for one that is outvoted."""
        if self._rows[position].window.exactly is None or len(self._exactly) == 1:
            return True
        # Not by around() of the rows: what they know of now is worth keeping.
        there = [
            i
            for i in self._exactly
            if i == position or self._rows[i].recurring.around(start).current is not None
        ]
        return self._strongest(there) == position

    def current(self, position: int, at: int) -> Occurrence:
        """The occurrence of an open window."""
        current = self._rows[position].around(at).current
        assert current is not None, "the window is open"
        return current

    def over_at(self, position: int, at: int) -> int | None:
        """When an open window closes for a while; None: not for long."""
        return lasting(self._rows[position].recurring, self.current(position, at))

    def title(self, position: int) -> str:
        """What a person calls the window: its name, else its times."""
        window = self._rows[position].window
        return window.name or window.when
