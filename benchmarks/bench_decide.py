"""Decisions per second on one core, if time grows linearly with the fleet, and what simulators wait for."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping
from typing import Final

from autoscaler.cli.collector import settle
from autoscaler.core.decide import step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Observation,
    Outcome,
    OutcomeWord,
    Phase,
    Plan,
    Reading,
    Sample,
    Snapshot,
    exactly,
)
from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.policies.queue_depth import QueueDepth
from benchmarks.figures import Figure, show

START = 1_795_262_400.0
INTERVAL_S: Final = 15.0
WEEK_TICKS: Final = 7 * 24 * 240


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


def counted_fleet(count: int) -> Fleet:
    """Services with the four signals of the example configuration's, which let the policy measure flow."""
    signals = {
        "queued": SignalRule(60, exists_at_zero=True),
        **{name: SignalRule(60) for name in ("running", "arrived_total", "started_total")},
    }
    policies = (NamedPolicy("queue-depth", QueueDepth()),)
    return Fleet(
        {
            f"s{i:05d}": Service(
                f"s{i:05d}", policies, (Deployment(f"s{i:05d}", "d", "exo", 16.0, 6),), signals
            )
            for i in range(count)
        },
        fixed_prices={"exo/gpua5000": 1.1},
    )


def demand_of(fleet: Fleet, ticks: int) -> Iterator[tuple[float, dict[str, Mapping[str, Reading]]]]:
    """Instants and signals: load in waves of some hours, requests of 8 s, no queue."""
    rng = random.Random(1)
    totals = dict.fromkeys(fleet.services, 0.0)
    for tick in range(ticks):
        at = START + INTERVAL_S * tick
        signals: dict[str, Mapping[str, Reading]] = {}
        for index, name in enumerate(fleet.services):
            running = 20.0 + 15.0 * math.sin(tick / 500 + index) + 5.0 * rng.random()
            totals[name] += running / 8.0 * INTERVAL_S
            levels = {
                "queued": 0.0,
                "running": running,
                "arrived_total": totals[name],
                "started_total": totals[name],
            }
            signals[name] = {signal: Sample(level, at) for signal, level in levels.items()}
        yield at, signals


def us_per_service_and_tick(count: int, ticks: int) -> float:
    """Microseconds of one ``step`` by its services, over ticks in which every plan is carried out at once."""
    fleet, memory, plan = counted_fleet(count), Memory(), Plan(START, ())
    counts = dict.fromkeys(fleet.services, 2)
    spent_s = 0.0
    for at, signals in demand_of(fleet, ticks):
        counts.update({d.service: d.replicas_to for d in plan.decisions if d.replicas_to is not None})
        accepted = tuple(
            Outcome(d.service, d.deployment, OutcomeWord.ACCEPTED) for d in plan.decisions if d.changes
        )
        seen = {
            f"{name}/d": Observation(exactly(n), n, 0, Phase.READY, "gpua5000", 1)
            for name, n in counts.items()
        }
        snapshot = Snapshot(at, signals, seen, {}, None, accepted)
        started = time.perf_counter()
        plan, memory = step(memory, snapshot, fleet)
        spent_s += time.perf_counter() - started
    return spent_s / ticks / count * 1e6


def waiting_figures() -> list[Figure]:
    """What a person waits for in the simulator."""
    week_us = us_per_service_and_tick(1, WEEK_TICKS)
    many_us = us_per_service_and_tick(100, 240)
    return [
        Figure(
            "one service with four signals, a week of ticks: per step",
            f"{week_us:.0f} us",
            "110 us",
            week_us <= 110,
        ),
        Figure(
            "100 services with four signals: per service and tick",
            f"{many_us:.0f} us",
            "80 us",
            many_us <= 80,
        ),
    ]


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
    figures += waiting_figures()
    show("Decisions", figures)


if __name__ == "__main__":
    main()
