"""What a scaler is told at one tick, and how it is asked: the same for every rival.

A rival scales one deployment of one service, in whole replicas, from what it could see in real life. It
does not know the future, with one exception, which says so: the clairvoyant plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Facts:
    """One service at one tick. ``at`` is epoch seconds, the others are counts.

    ``queued`` wait in front of the replicas, ``running`` are being served, ``arrived`` since the last tick.
    ``ready`` replicas serve, ``starting`` were asked for and do not yet; draining ones are in neither.
    """

    at: float
    queued: int
    running: int
    arrived: int
    ready: int
    starting: int

    @property
    def replicas_set(self) -> int:
        """What was last asked for."""
        return self.ready + self.starting


@dataclass(frozen=True, slots=True)
class Task:
    """What a rival is set up with, before the first tick.

    ``concurrency`` is requests at once per replica, ``initial_replicas`` what runs at the first tick. The
    rest is for rivals that size themselves from known demand: ``peak_at_once`` is the work that the busiest
    minute offers (rate x mean service time, in requests at once), ``service_s`` the mean time of one request.
    """

    min_replicas: int
    max_replicas: int
    concurrency: int
    interval_s: float
    initial_replicas: int = 0
    peak_at_once: float = 0.0
    service_s: float = 8.0

    def clip(self, replicas: int) -> int:
        """Within the bounds."""
        return max(self.min_replicas, min(self.max_replicas, replicas))


class Rival(Protocol):
    """Somebody else's way to scale, for one service. Holds its own state; asked once a tick, in order."""

    def tick(self, facts: Facts) -> int:
        """Replicas to ask for now, within the task's bounds."""
        ...


@dataclass(frozen=True, slots=True)
class KnownDemand:
    """All requests of one service, in order of arrival: for those who know the future.

    ``arrived_at`` are epoch seconds, ``service_s`` how long each runs on a replica of speed 1.
    """

    arrived_at: Sequence[float] = field(repr=False)
    service_s: Sequence[float] = field(repr=False)
