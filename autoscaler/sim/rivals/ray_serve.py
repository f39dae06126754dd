"""Ray Serve's default autoscaling: requests per running replica, and a delay for each direction.

Source: Ray Serve, ``python/ray/serve/autoscaling_policy.py`` and the documentation of ``AutoscalingConfig``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals.windows import Held


@dataclass(frozen=True, slots=True)
class RayServeSettings:
    """Fields of ``AutoscalingConfig`` and their defaults, seconds and requests at once per replica."""

    target_ongoing_requests: float = 2.0
    upscale_delay_s: float = 30.0
    downscale_delay_s: float = 600.0
    downscale_to_zero_delay_s: float | None = None  # None: as downscale_delay_s
    look_back_period_s: float = 30.0
    upscaling_factor: float = 1.0  # of the difference
    downscaling_factor: float = 1.0


class _Direction(Enum):
    UP = auto()
    DOWN = auto()


class RayServe:
    """What is wanted follows from running replicas, delay and direction from the target: its own last answer.

    Requests at once are averaged over the look-back period, queued ones at the handles included; what is
    seen at a question stands for the interval before it. The original decides about every 0.1 s and counts
    decisions; here a delay is over at the first question at least that many seconds after the one at which
    the direction was first wanted. The first target is what is set at the first question.
    """

    def __init__(self, task: Task, settings: RayServeSettings = RayServeSettings()) -> None:
        self._task = task
        self._settings = settings
        self._seen = Held(task.interval_s, settings.look_back_period_s)
        self._target: int | None = None
        self._direction = _Direction.UP
        self._since: float | None = None

    def tick(self, facts: Facts) -> int:
        """One decision of the controller."""
        self._seen.see(facts.at, facts.queued + facts.running)
        requests = self._seen.mean(facts.at, self._settings.look_back_period_s) or 0.0
        target = facts.replicas_set if self._target is None else self._target
        self._target = self._task.clip(self._decide(facts, requests, target))
        return self._target

    def _decide(self, facts: Facts, requests: float, target: int) -> int:
        if facts.ready > 0:
            return self._delayed(facts.at, self._wanted(facts.ready, requests), target)
        if requests > 0:  # From zero at once, without a delay.
            return max(math.ceil(self._settings.upscaling_factor), target)
        return self._delayed(
            facts.at, target, target
        )  # While the first ones start, what was asked for stays.

    def _wanted(self, running: int, requests: float) -> int:
        settings = self._settings
        exact = running * (requests / (settings.target_ongoing_requests * running))
        factor = settings.upscaling_factor if exact > running else settings.downscaling_factor
        wanted = math.ceil(running + factor * (exact - running))
        if math.ceil(exact) < running and wanted == running:
            return wanted - 1  # A factor below one would be stuck here.
        return wanted

    def _delayed(self, at: float, wanted: int, target: int) -> int:
        if wanted == target:
            self._since = None
            return target
        if wanted > target:
            return wanted if self._is_over(at, _Direction.UP, self._settings.upscale_delay_s) else target
        delay_s = self._settings.downscale_delay_s
        if target == 1 and self._settings.downscale_to_zero_delay_s is not None:
            delay_s = self._settings.downscale_to_zero_delay_s
        if target > 1:
            wanted = max(1, wanted)  # Zero is reached from one, after a delay of its own.
        return wanted if self._is_over(at, _Direction.DOWN, delay_s) else target

    def _is_over(self, at: float, direction: _Direction, delay_s: float) -> bool:
        if self._since is None or direction is not self._direction:
            self._since, self._direction = at, direction
        if at - self._since < delay_s:
            return False
        self._since = None
        return True
