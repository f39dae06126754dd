"""What one run left: a bill, waits, changes, and one value per tick of what a plot shows."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class DeploymentSeries:
    """One value per tick for one deployment. Replicas are counts."""

    provider: str
    capacity_per_replica: float
    replicas_set: array[int] = field(default_factory=lambda: array("i"))
    ready: array[int] = field(default_factory=lambda: array("i"))
    starting: array[int] = field(default_factory=lambda: array("i"))


@dataclass(slots=True)
class ServiceSeries:
    """One value per tick for one service; the totals count up from the start of the run.

    ``reason`` holds, for each tick, an index into ``reasons``: where the decision of that tick came from
    (the reason code of the deployment that changed, else of the first one).
    """

    deployments: dict[str, DeploymentSeries]  # by name
    at: array[float] = field(default_factory=lambda: array("d"))  # epoch seconds
    queued: array[int] = field(default_factory=lambda: array("i"))
    running: array[int] = field(default_factory=lambda: array("i"))
    arrived_total: array[int] = field(default_factory=lambda: array("q"))
    late_total: array[int] = field(default_factory=lambda: array("q"))
    usd_total: array[float] = field(default_factory=lambda: array("d"))
    reason: array[int] = field(default_factory=lambda: array("B"))
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ServiceResult:
    """One service in one run.

    ``late`` requests waited longer than ``promise_wait_s``; those that wait at the end count with their age.
    ``p50_s`` and the others are waits in the queue; None where nothing arrived. ``changes`` are replicas
    added and removed. ``billed_replica_s`` and ``usd`` are until the end, draining replicas included.
    ``reasons`` counts ticks by where the decision came from.
    """

    name: str
    promise_wait_s: float
    requests: int
    late: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    usd: float
    gpu_hours: float
    billed_replica_s: float
    changes: int
    reasons: Mapping[str, int]
    series: ServiceSeries | None = None  # None: was not recorded

    @property
    def on_time_share(self) -> float | None:
        """Share of requests within the promised wait; None where nothing arrived."""
        return 1.0 - self.late / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class RunResult:
    """One scaler over the same demand and the same plant as the others.

    ``kind``: our decision with a configuration, a rival, or the plan that knew the future. ``violations``
    are promises broken in this run, by number. ``notes`` are what a reader must know of this run.
    ``usd_lower_bound``: no plan that keeps the promises can cost less; told by a run that knows it.
    """

    name: str
    kind: Literal["config", "rival", "clairvoyant"]
    starts_at: float
    length_s: float
    interval_s: float
    services: Mapping[str, ServiceResult]
    violations: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    took_s: float = 0.0  # real seconds
    usd_lower_bound: float | None = None

    @property
    def requests(self) -> int:
        """Requests of all services."""
        return sum(one.requests for one in self.services.values())

    @property
    def late(self) -> int:
        """Late requests of all services."""
        return sum(one.late for one in self.services.values())

    @property
    def on_time_share(self) -> float | None:
        """Share of all requests within their promised wait; None where nothing arrived."""
        requests = self.requests
        return 1.0 - self.late / requests if requests else None

    @property
    def usd(self) -> float:
        """The whole bill."""
        return sum(one.usd for one in self.services.values())

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of all services."""
        return sum(one.gpu_hours for one in self.services.values())

    @property
    def changes_per_hour(self) -> float:
        """Replicas added and removed, per hour."""
        hours = self.length_s / 3600
        return sum(one.changes for one in self.services.values()) / hours if hours else 0.0
