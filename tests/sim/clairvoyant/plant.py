"""An exact simulator for tests, on the world and its gateway; demand that is made up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from autoscaler.sim.facts import KnownDemand, Task
from autoscaler.world.chance import stream
from autoscaler.world.gateway import Gateway, Request
from autoscaler.world.plant import DeploymentSpec, World
from autoscaler.world.start_up import StartUp

START = 1_795_262_400.0
SEED = 5


@dataclass(frozen=True)
class Plant:
    """One deployment behind a gateway, for one demand."""

    task: Task
    demand: KnownDemand
    length_s: float
    start_up: StartUp = field(default_factory=lambda: StartUp(180.0, 400.0))
    promise_wait_s: float = 10.0

    @property
    def start_ups_s(self) -> list[float]:
        """What the world will deal."""
        chance = stream(SEED, "start-up", "gpu")
        return [self.start_up.draw_s(chance) for _ in range(3000)]

    @property
    def ticks(self) -> int:
        return math.ceil(self.length_s / self.task.interval_s)

    def with_task(self, **changes: int) -> Plant:
        return replace(self, task=replace(self.task, **changes))

    def exact(self, targets: Sequence[int]) -> tuple[float, float]:
        """Share on time and billed replica-seconds."""
        return self.react(lambda tick, _queued, _running: targets[tick])

    def react(self, target: Callable[[int, int, int], int]) -> tuple[float, float]:
        """The same for a scaler that sees the tick's number, who waits and who is served."""
        world = World(SEED, START)
        world.add(
            DeploymentSpec(
                "gpu",
                "gpu",
                "gpu",
                concurrency=self.task.concurrency,
                start_up=self.start_up,
                initial_replicas=self.task.initial_replicas,
            )
        )
        gateway = Gateway(
            world, "chat", ["gpu"], arrivals=self._batches(), promise_wait_s=self.promise_wait_s
        )
        for tick in range(self.ticks):
            at = START + tick * self.task.interval_s
            world.advance(at)
            counters = gateway.counters
            world.set_replicas("gpu", target(tick, counters.queued, counters.running), at)
        world.advance(START + self.length_s)
        share = gateway.report().on_time_share
        return 1.0 if share is None else share, world.status("gpu").billed_replica_s

    def _batches(self) -> Iterator[list[Request]]:
        requests = [
            Request(at, service_s)
            for at, service_s in zip(self.demand.arrived_at, self.demand.service_s, strict=True)
            if at < START + self.length_s
        ]
        yield requests


def requests_at(rate_per_s: Callable[[float], float], length_s: float, *, seed: int) -> KnownDemand:
    """Poisson at this rate at each second, lognormal service times of mean 8 s and variation 1."""
    when, how_long = stream(seed, "when"), stream(seed, "how long")
    sigma = math.sqrt(math.log(2.0))
    at: list[float] = []
    for second in range(int(length_s)):
        left = when.expovariate(1.0)
        while left < rate_per_s(second):
            at.append(START + second + left / rate_per_s(second))
            left += when.expovariate(1.0)
    return KnownDemand(at, [how_long.lognormvariate(math.log(8.0) - sigma * sigma / 2, sigma) for _ in at])
