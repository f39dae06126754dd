"""Deployments and their replicas: asked for, starting, serving, draining, billed."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from autoscaler.world.chance import stream
from autoscaler.world.start_up import StartUp


class OutOfStock(Exception):
    """The provider has too few free GPUs of a type; nothing was changed."""

    def __init__(self, gpu_type: str, gpus_wanted: int, gpus_free: int) -> None:
        super().__init__(f"{gpus_wanted} more GPUs of type {gpu_type!r} wanted, {gpus_free} free")
        self.gpu_type = gpu_type
        self.gpus_wanted = gpus_wanted
        self.gpus_free = gpus_free


class UnknownDeployment(LookupError):
    """No such deployment in this world."""


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
    """

    id: str
    name: str
    gpu_type: str
    gpus_per_replica: int = 1
    concurrency: int = 4
    usd_per_gpu_hour: float = 1.0
    start_up: StartUp = field(default_factory=lambda: StartUp(180.0, 400.0))
    initial_replicas: int = 0  # ready at once
    speed: float = 1.0
    drain_s: float = 0.0

    def __post_init__(self) -> None:
        if self.gpus_per_replica < 1 or self.concurrency < 1 or self.initial_replicas < 0:
            raise ValueError(f"deployment {self.name!r}: needs at least one GPU and one place, replicas >= 0")
        if self.speed <= 0 or self.drain_s < 0 or self.usd_per_gpu_hour < 0:
            raise ValueError(f"deployment {self.name!r}: needs speed > 0, drain_s and price >= 0")


@dataclass(slots=True, eq=False)
class Replica:
    """One copy of the model. Changed by the world only."""

    deployment_id: str
    number: int  # counts up within its deployment
    state: ReplicaState = ReplicaState.STARTING


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


@dataclass(frozen=True, slots=True)
class Work:
    """Requests of one deployment: running now, and those that ended, with the time that these ran."""

    running: int = 0
    finished_total: int = 0
    finished_busy_s: float = 0.0


class Traffic(Protocol):
    """What carries requests to replicas: told of every change, and run up to every instant."""

    def run_until(self, until: float) -> None:
        """Carry all traffic up to and including this instant."""
        ...

    def join(self, replica: Replica, spec: DeploymentSpec, at: float) -> None:
        """The replica serves from now."""
        ...

    def leave(self, replica: Replica, at: float) -> bool:
        """The replica takes nothing new. True: it runs nothing. False: ``release`` will be called."""
        ...

    def crash(self, replica: Replica, at: float) -> None:
        """The replica is dead; what it ran goes back to the front of the queue."""
        ...

    def work(self, deployment_id: str) -> Work:
        """What this deployment's replicas run, and have run until now."""
        ...


@dataclass(slots=True, eq=False)
class _Plant:
    """One deployment's replicas and its bill."""

    spec: DeploymentSpec
    chance: random.Random
    alive: list[Replica] = field(default_factory=list)
    starting: int = 0
    ready: int = 0
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    settled_at: float = 0.0
    billed_replica_s: float = 0.0
    billed_usd: float = 0.0
    start_ups_to_fail: int = 0
    start_ups_failed: int = 0
    usd_per_gpu_hour: float = 0.0
    removed: bool = False

    def settle(self, now: float) -> None:
        elapsed_s = max(0.0, now - self.settled_at)
        replica_s = elapsed_s * len(self.alive)
        self.billed_replica_s += replica_s
        self.billed_usd += replica_s * self.spec.gpus_per_replica * self.usd_per_gpu_hour / 3600
        self.settled_at = max(self.settled_at, now)

    def birth(self) -> Replica:
        replica = Replica(self.spec.id, next(self.numbers))
        self.alive.append(replica)
        self.starting += 1
        return replica

    def turn(self, replica: Replica, state: ReplicaState) -> None:
        """Every change of state goes through here, so that the counts are always right."""
        self.starting += (state is ReplicaState.STARTING) - (replica.state is ReplicaState.STARTING)
        self.ready += (state is ReplicaState.READY) - (replica.state is ReplicaState.READY)
        replica.state = state
        if state is ReplicaState.GONE:
            self.alive.remove(replica)

    def having(self, state: ReplicaState) -> list[Replica]:
        return [replica for replica in self.alive if replica.state is state]

    def status(self) -> DeploymentStatus:
        return DeploymentStatus(
            self.starting + self.ready,
            self.ready,
            self.starting,
            len(self.alive) - self.starting - self.ready,
            self.billed_replica_s,
            self.billed_usd,
            self.start_ups_failed,
        )


