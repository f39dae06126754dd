"""One decision over a fleet of several vendors under one budget: at rest, and when everything wants more."""

from __future__ import annotations

import random
import time

from autoscaler.cli.collector import settle
from autoscaler.core.decide import step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.memory import Memory
from autoscaler.core.model import Observation, Outcome, OutcomeWord, Phase, Plan, Sample, Snapshot, exactly
from autoscaler.policies.queue_depth import QueueDepth
from benchmarks.figures import Figure, show

START = 1_795_262_400.0
INTERVAL_S = 15.0
COUNT = 500
ROUNDS = 15
PROMISED_S = 0.150

VENDORS = {
    "exo": ("gpua5000", "gpua40", "gpurtx6000"),
    "deep": ("h100", "h200"),
    "base": ("l4", "t4", "a10g"),
}
PRICES = {
    "exo/gpua5000": 1.10,
    "exo/gpua40": 1.39,
    "exo/gpurtx6000": 1.72,
    "deep/h100": 2.30,
    "deep/h200": 2.99,
    "base/l4": 0.47,
    "base/t4": 0.63,
    "base/a10g": 1.21,
}


def fleet_of(count: int, budget_usd_per_hour: float) -> Fleet:
    """Services with one deployment at each of three vendors; hardly any two services are alike."""
    rng = random.Random(0)
    signals = {"queued": SignalRule(60, exists_at_zero=True), "running": SignalRule(60)}
    services = {}
    for i in range(count):
        name = f"s{i:05d}"
        deployments = tuple(
            Deployment(name, vendor, vendor, float(rng.randint(4, 40)), 60) for vendor in VENDORS
        )
        policies = (NamedPolicy("queue-depth", QueueDepth()),)
        services[name] = Service(name, policies, deployments, signals, priority=i % 3)
    return Fleet(services, budget_usd_per_hour=budget_usd_per_hour, fixed_prices=PRICES)


class Plant:
    """Deployments that have what was last set, and demand that is said from outside. Seeded."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet = fleet
        self.rng = random.Random(seed)
        self.at = START
        self.memory = Memory()
        self.counts = {d.key: 1 for s in fleet.services.values() for d in s.deployments}
        self.gpu_types = {key: self.rng.choice(VENDORS[key.partition("/")[2]]) for key in self.counts}
        self.outcomes: tuple[Outcome, ...] = ()

    def snapshot(self, running: tuple[int, int]) -> Snapshot:
        """One interval later: demand of each service drawn between these two."""
        self.at += INTERVAL_S
        rng = self.rng
        signals = {
            name: {
                "queued": Sample(0.0, self.at - 1),
                "running": Sample(float(rng.randint(*running)), self.at - 2),
            }
            for name in self.fleet.services
        }
        seen = {
            key: Observation(exactly(n), n, None, Phase.READY if n else Phase.STOPPED, self.gpu_types[key], 1)
            for key, n in self.counts.items()
        }
        return Snapshot(self.at, signals, seen, {}, None, self.outcomes)

    def carry_out(self, plan: Plan) -> int:
        """Do what the plan says; how many replicas that adds."""
        outcomes = []
        added = 0
        for decision in plan.decisions:
            if decision.changes and decision.replicas_to is not None:
                key = f"{decision.service}/{decision.deployment}"
                added += max(0, decision.replicas_to - self.counts[key])
                self.counts[key] = decision.replicas_to
                outcomes.append(Outcome(decision.service, decision.deployment, OutcomeWord.ACCEPTED))
        self.outcomes = tuple(outcomes)
        return added


def at_rest(count: int) -> float:
    """Median seconds of a decision where most have what they want and the budget stops the others."""
    plant = Plant(fleet_of(count, 4.0 * count), 1)
    times = []
    for tick in range(ROUNDS + 5):
        snapshot = plant.snapshot((40, 70))
        started = time.perf_counter()
        plan, plant.memory = step(plant.memory, snapshot, plant.fleet)
        if tick >= 5:
            times.append(time.perf_counter() - started)
        plant.carry_out(plan)
    return sorted(times)[len(times) // 2]


def surge(count: int, running: tuple[int, int], usd_each: float) -> tuple[float, int]:
    """Median seconds of the decision in which all want more at once than the budget pays, and the
    replicas that this one decision adds."""
    plant = Plant(fleet_of(count, usd_each * count), 2)
    for _ in range(3):
        plan, plant.memory = step(plant.memory, plant.snapshot((30, 45)), plant.fleet)
        plant.carry_out(plan)
    at, times = plant.at, []
    for _ in range(ROUNDS):
        plant.at = at  # Each the first of its kind: after the same past, with demand of its own.
        snapshot = plant.snapshot(running)
        started = time.perf_counter()
        plan, _ = step(plant.memory, snapshot, plant.fleet)
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2], plant.carry_out(plan)


def main() -> None:
    """Print the figures."""
    settle()  # as the daemon does
    rest_s = at_rest(COUNT)
    cases = {"a surge": ((300, 500), 10.0), "a surge of thousands of replicas": ((900, 1100), 40.0)}
    figures = [_figure("at rest, the budget binds", rest_s)]
    for name, (running, usd_each) in cases.items():
        seconds, added = surge(COUNT, running, usd_each)
        figures.append(_figure(f"{name}: {added:,} are granted", seconds))
    show(f"One decision over {COUNT} services, three vendors each, one budget", figures)


def _figure(name: str, seconds: float) -> Figure:
    return Figure(
        name, f"{seconds * 1000:.0f} ms", f"at most {PROMISED_S * 1000:.0f} ms", seconds <= PROMISED_S
    )


if __name__ == "__main__":
    main()
