"""SkyServe's request-rate autoscaler: requests per second, and a change that was wanted so often in a row.

Source: SkyPilot, ``sky/serve/autoscalers.py``, ``RequestRateAutoscaler``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals.windows import Held


@dataclass(frozen=True, slots=True)
class SkyServeSettings:
    """``target_qps_per_replica`` is requests per second; SkyServe has no default for it."""

    target_qps_per_replica: float
    upscale_delay_s: float = 300.0  # documentation: upscale_delay_seconds
    downscale_delay_s: float = 1200.0  # documentation: downscale_delay_seconds
    qps_window_s: float = 60.0  # source code


class SkyServe:
    """Rates alone: neither the queue nor what is running counts.

    The original decides every 20 s (5 s at zero) and counts decisions in a row, ``int(delay / 20)``. Asked
    once an interval it counts questions, ``int(delay / interval)``. Requests of an interval that reaches
    beyond the window count by their share; the window is divided by its whole length from the start on.
    Starting replicas do not matter: the target is its own last answer, at first what is set.

    Left out: overprovisioning and on-demand fallback (0 and none by default), GPU types (there is one), and
    the initial delay, which is how long a replica may take to start.
    """

    def __init__(self, task: Task, settings: SkyServeSettings) -> None:
        self._task = task
        self._settings = settings
        self._arrived = Held(task.interval_s, settings.qps_window_s)
        self._up_at = int(settings.upscale_delay_s / task.interval_s)
        self._down_at = int(settings.downscale_delay_s / task.interval_s)
        self._ups = 0
        self._downs = 0
        self._target: int | None = None

    def tick(self, facts: Facts) -> int:
        """One decision."""
        self._arrived.see(facts.at, facts.arrived)
        if self._target is None:
            self._target = self._task.clip(facts.replicas_set)
        self._target = self._decide(self._wanted(facts.at), self._target)
        return self._target

    def _wanted(self, at: float) -> int:
        requests = self._arrived.total(at, self._settings.qps_window_s)
        rate = requests / self._settings.qps_window_s
        return self._task.clip(math.ceil(rate / self._settings.target_qps_per_replica))

    def _decide(self, wanted: int, target: int) -> int:
        if target == 0:
            return wanted
        if wanted > target:
            self._ups, self._downs = self._ups + 1, 0
            if self._ups >= self._up_at:
                self._ups = 0
                return wanted
        elif wanted < target:
            self._ups, self._downs = 0, self._downs + 1
            if self._downs >= self._down_at:
                self._downs = 0
                return wanted
        else:
            self._ups = self._downs = 0
        return target
