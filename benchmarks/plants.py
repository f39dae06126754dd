"""Emulated vendors and a demand server in a process of their own, and configurations that use them."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet, VendorAccount
from autoscaler.emulators.server import serve

SECRET = "emulator-secret-not-real"
KEY = "EXOemulator0123456789abcdef"


def fleet_of(count: int, port: int) -> EmulatedFleet:
    """``count`` deployments at the Exoscale emulator."""
    return EmulatedFleet(
        vendors={"exoscale": VendorAccount(port=port)},
        deployments=tuple(
            EmulatedDeployment(name=f"model-{i:03d}", gpu_type="gpua5000", replicas=4) for i in range(count)
        ),
    )


def config_of(
    count: int, vendor_port: int, demand_port: int, http_port: int, interval_s: float = 15.0
) -> str:
    """A configuration for all of them: one service each, two Prometheus signals each."""
    services = "".join(_service(one) for one in fleet_of(count, vendor_port).deployments)
    return f"""
[daemon]
interval_s = {interval_s}
journal = "sqlite:bench.db"
policy_dir = "policies"
[http]
port = {http_port}
[providers.exo]
kind = "exoscale"
zone = "at-vie-2"
api_key = "{KEY}"
api_secret = "{SECRET}"
base_url = "http://127.0.0.1:{vendor_port}/v2"
[sources.prom]
kind = "prometheus"
url = "http://127.0.0.1:{demand_port}"
[[prices]]
provider = "exo"
gpu_type = "gpua5000"
usd_per_gpu_hour = 1.10
{services}
"""


def _service(one: EmulatedDeployment) -> str:
    return f"""
[services.{one.name}]
policies = ["queue-depth"]
signals.queued = {{ source = "prom", query = "queued{{m='{one.name}'}}", exists_at_zero = true }}
signals.running = {{ source = "prom", query = "running{{m='{one.name}'}}" }}
[[services.{one.name}.deployments]]
name = "exo"
provider = "exo"
id = "{one.deployment_id}"
capacity_per_replica = 16
max_replicas = 8
"""


def write_config(directory: Path, text: str) -> Path:
    """The configuration and the one policy that it names."""
    (directory / "policies").mkdir(exist_ok=True)
    (directory / "policies" / "queue-depth.toml").write_text('kind = "queue_depth"\n')
    path = directory / "config.toml"
    path.write_text(text)
    return path


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def _query(request: web.Request) -> web.Response:
    form = await request.post()
    value = sum(str(form["query"]).encode()) % 40
    body = {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, str(value)]}]},
    }
    return web.Response(text=json.dumps(body), content_type="application/json")


async def _serve(count: int, vendor_port: int, demand_port: int) -> None:
    app = web.Application()
    app.router.add_post("/api/v1/query", _query)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", demand_port).start()
    await serve(fleet_of(count, vendor_port))


@dataclass(frozen=True, slots=True)
class Plant:
    """Where the servers of one run listen."""

    vendor_port: int
    demand_port: int


@contextmanager
def running_plant(count: int) -> Iterator[Plant]:
    """Emulator and demand server in a child process, ready."""
    plant = Plant(free_port(), free_port())
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.plants",
            str(count),
            str(plant.vendor_port),
            str(plant.demand_port),
        ]
    )
    try:
        wait_for(f"http://127.0.0.1:{plant.vendor_port}/_emulator/world")
        yield plant
    finally:
        child.terminate()
        child.wait(10)


def wait_for(url: str, limit_s: float = 20.0) -> float:
    """Seconds until the address answers 200. Raises: TimeoutError."""
    started = time.perf_counter()
    while time.perf_counter() - started < limit_s:
        try:
            with urllib.request.urlopen(url, timeout=1) as reply:
                if reply.status == 200:
                    return time.perf_counter() - started
        except OSError:
            time.sleep(0.005)
    raise TimeoutError(url)


if __name__ == "__main__":
    asyncio.run(_serve(*(int(argument) for argument in sys.argv[1:4])))
