r"""A lower bound on the bill of every scaler that keeps the promise, whatever it knows.

**Assumed.** The plant of :mod:`autoscaler.world`: one deployment with ``c`` places a replica, speed 1, served
first in, first out; a replica is billed from the request for it until its release; start-up times are dealt
from a sequence, in order of start; a removed replica drains and is billed meanwhile, still-starting ones are
removed first; replicas are asked for at ticks ``0, h, 2h, ...`` only, between ``min`` and ``max``; none fail.
``initial`` replicas serve at 0. Bill and lateness are counted until the end ``T`` of the last whole tick
(what follows only adds to a bill). Of the ``n`` requests of the horizon at most ``m = floor((1 - share) n)``
are late, i.e. wait longer than ``D``; one that waits at ``T`` is late if it has waited longer than ``D`` by
then.

**1. The bill, in ticks.** Replica ``k`` is asked for at tick ``i``, serves from ``i h + d_k`` and is gone at
``e``. It *touches* the ticks in which it serves or drains, ``n_k = ceil(e/h) - i - floor(d_k/h)`` of them,
and costs ``e - i h >= h n_k + s_k`` with ``s_k = h (floor(d_k/h) - 1)``. An initial replica costs at least
``h n_k - h``. A start that never serves costs at least ``h``. With ``M_t`` the number that touch tick ``t``::

    bill >= h sum(M_t) - h initial + sum(s_k over starts that served) + h (number of other starts)

**2. Starts.** The number of starts that served is at least ``U = sum (M_t - M_{t-1})+``. For any ``s >= 0``
the last two terms are at least ``s U - f(s)``, where ``f(s)`` is the largest prefix sum of ``max(s - s_k,
-h)`` over the sequence: each start that is dealt either serves, which costs ``s_k``, or is given up, ``h``.
So a scaler that looks for quick starts by giving up slow ones is covered. The sequence repeats when it runs
out; ``f(s)`` is finite if the sum over the whole sequence is not positive, and only such ``s`` are used.

**3. Work.** Let ``p_j(t)`` be how long request ``j`` has run by ``t`` and ``a_j``, ``v_j`` its arrival and
service time. ``p_j(t) <= A_j(t) = min(v_j, (t - a_j)+)``, as it runs at speed 1. With ``A, P`` the sums over
all requests, the *backlog* ``b = A - P`` is never negative, and in tick ``t`` it sinks by at most ``c h M_t``
from what it would have been. Dropped here: that requests are indivisible, sit on one replica, and run one
after another. The recursion ``b_{t+1} = max(0, b_t + A((t+1)h) - A(t h) - c h M_t)`` is thus never above the
true backlog.

**4. On time.** Look at the end ``t`` of a tick. *Overdue* are those with ``a_j < t - D`` that have not
started; by first in, first out they are the latest such arrivals, all of them late. Each other request with
``a_j < t - D`` has started. If it was on time, ``p_j(t) >= A_j(t - D)``. If it was late, it lacks at most
what it has still to run. Let ``Q_t`` be the sum of these lacks. Then::

    x_t = b_t - (A(t) - A(t - D)) = A(t - D) - P(t) <= Q_t + sum(A_j(t - D) over the overdue)

A late request that runs lacks at most ``v_j - y`` after ``y`` seconds, so over all ticks it adds at most
``q_j = v_j + (v_j - h)+ + (v_j - 2h)+ + ...`` to ``sum Q_t``: the sum of ``Q_t`` is at most the sum of
``q_j`` over the late.

**5. Counting the late.** Put request ``j`` in the group of the first tick whose end is after ``a_j + D``.
Groups share no request. If ``x_t > Q_t``, those of the tick's own group that are overdue are its latest ones:
so many that either all are, or their ``A_j(t - D)`` sum to ``x_t - Q_t`` at least.

**6. Prices.** For ``lateness >= 0`` and ``lack >= 0``, add to the bill of a scaler that keeps the promise two
terms that are not positive: ``lateness (late - m)`` and ``lack (sum Q_t - sum of q_j over the late)``. A late
request then adds ``lateness - lack q_j``, which is at least ``w_j = (lateness - lack q_j)+`` if 5 says that
it is late, and at least ``-(lack q_j - lateness)+`` in any case. Hence, with ``W_t(x)`` the sum of ``w_j``
over the requests that 5 finds for ``x``::

    bill >= least over M, Q of [ h sum M_t + s U + sum_t (lack Q_t + W_t(x_t - Q_t)) ]
            - h initial - f(s) - lateness m - sum (lack q_j - lateness)+

**7. The programme.** The least is found exactly by dynamic programming over ``(M_t, b_t)``
(:mod:`autoscaler.sim.clairvoyant.sweep`), ``M_t`` whole. The price of a tick never sinks with ``x``, so a
smaller backlog never costs more, which allows to round: ``A`` down to the grid (the backlog on it is then
below the true one plus one cell), ``A(t) - A(t - D)`` up plus that cell, prices down, backlogs beyond the
grid down to its largest; and to begin each segment of the horizon anew, from any state. Replicas beyond the
highest level (a draining one may come on top of ``max``) are granted for nothing: the highest level carries
any backlog. ``M_t`` is at most ``initial`` until the quickest start is through, and at least ``min`` from
when the first starts, which cannot be given up, must have served.

Any prices give a bound; the search only looks for good ones. So does counting only the first seconds of each
request, in steps 3 to 6. Beside it stands the plain bound: ``min`` replicas are billed in each tick, and at
``t = T`` step 4 leaves ``P(T) >= A(T - D)`` less the ``m`` largest ``A_j(T - D)``, which takes that over
``c`` of serving.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.sim.clairvoyant.load import Grid, Load, grid_of
from autoscaler.sim.clairvoyant.sweep import Programme, Reals, least_cost_s
from autoscaler.sim.facts import Task

_FLOAT_SUMS_S: Final = 0.01  # what sums of a million floats may be off by, and more


@dataclass(frozen=True, slots=True)
class Prices:
    """The multipliers of step 6, in replica-seconds per late request and per unit of lack."""

    lateness: float
    lack: float


@dataclass(frozen=True, slots=True)
class Starts:
    """Step 2: ``charge_s`` per start (``s``) less ``waived_s`` once (``f(s)``)."""

    charge_s: float
    waived_s: float


def start_charges(start_ups_s: Sequence[float], interval_s: float, starts_guessed: int) -> Starts | None:
    """The charge that is best for so many starts; None where no charge is finite.

    Candidates are whole quarters of a tick. A start below one tick has a negative cost in step 1.
    """
    costs = interval_s * (np.floor(np.asarray(start_ups_s, np.float64) / interval_s) - 1)
    best: Starts | None = None
    for charge_s in np.arange(0.0, max(0.0, float(costs.max())) + interval_s, interval_s / 4):
        sums = np.cumsum(np.maximum(charge_s - costs, -interval_s))
        if sums[-1] > 0:
            break
        found = Starts(float(charge_s), max(0.0, float(sums.max())))
        if best is None or _worth(found, starts_guessed) > _worth(best, starts_guessed):
            best = found
    return best


def _worth(starts: Starts, count: int) -> float:
    return starts.charge_s * count - starts.waived_s


@dataclass(frozen=True, slots=True)
class Bound:
    """Everything that does not depend on the prices, made once."""

    load: Load  # with the beginnings of very long requests only
    whole_service_s: Reals
    grid: Grid
    task: Task
    start_ups_s: Sequence[float]
    late_most: int
    starts: Starts | None
    highest: int

    @classmethod
    def of(
        cls,
        load: Load,
        task: Task,
        *,
        length_s: float,
        start_ups_s: Sequence[float],
        late_most: int,
        highest: int,
        starts_guessed: int,
    ) -> Bound:
        """``highest`` level is the caller's choice; ``starts_guessed`` only helps to choose the charge."""
        # Of a very long request only the beginning counts: that is less work in steps 3 to 6, which hold for
        # the beginnings too, but the lacks of the few longest weigh less.
        mean_s = float(load.service_s.mean()) if len(load.service_s) else 0.0
        longest_s = max(3 * task.interval_s, 6 * mean_s)
        cut = Load(load.arrived_s, np.minimum(load.service_s, longest_s), load.promise_wait_s)
        grid = grid_of(
            cut,
            ticks=int(length_s / task.interval_s + 1e-9),
            interval_s=task.interval_s,
            concurrency=task.concurrency,
            rounding=np.floor,
            carried=4 if highest <= 8 else 2 if highest <= 32 else 1,
        )
        starts = start_charges(start_ups_s, task.interval_s, starts_guessed)
        return cls(cut, load.service_s, grid, task, start_ups_s, late_most, starts, highest)

    @property
    def most_lack(self) -> float:
        """The largest ``q_j``."""
        lacks = most_lack(self.load.service_s, self.task.interval_s)
        return float(lacks.max(initial=0.0))

    @property
    def plain_s(self) -> float:
        """``min`` replicas are billed in each tick; what is not left to the late must be served."""
        end_s = self.grid.ticks * self.task.interval_s
        due = np.clip(end_s - self.load.promise_wait_s - self.load.arrived_s, 0.0, self.whole_service_s)
        left = np.sort(due)[len(due) - self.late_most :].sum()
        return max(self.task.min_replicas * end_s, float(due.sum() - left) / self.task.concurrency)

    def at(self, prices: Prices) -> float:
        """The bound in replica-seconds at these prices; ``plain_s`` where that is better, or all there is."""
        if self.starts is None or self.grid.ticks == 0 or not len(self.load.arrived_s):
            return self.plain_s
        lacks = most_lack(self.load.service_s, self.task.interval_s)
        found = least_cost_s(self._programme(prices, lacks, self.starts))
        free = np.maximum(prices.lack * lacks - prices.lateness, 0.0).sum()
        found -= self.task.interval_s * self.task.initial_replicas + self.starts.waived_s
        found -= prices.lateness * self.late_most + float(free)
        return max(found, self.plain_s)

    def _programme(self, prices: Prices, lacks: Reals, starts: Starts) -> Programme:
        """Steps 6 and 7."""
        task, ticks = self.task, self.grid.ticks
        lowest = min(task.min_replicas, task.initial_replicas)
        highest = max(self.highest, task.initial_replicas, task.min_replicas) + 1
        ends = np.arange(1, ticks + 1) * task.interval_s
        short_of_min = max(0, task.min_replicas - task.initial_replicas)
        dealt_first = (self.start_ups_s[k % len(self.start_ups_s)] for k in range(short_of_min))
        until = max(dealt_first, default=0.0)
        return Programme(
            lowest=lowest,
            highest=highest,
            first=task.initial_replicas,
            load=self.grid.load,
            carried=self.grid.carried,
            price_s=self._price(prices, lacks),
            held_s=task.interval_s,
            started_s=starts.charge_s,
            at_least=np.where(ends - task.interval_s >= until, task.min_replicas, lowest),
            at_most=np.where(ends <= min(self.start_ups_s), task.initial_replicas, highest),
            highest_carries_all=True,
        )

    def _price(self, prices: Prices, lacks: Reals) -> Reals:
        """``least over Q of lack Q + W_t(x - Q)`` for each tick and cell of backlog."""
        grid = self.grid
        allowed = np.ceil((grid.allowed_s + _FLOAT_SUMS_S) / grid.cell_s).astype(np.int64) + 1
        # So far that to stay at the end of the grid, where work vanishes, costs as much as all levels.
        most_s = self.highest * grid.interval_s / max(prices.lack, 1e-9)
        cells = int(allowed.max()) + 1 + math.ceil(most_s / grid.cell_s)
        weights = np.maximum(prices.lateness - prices.lack * lacks, 0.0)
        beyond = overdue_weights(self.load, grid, weights, cells)
        line = prices.lack * grid.cell_s * np.arange(cells)
        # The least over Q of a step function and a line: a running minimum once the line is taken off.
        beyond = np.minimum(np.minimum.accumulate(beyond - line, axis=1) + line, line)
        excess = np.clip(np.arange(cells)[None, :] - allowed[:, None], 0, cells - 1)
        price: Reals = np.take_along_axis(beyond, excess, axis=1)
        return price


