"""The multiplier that just keeps the promise, and the prices that make the bound high."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from autoscaler.sim.clairvoyant.bound import Bound, Prices
from autoscaler.sim.clairvoyant.planner import Planner
from autoscaler.sim.clairvoyant.trial import Bench, Tried

TRIES: Final = 6
_FIRST: Final = 4.0  # times the replica-seconds of a mean request
_LEAST, _MOST = 1.0, 400.0  # the same; below 1 it is cheaper not to serve
_STEP: Final = math.log(3.0)
_MARGIN: Final = 0.998  # of the late that are allowed: the stand-in queue is not exact
_CLOSE: Final = 0.95  # of the late that are allowed: nearer is not worth another try

_LACKS: Final = (0.4, 0.6)  # of the price of a place
_LATENESS: Final = 0.67  # of the lateness at which a late request never pays for its lack


@dataclass(slots=True)
class _Bracket:
    """Natural logarithms of multipliers, and of late requests over allowed ones."""

    low: tuple[float, float] | None = None  # too many late
    high: tuple[float, float] | None = None  # not too many

    def add(self, at: float, excess: float) -> None:
        if excess <= 0:
            self.high = (at, excess)
        else:
            self.low = (at, excess)

    def next(self) -> float:
        """By a secant, kept off the ends; beyond the known one by a step."""
        if self.low is None or self.high is None:
            return self.high[0] - _STEP if self.high is not None else self.low[0] + _STEP if self.low else 0.0
        (low, above), (high, below) = self.low, self.high
        share = min(0.9, max(0.1, above / (above - below)))
        return low + (high - low) * share


def kept_plans(
    bench: Bench, *, highest: int, late_most: int, strictness: float, progress: Callable[[float], None]
) -> list[Tried]:
    """Plans that keep the promise on the stand-in queue, cheapest first; may be empty.

    ``strictness`` is the planner's. ``progress`` is told the share of this search that is done.
    """
    planner = Planner.of(bench, highest=highest, strictness=strictness)
    tried = _by_multiplier(planner, late_most * _MARGIN, progress)
    progress(1.0)
    kept = [one for one in tried if one.late <= late_most * _MARGIN]
    return sorted(kept, key=lambda one: one.billed_replica_s)


def _by_multiplier(planner: Planner, late_most: float, progress: Callable[[float], None]) -> list[Tried]:
    bench = planner.bench
    mean_s = sum(bench.service_s) / max(1, bench.requests) / bench.task.concurrency
    least, most = math.log(mean_s * _LEAST), math.log(mean_s * _MOST)
    at, bracket, tried = math.log(mean_s * _FIRST), _Bracket(), list[Tried]()
    for number in range(TRIES):
        found = bench.play(planner.targets(math.exp(at)))
        tried.append(found)
        progress((number + 1) / TRIES)
        if _CLOSE * late_most <= found.late <= late_most:
            break
        bracket.add(at, math.log((found.late + 0.5) / (late_most + 0.5)))
        following = min(most, max(least, bracket.next()))
        if following == at:
            break
        at = following
    return tried


def best_bound(bound: Bound, *, progress: Callable[[float], None]) -> float:
    """The best of some prices, in replica-seconds."""
    best = bound.plain_s
    for number, share in enumerate(_LACKS):
        lack = share / bound.task.concurrency
        best = max(best, bound.at(Prices(_LATENESS * lack * bound.most_lack, lack)))
        progress((number + 1) / len(_LACKS))
    return best
