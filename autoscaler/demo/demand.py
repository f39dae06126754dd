"""The day of demand: who asks for what, when. All of it is drawn from the seed."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from autoscaler.world.chance import stream
from autoscaler.world.default_day import day_rows
from autoscaler.world.demand import scale_to_work
from autoscaler.world.service_time import MeanServiceTime, ServiceTime, TokenServiceTime
from autoscaler.world.trace import Row, read_trace

DAY_S: Final = 86_400.0
DAY_STARTS_S: Final = 6 * 3600.0  # the demo's day goes from 06:00 to 06:00: it begins where demand rises
STEP_S: Final = 60.0
CHAT_AT_ONCE: Final = 75.0
"""Requests at once in the busiest minute of chat, before bursts; a trace is thinned or raised to this."""

_CODE_PER_S: Final = 2.0
_OFFICE: Final = ((7.0, 0.0), (9.0, 0.9), (11.5, 1.0), (12.5, 0.5), (14.0, 0.95), (17.0, 0.9), (19.5, 0.0))
"""Hour of a working day, level; straight lines between."""
_CODE_BURSTS_PER_DAY: Final = 4
_BURST_S: Final = 1800.0

_JOBS: Final = ((2.0, 14_000), (7.5, 3_000), (12.5, 6_000), (20.0, 9_000))
"""Hour of the day, jobs of batch that are handed in within ``_JOBS_WITHIN_S``."""
_JOBS_WITHIN_S: Final = 1200.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of the rows is played: seconds from the midnight that they count from."""

    from_s: float
    to_s: float

    @property
    def length_s(self) -> float:
        """Simulated seconds from its start to its end."""
        return self.to_s - self.from_s


@dataclass(frozen=True, slots=True)
class ChatDemand:
    """The demand of chat: the generated day, or a trace thinned to its size.

    A trace's rows are read again from the file when they are needed.
    """

    stretch: Stretch
    service_time: ServiceTime
    scale: float = 1.0
    trace: Path | None = None

    def rows(self, seed: int) -> Iterator[Row]:
        """Rows in order of time, in seconds from midnight."""
        if self.trace is not None:
            return read_trace(self.trace)
        rows = day_rows(peak_per_s=CHAT_AT_ONCE / self.service_time.mean_s(_ANY), seed=seed, days=2)
        return (row for row in rows if row.t_s >= self.stretch.from_s)


_ANY: Final = Row(0.0, STEP_S, 1.0)


def generated_day(service_s: float) -> ChatDemand:
    """24 hours from 06:00."""
    return ChatDemand(Stretch(DAY_STARTS_S, DAY_STARTS_S + DAY_S), MeanServiceTime(service_s))


def traced(path: Path, service_s: float) -> ChatDemand:
    """A trace file, from its first row to its last; its busiest row keeps ``CHAT_AT_ONCE`` places busy.

    With tokens in it, requests take as long as these need, else ``service_s``. Raises: TraceError (also
    where nothing arrives), OSError.
    """
    first: Row | None = None
    last: Row | None = None
    tokens = False
    for row in read_trace(path):
        first = first or row
        tokens = tokens or row.output_tokens is not None
        last = row
    assert first is not None
    assert last is not None
    service_time: ServiceTime = (
        TokenServiceTime(otherwise_s=service_s) if tokens else MeanServiceTime(service_s)
    )
    scale = scale_to_work(read_trace(path), service_time, CHAT_AT_ONCE)
    return ChatDemand(Stretch(first.t_s, last.t_s + last.step_s), service_time, scale, path)


def code_rows(stretch: Stretch, seed: int) -> Iterator[Row]:
    """Office hours with a few bursts on working days, nothing at night and on weekends; day 0 is a Monday."""
    for day in range(int(stretch.from_s // DAY_S), math.ceil(stretch.to_s / DAY_S)):
        chance = stream(seed, "code", str(day))
        bursts = [
            (chance.uniform(9.0, 17.0) * 3600, chance.uniform(0.2, 0.5)) for _ in range(_CODE_BURSTS_PER_DAY)
        ]
        for start_s in _steps(stretch, day):
            own_s = start_s - day * DAY_S
            level = _office(own_s / 3600) if day % 7 < 5 else 0.0
            # A burst rises and falls as half a sine.
            swell = sum(
                height * math.sin(math.pi * (own_s - at) / _BURST_S)
                for at, height in bursts
                if at < own_s < at + _BURST_S
            )
            yield Row(start_s, STEP_S, _CODE_PER_S * STEP_S * level * (1.0 + swell))


def batch_rows(stretch: Stretch) -> Iterator[Row]:
    """Nothing at all, but for a few times a day when many jobs are handed in."""
    for day in range(int(stretch.from_s // DAY_S), math.ceil(stretch.to_s / DAY_S)):
        for start_s in _steps(stretch, day):
            own_s = start_s - day * DAY_S
            jobs = sum(
                count * STEP_S / _JOBS_WITHIN_S
                for hour, count in _JOBS
                if hour * 3600 <= own_s < hour * 3600 + _JOBS_WITHIN_S
            )
            yield Row(start_s, STEP_S, jobs)


def _steps(stretch: Stretch, day: int) -> Iterator[float]:
    """Starts of the steps of a day that lie in the stretch."""
    for step in range(int(DAY_S / STEP_S)):
        start_s = day * DAY_S + step * STEP_S
        if stretch.from_s <= start_s < stretch.to_s:
            yield start_s


def _office(hour: float) -> float:
    for (from_h, low), (to_h, high) in pairwise(_OFFICE):
        if from_h <= hour < to_h:
            return low + (high - low) * (hour - from_h) / (to_h - from_h)
    return 0.0


class LoadMeter:
    """Passes rows on, and keeps the load of the busiest window.

    Load is expected requests at once: arrivals per second times their mean seconds. Gateways draw rows ahead
    of time, over a whole night where nobody comes, so :meth:`peak` is asked for an instant.
    """

    def __init__(
        self, rows: Iterable[Row], service_time: ServiceTime, window_s: float, scale: float = 1.0
    ) -> None:
        self._rows = rows
        self._service_time = service_time
        self._window_s = window_s
        self._scale = scale
        self._recent: deque[float] = deque()  # work of each row, requests x seconds
        self._work = 0.0
        self._records: list[tuple[float, float]] = [(-math.inf, 0.0)]  # start of the row, load; both rise

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self._take(row)
            yield row

    def peak(self, t_s: float) -> float:
        """Requests at once in the busiest window among the rows that began by then."""
        return self._records[bisect_right(self._records, (t_s, math.inf)) - 1][1]

    def _take(self, row: Row) -> None:
        work = row.requests * self._scale * self._service_time.mean_s(row)
        self._recent.append(work)
        self._work += work
        while len(self._recent) * row.step_s > self._window_s and len(self._recent) > 1:
            self._work -= self._recent.popleft()
        load = self._work / (len(self._recent) * row.step_s)
        if load > self._records[-1][1]:
            self._records.append((row.t_s, load))
