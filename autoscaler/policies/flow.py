"""How fast things change, measured over the last samples of a signal.

Rates are per second. All answer None where the samples say too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from autoscaler.core.model import Sample
from autoscaler.core.proposals import View

WINDOW_S: Final = 60.0
"""What a rate looks back unless told otherwise, where there is a sample that old."""
SPAN_S_MIN: Final = 30.0
"""Less than this between first and last sample is noise, not a rate."""
SPAN_S_MAX: Final = 2 * WINDOW_S
"""With samples rarer than the window a rate looks back this far; also the history that it needs."""


def recent(view: View, signal: str, window_s: float = WINDOW_S) -> tuple[Sample, ...]:
    """The fresh sample of a signal and those of the window before it, oldest first.

    The first one is as old as the window or a little older, if there is such. Empty when no sample is fresh:
    a rate that ended a while ago says nothing about now.
    """
    newest = view.signals.get(signal)
    if newest is None:
        return ()
    past = view.history.get(signal, ())
    end = len(past)
    while end and past[end - 1].at >= newest.at:
        end -= 1
    start = end
    while start and past[start - 1].at > newest.at - window_s:
        start -= 1
    if start and past[start - 1].at >= newest.at - SPAN_S_MAX:
        start -= 1
    return (*past[start:end], newest)


def counter_rate(samples: Sequence[Sample]) -> float | None:
    """Mean rise per second of a counter; never negative.

    A counter falls when its process starts again, or when a replica leaves (or one scrape misses it) while
    the query sums over replicas. What happened in such an interval is not known, so neither its time
    nor its count is taken; nor that of an interval that brings back what was there before the fall.
    """
    risen = span_s = 0.0
    before_fall: float | None = None
    for earlier, later in pairwise(samples):
        if later.value < earlier.value:
            before_fall = earlier.value if before_fall is None else max(before_fall, earlier.value)
        elif before_fall is not None and later.value >= before_fall:
            before_fall = None
        else:
            risen += later.value - earlier.value
            span_s += later.at - earlier.at
    return risen / span_s if span_s >= SPAN_S_MIN else None


def growth(samples: Sequence[Sample]) -> float | None:
    """Mean change per second of a gauge; negative when it falls."""
    span_s = samples[-1].at - samples[0].at if samples else 0.0
    return (samples[-1].value - samples[0].value) / span_s if span_s >= SPAN_S_MIN else None


def mean(samples: Sequence[Sample]) -> float | None:
    """Mean of a gauge over time, straight lines between its samples."""
    if not samples:
        return None
    span_s = samples[-1].at - samples[0].at
    if span_s <= 0.0:
        return samples[-1].value
    area = sum([(a.value + b.value) / 2 * (b.at - a.at) for a, b in pairwise(samples)])
    return area / span_s


def since(samples: Sequence[Sample], at: float) -> Sequence[Sample]:
    """The samples from an instant on."""
    start = 0
    while start < len(samples) and samples[start].at < at:
        start += 1
    return samples[start:] if start else samples
