"""The autoscaler that hosted vendors bring along: up at once, down after a delay.

Source: Baseten's documentation, "Autoscaling"; those of other hosted vendors differ in numbers more than in
kind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals.windows import Held, Largest


@dataclass(frozen=True, slots=True)
class HostedSettings:
    """Settings of a deployment and their defaults."""

    concurrency_target: float = 1.0  # requests at once per replica
    utilisation: float = 0.7  # share of it; target utilisation
    window_s: float = 60.0  # autoscaling window
    scale_down_delay_s: float = 900.0
    scale_down_share_max: float = 1.0  # of the replicas set, per question; max scale-down rate


class Hosted:
    """Requests in flight are the queued and the running, averaged over the window.

    What is seen at a question stands for the interval before it. Replicas are removed when for the whole
    delay fewer were wanted: down to the most that was wanted in it. What is set at the first question counts
    as wanted then. How often the original looks is not published; here once an interval.
    """

    def __init__(self, task: Task, settings: HostedSettings = HostedSettings()) -> None:
        self._task = task
        self._settings = settings
        self._seen = Held(task.interval_s, settings.window_s)
        self._wanted: Largest | None = None  # replicas

    def tick(self, facts: Facts) -> int:
        """What is wanted now, or was within the delay."""
        after = facts.at - self._settings.scale_down_delay_s
        if self._wanted is None:
            self._wanted = Largest()
            self._wanted.with_new(facts.at, facts.replicas_set, after)
        self._seen.see(facts.at, facts.queued + facts.running)
        in_flight = self._seen.mean(facts.at, self._settings.window_s) or 0.0
        share = self._settings.concurrency_target * self._settings.utilisation
        most = self._wanted.with_new(facts.at, math.ceil(in_flight / share), after)
        return self._task.clip(max(most, self._least(facts)))

    def _least(self, facts: Facts) -> int:
        """The fewest that one step may leave; a step may always take one."""
        removable = math.floor(facts.replicas_set * self._settings.scale_down_share_max)
        return max(0, facts.replicas_set - max(1, removable))
