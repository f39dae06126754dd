"""Decisions per second on one core, and whether the time grows linearly with the fleet."""

from __future__ import annotations

import random
import time

from autoscaler.cli.collector import settle
from autoscaler.core.decide import step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.memory import Memory
from autoscaler.core.model import Observation, Phase, Sample, Snapshot, exactly
from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.policies.queue_depth import QueueDepth
from benchmarks.figures import Figure, show

START = 1_795_262_400.0


class _Limit(Policy, kind="bench_limit"):
    at_least: int | None = None
    at_most: int | None = None

    def propose(self, view: View) -> tuple[Proposal, ...]:
        """A limit that does not depend on the view."""
        del view
        return (Proposal("a limit", at_least=self.at_least, at_most=self.at_most),)


def fleet_of(count: int) -> Fleet:
    """Three policies and one deployment for each service."""
    policies = (
        NamedPolicy("queue-depth", QueueDepth()),
        NamedPolicy("floor", _Limit(at_least=1)),
        NamedPolicy("cap", _Limit(at_most=5)),
    )
    signals = {"queued": SignalRule(60, exists_at_zero=True), "running": SignalRule(60)}
    services = {
        f"s{i:05d}": Service(f"s{i:05d}", policies, (Deployment(f"s{i:05d}", "d", "exo", 16.0, 6),), signals)
        for i in range(count)
    }
    return Fleet(services, fixed_prices={"exo/gpua5000": 1.1})


def seconds_per_tick(count: int, ticks: int = 12) -> float:
    """The median time of one decision over the whole fleet, with demand that moves."""
    fleet, memory, rng, at = fleet_of(count), Memory(), random.Random(1), START
    running = dict.fromkeys(fleet.services, 40.0)
    times = []
    for _ in range(ticks):
        at += 15.0
        signals = {}
        for name in fleet.services:
            if rng.random() < 0.2:
                running[name] = float(rng.randint(20, 70))
            signals[name] = {"queued": Sample(0.0, at - 1), "running": Sample(running[name], at - 2)}
        seen = {
            f"{n}/d": Observation(exactly(4), 4, None, Phase.READY, "gpua5000", 1) for n in fleet.services
        }
        snapshot = Snapshot(at, signals, seen, {}, None, ())
        started = time.perf_counter()
        _, memory = step(memory, snapshot, fleet)
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2]


def main() -> None:
    """Print the figures."""
    settle()  # as the daemon and the filter do
    figures = []
    rates = {}
    for count in (100, 1_000, 10_000):
        rates[count] = count / seconds_per_tick(count, 12 if count < 10_000 else 5)
        figures.append(
            Figure(
                f"decide, {count} services, three policies each",
                f"{rates[count]:,.0f} decisions/s",
                "10,000/s",
                rates[count] >= 10_000,
            )
        )
    slower = rates[100] / rates[10_000]
    figures.append(
        Figure("time per service, 10,000 services against 100", f"{slower:.2f} x", "linear: about 1 x")
    )
    show("Decisions", figures)


if __name__ == "__main__":
    main()
