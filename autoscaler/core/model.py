"""The nouns of the system: what one tick saw, and what it decided.

Instants are seconds since the Unix epoch, UTC, as floats rounded to a millisecond by whoever
measured them. Durations are seconds. Money is USD. Absence is ``None`` or :class:`Absence`,
never a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Final, Literal, NamedTuple

from autoscaler.core.quick import quick


class Phase(StrEnum):
    """Neutral status of a deployment; every vendor's words map to one of these."""

    STARTING = "starting"  # no replica serves yet
    READY = "ready"  # serves and is at rest
    SCALING = "scaling"  # serves, its count or version is changing
    STOPPED = "stopped"  # none runs, on purpose
    FAILED = "failed"  # needs a person
    UNKNOWN = "unknown"  # a word that we do not know; never acted on


class ZeroCapability(StrEnum):
    """What a provider does with a count of zero."""

    EXACT = "exact"  # zero is a count like any other; only a scale call wakes it
    WAKES = "wakes"  # zero, and traffic wakes it
    STOP = "stop"  # zero is another call (stop and start); the adapter hides that
    IMPOSSIBLE = "impossible"  # at least one replica always


class ErrorKind(StrEnum):
    """The closed set of provider errors, as words for journals, metrics and snapshots."""

    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    UNAUTHORIZED = "unauthorized"
    NO_CAPACITY = "no_capacity"
    BAD_REPLY = "bad_reply"


class OutcomeWord(StrEnum):
    """What became of one write."""

    ACCEPTED = "accepted"  # taken by the provider; not yet delivered
    STALE = "stale"  # not sent: the world had moved, or a promise forbade it
    REJECTED = "rejected"  # the provider said no
    FAILED = "failed"  # the provider could not, or we do not know whether it did
    TIMEOUT = "timeout"  # no answer before the deadline; it may have been taken


class ReplicaRange(NamedTuple):
    """Replicas asked for, both ends included. An exact count has equal ends."""

    minimum: int
    maximum: int

    @property
    def is_exact(self) -> bool:
        """Whether both ends are one count."""
        return self.minimum == self.maximum


def exactly(replicas: int) -> ReplicaRange:
    """The range that holds one count only."""
    return ReplicaRange(replicas, replicas)


@quick
@dataclass(frozen=True, slots=True)
class Sample:
    """One dated value of a signal; ``at`` is when it was true, not when it was read."""

    value: float
    at: float

    @property
    def is_usable(self) -> bool:
        """Whether it is a finite number from zero, at a finite instant."""
        return 0.0 <= self.value < inf and -inf < self.at < inf


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a signal has no value now. ``reason`` is one of a small closed set of words."""

    reason: str  # missing empty nan infinite negative several_series not_a_number error timeout bad_reply
    detail: str = ""


Reading = Sample | Absence


@dataclass(frozen=True, slots=True)
class Price:
    """USD per GPU-hour, list price before tax; ``at`` is when the vendor was asked.

    A price of one configuration that the vendor rents as a whole says what that consists of; it is per
    GPU-hour all the same.
    """

    usd_per_gpu_hour: float
    at: float
    gpu_type: str | None = None  # of the configuration; None: the price is the GPU type's
    gpus: int | None = None  # in the configuration
    available: bool | None = None  # the vendor has it in stock; None is not known


@quick
@dataclass(frozen=True, slots=True)
class Observation:
    """What one provider says about one deployment now.

    ``error`` set and ``replicas`` None: it could not be read. ``error`` beside known ``replicas``: it was
    read, and is not to be written; ``evidence`` says why.
    """

    replicas: ReplicaRange | None  # last asked for
    ready: int | None = None  # serving; None is not known
    starting: int | None = None  # asked for and not serving; None: derive from the two above
    phase: Phase = Phase.READY
    gpu_type: str | None = None
    gpus_per_replica: int | None = None
    instance_type: str | None = None  # the vendor's name of GPUs and count, where prices go by it
    native: bool = False  # the vendor's own autoscaler moves the count inside the range
    wakes: bool = False  # traffic wakes it from zero
    zero: ZeroCapability = ZeroCapability.EXACT
    available: bool | None = None  # the vendor has GPUs of this type; None is not known
    busy: bool = False  # a change is pending and the vendor takes no other now
    start_up_p50_s: float | None = None  # as the vendor measured it; None is not known
    start_up_p90_s: float | None = None
    error: ErrorKind | None = None
    evidence: tuple[str, ...] = ()  # what a person wants to read: state details, last log lines


@dataclass(frozen=True, slots=True)
class Pause:
    """A person said: no writes. ``service`` None is the whole fleet; direction None is both."""

    service: str | None
    direction: str | None  # None or "down"
    until: float | None
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Override:
    """A person set limits. ``deployment`` None speaks of the service's total."""

    service: str
    deployment: str | None
    at_least: int | None
    at_most: int | None
    until: float | None
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Human:
    """All human acts in force, and the resumes that arrived since the last tick."""

    pauses: tuple[Pause, ...] = ()
    overrides: tuple[Override, ...] = ()
    resumes: tuple[str | None, ...] = ()  # a service, or None for the whole fleet


