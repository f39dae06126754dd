"""What the daemon knows from before this tick: immutable values, made by a fold over the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from autoscaler.core.model import ErrorKind, Human, Observation, Price, ReplicaRange, Sample
from autoscaler.core.quick import quick

SAMPLES_MAX: Final = 50
"""Start-up times kept per deployment."""

SAMPLES_MIN: Final = 5
"""Start-up times needed before they replace the configured prior."""

INTENTS_MAX: Final = 8
"""Writes remembered as ours; older ones have been superseded many times over."""

DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Intent:
    """A write that we meant, from the moment it was journalled.

    ``accepted`` None: nobody knows whether it was taken. It stays ours until its ``deadline``, whatever
    stale reads say.
    """

    range_from: ReplicaRange
    range_to: ReplicaRange
    at: float
    deadline: float
    accepted: bool | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Replicas up to the ``count``-th are expected to serve by ``deadline``."""

    count: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Backoff:
    """No increase (``no_capacity``) or no write at all (the other kinds) until then."""

    kind: ErrorKind
    until: float
    repeats: int


@quick
@dataclass(frozen=True, slots=True)
class DeploymentMemory:
    """One deployment, as it was left by the last tick that could read it."""

    watching_since: float
    set_when_resumed: int  # what was set when watching (re)started
    last: Observation  # the last one that could be read
    last_at: float
    replicas_set: int
    ready: int  # serving; carried on while not known
    starting: int
    read_back: ReplicaRange  # the range that counts as ours
    ready_known: bool = True
    intents: tuple[Intent, ...] = ()  # oldest first
    changes: tuple[tuple[float, int], ...] = ()  # when, and by how many replicas, oldest first
    last_change_at: float | None = None
    batches: tuple[Batch, ...] = ()
    reasserts: int = 0  # how often in a row the same count was asked for again
    scaling_since: float | None = None
    start_ups_s: tuple[float, ...] = ()
    measuring: tuple[float, int] | None = None  # when asked for, and the count that ends it
    backoff: Backoff | None = None
    drift_until: float | None = None
    drifts: tuple[float, ...] = ()  # starts of holds within a day
    left_alone_until: float | None = None

    @property
    def billed(self) -> int:
        """Replicas that cost money: max(set, ready + starting)."""
        return max(self.replicas_set, self.ready + self.starting)

    def pending(self, at: float) -> Intent | None:
        """The newest increase or decrease that was accepted and is not read back yet."""
        if not self.intents:
            return None
        newest = self.intents[-1]
        if newest.accepted and newest.range_to != self.last.replicas and at <= newest.deadline:
            return newest
        return None


@quick
@dataclass(frozen=True, slots=True)
class ServiceMemory:
    """One service's past, as far as it matters now."""

    watching_since: float
    wants: tuple[tuple[float, float], ...] = ()  # (when, want), a falling staircase: later smaller wants only
    demand_seen_at: float | None = None  # last tick with demand above zero
    blind_since: float | None = None
    need: float | None = None  # of the last tick
    kept: bool = False  # the last tick kept everything that was set: blind, brake or clock
    had_demand: bool = False
    brake_until: float | None = None
    clock_hold_until: float | None = None
    history: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # learned state by policy name


@quick
@dataclass(frozen=True, slots=True)
class Memory:
    """The daemon's whole memory. ``Memory()`` knows nothing."""

    at: float | None = None
    config_hash: str = ""
    services: Mapping[str, ServiceMemory] = field(default_factory=dict)
    deployments: Mapping[str, DeploymentMemory] = field(default_factory=dict)
    human: Human = field(default_factory=Human)
    prices: Mapping[str, Price] = field(default_factory=dict)
    writes_limited_until: Mapping[str, float] = field(default_factory=dict)  # by provider
