"""Known demand as a fluid: the load it would offer if nothing ever waited, and when that is due.

Let ``A(t)`` be the work done by ``t`` if every request started on arrival: the sum over requests of
``min(service, t - arrival)``, in requests-at-once times seconds. No scaler can have done more by ``t``. A
request that starts within the promised wait ``D`` is never more than ``D`` behind that, so if all are on
time, at least ``A(t - D)`` is done by ``t``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.sim.clairvoyant.sweep import Reals, Whole
from autoscaler.sim.facts import KnownDemand


@dataclass(frozen=True, slots=True)
class Load:
    """Demand of one horizon, in seconds from its start; arrays of equal length, in order of arrival."""

    arrived_s: Reals
    service_s: Reals
    promise_wait_s: float

    def done_at_once(self, at_s: Reals) -> Reals:
        """``A`` at these instants."""
        return _ramps(self.arrived_s, at_s) - _ramps(np.sort(self.arrived_s + self.service_s), at_s)

    def ends_s(self, ticks: int, interval_s: float) -> Reals:
        """The ends of so many ticks."""
        return (np.arange(1, ticks + 1) * interval_s).astype(np.float64)

    def due_in(self, ticks: int, interval_s: float) -> Whole:
        """For each request the first tick that ends after the promised wait is over; ``ticks`` for none."""
        ends = self.ends_s(ticks, interval_s) - self.promise_wait_s
        return np.searchsorted(ends, self.arrived_s, side="right").astype(np.int64)


def load_of(demand: KnownDemand, *, starts_at: float, length_s: float, promise_wait_s: float) -> Load:
    """The requests that arrive within the horizon.

    Raises: ValueError where the two columns differ in length, or times are not finite, in order and >= 0.
    """
    arrived = np.asarray(demand.arrived_at, np.float64) - starts_at
    service = np.asarray(demand.service_s, np.float64)
    if arrived.shape != service.shape or arrived.ndim != 1:
        raise ValueError(f"{len(demand.arrived_at)} arrivals for {len(demand.service_s)} service times")
    if not (np.isfinite(arrived).all() and np.isfinite(service).all() and (service >= 0).all()):
        raise ValueError("arrivals and service times must be finite, service times 0 or more")
    if (np.diff(arrived) < 0).any():
        raise ValueError("arrivals must be in order of time")
    inside = (arrived >= 0) & (arrived < length_s)
    return Load(arrived[inside], service[inside], promise_wait_s)


def _ramps(from_s: Reals, at_s: Reals) -> Reals:
    """Sum of ``max(0, t - from)`` over all, at each ``t``; ``from_s`` ascending."""
    begun = np.searchsorted(from_s, at_s)
    sums = np.concatenate([[0.0], np.cumsum(from_s)])
    ramps: Reals = begun * at_s - sums[begun]
    return ramps


@dataclass(frozen=True, slots=True)
class Grid:
    """The load on ticks and cells of ``cell_s`` (requests-at-once x seconds).

    ``load`` (ticks) sums to ``A``, rounded to whole cells, at each tick. ``allowed_s`` (ticks) is ``A(t) -
    A(t - D)``, the backlog at the end of the tick with which everybody can be on time.
    """

    interval_s: float
    cell_s: float
    carried: int
    load: Whole
    allowed_s: Reals

    @property
    def ticks(self) -> int:
        """How many."""
        return len(self.load)


def grid_of(
    load: Load, *, ticks: int, interval_s: float, concurrency: int, carried: int, rounding: np.ufunc
) -> Grid:
    """The load in ticks; a replica carries ``carried`` cells in one, ``rounding`` is ``np.floor`` or
    ``np.ceil``."""
    cell_s = concurrency * interval_s / carried
    ends = load.ends_s(ticks, interval_s)
    done = load.done_at_once(ends)
    cells = rounding(np.maximum.accumulate(np.maximum(done, 0.0)) / cell_s).astype(np.int64)
    due = load.done_at_once(ends - load.promise_wait_s)
    return Grid(interval_s, cell_s, carried, np.diff(cells, prepend=0), np.maximum(done - due, 0.0))
