"""NVIDIA Dynamo's planner for one pool: a reactive loop of single steps over a floor from a forecast.

Source: NVIDIA Dynamo, ``components/src/dynamo/planner/core``: load-based scaling in easy mode, and
throughput-based scaling as its lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals.seasonal import DAY_S, SeasonalRate


@dataclass(frozen=True, slots=True)
class DynamoSettings:
    """Thresholds are shares of what an engine holds; those of the target ``throughput``, the default."""

    up_above: float = 1.0  # source code
    down_below: float = 0.6  # source code
    throughput_interval_s: float = 180.0  # throughput_adjustment_interval
    min_endpoint: int = 1  # engines; min_endpoint
    engine_utilisation: float = 1.0  # share of its places at which an engine still keeps its SLA; profiled
    season_s: float = DAY_S  # seconds; ours, see Dynamo


class Dynamo:
    """One engine is one replica, what it holds is the task's concurrency.

    **Load**, asked once an interval where the original asks every 5 s: nothing while replicas start, for then
    it only observes. Otherwise one more when an engine is over ``up_above``, one less when all are under
    ``down_below`` and more than one runs. The queue waits in front of all engines here, so requests are taken
    to be spread evenly, and the fullest engine decides both. Without an engine there is nothing to judge.

    **Throughput**, at the first question that is due: the requests predicted for the next interval over what
    an engine serves within its SLA, ``utilisation x concurrency / service_s``, is the floor of the load loop
    until the next time. It
    lifts also where the load loop has no wish. The prediction is the same time of the last day, and the last
    interval while there is none; the original's default is ARIMA.

    It never goes below ``min_endpoint``, so not to zero. The GPU budget is the task's maximum, one GPU a
    replica.
    """

    def __init__(self, task: Task, settings: DynamoSettings = DynamoSettings()) -> None:
        self._task = task
        self._settings = settings
        places = task.concurrency * settings.engine_utilisation
        self._engine_rate = places / task.service_s  # requests per second
        self._least = max(settings.min_endpoint, task.min_replicas)
        self._arrivals = SeasonalRate(task.interval_s, settings.season_s)
        self._floor = self._least
        self._floor_at: float | None = None

    def tick(self, facts: Facts) -> int:
        """The load loop's step, not below the floor."""
        self._arrivals.see(facts.at, facts.arrived)
        if self._floor_at is None or facts.at - self._floor_at >= self._settings.throughput_interval_s:
            self._floor, self._floor_at = self._predicted(facts.at), facts.at
        if facts.starting > 0:
            return self._task.clip(facts.replicas_set)
        return self._task.clip(max(self._step(facts), self._floor))

    def _predicted(self, at: float) -> int:
        ahead_s = self._settings.throughput_interval_s
        rate = self._arrivals.last_season(at, ahead_s)
        if rate is None:
            rate = self._arrivals.recent(at, ahead_s)
        return max(math.ceil(rate / self._engine_rate), self._least)

    def _step(self, facts: Facts) -> int:
        engines = facts.ready
        if engines == 0:
            return 0
        fullest = math.ceil((facts.queued + facts.running) / engines) / self._task.concurrency
        if fullest > self._settings.up_above:
            return engines + 1
        if fullest < self._settings.down_below and engines > 1:
            return max(engines - 1, self._least)
        return engines
