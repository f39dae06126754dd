"""The plant of one run: a world with a gateway per service, built anew for every scaler from one design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from autoscaler.core.model import key_of
from autoscaler.sim.demand import Demand
from autoscaler.world.gateway import Counters, Gateway
from autoscaler.world.happenings import Happening, schedule
from autoscaler.world.plant import DeploymentSpec, DeploymentStatus, OutOfStock, World

COUNTERS: Final = (
    "queued",
    "running",
    "arrived_total",
    "started_total",
    "late_total",
    "finished_total",
)
"""What a simulated gateway counts; a signal of one of these names is read from it."""

Signal = Callable[[Counters], float]


@dataclass(frozen=True, slots=True)
class PlantDeployment:
    """One deployment as the plant has it. The world knows it by its key, ``"service/deployment"``."""

    service: str
    name: str
    provider: str
    spec: DeploymentSpec
    min_replicas: int
    max_replicas: int

    @property
    def key(self) -> str:
        """Its name in snapshots and in the world."""
        return key_of(self.service, self.name)

    @property
    def usd_per_replica_hour(self) -> float:
        """What one replica costs at the start."""
        return self.spec.usd_per_gpu_hour * self.spec.gpus_per_replica

    @property
    def usd_per_place_hour(self) -> float:
        """What room for one request costs."""
        return self.usd_per_replica_hour / self.spec.concurrency


@dataclass(frozen=True, slots=True)
class PlantService:
    """One service: its demand, what waiting it promises, and what its signals mean."""

    name: str
    demand: Demand
    deployments: tuple[PlantDeployment, ...]
    signals: Mapping[str, Signal] = field(default_factory=dict)
    promise_wait_s: float = 10.0

    @property
    def main(self) -> PlantDeployment:
        """The deployment with the cheapest place: the one that a rival scales."""
        return min(self.deployments, key=lambda one: (one.usd_per_place_hour, one.name))


@dataclass(frozen=True, slots=True)
class Design:
    """Everything that all scalers of a comparison have in common, by service.

    ``starts_at`` is epoch seconds. ``stock`` is GPUs in all by type, where limited.
    """

    services: Mapping[str, PlantService]
    starts_at: float
    length_s: float
    seed: int = 0
    stock: Mapping[str, int] = field(default_factory=dict)
    happenings: tuple[Happening, ...] = ()


class Plant:
    """A built design: time passes, replicas can be asked for, and what is there can be read."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.world = World(design.seed, design.starts_at)
        for gpu_type, gpus in design.stock.items():
            self.world.set_stock(gpu_type, gpus)
        for service in design.services.values():
            for deployment in service.deployments:
                self.world.add(deployment.spec)
        schedule(self.world, design.happenings)
        self.gateways = {
            name: Gateway(
                self.world,
                name,
                [one.key for one in service.deployments],
                arrivals=service.demand.arrivals(name, design.seed, design.starts_at),
                promise_wait_s=service.promise_wait_s,
            )
            for name, service in design.services.items()
        }
        self._places = {one.key: one for service in design.services.values() for one in service.deployments}
        self.changes: dict[str, int] = dict.fromkeys(design.services, 0)  # replicas added and removed

    def status(self, key: str) -> DeploymentStatus:
        """Replicas and bill of a deployment, now."""
        return self.world.status(key)

    def place(self, key: str) -> PlantDeployment:
        """The deployment of this key."""
        return self._places[key]

    def ask(self, deployment: PlantDeployment, replicas: int) -> bool:
        """Ask for this many now. False: there are too few GPUs, and nothing was changed."""
        before = self.world.status(deployment.key).replicas_set
        if replicas == before:
            return True
        try:
            self.world.set_replicas(deployment.key, replicas, self.world.now)
        except OutOfStock:
            return False
        self.changes[deployment.service] += abs(replicas - before)
        return True
