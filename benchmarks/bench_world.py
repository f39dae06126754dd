"""What the simulated world costs: requests drawn and served, and ticks in which nothing happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable

from autoscaler.cli.collector import settle
from autoscaler.world.demand import arrivals
from autoscaler.world.gateway import Gateway
from autoscaler.world.plant import DeploymentSpec, World
from autoscaler.world.service_time import MeanServiceTime
from autoscaler.world.shapes import shape_rows
from benchmarks.figures import Figure, show

WEEK_S = 7 * 86_400.0
TICK_S = 15.0
PLACES = 4
SERVICE = MeanServiceTime(8.0)
REQUESTS = 1_000_000
PROMISED_S_PER_MILLION = 2.5
IDLE_TICKS = 40_320  # a week

Batches = Iterable[list[tuple[float, float]]]


def drawn(requests: int, seed: int = 1) -> Batches:
    """A week of about so many requests, with days and nights."""
    rows = list(shape_rows("weekly", peak_per_s=1.0, length_s=WEEK_S, seed=seed))
    return arrivals(rows, SERVICE, seed=seed, scale=requests / sum(row.requests for row in rows))


def served(batches: Batches, replicas: int) -> Gateway:
    """All of it, tick by tick, by a fleet that does not change."""
    world = World(1)
    world.add(DeploymentSpec("a", "a", "gpu", concurrency=PLACES, initial_replicas=replicas))
    gateway = Gateway(world, "chat", ["a"], arrivals=batches)
    for tick in range(1, int(WEEK_S / TICK_S) + 1):
        world.advance(tick * TICK_S)
    return gateway


def idle(services: int, ticks: int) -> None:
    """A fleet without any requests: time passes, and every deployment is asked how it is."""
    world = World(1)
    ids = [f"d{n}" for n in range(services)]
    for id_ in ids:
        world.add(DeploymentSpec(id_, id_, "gpu", initial_replicas=12))
        Gateway(world, id_, [id_])
    for tick in range(ticks):
        world.advance(tick * TICK_S)
        for id_ in ids:
            world.status(id_)


def least_s(run: Callable[[], object], times: int = 3) -> float:
    """CPU seconds, the least of so many runs, so that a neighbour's burst counts little."""
    found = []
    for _ in range(times):
        started = time.process_time()
        run()
        found.append(time.process_time() - started)
    return min(found)


def main() -> None:
    """Print the figures. An argument is the number of requests."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    settle()  # as the simulator does
    batches = list(drawn(wanted))
    count = sum(len(batch) for batch in batches)
    at_peak = max(len(batch) for batch in batches) / 60 * SERVICE.seconds
    enough = int(at_peak * 1.2 / PLACES) + 1
    draw_s = least_s(lambda: sum(len(batch) for batch in drawn(wanted)))
    whole_s = least_s(lambda: served(drawn(wanted), enough))
    promised_s = PROMISED_S_PER_MILLION * count / 1e6
    figures = [
        Figure(f"{count:,} requests of a week drawn", _rate(count / draw_s), ""),
        Figure(
            f"the same served by {enough} replicas",
            _rate(count / least_s(lambda: served(batches, enough))),
            "",
        ),
        Figure(
            f"the same by {enough // 3}, with queues by day",
            _rate(count / least_s(lambda: served(batches, enough // 3))),
            "",
        ),
        Figure(
            "the week drawn and served, tick by tick",
            f"{whole_s:.2f} s of CPU",
            f"at most {promised_s:.2f} s",
            whole_s <= promised_s,
        ),
    ]
    for services, ticks in ((1, IDLE_TICKS), (100, IDLE_TICKS // 70)):
        rate = ticks / least_s(lambda services=services, ticks=ticks: idle(services, ticks))  # type: ignore[misc]
        figures.append(Figure(f"ticks of {services} services without requests", f"{rate:,.0f} ticks/s", ""))
    show("The simulated world", figures)


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f} requests/s"


if __name__ == "__main__":
    main()
