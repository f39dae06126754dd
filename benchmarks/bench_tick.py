"""A whole tick over 500 deployments, at one vendor and at three, against a bare aiohttp loop that makes the
same HTTP calls."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from autoscaler.cli.collector import settle
from autoscaler.clock import SystemClock
from autoscaler.config import load
from autoscaler.emulators import baseten, deepinfra
from autoscaler.providers.exoscale.signature import authorization
from autoscaler.wiring import assemble
from benchmarks.figures import Figure, resident_mb, show
from benchmarks.plants import KEY, SECRET, Plant, config_of, fleet_of, running_plant, write_config

COUNT = 500
ROUNDS = 15
WARM_UP_MAX = 30


def lists(plant: Plant, count: int) -> list[tuple[str, str, str]]:
    """The calls that show all deployments: vendor, path and query."""
    calls = [("exoscale", "/v2/ai/deployment", "visibility=private")]
    if "deepinfra" in plant.vendor_ports:
        calls.append(("deepinfra", "/deploy/list", ""))
    fleet = fleet_of(count, plant.vendor_ports)
    models = sorted({str(one.options["model_id"]) for one in fleet.at("baseten")})
    return [*calls, *(("baseten", f"/v1/models/{model}/deployments", "") for model in models)]


def authorized(vendor: str, path: str, query: str) -> dict[str, str]:
    """The header that each vendor asks for."""
    if vendor == "exoscale":
        pairs = tuple((k, v) for k, _, v in (one.partition("=") for one in query.split("&")))
        expires = int(time.time()) + 600
        return {"Authorization": authorization(KEY, SECRET, "GET", path, pairs, b"", expires)}
    return {"Authorization": f"Bearer {deepinfra.API_TOKEN if vendor == 'deepinfra' else baseten.API_KEY}"}


async def bare(
    plant: Plant, names: Sequence[str], calls: Sequence[tuple[str, str, str]], session: aiohttp.ClientSession
) -> float:
    """Seconds for the calls alone: the lists of deployments, and two queries each, eight at once."""
    gates = {name: asyncio.Semaphore(8) for name in ("demand", *plant.vendor_ports)}
    base = f"http://127.0.0.1:{plant.demand_port}/api/v1/query"

    async def ask(text: str) -> None:
        data = {"query": text, "partial_response": "false"}
        async with gates["demand"], session.post(base, data=data) as reply:
            await reply.json(content_type=None)

    async def listing(vendor: str, path: str, query: str) -> None:
        url = f"http://127.0.0.1:{plant.vendor_ports[vendor]}{path}" + (f"?{query}" if query else "")
        headers = authorized(vendor, path, query)
        async with gates[vendor], session.get(url, headers=headers) as reply:
            reply.raise_for_status()
            await reply.json()

    started = time.perf_counter()
    await asyncio.gather(
        *(listing(*call) for call in calls),
        *(ask(f"{signal}{{m='{name}'}}") for name in names for signal in ("queued", "running")),
    )
    return time.perf_counter() - started


async def measure(directory: Path, plant: Plant, count: int) -> tuple[list[float], list[float], float]:
    """Times of ticks and of bare rounds, in turn, and the resident size at the end."""
    config = load(write_config(directory, config_of(count, plant, 0)), {})
    ticks, bares = [], []
    calls, names = lists(plant, count), list(config.fleet.services)
    async with assemble(config, clock=SystemClock()) as running, aiohttp.ClientSession() as session:
        ticker = running.daemon.ticker
        settle()  # as the daemon does
        await bare(plant, names, calls, session)
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
            bares.append(await bare(plant, names, calls, session))
        await running.telemetry.exposition()
        return ticks, bares, resident_mb(os.getpid())


def report_on(kinds: Sequence[str], count: int) -> None:
    """Print the figures for a fleet at these vendors."""
    with tempfile.TemporaryDirectory() as directory, running_plant(count, kinds) as plant:
        ticks, bares, size_mb = asyncio.run(measure(Path(directory), plant, count))
    tick_s, bare_s = sorted(ticks)[len(ticks) // 2], sorted(bares)[len(bares) // 2]
    pairs = sorted(t / b for t, b in zip(ticks, bares, strict=True))
    ratio = pairs[len(pairs) // 2]
    show(
        f"A tick over {count} deployments at {', '.join(kinds)}, {2 * count} signals by Prometheus queries",
        [
            Figure("tick, median", f"{tick_s * 1000:.0f} ms", ""),
            Figure("bare loop with the same calls, median", f"{bare_s * 1000:.0f} ms", ""),
            Figure("ratio, median of pairs", f"{ratio:.2f} x", "at most 1.3 x", ratio <= 1.3),
            Figure("ratio, smallest to largest pair", f"{pairs[0]:.2f} to {pairs[-1]:.2f} x", ""),
            Figure("resident memory, in the process of both loops", f"{size_mb:.0f} MB", ""),
        ],
    )


def main() -> None:
    """Print the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    report_on(("exoscale",), count)
    report_on(("exoscale", "deepinfra", "baseten"), count)


if __name__ == "__main__":
    main()