def most_lack(service_s: Reals, interval_s: float) -> Reals:
    """``q_j`` of step 4."""
    more = np.floor(service_s / interval_s)
    lack: Reals = (more + 1) * service_s - interval_s * more * (more + 1) / 2
    return lack


def overdue_weights(load: Load, grid: Grid, weights: Reals, cells: int) -> Reals:
    """``W_t`` of step 5 and 6 (ticks, cells): for an excess of so many whole cells, 0 at none."""
    group = load.due_in(grid.ticks, grid.interval_s)
    counted = group < grid.ticks
    group, arrived, service = group[counted], load.arrived_s[counted], load.service_s[counted]
    run = np.minimum(service, load.ends_s(grid.ticks, grid.interval_s)[group] - load.promise_wait_s - arrived)
    sums = np.cumsum(run)
    last = np.searchsorted(group, np.arange(grid.ticks), side="right") - 1
    later = sums[np.maximum(last, 0)][group] - sums  # run by those after it in its group
    # Needed for an excess above what those after it have run. One cell more, as Q lies between cells too.
    cell = np.minimum(np.floor((later + _FLOAT_SUMS_S) / grid.cell_s).astype(np.int64) + 2, cells)
    flat = np.bincount(
        group * (cells + 1) + cell, weights=weights[counted], minlength=grid.ticks * (cells + 1)
    )
    summed: Reals = np.cumsum(flat.reshape(grid.ticks, cells + 1)[:, :cells], axis=1)
    return summed
