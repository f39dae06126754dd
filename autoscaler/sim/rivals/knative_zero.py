"""How Knative goes to zero and comes back: active, inactive with the activator in the path, gone.

Source: Knative serving, August 2026, ``pkg/reconciler/autoscaling/kpa/scaler.go``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from autoscaler.sim.facts import Facts


@dataclass(frozen=True, slots=True)
class ZeroSettings:
    """Keys of ``config-autoscaler`` and ``config-deployment``, and their defaults."""

    enabled: bool = True  # enable-scale-to-zero
    grace_s: float = 30.0  # scale-to-zero-grace-period
    retention_s: float = 0.0  # scale-to-zero-pod-retention-period
    progress_deadline_s: float = 600.0  # progress-deadline
    activation_buffer_s: float = 30.0  # added to it before an activation counts as failed; source code


class _Condition(Enum):
    ACTIVATING = auto()
    ACTIVE = auto()
    INACTIVE = auto()


class ToZero:
    """The condition of the revision, and what becomes of a decision for none.

    A revision that was active for a stable window becomes inactive; then its last replica goes once the
    activator has been in the path for the grace period. With the default burst capacity the activator always
    is for small services, and inactive and gone are one step.
    """

    def __init__(self, settings: ZeroSettings, stable_window_s: float) -> None:
        self._settings = settings
        self._stable_window_s = stable_window_s
        self._condition: _Condition | None = None
        self._since = 0.0  # of the condition
        self._proxied_since: float | None = None

    def decide(self, facts: Facts, wanted: int, is_proxied: bool) -> int:
        """Replicas to ask for when ``wanted`` are; what is set stays where nothing may be written."""
        self._observe(facts, wanted, is_proxied)
        if wanted > 0:
            return wanted
        if not self._settings.enabled:
            return 1
        if self._condition is _Condition.ACTIVATING:
            return 0 if self._has_failed_to_start(facts.at) else facts.replicas_set
        if self._condition is _Condition.ACTIVE:
            if facts.at - self._since < self._stable_window_s:
                return 1
            self._enter(_Condition.INACTIVE, facts.at)
        self._note_path(facts.at, is_proxied=True)
        return 0 if self._may_go(facts.at) else facts.replicas_set

    def _observe(self, facts: Facts, wanted: int, is_proxied: bool) -> None:
        if wanted > 0 or self._condition is not _Condition.INACTIVE:
            if facts.ready > 0:
                self._enter(_Condition.ACTIVE, facts.at)
            elif wanted > 0 or facts.replicas_set > 0:
                self._enter(_Condition.ACTIVATING, facts.at)
            else:
                self._enter(_Condition.INACTIVE, facts.at)
        self._note_path(facts.at, is_proxied or self._condition is _Condition.INACTIVE)

    def _enter(self, condition: _Condition, at: float) -> None:
        if condition is not self._condition:
            self._condition, self._since = condition, at

    def _note_path(self, at: float, is_proxied: bool) -> None:
        if not is_proxied:
            self._proxied_since = None
        elif self._proxied_since is None:
            self._proxied_since = at

    def _has_failed_to_start(self, at: float) -> bool:
        return at - self._since > self._settings.progress_deadline_s + self._settings.activation_buffer_s

    def _may_go(self, at: float) -> bool:
        # Inactive for the longer of grace and retention suffices too, but then the activator was in the path.
        proxied_s = at - self._proxied_since if self._proxied_since is not None else 0.0
        return proxied_s >= self._settings.grace_s and at - self._since >= self._settings.retention_s
