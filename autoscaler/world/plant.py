"""The simulated plant: deployments that are added, scaled, priced, killed and billed as time passes."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping

from autoscaler.world.deployment import DeploymentSpec, DeploymentStatus, Replica, ReplicaState, WorldEvent
from autoscaler.world.replicas import Replicas
from autoscaler.world.traffic import Traffic, Work

__all__ = [
    "DeploymentSpec",
    "DeploymentStatus",
    "OutOfStock",
    "Replica",
    "ReplicaState",
    "Traffic",
    "UnknownDeployment",
    "Work",
    "World",
    "WorldEvent",
]


class OutOfStock(Exception):
    """The provider has too few free GPUs of a type; nothing was changed."""

    def __init__(self, gpu_type: str, gpus_wanted: int, gpus_free: int) -> None:
        super().__init__(f"{gpus_wanted} more GPUs of type {gpu_type!r} wanted, {gpus_free} free")
        self.gpu_type = gpu_type
        self.gpus_wanted = gpus_wanted
        self.gpus_free = gpus_free


class UnknownDeployment(LookupError):
    """No such deployment in this world."""


class World:
    """The plant. Every method first lets time pass to ``now`` (epoch seconds).

    An instant before ``world.now`` counts as ``world.now``: the world's time never goes back.
    Within one ``advance`` the events of one deployment are told in order of time.
    """

    def __init__(self, seed: int = 0, now: float = 0.0) -> None:
        self.seed = seed
        self.now = now
        self._plants: dict[str, Replicas] = {}
        self._stock: dict[str, int] = {}
        # When a start-up or a drain ends, or a replica dies. Of a replica's only the last set is valid.
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
        return self._plant(deployment_id).status(self.now)

    def usd_per_gpu_hour(self, deployment_id: str) -> float:
        """What is asked for at ``world.now``. Raises: UnknownDeployment."""
        return self._plant(deployment_id).usd_per_gpu_hour

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
        return sum(plant.status(self.now).billed_usd for plant in self._plants.values())

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
        plant = self._plants[spec.id] = Replicas(spec, self.seed, self.now)
        self._tell("added", plant)
        for _ in range(spec.initial_replicas):
            replica = plant.add(self.now)
            if start:
                self._start(plant, replica)
            else:
                self._live(plant, replica)
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
        for _ in range(added):
            self._start(plant, plant.add(self.now))
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
        self._die(plant, replica)
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
        plant.bill.settle(self.now)
        plant.set_price(usd_per_gpu_hour)

    def release(self, replica: Replica, at: float) -> None:
        """A draining replica has finished its last request; billing ends. Called by gateways."""
        plant = self._plants[replica.deployment_id]
        plant.release(replica, at)
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
            at, turn, replica = heapq.heappop(self._due)
            if replica.turn == turn and replica.state is not ReplicaState.GONE:
                self._carry(at)
                self._wake(replica)
        if now > self.now or self._stirred:
            self._carry(now)

    def _plant(self, deployment_id: str) -> Replicas:
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

    def _set(self, replica: Replica, at: float) -> None:
        """Let the replica be woken at this instant, and not when it would have been."""
        replica.turn = next(self._turn)
        heapq.heappush(self._due, (at, replica.turn, replica))

    def _wake(self, replica: Replica) -> None:
        plant = self._plants[replica.deployment_id]
        drains_by_itself = replica.deployment_id not in self._traffic_of
        if replica.state is ReplicaState.STARTING:
            self._end_start_up(plant, replica)
        elif replica.state is ReplicaState.DRAINING and drains_by_itself:
            self.release(replica, self.now)
        elif replica.state is not ReplicaState.GONE:
            self._die(plant, replica)

    def _start(self, plant: Replicas, replica: Replica, kind: str = "requested") -> None:
        plant.turn(replica, ReplicaState.STARTING)
        self._set(replica, self.now + plant.draw_start_up_s())
        self._tell(kind, plant, replica)

    def _end_start_up(self, plant: Replicas, replica: Replica) -> None:
        if plant.start_up_fails():
            self._start(plant, replica, "start_up_failed")
            return
        self._live(plant, replica)
        if (traffic := self._traffic_of.get(replica.deployment_id)) is not None:
            traffic.join(replica, plant.spec, self.now)
            self._stirred = True
        self._tell("ready", plant, replica)

    def _live(self, plant: Replicas, replica: Replica) -> None:
        plant.turn(replica, ReplicaState.READY)
        if (life_s := plant.draw_life_s()) is not None:
            self._set(replica, self.now + life_s)

    def _die(self, plant: Replicas, replica: Replica) -> None:
        """Another one starts in its place, unless it was on its way out."""
        if (traffic := self._traffic_of.get(replica.deployment_id)) is not None:
            traffic.crash(replica, self.now)
            self._stirred = True
        if replica.state is ReplicaState.DRAINING:
            self.release(replica, self.now)
        else:
            self._start(plant, replica, "killed")

    def _take_away(self, plant: Replicas, replica: Replica) -> None:
        if replica.state is ReplicaState.STARTING:
            self.release(replica, self.now)
            return
        plant.turn(replica, ReplicaState.DRAINING)
        self._tell("draining", plant, replica)
        traffic = self._traffic_of.get(replica.deployment_id)
        if traffic is None:
            self._set(replica, self.now + plant.spec.drain_s)
        elif traffic.leave(replica, self.now):
            self.release(replica, self.now)

    def _tell(
        self, kind: str, plant: Replicas, replica: Replica | None = None, at: float | None = None
    ) -> None:
        if not self._listeners:
            return
        at = self.now if at is None else at
        number = None if replica is None else replica.number
        event = WorldEvent(at, plant.spec.id, kind, number, plant.status(at))
        for listener in self._listeners:
            listener(event)
