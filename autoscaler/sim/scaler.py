"""What decides in a run: our own decision with a configuration, or a rival."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Decision,
    ErrorKind,
    Observation,
    Outcome,
    OutcomeWord,
    Phase,
    Price,
    Sample,
    Snapshot,
    exactly,
    key_of,
)
from autoscaler.core.turn import Turn, turn
from autoscaler.sim.facts import Facts, Rival
from autoscaler.sim.plant import Plant, PlantDeployment
from autoscaler.world.plant import DeploymentStatus

PRICES_EVERY_S: Final = 300.0
"""How often the daemon asks vendors for their prices."""


class Scaler(Protocol):
    """Looks at the plant once a tick and asks for replicas."""

    def tick(self, plant: Plant) -> Mapping[str, str]:
        """Act at ``plant.world.now``; returns where each service's decision came from."""
        ...


class OurDecision:
    """The decision of the daemon: the same turn, over a snapshot of the simulated plant.

    ``told`` gets every turn with its snapshot and what became of its writes, for a journal.
    """

    def __init__(
        self,
        fleet: Fleet,
        memory: Memory | None = None,
        told: Callable[[Snapshot, Turn, tuple[Outcome, ...]], None] | None = None,
    ) -> None:
        self.fleet = fleet
        self.memory = memory or Memory()
        self.broken: Counter[str] = Counter()  # promises, by number
        self._told = told
        self._outcomes: tuple[Outcome, ...] = ()
        self._priced_at = float("-inf")

    def tick(self, plant: Plant) -> Mapping[str, str]:
        """One turn, and its writes carried out at once."""
        snapshot = self.look(plant)
        turned = turn(self.memory, snapshot, self.fleet)
        self.take(plant, snapshot, turned)
        return reasons_of(turned.plan.decisions)

    def take(self, plant: Plant, snapshot: Snapshot, turned: Turn) -> None:
        """Carry out the writes of a turn, and remember it."""
        self.memory = turned.after
        self.broken.update(violation.promise for violation in turned.broken)
        self._outcomes = tuple(
            [_carry_out(plant, decision) for decision in turned.writes] if turned.writes else ()
        )
        if self._told is not None:
            self._told(snapshot, turned, self._outcomes)

    def look(self, plant: Plant) -> Snapshot:
        """What the daemon would see of the plant now: everything, at once, and fresh."""
        at = plant.world.now
        signals: dict[str, dict[str, Sample]] = {}
        deployments: dict[str, Observation] = {}
        for name, service in plant.design.services.items():
            counters = plant.gateways[name].counters
            signals[name] = {
                signal: Sample(float(read(counters)), at) for signal, read in service.signals.items()
            }
            for deployment in service.deployments:
                deployments[deployment.key] = _observation(deployment, plant.status(deployment.key))
        return Snapshot(
            at=at,
            signals=signals,
            deployments=deployments,
            prices=self._prices(plant),
            outcomes=self._outcomes,
        )

    def _prices(self, plant: Plant) -> Mapping[str, Price]:
        at = plant.world.now
        if at - self._priced_at < PRICES_EVERY_S:
            return {}
        self._priced_at = at
        return {
            f"{one.provider}/{one.spec.gpu_type}": Price(plant.world.usd_per_gpu_hour(one.key), at)
            for service in plant.design.services.values()
            for one in service.deployments
        }


def _observation(deployment: PlantDeployment, status: DeploymentStatus) -> Observation:
    if status.replicas_set == 0:
        phase = Phase.STOPPED
    elif status.ready == 0:
        phase = Phase.STARTING
    else:
        phase = Phase.SCALING if status.starting else Phase.READY
    return Observation(
        replicas=exactly(status.replicas_set),
        ready=status.ready,
        starting=status.starting,
        phase=phase,
        gpu_type=deployment.spec.gpu_type,
        gpus_per_replica=deployment.spec.gpus_per_replica,
    )


def _carry_out(plant: Plant, decision: Decision) -> Outcome:
    service, deployment = decision.service, decision.deployment
    assert decision.range_to is not None, "a change has a range that it goes to"
    place = plant.place(key_of(service, deployment))
    # Where the vendor has an autoscaler of its own the least that it keeps is what it runs here.
    if plant.ask(place, decision.range_to.minimum):
        return Outcome(service, deployment, OutcomeWord.ACCEPTED)
    return Outcome(service, deployment, OutcomeWord.REJECTED, ErrorKind.NO_CAPACITY)


def reasons_of(decisions: Iterable[Decision]) -> dict[str, str]:
    """By service: the reason of the deployment that changes, else of the first one."""
    reasons: dict[str, str] = {}
    changing: set[str] = set()
    for decision in decisions:
        service = decision.service
        if service not in reasons:
            reasons[service] = decision.reason
        if decision.changes and service not in changing:
            reasons[service] = decision.reason
            changing.add(service)
    return reasons


class RivalScaler:
    """A rival for each service, on the deployment with the cheapest place; the others stay as they are."""

    def __init__(self, rivals: Mapping[str, Rival]) -> None:
        self._rivals = rivals
        self._arrived: dict[str, int] = dict.fromkeys(rivals, 0)

    def tick(self, plant: Plant) -> Mapping[str, str]:
        """Ask each rival, and do what it says."""
        reasons: dict[str, str] = {}
        for name, rival in self._rivals.items():
            main = plant.design.services[name].main
            status = plant.status(main.key)
            counters = plant.gateways[name].counters
            facts = Facts(
                at=plant.world.now,
                queued=counters.queued,
                running=counters.running,
                arrived=counters.arrived_total - self._arrived[name],
                ready=status.ready,
                starting=status.starting,
            )
            self._arrived[name] = counters.arrived_total
            replicas = rival.tick(facts)
            plant.ask(main, replicas)
            reasons[name] = _direction(replicas - facts.replicas_set)
        return reasons


def _direction(by: int) -> str:
    """A rival gives no reasons: what it did is all there is to show."""
    if by == 0:
        return "hold"
    return "up" if by > 0 else "down"
