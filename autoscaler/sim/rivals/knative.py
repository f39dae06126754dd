"""The Knative Pod Autoscaler (KPA) on concurrency: a calm window, a panic window, and a way to zero.

Source: Knative serving, August 2026, ``pkg/autoscaler/scaling/autoscaler.go`` and ``config-autoscaler``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals.knative_zero import ToZero, ZeroSettings
from autoscaler.sim.rivals.windows import Held, Largest

TARGET_MIN: Final = 0.01
"""No target is below it, in requests at once."""


@dataclass(frozen=True, slots=True)
class KnativeSettings:
    """Keys of ``config-autoscaler`` and their defaults. The total target is the task's concurrency."""

    utilisation: float = 0.7  # share of it; container-concurrency-target-percentage
    stable_window_s: float = 60.0  # stable-window
    panic_window_percent: float = 10.0  # of the stable window; panic-window-percentage
    panic_threshold_percent: float = 200.0  # of what is ready; panic-threshold-percentage
    scale_up_rate_max: float = 1000.0  # times what is ready, per evaluation; max-scale-up-rate
    scale_down_rate_max: float = 2.0  # divides what is ready, per evaluation; max-scale-down-rate
    scale_down_delay_s: float = 0.0  # scale-down-delay
    burst_capacity: float = 211.0  # requests at once; target-burst-capacity
    initial_scale: int = 1  # replicas; initial-scale
    activation_scale: int = 1  # replicas; activation-scale
    tick_s: float = 2.0  # one bucket of the scale-down delay; the autoscaler's own interval
    zero: ZeroSettings = field(default_factory=ZeroSettings)


class Knative:
    """One question is one evaluation, where the original makes one every 2 s.

    Concurrency is all requests, queued ones included (the activator counts those). What is seen at a question
    stands for the interval before it: with 15 s the stable window is the mean of four questions, the panic
    window (6 s) the present one. Rate limits bind once a question. Without a ready replica the
    activator alone reports: requests, and once that there are none any more. When nobody reported for a whole
    stable window the last decision stays.
    """

    def __init__(self, task: Task, settings: KnativeSettings = KnativeSettings()) -> None:
        self._task = task
        self._settings = settings
        self._target = max(TARGET_MIN, task.concurrency * settings.utilisation)
        self._panic_window_s = settings.stable_window_s * settings.panic_window_percent / 100
        self._seen = Held(task.interval_s, settings.stable_window_s)
        self._panic_since: float | None = None
        self._panic_most = 0
        self._delay_ticks = math.ceil(settings.scale_down_delay_s / settings.tick_s)
        self._desired = Largest()
        self._decision: int | None = None
        self._is_first = True
        self._had_requests = False
        self._has_reached_initial = False
        self._to_zero = ToZero(settings.zero, settings.stable_window_s)

    def tick(self, facts: Facts) -> int:
        """One evaluation, and what the way to zero makes of it."""
        self._begin(facts)
        concurrency = facts.queued + facts.running
        if facts.ready > 0 or concurrency > 0 or self._had_requests:
            self._seen.see(facts.at, concurrency)
        self._had_requests = concurrency > 0
        stable = self._seen.mean(facts.at, self._settings.stable_window_s)
        panic = self._seen.mean(facts.at, self._panic_window_s) or 0.0
        if stable is not None:
            self._decision = self._evaluate(facts, stable, panic)
        decision = facts.replicas_set if self._decision is None else self._decision
        is_proxied = self._excess_burst_capacity(facts, panic) < 0
        return self._task.clip(self._to_zero.decide(facts, self._bounded(facts, decision), is_proxied))

    def _begin(self, facts: Facts) -> None:
        if self._is_first and facts.ready > 1:  # Just restarted: take nothing away before a window is full.
            self._panic_since, self._panic_most = facts.at, facts.ready
        self._is_first = False

    def _evaluate(self, facts: Facts, stable: float, panic: float) -> int:
        settings = self._settings
        ready = max(1, facts.ready)
        calm, hasty = self._within_rates(stable, ready), self._within_rates(panic, ready)
        is_over = math.ceil(panic / self._target) / ready >= settings.panic_threshold_percent / 100
        if is_over:
            self._panic_since = facts.at
        elif self._panic_since is not None and self._panic_since + settings.stable_window_s < facts.at:
            self._panic_since, self._panic_most = None, 0
        desired = calm
        if self._panic_since is not None:  # Never down in panic.
            self._panic_most = desired = max(self._panic_most, calm, hasty)
        tick = math.floor(facts.at / settings.tick_s)
        return self._desired.with_new(tick, desired, after=tick - self._delay_ticks)

    def _within_rates(self, mean: float, ready: int) -> int:
        wanted = math.ceil(mean / self._target)
        up = math.ceil(self._settings.scale_up_rate_max * ready)
        down = math.floor(ready / self._settings.scale_down_rate_max)
        limited = min(max(wanted, down), up)
        return max(limited, self._settings.activation_scale) if wanted > 0 else limited

    def _excess_burst_capacity(self, facts: Facts, panic: float) -> float:
        """Places beyond the burst to be ready for; below zero the activator stays in the path."""
        capacity = self._settings.burst_capacity
        if capacity in (0, -1):
            return capacity
        return math.floor(facts.ready * self._task.concurrency - capacity - panic)

    def _bounded(self, facts: Facts, decision: int) -> int:
        self._has_reached_initial |= facts.ready >= self._settings.initial_scale
        low = 0 if self._has_reached_initial else self._settings.initial_scale
        return self._task.clip(max(low, decision))
