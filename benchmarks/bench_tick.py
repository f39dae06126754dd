"""A whole tick over 500 deployments against a bare aiohttp loop that makes the same HTTP calls."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from autoscaler.cli.collector import settle
from autoscaler.clock import SystemClock
from autoscaler.config import load
from autoscaler.providers.exoscale.signature import authorization
from autoscaler.wiring import assemble
from benchmarks.figures import Figure, resident_mb, show
from benchmarks.plants import KEY, SECRET, Plant, config_of, fleet_of, running_plant, write_config

COUNT = 500
ROUNDS = 15
WARM_UP_MAX = 30


async def bare(plant: Plant, count: int, session: aiohttp.ClientSession) -> float:
    """Seconds for the calls alone: the list of deployments, and two queries each, eight at once."""
    gate = asyncio.Semaphore(8)
    base = f"http://127.0.0.1:{plant.demand_port}/api/v1/query"
    path = "/v2/ai/deployment"
    names = [one.name for one in fleet_of(count, plant.vendor_port).deployments]

    async def ask(text: str) -> None:
        async with gate, session.post(base, data={"query": text, "partial_response": "false"}) as reply:
            await reply.json(content_type=None)

    async def listing() -> None:
        query = (("visibility", "private"),)
        header = authorization(KEY, SECRET, "GET", path, query, b"", int(time.time()) + 600)
        url = f"http://127.0.0.1:{plant.vendor_port}{path}?visibility=private"
        async with session.get(url, headers={"Authorization": header}) as reply:
            await reply.json()

    started = time.perf_counter()
    await asyncio.gather(
        listing(), *(ask(f"{signal}{{m='{name}'}}") for name in names for signal in ("queued", "running"))
    )
    return time.perf_counter() - started


async def measure(directory: Path, plant: Plant, count: int) -> tuple[list[float], list[float], float]:
    """Times of ticks and of bare rounds, in turn, and the resident size at the end."""
    config = load(write_config(directory, config_of(count, plant.vendor_port, plant.demand_port, 0)), {})
    ticks, bares = [], []
    async with assemble(config, clock=SystemClock()) as running, aiohttp.ClientSession() as session:
        ticker = running.daemon.ticker
        settle()  # as the daemon does
        await bare(plant, count, session)
        for _ in range(WARM_UP_MAX):
            report = await ticker.tick()
            await asyncio.sleep(1.0)
            # The first changes are followed by calls about them, which the bare loop does not make.
            seen = report.snapshot.deployments.values()
            if not report.scale_calls and not any(o.busy or o.phase == "scaling" for o in seen):
                break
        for _ in range(ROUNDS):
            started = time.perf_counter()
            report = await ticker.tick()
            ticks.append(time.perf_counter() - started)
            running.telemetry.tick(report)
            bares.append(await bare(plant, count, session))
        await running.telemetry.exposition()
        return ticks, bares, resident_mb(os.getpid())


def main() -> None:
    """Print the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as directory, running_plant(count) as plant:
        ticks, bares, size_mb = asyncio.run(measure(Path(directory), plant, count))
    tick_s, bare_s = sorted(ticks)[len(ticks) // 2], sorted(bares)[len(bares) // 2]
    pairs = sorted(t / b for t, b in zip(ticks, bares, strict=True))
    ratio = pairs[len(pairs) // 2]
    show(
        f"A tick over {count} deployments, {2 * count} signals by Prometheus queries",
        [
            Figure("tick, median", f"{tick_s * 1000:.0f} ms", ""),
            Figure("bare loop with the same calls, median", f"{bare_s * 1000:.0f} ms", ""),
            Figure("ratio, median of pairs", f"{ratio:.2f} x", "at most 1.3 x", ratio <= 1.3),
            Figure("ratio, smallest to largest pair", f"{pairs[0]:.2f} to {pairs[-1]:.2f} x", ""),
            Figure("resident memory, in the process of both loops", f"{size_mb:.0f} MB", ""),
        ],
    )


if __name__ == "__main__":
    main()
