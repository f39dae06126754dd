"""KEDA over the Kubernetes HPA: two loops, one for the step between zero and one, one for all others.

Source: KEDA 2.21, ``pkg/scaling/executor`` and its documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals.hpa import HorizontalPodAutoscaler, HpaSettings


@dataclass(frozen=True, slots=True)
class KedaSettings:
    """``hpa`` is the object that KEDA makes; its metric is an ``AverageValue``."""

    hpa: HpaSettings
    polling_interval_s: float = 30.0  # documentation: pollingInterval
    cooldown_s: float = 300.0  # documentation: cooldownPeriod
    initial_cooldown_s: float = 0.0  # documentation: initialCooldownPeriod
    activation_threshold: float = 0.0  # requests; documentation: activationThreshold


class Keda:
    """One trigger, the sum of queued and running requests.

    The operator looks every ``polling_interval_s``, at the first question that is due: it starts the first
    replica, and takes all of them, **from any count in one write**, when the trigger was last active more
    than ``cooldown_s`` ago and the minimum is zero. In between the HPA decides, never below one; it syncs at
    every question at which the operator writes nothing, and leaves zero alone.

    Left out, for the simulated service has none of it: ``idleReplicaCount``, pauses, failing triggers with
    their fallback, cron triggers.
    """

    def __init__(self, task: Task, settings: KedaSettings) -> None:
        self._task = task
        self._settings = settings
        least = max(1, task.min_replicas)
        self._hpa = HorizontalPodAutoscaler(settings.hpa, least, max(least, task.max_replicas))
        self._created: float | None = None
        self._polled: float | None = None
        self._last_active: float | None = None

    def tick(self, facts: Facts) -> int:
        """What the operator writes, else what the HPA does."""
        if self._created is None:
            self._created = facts.at
        written = self._poll(facts, self._created) if self._is_due(facts.at) else None
        return self._task.clip(self._hpa.sync(facts) if written is None else written)

    def _is_due(self, at: float) -> bool:
        return self._polled is None or at - self._polled >= self._settings.polling_interval_s

    def _poll(self, facts: Facts, created: float) -> int | None:
        """What the operator writes, if it does."""
        self._polled = facts.at
        replicas, least = facts.replicas_set, self._task.min_replicas
        if facts.queued + facts.running > self._settings.activation_threshold:
            self._last_active = facts.at
            return max(least, 1) if replicas == 0 else None
        if replicas > 0 and least == 0:
            return 0 if self._has_cooled_down(facts.at, created) else None
        return least if replicas < least else None

    def _has_cooled_down(self, at: float, created: float) -> bool:
        if self._last_active is None:
            return created + self._settings.initial_cooldown_s < at
        return self._last_active + self._settings.cooldown_s < at
