"""Targets tried on the stand-in queue: what they cost and how many were late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.sim.clairvoyant import queue
from autoscaler.sim.clairvoyant.fleet import lives
from autoscaler.sim.clairvoyant.load import Load
from autoscaler.sim.facts import Task


@dataclass(frozen=True, slots=True)
class Tried:
    """Targets, one a tick, and what they led to."""

    targets: list[int]
    late: int
    billed_replica_s: float


@dataclass(frozen=True, slots=True)
class Bench:
    """The demand and the plant of one search; the two lists are the load's columns, for speed."""

    load: Load
    task: Task
    length_s: float
    start_ups_s: Sequence[float]
    arrived_s: list[float]
    service_s: list[float]

    @classmethod
    def of(cls, load: Load, task: Task, *, length_s: float, start_ups_s: Sequence[float]) -> Bench:
        """The same, from the load alone."""
        return cls(load, task, length_s, start_ups_s, load.arrived_s.tolist(), load.service_s.tolist())

    @property
    def requests(self) -> int:
        """How many arrive within the horizon."""
        return len(self.arrived_s)

    @property
    def ticks(self) -> int:
        """How many targets there are; the last tick may be cut short by the end."""
        return math.ceil(self.length_s / self.task.interval_s - 1e-9)

    def holding(self, replicas: int) -> Tried:
        """The same count always."""
        return self.play([replicas] * self.ticks)

    def play(self, targets: list[int]) -> Tried:
        """These targets."""
        fleet = lives(
            targets,
            initial=self.task.initial_replicas,
            interval_s=self.task.interval_s,
            start_ups_s=self.start_ups_s,
            length_s=self.length_s,
        )
        late, billed_s = queue.run(
            self.arrived_s,
            self.service_s,
            fleet,
            initial=self.task.initial_replicas,
            concurrency=self.task.concurrency,
            length_s=self.length_s,
            promise_wait_s=self.load.promise_wait_s,
        )
        return Tried(targets, late, billed_s)
