"""An office-hours day of chat requests to a language model, made up from measured statistics.

Source of the statistics: the client pool of ServeGen (Xiang et al., arXiv 2505.09999), of which three
clients of a middle-sized model with a daily cycle were measured, minute by minute over 14 days:

- busiest minute over the day's mean: 2.1 to 2.7 for the client with office hours (outage days apart);
  1.5 to 1.7 for one that switches between two levels; 6 to 8 for one with a daily batch window;
- night (01:00 to 06:00) over the busiest hour: 0.03 to 0.06; lunch hour over the morning's peak: 0.5
  to 0.9; evening (19:00 to 22:00) over the busiest hour: 0.3 to 0.65; weekend over weekday: 0.45 to 0.6;
- variance over mean of the minute counts within ten minutes: 1.0 (that is Poisson) for office hours,
  1.5 to 10 for the others; ten-minute means step by 3 % (median) and 15 % (nine in ten);
- bursts: a ten-minute mean 1.15 times its neighbours or more 0.4 to 0.6 times a day, of 1.5 times in the
  median and 1.9 at most; 334 prompt and 58 output tokens per request.

The curve below is drawn freely through those figures; no data of the traces is in it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from autoscaler.world.chance import stream
from autoscaler.world.trace import Row

_CURVE: Final = (
    (0.0, 0.10),
    (2.0, 0.04),
    (5.0, 0.03),
    (7.0, 0.08),
    (8.0, 0.25),
    (9.5, 0.85),
    (11.0, 0.95),
    (12.5, 0.58),
    (14.0, 0.92),
    (15.5, 1.00),
    (17.0, 0.90),
    (18.5, 0.50),
    (21.0, 0.38),
    (23.0, 0.18),
    (24.0, 0.10),
)
"""Hour of the day, level over the busiest; between the knots by half a cosine."""

_WEEKEND: Final = 0.5
_STEP_SHARE: Final = 0.04  # spread of the wander between ten-minute blocks
_BLOCK_S: Final = 600.0
_BURST_S: Final = 600.0
_DAY_S: Final = 86400.0


def day_rows(
    *,
    peak_per_s: float,
    seed: int = 0,
    days: int = 1,
    step_s: float = 60.0,
    bursts_per_day: float = 2.0,
    first_weekday: int = 0,
    weekend: float = _WEEKEND,
) -> Iterator[Row]:
    """Expected requests per step, for :func:`autoscaler.world.demand.arrivals`, which makes them Poisson.

    ``peak_per_s`` is the rate at the top of the curve, before wander and bursts. ``first_weekday`` is 0
    for Monday; day 5 and 6 of the week have the level ``weekend``. By default there are more bursts
    than were measured, so that one day shows some. Each day has a sequence of its own.
    """
    if not (0 < peak_per_s < math.inf and 1 <= step_s <= _BLOCK_S and days >= 1 and bursts_per_day >= 0):
        raise ValueError("a day needs peak_per_s > 0, step_s from 1 to 600, days >= 1, bursts_per_day >= 0")
    for day in range(days):
        level = weekend if (first_weekday + day) % 7 >= 5 else 1.0
        yield from _one_day(day, peak_per_s * level, seed, step_s, bursts_per_day)


def _one_day(day: int, peak_per_s: float, seed: int, step_s: float, bursts: float) -> Iterator[Row]:
    chance = stream(seed, "day", str(day))
    wander = [math.exp(chance.gauss(0.0, _STEP_SHARE)) for _ in range(int(_DAY_S / _BLOCK_S))]
    starts: list[tuple[float, float]] = []
    at = chance.expovariate(bursts / _DAY_S) if bursts else _DAY_S
    while at < _DAY_S:
        starts.append((at, chance.uniform(1.3, 1.9)))
        at += chance.expovariate(bursts / _DAY_S)
    for step in range(int(_DAY_S / step_s)):
        t_s = step * step_s
        burst = math.prod(height for start, height in starts if start <= t_s < start + _BURST_S)
        requests = peak_per_s * step_s * _level(t_s / 3600) * wander[int(t_s / _BLOCK_S)] * burst
        yield Row(
            t_s=day * _DAY_S + t_s,
            step_s=step_s,
            requests=requests,
            prompt_tokens=requests * 334,
            output_tokens=requests * 58,
        )


def _level(hour: float) -> float:
    here = bisect_right(_CURVE, (hour, math.inf)) - 1
    (from_h, low), (to_h, high) = _CURVE[here], _CURVE[min(here + 1, len(_CURVE) - 1)]
    share = (hour - from_h) / (to_h - from_h) if to_h > from_h else 0.0
    return low + (high - low) * (1 - math.cos(math.pi * share)) / 2
