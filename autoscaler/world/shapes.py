"""Shapes of demand that can be had without a trace.

Rows hold expected counts, from which :func:`autoscaler.world.demand.arrivals` draws a Poisson process.
Time 0 is a midnight. The same seed gives the same rows, and each shape has a stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from autoscaler.world.chance import stream
from autoscaler.world.default_day import day_rows
from autoscaler.world.trace import Row

_DAY_S: Final = 86_400.0
_LENGTH_MAX_S: Final = 366 * _DAY_S  # the rows are in memory all at once


@dataclass(frozen=True, slots=True)
class Shape:
    """``line`` says what it is, in one line. ``levels(steps, step_s, seed)`` has one number of 0 or more for
    each step; only their ratios count."""

    line: str
    levels: Callable[[int, float, int], Iterator[float]]


def shape_rows(
    shape: str, *, peak_per_s: float, length_s: float, seed: int = 0, step_s: float = 60.0
) -> Iterator[Row]:
    """Rows of one of :data:`SHAPES` from ``t_s`` 0 to ``length_s``, which is rounded up to whole steps.

    The busiest row has exactly ``peak_per_s`` requests a second; all are made when the first is asked
    for. Raises: ValueError (also for an unknown shape), at once.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape is {shape!r}; allowed are {', '.join(SHAPES)}")
    if not 0 < peak_per_s < math.inf:
        raise ValueError(f"peak_per_s is {peak_per_s}; it must be above 0, and finite")
    if not 0 < length_s <= _LENGTH_MAX_S:
        raise ValueError(f"length_s is {length_s}; it must be above 0, and a year at most")
    if not (1 <= step_s <= 600 and (_DAY_S / step_s).is_integer()):
        raise ValueError(f"step_s is {step_s}; it must divide a day, and be 1 to 600")
    return _rows(SHAPES[shape], peak_per_s, math.ceil(length_s / step_s), step_s, seed)


def _rows(shape: Shape, peak_per_s: float, steps: int, step_s: float, seed: int) -> Iterator[Row]:
    levels = list(shape.levels(steps, step_s, seed))
    top = max(levels)
    for step, level in enumerate(levels):
        rate = peak_per_s * (level / top) if top else 0.0
        yield Row(t_s=step * step_s, step_s=step_s, requests=rate * step_s)


def _days(
    steps: int, step_s: float, seed: int, *, weekend: float, bursts_per_day: float = 2.0
) -> Iterator[float]:
    rows = day_rows(
        peak_per_s=1.0,
        seed=seed,
        days=math.ceil(steps * step_s / _DAY_S),
        step_s=step_s,
        bursts_per_day=bursts_per_day,
        weekend=weekend,
    )
    for _, row in zip(range(steps), rows, strict=False):
        yield row.requests


def diurnal(steps: int, step_s: float, seed: int) -> Iterator[float]:
    """Every day is a working day of chat requests, with a lunch hour, a quiet night and two bursts a day.

    The figures are those of :mod:`autoscaler.world.default_day`, which were measured.
    """
    return _days(steps, step_s, seed, weekend=1.0)


def weekly(steps: int, step_s: float, seed: int) -> Iterator[float]:
    """As ``diurnal``, from a Monday, with weekends at half the level, as measured there (0.45 to 0.6)."""
    return _days(steps, step_s, seed, weekend=0.5)


def idle_night(steps: int, step_s: float, seed: int) -> Iterator[float]:
    """An internal tool: the working day of ``diurnal`` without bursts, and no request from 20:00 to 07:00.

    The hours are made up. It is the shape for which going to zero pays, and in which the first
    request of the morning finds nothing that serves.
    """
    for step, level in enumerate(_days(steps, step_s, seed, weekend=1.0, bursts_per_day=0.0)):
        hour = step * step_s % _DAY_S / 3600
        yield level if 7 <= hour < 20 else 0.0


def bursty(steps: int, step_s: float, seed: int) -> Iterator[float]:
    """A calm level by day and night, and bursts of 2 to 6 times as much: two an hour in the mean, of five
    minutes in the mean, both exponential; bursts may fall together.

    Made up, to be harder than what was measured: the burstier clients behind
    :mod:`autoscaler.world.default_day` have 1.5 to 10 times the variance of a Poisson process.
    """
    chance = stream(seed, "shape", "bursty")
    coming = chance.expovariate(2 / 3600)
    bursts: list[tuple[float, float]] = []  # until when, by how much more
    for step in range(steps):
        at = step * step_s
        while coming <= at:
            bursts.append((coming + chance.expovariate(1 / 300), chance.uniform(1.0, 5.0)))
            coming += chance.expovariate(2 / 3600)
        bursts = [(until, more) for until, more in bursts if until > at]
        yield (1.0 + sum(more for _, more in bursts)) * math.exp(chance.gauss(0.0, 0.05))


def flash_crowd(steps: int, step_s: float, seed: int) -> Iterator[float]:
    """A calm level, and one crowd of 15 times as many. It comes within two minutes, somewhere in the middle
    half of the length; half of it goes every twenty minutes.

    Surges of 15 times the mean were measured of one client of a large model (ServeGen, Xiang et al.,
    arXiv 2505.09999); how it rises and falls is made up.
    """
    chance = stream(seed, "shape", "flash-crowd")
    begins = steps * step_s * chance.uniform(0.25, 0.75)
    for step in range(steps):
        since_s = step * step_s - begins
        crowd = 0.0
        if since_s >= 0:
            crowd = 14.0 * min(1.0, (since_s + step_s) / 120.0) * 0.5 ** (max(0.0, since_s - 120.0) / 1200.0)
        yield (1.0 + crowd) * math.exp(chance.gauss(0.0, 0.05))


def step(steps: int, step_s: float, seed: int) -> Iterator[float]:
    """A third of the length at a fifth of the peak, a third at the peak, a third at a fifth again: what a
    control loop does at an edge, up and down. Made up, and without chance."""
    del step_s, seed
    for number in range(steps):
        yield 1.0 if steps <= 3 * number < 2 * steps else 0.2


SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "diurnal": Shape("working days of chat: morning and afternoon peak, lunch, a quiet night", diurnal),
        "weekly": Shape("the same from a Monday, with weekends at half the level", weekly),
        "bursty": Shape("a calm level with bursts of 2 to 6 times as much, two an hour", bursty),
        "flash-crowd": Shape("a calm level and one sudden crowd of 15 times as many", flash_crowd),
        "step": Shape(
            "a fifth of the peak, then the peak, then a fifth again, a third of the time each", step
        ),
        "idle-night": Shape("working hours, and no request at all from 20:00 to 07:00", idle_night),
    }
)
"""All shapes by name."""