@quick
@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the write for one deployment."""

    service: str
    deployment: str
    outcome: OutcomeWord
    error: ErrorKind | None = None
    retry_after_s: float | None = None


@quick
@dataclass(frozen=True, slots=True)
class Snapshot:
    """The dated facts of one tick.

    ``signals`` is by service and signal; ``deployments`` by ``"service/deployment"``; ``prices`` by
    ``"provider/gpu_type"``, and by ``"provider/instance_type"`` where a vendor's prices go by that.
    ``human`` None: unchanged. ``outcomes`` None: unknown; empty: none.
    """

    at: float
    signals: Mapping[str, Mapping[str, Reading]] = field(default_factory=dict)
    deployments: Mapping[str, Observation] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)
    human: Human | None = None
    outcomes: tuple[Outcome, ...] | None = None
    clock: Literal["back", "ahead"] | None = None  # the wall clock jumped; ``at`` never goes back


def key_of(service: str, deployment: str) -> str:
    """The name of a deployment in snapshots and memory."""
    return f"{service}/{deployment}"


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """From -> to for one deployment, with a reason; a hold is one too.

    ``replicas_from`` and ``replicas_to`` are None where nothing was observed. The ranges differ from
    the counts only where the vendor has an autoscaler of its own.
    """

    service: str
    deployment: str
    replicas_from: int | None
    replicas_to: int | None
    reason: str
    why: str
    range_from: ReplicaRange | None = None
    range_to: ReplicaRange | None = None
    native: bool = False  # the vendor's own autoscaler moves the count inside the range

    @property
    def changes(self) -> bool:
        """Whether a write is due: the ranges differ."""
        return self.range_to is not None and self.range_to != self.range_from


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the account of a decision: which rule spoke, and what it did to the number."""

    rule: str  # a reason code or a policy's name
    before: int | None
    after: int | None
    text: str


@quick
@dataclass(frozen=True, slots=True)
class DeploymentEvidence:
    """The facts that a decision rests on, kept so that another can check it."""

    replicas_set: int | None = None
    replicas_ready: int | None = None  # counted as serving; last known where not known now
    replicas_starting: int = 0
    replicas_overdue: int = 0
    floor: int = 0  # strongest floor in force: min_replicas, at_least, override
    ceiling: int = 0  # strongest ceiling in force: max_replicas, override, at_most
    forced_ceiling: int = 0  # max_replicas and overrides alone
    override_floor: int | None = None
    price_usd_per_gpu_hour: float | None = None
    price_age_s: float | None = None
    usd_per_replica_hour: float | None = None
    start_up_p50_s: float = 0.0
    start_up_p90_s: float = 0.0
    obstacle: str | None = None  # why no write, or no increase, goes there
    steps: tuple[Step, ...] = ()
    replicas_asked: int | None = None  # where an accepted increase is not read back yet


@quick
@dataclass(frozen=True, slots=True)
class Opinion:
    """A policy's proposal as journalled: who, about what, and why."""

    policy: str
    kind: str
    deployment: str | None = None
    want: float | None = None
    at_least: int | None = None
    at_most: int | None = None
    blind: bool = False
    reason: str = ""


@quick
@dataclass(frozen=True, slots=True)
class ServiceEvidence:
    """The facts that a service's decisions rest on."""

    demand: float | None = None  # capacity units; None is not known
    want: float | None = None
    need: float = 0.0  # capacity units
    need_reason: str = "hold"
    blind: bool = False
    floor: int = 0  # replicas, service total
    ceiling: int = 0
    forced_ceiling: int = 0
    paused: str | None = None  # None, "down" or "both"
    overridden: bool = False
    opinions: tuple[Opinion, ...] = ()
    deployments: Mapping[str, DeploymentEvidence] = field(default_factory=dict)  # by name
    usd_per_hour: float | None = None  # of what is there now
    notes: tuple[str, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Plan:
    """All decisions of one tick, ordered by service and deployment name."""

    at: float
    decisions: tuple[Decision, ...]
    services: Mapping[str, ServiceEvidence] = field(default_factory=dict)
    brake: tuple[str, ...] = ()  # services that the fleet brake holds


REASONS: Final = frozenset(
    {
        *("hold", "baseline", "blind", "fallback", "stabilised", "moving", "step", "cooldown", "bounds"),
        *("floor_over_budget", "budget", "changing", "drift", "override", "paused", "stale", "overdue"),
        *("reassert", "no_capacity", "provider_error", "no_wake_signal", "clock", "brake"),
    }
)
"""Reason codes of the core; the kind of a policy is the only other reason."""
