"""Views for policies to look at, and a small plant that makes them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.core.model import Sample
from autoscaler.core.proposals import DeploymentView, View

AT = 1_800_000_000.0


def a_view(
    signals: Mapping[str, float] | None = None,
    *,
    missing: Mapping[str, str] | None = None,
    exists_at_zero: tuple[str, ...] = (),
    history: Mapping[str, Mapping[float, float]] | None = None,
    replicas_ready: int | None = 2,
    start_up_p90_s: float = 600.0,
    state: Mapping[str, Any] | None = None,
    at: float = AT,
) -> View:
    """A service on replicas of 16. ``signals`` are fresh; ``history`` is by signal and age in seconds."""
    return View(
        service="chat",
        at=at,
        signals={name: Sample(value, at) for name, value in (signals or {}).items()},
        missing=missing or {},
        exists_at_zero=frozenset(exists_at_zero),
        history={
            name: tuple(Sample(value, at - age_s) for age_s, value in sorted(past.items(), reverse=True))
            for name, past in (history or {}).items()
        },
        deployments=(
            DeploymentView(
                "exo-a5000", "exo", "gpua5000", 1, 16.0, replicas_ready, replicas_ready, 1.1, 60.0
            ),
        ),
        replicas_ready=replicas_ready,
        start_up_p50_s=start_up_p90_s,
        start_up_p90_s=start_up_p90_s,
        state=state or {},
    )


@dataclass
class Plant:
    """Requests that arrive evenly, wait in one queue and take ``service_s`` each; nothing is random."""

    service_s: float
    capacity_at: Callable[[float], int]
    rate_at: Callable[[float], float]
    now: float = 0.0
    queue: int = 0
    ends: list[float] = field(default_factory=list)
    arrived: int = 0
    started: int = 0
    owed: float = 0.0

    STEP_S = 0.5

    def run(self, until: float) -> None:
        """Let time pass in small steps."""
        while self.now < until:
            self.now += self.STEP_S
            while self.ends and self.ends[0] <= self.now:
                heapq.heappop(self.ends)
            self.owed += self.rate_at(self.now) * self.STEP_S
            arrivals = int(self.owed + 1e-9)
            self.owed -= arrivals
            self.arrived += arrivals
            self.queue += arrivals
            while self.queue and len(self.ends) < self.capacity_at(self.now):
                self.queue -= 1
                self.started += 1
                heapq.heappush(self.ends, self.now + self.service_s)


def views_of(
    plant: Plant, *, until_s: float, interval_s: float, counters: bool, start_up_p90_s: float
) -> Iterator[View]:
    """One view per tick of the plant, with two minutes of history, as the core makes them.

    The state of the last ``remember`` must be set by the caller, through :func:`with_state`.
    """
    past: dict[str, deque[Sample]] = {}
    while plant.now < until_s:
        plant.run(plant.now + interval_s)
        values: dict[str, float] = {"queued": plant.queue, "running": len(plant.ends)}
        if counters:
            values |= {"arrived_total": plant.arrived, "started_total": plant.started}
        at = AT + plant.now
        for name, value in values.items():
            kept = past.setdefault(name, deque())
            kept.append(Sample(float(value), at))
            while kept[0].at < at - 120.0:
                kept.popleft()
        yield View(
            service="chat",
            at=at,
            signals={name: kept[-1] for name, kept in past.items()},
            missing={},
            exists_at_zero=frozenset({"queued"}),
            history={name: tuple(kept) for name, kept in past.items()},
            deployments=(),
            replicas_ready=2,
            start_up_p50_s=start_up_p90_s,
            start_up_p90_s=start_up_p90_s,
        )
