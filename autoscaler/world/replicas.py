"""One deployment's replicas: where each is in its life, what they cost, and what chance has in store."""

from __future__ import annotations

import itertools

from autoscaler.world.bill import Bill, ByBlock, BySecond
from autoscaler.world.chance import stream
from autoscaler.world.deployment import DeploymentSpec, DeploymentStatus, Replica, ReplicaState


class Replicas:
    """Changed by the world only. Each kind of chance has a stream of its own."""

    def __init__(self, spec: DeploymentSpec, seed: int, now: float) -> None:
        self.spec = spec
        self.alive: list[Replica] = []  # oldest first
        self.removed = False
        self.start_ups_to_fail = 0  # the next so many, whatever chance says
        self.start_ups_failed = 0  # since one last became ready
        self.bill: Bill = ByBlock(0.0, spec.billing_block_s) if spec.billing_block_s else BySecond(0.0, now)
        self.set_price(spec.usd_per_gpu_hour)
        self._starting = 0
        self._ready = 0
        self._numbers = itertools.count()
        self._start_up = stream(seed, "start-up", spec.id)
        self._start_up_failure = stream(seed, "start-up-failure", spec.id)
        self._life = stream(seed, "life", spec.id)

    def set_price(self, usd_per_gpu_hour: float) -> None:
        """Another price, from where the bill is settled to."""
        self.usd_per_gpu_hour = usd_per_gpu_hour
        self.bill.usd_per_replica_hour = usd_per_gpu_hour * self.spec.gpus_per_replica

    def add(self, at: float) -> Replica:
        """One more, which is starting and billed from now."""
        replica = Replica(self.spec.id, next(self._numbers))
        self.bill.begin(replica.number, at)
        self.alive.append(replica)
        self._starting += 1
        return replica

    def turn(self, replica: Replica, state: ReplicaState) -> None:
        """Every change of state goes through here, so that the counts are always right."""
        self._starting += (state is ReplicaState.STARTING) - (replica.state is ReplicaState.STARTING)
        self._ready += (state is ReplicaState.READY) - (replica.state is ReplicaState.READY)
        replica.state = state

    def release(self, replica: Replica, at: float) -> None:
        """It is gone, and billed no more."""
        self.bill.end(replica.number, at)
        self.turn(replica, ReplicaState.GONE)
        self.alive.remove(replica)

    def having(self, state: ReplicaState) -> list[Replica]:
        """Those in this state, oldest first."""
        return [replica for replica in self.alive if replica.state is state]

    def status(self, now: float) -> DeploymentStatus:
        """As of now."""
        self.bill.settle(now)
        return DeploymentStatus(
            self._starting + self._ready,
            self._ready,
            self._starting,
            len(self.alive) - self._starting - self._ready,
            self.bill.replica_s,
            self.bill.usd,
            self.start_ups_failed,
        )

    def draw_start_up_s(self) -> float:
        """How long the start-up takes that begins now."""
        return self.spec.start_up.draw_s(self._start_up)

    def start_up_fails(self) -> bool:
        """Does the start-up that ends now end without a replica? It is counted."""
        if self.start_ups_to_fail > 0:
            self.start_ups_to_fail -= 1
            fails = True
        else:
            share = self.spec.start_up_failure_share
            fails = share > 0 and self._start_up_failure.random() < share
        self.start_ups_failed = self.start_ups_failed + 1 if fails else 0
        return fails

    def draw_life_s(self) -> float | None:
        """How long a replica that becomes ready now serves until it dies; None: it does not die."""
        if self.spec.mean_life_s is None:
            return None
        return self._life.expovariate(1 / self.spec.mean_life_s)
