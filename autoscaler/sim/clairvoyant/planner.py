"""From a multiplier, the price of one late request, to targets.

Here the backlog is kept as it is in a queue, and each request that is due in a tick is late with a share that
rises with the backlog: none up to half of what :class:`~autoscaler.sim.clairvoyant.load.Grid` allows, all
from one and a half of it on. The ramp stands for what a fluid does not know: that requests are lumps and
places are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from autoscaler.sim.clairvoyant.fleet import targets_for
from autoscaler.sim.clairvoyant.load import Grid, Load, grid_of
from autoscaler.sim.clairvoyant.sweep import Programme, Reals, Whole, best_levels
from autoscaler.sim.clairvoyant.trial import Bench
from autoscaler.sim.facts import Task

_RAMP: Final = 0.5
_RUN_OVER: Final = 1.6  # the grid reaches so far beyond the largest backlog that is on time
_BUSIEST_S: Final = 60.0
_PEAK_QUANTILE: Final = 0.999
_SPARE_LEVELS: Final = 2
_LOOK_AHEAD_S: Final = 3600.0  # far beyond any start-up


@dataclass(frozen=True, slots=True)
class Planner:
    """The programme but for its price, and how many a price is for: late requests, by tick and backlog."""

    bench: Bench
    programme: Programme
    late: Reals

    @classmethod
    def of(cls, bench: Bench, *, highest: int, strictness: float = 1.0) -> Planner:
        """Levels up to ``highest``; ``strictness`` above 1 lets requests count as late sooner."""
        task, ticks = bench.task, bench.ticks
        lowest = min(task.min_replicas, task.initial_replicas)
        highest = max(highest, task.initial_replicas, task.min_replicas)
        grid = grid_of(
            bench.load,
            ticks=ticks,
            interval_s=task.interval_s,
            concurrency=task.concurrency,
            rounding=np.ceil,  # a single request must not vanish
            carried=cells_per_replica(highest),
        )
        late = _late(bench, grid, strictness)
        most = np.minimum(_ready_at_most(task, bench.start_ups_s, ticks), highest)
        programme = Programme(
            lowest=lowest,
            highest=highest,
            first=task.initial_replicas,
            load=grid.load,
            carried=grid.carried,
            price_s=late,
            held_s=task.interval_s,
            started_s=float(np.mean(bench.start_ups_s)),
            at_least=np.minimum(task.min_replicas, most),
            at_most=most,
        )
        return cls(bench, programme, late)

    def targets(self, multiplier: float) -> list[int]:
        """What to ask for where a late request costs so many replica-seconds."""
        programme = replace(self.programme, price_s=self.late * multiplier)
        task = self.bench.task
        levels = best_levels(programme, look_ahead=math.ceil(_LOOK_AHEAD_S / task.interval_s))
        targets = targets_for(
            levels,
            initial=task.initial_replicas,
            interval_s=task.interval_s,
            start_ups_s=self.bench.start_ups_s,
        )
        return [task.clip(target) for target in targets]


def useful_levels(load: Load, concurrency: int) -> int:
    """Replicas that carry the minute around 999 of 1000 requests, and two more."""
    if not len(load.arrived_s):
        return 1
    around = load.arrived_s
    half_s = _BUSIEST_S / 2
    at_once = (load.done_at_once(around + half_s) - load.done_at_once(around - half_s)) / _BUSIEST_S
    return math.ceil(float(np.quantile(at_once, _PEAK_QUANTILE)) / concurrency) + _SPARE_LEVELS


def cells_per_replica(highest: int) -> int:
    """Of one replica-tick; large plants need a fine grid less, and pay more for it."""
    return 4 if highest <= 16 else 2 if highest <= 32 else 1


def _late(bench: Bench, grid: Grid, strictness: float) -> Reals:
    """Requests that are late, by tick and backlog."""
    allowed = grid.allowed_s / grid.cell_s / strictness
    cells = int(_RUN_OVER * allowed.max(initial=0.0) * strictness) + 2 * grid.carried
    over = np.arange(cells)[None, :] - 0.5 - allowed[:, None] * (1 - _RAMP)
    share = np.clip(over / (allowed[:, None] * 2 * _RAMP + 1.0), 0.0, 1.0)
    due = bench.load.due_in(grid.ticks, grid.interval_s)
    return share * np.bincount(due, minlength=grid.ticks + 1)[: grid.ticks, None]


def _ready_at_most(task: Task, start_ups_s: Sequence[float], ticks: int) -> Whole:
    """How many can serve at the start of each tick if all that is allowed is asked for in the first."""
    room = max(0, task.max_replicas - task.initial_replicas)
    through = np.sort(np.resize(np.asarray(start_ups_s, np.float64), room))
    ready = np.searchsorted(through, np.arange(ticks) * task.interval_s, side="right")
    return (task.initial_replicas + ready).astype(np.int64)
