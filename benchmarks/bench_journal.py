"""Size of the journal at full detail, and how fast it answers for one decision of thirty days."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from rich.progress import track

from autoscaler.core.codec import memory_to_json, plan_to_json, snapshot_to_json
from autoscaler.core.decide import step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.memory import Memory
from autoscaler.core.model import Observation, Outcome, OutcomeWord, Phase, Sample, Snapshot, exactly
from autoscaler.daemon.past import why_at
from autoscaler.daemon.recall import CHECKPOINT_TICKS
from autoscaler.journals import SqliteJournal
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.ports import Record
from benchmarks.figures import Figure, show

START = 1_795_262_400.0
INTERVAL_S = 15.0
DAY_S = 86_400.0


def fleet_of(count: int) -> Fleet:
    """One deployment per service."""
    signals = {"queued": SignalRule(60, exists_at_zero=True), "running": SignalRule(60)}
    services = {}
    for i in range(count):
        name = f"model-{i:03d}"
        deployment = Deployment(name, "exo-a5000", "exo", 16.0, 8)
        services[name] = Service(name, (NamedPolicy("queue-depth", QueueDepth()),), (deployment,), signals)
    return Fleet(services, fixed_prices={"exo/gpua5000": 1.1})


async def write(path: Path, count: int, days: float, label: str) -> None:
    """A journal of ``days`` of ticks with demand that wanders."""
    journal = await SqliteJournal.open(path)
    rng, memory, fleet = random.Random(7), Memory(), fleet_of(count)
    level = dict.fromkeys(fleet.services, 30.0)
    counts = dict.fromkeys(fleet.services, 3)
    outcomes: tuple[Outcome, ...] = ()
    ticks = int(days * DAY_S / INTERVAL_S)
    try:
        for tick in track(range(ticks), description=label, disable=ticks < 3000):
            at = START + tick * INTERVAL_S
            signals, seen = {}, {}
            for name in fleet.services:
                level[name] = min(90.0, max(0.0, level[name] + rng.gauss(0, 2)))
                load = float(int(level[name]))
                signals[name] = {
                    "queued": Sample(float(rng.choice([0, 0, 0, 1, 2])), round(at - rng.random(), 3)),
                    "running": Sample(load, round(at - rng.random(), 3)),
                }
                seen[f"{name}/exo-a5000"] = Observation(
                    exactly(counts[name]), counts[name], None, Phase.READY, "gpua5000", 1, available=True
                )
            snapshot = Snapshot(at, signals, seen, {}, None, outcomes)
            plan, memory = step(memory, snapshot, fleet)
            changed = [d for d in plan.decisions if d.changes]
            for decision in changed:
                counts[decision.service] = decision.replicas_to or 0
            outcomes = tuple(Outcome(d.service, d.deployment, OutcomeWord.ACCEPTED) for d in changed)
            body = {"snapshot": snapshot_to_json(snapshot), "plan": plan_to_json(plan), "writes": []}
            seq = await journal.append(Record("tick", at, body))
            if tick % CHECKPOINT_TICKS == 0:
                kept = {"memory": memory_to_json(memory), "after_seq": seq}
                await journal.append(Record("checkpoint", at, kept))
        await journal.prune(START + ticks * INTERVAL_S)
    finally:
        await journal.close()


async def ask(path: Path, count: int, days: float) -> float:
    """Median milliseconds of ``why --at`` over instants of the days kept in full detail."""
    journal = await SqliteJournal.open(path, read_only=True)
    rng, fleet, times = random.Random(3), fleet_of(count), []
    try:
        for _ in range(25):
            at = START + days * DAY_S - rng.uniform(60.0, 6.5 * DAY_S if days > 7 else days * DAY_S / 2)
            started = time.perf_counter()
            await why_at(journal, fleet, "model-000", at)
            times.append(time.perf_counter() - started)
    finally:
        await journal.close()
    return sorted(times)[len(times) // 2] * 1000.0


def main() -> None:
    """Print the figures. An argument is the number of days (30)."""
    days = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    figures = []
    with tempfile.TemporaryDirectory() as name:
        for count in (1, 10, 50):
            path = Path(name) / f"day-{count}.db"
            asyncio.run(write(path, count, 1.0, f"a day of {count}"))
            mb = path.stat().st_size / count / 1e6
            figures.append(
                Figure(
                    f"journal, {count} deployments, a day at 15 s",
                    f"{mb:.2f} MB each",
                    "at most 1 MB",
                    mb <= 1.0,
                )
            )
            path.unlink()
        for count in (2, 50):
            whole = days if count == 2 else min(days, 2.0)
            path = Path(name) / f"days-{count}.db"
            asyncio.run(write(path, count, whole, f"{whole:g} days of {count}"))
            ms = asyncio.run(ask(path, count, whole))
            figures.append(
                Figure(
                    f"why, median, {count} deployments, {whole:g} days",
                    f"{ms:.0f} ms",
                    "under 100 ms",
                    ms < 100,
                )
            )
    show("The journal", figures)


if __name__ == "__main__":
    main()