class World:
    """The plant. Every method first lets time pass to ``now`` (epoch seconds).

    An instant before ``world.now`` counts as ``world.now``: the world's time never goes back.
    Within one ``advance`` the events of one deployment are told in order of time.
    """

    def __init__(self, seed: int = 0, now: float = 0.0) -> None:
        self.seed = seed
        self.now = now
        self._plants: dict[str, _Plant] = {}
        self._stock: dict[str, int] = {}
        # When a start-up or a drain ends. A replica has at most one; it is void once the replica is gone.
        self._due: list[tuple[float, int, Replica]] = []
        self._calls: list[tuple[float, int, Callable[[float], None]]] = []
        self._turn = itertools.count()
        self._listeners: list[Callable[[WorldEvent], None]] = []
        self._traffic: list[Traffic] = []
        self._traffic_of: dict[str, Traffic] = {}
        self._stirred = False  # traffic may have something to do at ``now`` that it has not done

    # --- what there is --------------------------------------------------------------------------

    @property
    def deployment_ids(self) -> tuple[str, ...]:
        """All that were added and not removed, in order of adding."""
        return tuple(id_ for id_, plant in self._plants.items() if not plant.removed)

    @property
    def stock(self) -> Mapping[str, int]:
        """GPUs in all by type, where limited."""
        return dict(self._stock)

    def spec(self, deployment_id: str) -> DeploymentSpec:
        """What this deployment is. Raises: UnknownDeployment."""
        return self._plant(deployment_id).spec

    def status(self, deployment_id: str) -> DeploymentStatus:
        """Replicas and bill at ``world.now``. Raises: UnknownDeployment."""
        plant = self._plant(deployment_id)
        plant.settle(self.now)
        return plant.status()

    def gpus_used(self, gpu_type: str) -> int:
        """GPUs of this type that replicas hold, draining ones included."""
        return sum(
            len(plant.alive) * plant.spec.gpus_per_replica
            for plant in self._plants.values()
            if plant.spec.gpu_type == gpu_type
        )

    def gpus_free(self, gpu_type: str) -> int | None:
        """GPUs of this type that can still be had; None is unlimited."""
        if gpu_type not in self._stock:
            return None
        return max(0, self._stock[gpu_type] - self.gpus_used(gpu_type))

    def billed_usd(self) -> float:
        """Spend of all deployments until ``world.now``, removed ones included."""
        for plant in self._plants.values():
            plant.settle(self.now)
        return sum(plant.billed_usd for plant in self._plants.values())

    def subscribe(self, listener: Callable[[WorldEvent], None]) -> None:
        """Be told of every event from now on; the listener must not change the world."""
        self._listeners.append(listener)

    def work(self, deployment_id: str) -> Work:
        """What runs there at ``world.now``; nothing where no gateway carries traffic to it.

        Raises: UnknownDeployment.
        """
        self._plant(deployment_id)
        traffic = self._traffic_of.get(deployment_id)
        return Work() if traffic is None else traffic.work(deployment_id)

    def call_at(self, at: float, callback: Callable[[float], None]) -> None:
        """Call once with the instant when time reaches it; the callback may change the world, and ask
        for the next call. What lies in the past is called at the next advance."""
        heapq.heappush(self._calls, (at, next(self._turn), callback))

    def attach(self, traffic: Traffic, deployment_ids: tuple[str, ...]) -> None:
        """Let this carrier serve these deployments. Raises: UnknownDeployment, ValueError (taken)."""
        for id_ in deployment_ids:
            self._plant(id_)
            if id_ in self._traffic_of:
                raise ValueError(f"deployment {id_!r} has a gateway already")
        self._traffic.append(traffic)
        self._stirred = True
        for id_ in deployment_ids:
            self._traffic_of[id_] = traffic
            for replica in self._plants[id_].having(ReplicaState.READY):
                traffic.join(replica, self._plants[id_].spec, self.now)

    # --- what can be done -----------------------------------------------------------------------

    def add(self, spec: DeploymentSpec, now: float | None = None, *, start: bool = False) -> None:
        """A new deployment; its first replicas serve at once, or with ``start`` must start up.

        Raises: OutOfStock; ValueError if the id is taken.
        """
        if spec.id in self._plants:
            raise ValueError(f"deployment {spec.id!r} exists already")
        self.advance(self.now if now is None else now)
        self._take_gpus(spec, spec.initial_replicas)
        plant = _Plant(spec, stream(self.seed, "start-up", spec.id), settled_at=self.now)
        plant.usd_per_gpu_hour = spec.usd_per_gpu_hour
        self._plants[spec.id] = plant
        self._tell("added", plant)
        for _ in range(spec.initial_replicas):
            replica = plant.birth()
            if start:
                self._start(plant, replica)
            else:
                plant.turn(replica, ReplicaState.READY)
        self.advance(self.now)

    def remove(self, deployment_id: str, now: float) -> None:
        """No such deployment any more; ready replicas drain. Its bill stays in ``billed_usd``."""
        self.set_replicas(deployment_id, 0, now)
        plant = self._plant(deployment_id)
        plant.removed = True
        self._tell("removed", plant)

    def set_replicas(self, deployment_id: str, replicas: int, now: float) -> None:
        """Ask for this many: absolute, idempotent.

        Still-starting ones are removed first, newest first; then ready ones, newest first, which drain.
        Raises: UnknownDeployment, OutOfStock (nothing changed), ValueError below zero.
        """
        if replicas < 0:
            raise ValueError(f"replicas must be 0 or more, not {replicas}")
        self.advance(now)
        plant = self._plant(deployment_id)
        starting, ready = plant.having(ReplicaState.STARTING), plant.having(ReplicaState.READY)
        added = replicas - len(starting) - len(ready)
        self._take_gpus(plant.spec, added)
        plant.settle(self.now)
        for _ in range(added):
            self._start(plant, plant.birth())
        for replica in [*reversed(starting), *reversed(ready)][: max(0, -added)]:
            self._take_away(plant, replica)
        if added:
            self._tell("set", plant)
        self.advance(self.now)

    def kill_replica(self, deployment_id: str, now: float) -> bool:
        """The oldest ready replica fails and starts anew, billed on. False: none is ready."""
        self.advance(now)
        plant = self._plant(deployment_id)
        replica = next(iter(plant.having(ReplicaState.READY)), None)
        if replica is None:
            return False
        if (traffic := self._traffic_of.get(deployment_id)) is not None:
            traffic.crash(replica, self.now)
            self._stirred = True
        self._start(plant, replica, "killed")
        self.advance(self.now)
        return True

    def start_up_fails(self, deployment_id: str, start_ups: int, now: float) -> None:
        """The next so many start-ups of this deployment end without a ready replica, and begin anew."""
        self.advance(now)
        self._plant(deployment_id).start_ups_to_fail = max(0, start_ups)

    def set_stock(self, gpu_type: str, gpus: int | None) -> None:
        """GPUs of this type in all, None for no limit; what is held already stays held."""
        if gpus is None:
            self._stock.pop(gpu_type, None)
        else:
            self._stock[gpu_type] = max(0, gpus)

    def set_price(self, deployment_id: str, usd_per_gpu_hour: float, now: float) -> None:
        """Another price from ``now``."""
        self.advance(now)
        plant = self._plant(deployment_id)
        plant.settle(self.now)
        plant.usd_per_gpu_hour = usd_per_gpu_hour

    def release(self, replica: Replica, at: float) -> None:
        """A draining replica has finished its last request; billing ends. Called by gateways."""
        plant = self._plants[replica.deployment_id]
        plant.settle(at)
        plant.turn(replica, ReplicaState.GONE)
        self._tell("released", plant, replica, at)

    def advance(self, now: float) -> None:
        """Let time pass: start-ups end, requests are served, draining replicas go."""
        now = max(now, self.now)
        while self._calls and self._calls[0][0] <= now:
            at, _, callback = heapq.heappop(self._calls)
            at = max(at, self.now)
            self._advance(at)
            callback(at)
        self._advance(now)

    # --- inside ---------------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        now = max(now, self.now)
        while self._due and self._due[0][0] <= now:
            at, _, replica = heapq.heappop(self._due)
            if replica.state is ReplicaState.GONE:
                continue
            self._carry(at)
            if replica.state is ReplicaState.STARTING:
                self._end_start_up(replica)
            elif replica.state is ReplicaState.DRAINING:
                self.release(replica, at)
        if now > self.now or self._stirred:
            self._carry(now)

    def _plant(self, deployment_id: str) -> _Plant:
        plant = self._plants.get(deployment_id)
        if plant is None or plant.removed:
            raise UnknownDeployment(deployment_id)
        return plant

    def _take_gpus(self, spec: DeploymentSpec, replicas: int) -> None:
        free = self.gpus_free(spec.gpu_type)
        wanted = replicas * spec.gpus_per_replica
        if wanted > 0 and free is not None and wanted > free:
            raise OutOfStock(spec.gpu_type, wanted, free)

    def _carry(self, until: float) -> None:
        for traffic in self._traffic:
            traffic.run_until(until)
        self.now = until
        self._stirred = False

    def _start(self, plant: _Plant, replica: Replica, kind: str = "requested") -> None:
        plant.turn(replica, ReplicaState.STARTING)
        self._wake(replica, self.now + plant.spec.start_up.draw_s(plant.chance))
        self._tell(kind, plant, replica)

    def _end_start_up(self, replica: Replica) -> None:
        plant = self._plants[replica.deployment_id]
        if plant.start_ups_to_fail > 0:
            plant.start_ups_to_fail -= 1
            plant.start_ups_failed += 1
            self._start(plant, replica, "start_up_failed")
            return
        plant.start_ups_failed = 0
        plant.turn(replica, ReplicaState.READY)
        if (traffic := self._traffic_of.get(replica.deployment_id)) is not None:
            traffic.join(replica, plant.spec, self.now)
            self._stirred = True
        self._tell("ready", plant, replica)

    def _take_away(self, plant: _Plant, replica: Replica) -> None:
        if replica.state is ReplicaState.STARTING:
            self.release(replica, self.now)
            return
        plant.turn(replica, ReplicaState.DRAINING)
        self._tell("draining", plant, replica)
        traffic = self._traffic_of.get(replica.deployment_id)
        if traffic is None:
            self._wake(replica, self.now + plant.spec.drain_s)
        elif traffic.leave(replica, self.now):
            self.release(replica, self.now)

    def _wake(self, replica: Replica, at: float) -> None:
        heapq.heappush(self._due, (at, next(self._turn), replica))

    def _tell(
        self, kind: str, plant: _Plant, replica: Replica | None = None, at: float | None = None
    ) -> None:
        if not self._listeners:
            return
        at = self.now if at is None else at
        plant.settle(at)
        number = None if replica is None else replica.number
        event = WorldEvent(at, plant.spec.id, kind, number, plant.status())
        for listener in self._listeners:
            listener(event)
