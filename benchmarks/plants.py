"""Emulated vendors and a demand server in a process of their own, and configurations that use them."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet, VendorAccount
from autoscaler.emulators.registry import EMULATORS
from autoscaler.emulators.server import serve
from autoscaler.emulators.vendor import VendorEmulator

SECRET = "emulator-secret-not-real"
KEY = "EXOemulator0123456789abcdef"


MODELS: Final = 20
"""Baseten lists deployments model by model: so many calls a tick, however many deployments."""

_GPUS: Final = {"exoscale": "gpua5000", "deepinfra": "H100-80GB", "baseten": "H100"}


def fleet_of(count: int, ports: Mapping[str, int]) -> EmulatedFleet:
    """``count`` deployments, in turn at each of these vendors."""
    kinds = list(ports)
    return EmulatedFleet(
        vendors={kind: VendorAccount(port=port) for kind, port in ports.items()},
        deployments=tuple(
            EmulatedDeployment(
                vendor=kinds[i % len(kinds)],
                name=f"model-{i:03d}",
                gpu_type=_GPUS[kinds[i % len(kinds)]],
                replicas=4,
                options=_options(kinds[i % len(kinds)], i),
            )
            for i in range(count)
        ),
    )


def _options(kind: str, index: int) -> dict[str, str]:
    return {"model_id": f"m{index % MODELS}"} if kind == "baseten" else {}


def config_of(count: int, plant: Plant, http_port: int, interval_s: float = 15.0) -> str:
    """A configuration for all of them: one service each, two Prometheus signals each."""
    fleet = fleet_of(count, plant.vendor_ports)
    world = fleet.build(0.0)
    vendors = {kind: EMULATORS[kind](fleet, world, SystemClock()) for kind in fleet.kinds}
    services = "".join(_service(one, vendors[one.vendor].ids(one.deployment_id)) for one in fleet.deployments)
    providers = "".join(_provider(vendor, plant.vendor_ports[kind]) for kind, vendor in vendors.items())
    return f"""
[daemon]
interval_s = {interval_s}
journal = "sqlite:bench.db"
policy_dir = "policies"
[http]
port = {http_port}
{providers}
[sources.prom]
kind = "prometheus"
url = "http://127.0.0.1:{plant.demand_port}"
{services}
"""


def _provider(vendor: VendorEmulator, port: int) -> str:
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in vendor.credentials().items())
    prices = f"""
[[prices]]
provider = "{vendor.kind}"
gpu_type = "{_GPUS[vendor.kind]}"
usd_per_gpu_hour = 1.10
"""
    return f"""
[providers.{vendor.kind}]
kind = "{vendor.kind}"
base_url = "http://127.0.0.1:{port}{vendor.base_path}"
{keys}{"" if vendor.publishes_prices else prices}"""


def _service(one: EmulatedDeployment, ids: Mapping[str, str]) -> str:
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in ids.items())
    return f"""
[services.{one.name}]
policies = ["queue-depth"]
signals.queued = {{ source = "prom", query = "queued{{m='{one.name}'}}", exists_at_zero = true }}
signals.running = {{ source = "prom", query = "running{{m='{one.name}'}}" }}
[[services.{one.name}.deployments]]
name = "only"
provider = "{one.vendor}"
{keys}capacity_per_replica = 16
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


async def _serve(count: int, demand_port: int, ports: Mapping[str, int]) -> None:
    app = web.Application()
    app.router.add_post("/api/v1/query", _query)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", demand_port).start()
    await serve(fleet_of(count, ports))


@dataclass(frozen=True, slots=True)
class Plant:
    """Where the servers of one run listen."""

    vendor_ports: Mapping[str, int]
    demand_port: int

    @property
    def vendor_port(self) -> int:
        """Exoscale's."""
        return self.vendor_ports["exoscale"]


@contextmanager
def running_plant(count: int, kinds: Sequence[str] = ("exoscale",)) -> Iterator[Plant]:
    """Emulators and demand server in a child process, ready."""
    plant = Plant({kind: free_port() for kind in kinds}, free_port())
    ports = [f"{kind}={port}" for kind, port in plant.vendor_ports.items()]
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.plants", str(count), str(plant.demand_port), *ports]
    )
    try:
        for port in plant.vendor_ports.values():
            wait_for(f"http://127.0.0.1:{port}/_emulator/world")
        if "baseten" in plant.vendor_ports:
            _lift_limit(plant.vendor_ports["baseten"])
        yield plant
    finally:
        child.terminate()
        child.wait(10)


def _lift_limit(port: int) -> None:
    """The bare loop knows no limit of calls a second."""
    url = f"http://127.0.0.1:{port}/_emulator/baseten/settings"
    request = urllib.request.Request(url, data=b'{"requests_per_s": null}', method="PUT")
    urllib.request.urlopen(request, timeout=5).close()


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


def _main(count: str, demand_port: str, *ports: str) -> None:
    by_kind = {kind: int(port) for kind, _, port in (one.partition("=") for one in ports)}
    asyncio.run(_serve(int(count), int(demand_port), by_kind))


if __name__ == "__main__":
    _main(*sys.argv[1:])
