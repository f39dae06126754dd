"""A deployment of the simulated plant: what it is, and how it and its replicas stand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from autoscaler.world.start_up import StartUp, StartUpTime


class ReplicaState(StrEnum):
    """Where a replica is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"  # removed, finishing what it runs; still billed
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """What a deployment is, apart from its replica count.

    ``concurrency`` is requests at once per replica. ``speed`` divides service times. ``drain_s`` is
    how long a removed ready replica drains where no gateway carries traffic to it.

    ``billing_block_s`` is what a replica is billed in, rounded up; 0: by the second. ``mean_life_s`` is the
    mean of an exponential law, after which a replica that serves dies; None: never. A start-up ends
    without a replica with the probability ``start_up_failure_share``, and begins anew.
    """

    id: str
    name: str
    gpu_type: str
    gpus_per_replica: int = 1
    concurrency: int = 4
    usd_per_gpu_hour: float = 1.0
    start_up: StartUpTime = field(default_factory=lambda: StartUp(180.0, 400.0))
    initial_replicas: int = 0  # ready at once
    speed: float = 1.0
    drain_s: float = 0.0
    billing_block_s: float = 0.0
    mean_life_s: float | None = None
    start_up_failure_share: float = 0.0

    def __post_init__(self) -> None:
        if self.gpus_per_replica < 1 or self.concurrency < 1 or self.initial_replicas < 0:
            raise ValueError(f"deployment {self.name!r}: needs at least one GPU and one place, replicas >= 0")
        if self.speed <= 0 or self.drain_s < 0 or self.usd_per_gpu_hour < 0:
            raise ValueError(f"deployment {self.name!r}: needs speed > 0, drain_s and price >= 0")
        if not 0 <= self.billing_block_s < math.inf:
            raise ValueError(
                f"deployment {self.name!r}: billing_block_s is {self.billing_block_s}, needs to be 0 or more"
            )
        if self.mean_life_s is not None and not 0 < self.mean_life_s < math.inf:
            raise ValueError(
                f"deployment {self.name!r}: mean_life_s is {self.mean_life_s}, needs to be above 0, or None"
            )
        if not 0 <= self.start_up_failure_share < 1:
            raise ValueError(
                f"deployment {self.name!r}: start_up_failure_share is {self.start_up_failure_share},"
                " needs to be 0 or more, and below 1"
            )


@dataclass(slots=True, eq=False)
class Replica:
    """One copy of the model. Changed by the world only."""

    deployment_id: str
    number: int  # counts up within its deployment
    state: ReplicaState = ReplicaState.STARTING
    turn: int = -1  # of the world's clock that is set for it; earlier ones are void


class DeploymentStatus(NamedTuple):
    """A deployment now. ``ready + starting == replicas_set``, always. A tuple, because one is made for every
    deployment in every tick."""

    replicas_set: int
    ready: int
    starting: int
    draining: int
    billed_replica_s: float
    billed_usd: float
    start_ups_failed: int  # since a replica last became ready


@dataclass(frozen=True, slots=True)
class WorldEvent:
    """Something that happened; ``kind`` is one of added, removed, set, requested, ready, draining,
    released, killed, start_up_failed. ``replica`` is its number where one is meant."""

    at: float
    deployment_id: str
    kind: str
    replica: int | None
    status: DeploymentStatus
