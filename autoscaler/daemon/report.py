"""What a tick hands over when it has ended, and what a person may ask of the running daemon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from autoscaler.core.fleet import Fleet, Service
from autoscaler.core.memory import Memory
from autoscaler.core.model import Human, Override, Pause, Plan, Snapshot
from autoscaler.core.shadow import Shadow
from autoscaler.core.start_up import start_up_s


@dataclass(frozen=True, slots=True)
class Standing:
    """How one service's shadow stands after a tick.

    ``shadow`` None: it has seen no tick yet. ``trouble`` says why it was set aside; None: it goes on.
    """

    policies: tuple[str, ...]
    shadow: Shadow | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class TickReport:
    """One whole tick, for metrics, API and page. Instants are epoch seconds, durations seconds.

    ``violations`` counts by promise, ``"1"`` to ``"12"``. ``start_ups`` are the samples learned in this tick,
    ``start_up_estimates`` p50 and p90, both by ``"service/deployment"``. ``scale_calls`` are provider and
    outcome of each write. ``drift_started`` names the deployments whose replicas somebody else changed.
    ``human`` holds the pauses and overrides in force now, ``labels`` people's own words by service.
    ``prices`` are USD per GPU-hour by ``"provider/key"``, last known and fixed ones. ``shadows`` are by
    service.
    """

    at: float
    fleet: Fleet
    snapshot: Snapshot
    plan: Plan
    duration_s: float = 0.0
    violations: Mapping[str, int] = field(default_factory=dict)
    start_ups: tuple[tuple[str, float], ...] = ()
    start_up_estimates: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    scale_calls: tuple[tuple[str, str], ...] = ()
    drift_started: tuple[str, ...] = ()
    human: Human = field(default_factory=Human)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    shadows: Mapping[str, Standing] = field(default_factory=dict)


def start_up_estimates(fleet: Fleet, memory: Memory) -> dict[str, tuple[float, float]]:
    """Learned time from scale call to ready, p50 and p90 in seconds, by ``"service/deployment"``."""
    return {
        one.key: (
            start_up_s(one, memory.deployments.get(one.key), 0.5),
            start_up_s(one, memory.deployments.get(one.key), 0.9),
        )
        for service in fleet.services.values()
        for one in service.deployments
    }


class ControlError(Exception):
    """Expected refusal of something that a person or a program asked for; the text is for that person."""


class UnknownName(ControlError):
    """No such thing here; ``known`` are the names that exist. HTTP 404."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no {what} {name!r}")
        self.known = tuple(sorted(known))


class Conflict(ControlError):
    """The wish lies outside of the configured bounds. HTTP 409."""

    def __init__(self, message: str, bounds: Mapping[str, int]) -> None:
        super().__init__(message)
        self.bounds = dict(bounds)


class Invalid(ControlError):
    """The wish makes no sense here; ``allowed`` says what would. HTTP 400."""

    def __init__(self, message: str, allowed: object = None) -> None:
        super().__init__(message)
        self.allowed = allowed


class Controls(Protocol):
    """The running daemon as the HTTP API sees it.

    Raises: :class:`UnknownName`, :class:`Conflict`, :class:`Invalid`; JournalError where the past could not
    be read, or a human act not be journalled (nothing has changed then).
    """

    def latest(self) -> TickReport | None:
        """The last whole tick; None before the first."""
        ...

    async def why(self, service: str, at: float | None) -> Mapping[str, Any]:
        """The recorded decision at this instant (None: the last), as JSON."""
        ...

    async def prices(self) -> Mapping[str, Any]:
        """Every price that is known, as JSON."""
        ...

    async def pause(self, pause: Pause) -> None:
        """No writes until ``pause.until``."""
        ...

    async def resume(self, service: str | None, direction: str | None, *, reason: str, actor: str) -> None:
        """End pauses, holds of drift and the brake; service None is the whole fleet."""
        ...

    async def override(self, override: Override) -> None:
        """Set limits until ``override.until``, in place of an earlier one for the same name."""
        ...

    async def clear_override(self, service: str, deployment: str | None, *, reason: str, actor: str) -> None:
        """End one deployment's override; deployment None: every override of the service."""
        ...

    async def push(self, service: str, signal: str, value: float, at: float) -> None:
        """Take one sample from outside."""
        ...

    def now(self) -> float:
        """The daemon's clock, epoch seconds."""
        ...

    def healthy(self) -> tuple[bool, str]:
        """Whether ticks go on, and a sentence that says so or why not."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Whether one whole tick has ended, and a sentence."""
        ...


def known_service(fleet: Fleet, service: str) -> Service:
    """The service of this name. Raises: UnknownName."""
    found = fleet.services.get(service)
    if found is None:
        raise UnknownName("service", service, fleet.services)
    return found


def check_override(fleet: Fleet, override: Override) -> None:
    """Refuse an override that names nothing, or asks for more than ``max_replicas``.

    Below ``min_replicas`` is allowed.

    Raises: UnknownName, Conflict, Invalid.
    """
    service = known_service(fleet, override.service)
    members = [one for one in service.deployments if override.deployment in (None, one.name)]
    if override.deployment is not None and not members:
        known = [one.name for one in service.deployments]
        raise UnknownName(f"deployment of {service.name}", override.deployment, known)
    low, high = override.at_least, override.at_most
    if low is not None and high is not None and low > high:
        raise Invalid(f"at_least {low} is above at_most {high}", "at_least <= at_most")
    ceiling = sum(one.max_replicas for one in members)
    for key, value in (("at_least", low), ("at_most", high)):
        if value is not None and value > ceiling:
            subject = service.name if override.deployment is None else f"{service.name}/{override.deployment}"
            bounds = {"min_replicas": sum(one.min_replicas for one in members), "max_replicas": ceiling}
            raise Conflict(f"{key} {value} is above max_replicas {ceiling} of {subject}", bounds)
