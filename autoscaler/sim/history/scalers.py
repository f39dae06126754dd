"""Scalers over a recorded past: the past as it was, and a decision that follows it as long as it agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import Outcome, ReplicaRange, Snapshot, key_of
from autoscaler.core.turn import Turn, turn
from autoscaler.sim.history.ticks import RecordedTick, replicas_of
from autoscaler.sim.plant import Plant
from autoscaler.sim.scaler import OurDecision, reasons_of


class AsRecorded:
    """What was there, whoever had set it: the bill and the waits of the past, by the plant's own laws."""

    def __init__(self, ticks: Iterator[RecordedTick]) -> None:
        self._ticks = ticks

    def tick(self, plant: Plant) -> Mapping[str, str]:
        """The counts and the reasons of the next recorded tick."""
        one = next(self._ticks)
        follow(plant, one)
        reasons = reasons_of(one.decisions)
        return {name: reasons.get(name, "hold") for name in plant.design.services}


class FromHistory(OurDecision):
    """Our decision over the recorded snapshots themselves, until it would write something else.

    As long as it writes what was written then, the facts of then are the facts: they are not modelled. From
    the tick at which it differs (``differs_at``, epoch seconds) it lives in the simulated plant, which until
    then has followed the record.
    """

    def __init__(
        self,
        fleet: Fleet,
        memory: Memory,
        ticks: Iterator[RecordedTick],
        told: Callable[[Snapshot, Turn, tuple[Outcome, ...]], None] | None = None,
    ) -> None:
        super().__init__(fleet, memory, told)
        self.differs_at: float | None = None
        self._ticks: Iterator[RecordedTick] | None = ticks

    def tick(self, plant: Plant) -> Mapping[str, str]:
        """One turn, over what was recorded or over the plant."""
        if self._ticks is None:
            return super().tick(plant)
        one = next(self._ticks)
        follow(plant, one)
        turned = turn(self.memory, one.snapshot, self.fleet)
        if _writes(turned) != {key: to for key, to in one.writes.items() if self._decides(key)}:
            self.differs_at = one.at
            self._ticks = None
        self.take(plant, one.snapshot, turned)
        return reasons_of(turned.plan.decisions)

    def _decides(self, key: str) -> bool:
        return key.partition("/")[0] in self.fleet.services


def follow(plant: Plant, one: RecordedTick) -> None:
    """Set what was set then, whoever did it."""
    for service in plant.design.services.values():
        for deployment in service.deployments:
            replicas = replicas_of(one.snapshot.deployments.get(deployment.key))
            if replicas is not None:
                plant.ask(deployment, replicas)


def _writes(turned: Turn) -> dict[str, ReplicaRange]:
    return {
        key_of(one.service, one.deployment): one.range_to for one in turned.writes if one.range_to is not None
    }
