"""Fewer values than ticks, without losing a peak: equal spans of time, each with its lowest and highest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoscaler.sim.result import ServiceSeries

Number = int | float
Values = list[Number | None]
"""One value for each bucket; None before the first tick and after the last."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """``count`` spans of ``width_s`` from ``start``, epoch seconds; the same for all series of a report."""

    start: float
    interval_s: float
    ticks_each: int
    count: int

    @property
    def width_s(self) -> float:
        """Seconds that one bucket covers."""
        return self.interval_s * self.ticks_each

    @classmethod
    def over(cls, series: Sequence[ServiceSeries], interval_s: float, count_max: int) -> Buckets:
        """As many as there are ticks of ``interval_s``, the least of all runs, or ``count_max``."""
        start = min(one.at[0] for one in series)
        ticks = round((max(one.at[-1] for one in series) - start) / interval_s) + 1
        each = math.ceil(ticks / count_max)
        return cls(start, interval_s, each, math.ceil(ticks / each))

    def spans(self, at: Sequence[float]) -> list[tuple[int, int]]:
        """For each bucket, which ticks are in it: from, until. An empty one has both equal."""
        edges = [0] * (self.count + 1)
        for moment in at:
            # Rounded to the tick first: instants are floats, and a tick must not slip over an edge.
            edges[round((moment - self.start) / self.interval_s) // self.ticks_each + 1] += 1
        for bucket in range(self.count):
            edges[bucket + 1] += edges[bucket]
        return list(pairwise(edges))


def extremes(values: Sequence[Number], spans: Sequence[tuple[int, int]]) -> tuple[Values, Values]:
    """Lowest and highest of each bucket. An empty one between two ticks keeps the value of the last tick."""
    low: Values = []
    high: Values = []
    for begin, end in spans:
        if begin < end:
            part = values[begin:end]
            low.append(min(part))
            high.append(max(part))
        else:
            kept = values[begin - 1] if 0 < begin < len(values) else None
            low.append(kept)
            high.append(kept)
    return low, high


def ends(values: Sequence[Number], spans: Sequence[tuple[int, int]]) -> Values:
    """The last value of each bucket: for totals that count up."""
    return [values[end - 1] if begin < end or 0 < begin < len(values) else None for begin, end in spans]
