"""A forecast that repeats the last day, with a margin priced by what a missing and an idle place cost.

Source: the seasonal naive method and the newsvendor's critical ratio, as textbooks of forecasting and of
inventory have them; nobody's product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals.seasonal import DAY_S, SeasonalRate


@dataclass(frozen=True, slots=True)
class SeasonalNewsvendorSettings:
    """``shortage_cost`` is what a missing place costs where an idle one costs 1; seconds otherwise."""

    shortage_cost: float = 19.0
    ahead_s: float = 300.0  # what is started now must do for the time until something else can be ready
    recent_s: float = 300.0
    season_s: float = DAY_S


class SeasonalNewsvendor:
    """Places for the forecast and its chance, in whole replicas.

    The forecast is the arrival rate of the ``ahead_s`` that followed the same time of the last day; where
    that is not known, or was lower than the rate of the last ``recent_s``, it is the latter. Rate x mean
    service time is the mean number of requests at once, ``m``; were all served at once, their number would
    follow Poisson's law, taken as normal with variance ``m``. Of it the quantile of the critical
    ratio, shortage cost / (shortage cost + 1), is taken: ``m + z sqrt(m)`` places. One replica stays while
    anything is queued or running. There is no delay and no memory of a queue: what waits is not counted. In
    the first ``recent_s`` nothing is given back, for there is no rate yet.
    """

    def __init__(
        self,
        task: Task,
        settings: SeasonalNewsvendorSettings = SeasonalNewsvendorSettings(),
    ) -> None:
        self._task = task
        self._settings = settings
        self._arrivals = SeasonalRate(task.interval_s, settings.season_s)
        self._began_at: float | None = None
        self._margin = NormalDist().inv_cdf(settings.shortage_cost / (settings.shortage_cost + 1))

    def tick(self, facts: Facts) -> int:
        """Replicas for the forecast."""
        self._arrivals.see(facts.at, facts.arrived)
        at_once = self._forecast(facts.at) * self._task.service_s
        places = max(0.0, at_once + self._margin * math.sqrt(at_once))
        replicas = math.ceil(places / self._task.concurrency)
        has_work = facts.queued + facts.running > 0
        kept = facts.replicas_set if self._is_new(facts.at) else 0
        return self._task.clip(max(replicas, kept, 1 if has_work else 0))

    def _is_new(self, at: float) -> bool:
        if self._began_at is None:
            self._began_at = at
        return at - self._began_at < self._settings.recent_s

    def _forecast(self, at: float) -> float:
        recent = self._arrivals.recent(at, self._settings.recent_s)
        return max(recent, self._arrivals.last_season(at, self._settings.ahead_s) or 0.0)
