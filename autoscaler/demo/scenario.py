"""What the demo runs: services, their deployments at one emulated vendor, and the daemon's configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet, VendorAccount

VENDOR: Final = "exoscale"
SIGNALS: Final = ("queued", "running", "arrived_total", "started_total", "late_total")
BUDGET_USD_PER_HOUR: Final = 24.0
STABILISE_DOWN_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class DemoDeployment:
    """One deployment at the emulated vendor. ``places`` are requests at once per replica."""

    name: str
    model: str
    gpu_type: str
    places: int
    max_replicas: int
    start_up_median_s: float
    start_up_p95_s: float
    min_replicas: int = 0


@dataclass(frozen=True, slots=True)
class DemoService:
    """A service, its policy and its promise to those who wait.

    ``service_s`` is the mean time of one request, ``service_variation`` its deviation over its mean.
    ``peak_window_s`` is how long the peak lasts that fixed capacity would have to be bought for.
    """

    name: str
    policy: str
    service_s: float
    promise_wait_s: float
    peak_window_s: float
    deployments: tuple[DemoDeployment, ...]
    service_variation: float = 0.6


_SMALL: Final = "Qwen/Qwen3-8B"

SERVICES: Final = (
    DemoService(
        name="chat",
        policy="queue-depth",
        service_s=8.0,
        promise_wait_s=10.0,
        peak_window_s=600.0,
        deployments=(
            DemoDeployment("a5000", _SMALL, "gpua5000", 16, 5, 150.0, 300.0, min_replicas=1),
            DemoDeployment("rtx6000pro", _SMALL, "gpurtx6000pro", 32, 4, 240.0, 420.0),
        ),
    ),
    DemoService(
        name="code",
        policy="queue-depth-eager",
        service_s=12.0,
        promise_wait_s=10.0,
        peak_window_s=600.0,
        deployments=(
            DemoDeployment(
                "rtx6000pro", "Qwen/Qwen3-Coder-30B-A3B-Instruct", "gpurtx6000pro", 12, 6, 200.0, 360.0
            ),
        ),
    ),
    DemoService(
        name="batch",
        policy="queue-depth-batch",
        service_s=60.0,
        promise_wait_s=3600.0,
        peak_window_s=3600.0,
        deployments=(DemoDeployment("rtx3080ti", "BAAI/bge-m3", "gpu3080ti", 64, 6, 60.0, 120.0),),
    ),
)
"""Names are of real models and GPU families; sizes, times and demand are made up."""

PRICES_USD_PER_GPU_HOUR: Final = {"gpua5000": 1.10, "gpurtx6000pro": 2.40, "gpu3080ti": 0.60}
"""Made up, of a realistic size."""

STOCK_GPUS: Final = {"gpua5000": 24, "gpurtx6000pro": 12, "gpu3080ti": 16}


def emulated_fleet(seed: int) -> EmulatedFleet:
    """What the emulated vendor shows; only floors run at the start."""
    return EmulatedFleet(
        seed=seed,
        stock=STOCK_GPUS,
        vendors={VENDOR: VendorAccount()},
        deployments=tuple(emulated(service, one) for service in SERVICES for one in service.deployments),
    )


def emulated(service: DemoService, deployment: DemoDeployment) -> EmulatedDeployment:
    """One deployment as the emulated vendor has it."""
    return EmulatedDeployment(
        vendor=VENDOR,
        name=f"{service.name}-{deployment.name}",
        model=deployment.model,
        gpu_type=deployment.gpu_type,
        concurrency=deployment.places,
        usd_per_gpu_hour=PRICES_USD_PER_GPU_HOUR[deployment.gpu_type],
        replicas=deployment.min_replicas,
        start_up_median_s=deployment.start_up_median_s,
        start_up_p95_s=deployment.start_up_p95_s,
    )


def deployment_id(service: str, deployment: str) -> str:
    """The vendor's id of a deployment. Raises: KeyError."""
    for one in SERVICES:
        for member in one.deployments:
            if (one.name, member.name) == (service, deployment):
                return emulated(one, member).deployment_id
    raise KeyError(f"{service}/{deployment}")


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Where things are in this run, and the tokens for it."""

    vendor_url: str  # as a provider's base_url
    zone: str
    api_key: str
    api_secret: str
    host: str
    port: int
    push_token: str
    admin_token: str


def config_toml(access: Access, interval_s: float) -> str:
    """The daemon's whole configuration file."""
    return "\n".join(_lines(access, interval_s)) + "\n"


def _lines(access: Access, interval_s: float) -> Iterator[str]:
    yield "# Written by `autoscaler demo`; gone when it ends. Times in it are simulated seconds."
    yield "[daemon]"
    yield f"interval_s = {interval_s:g}"
    yield "[http]"
    yield f"host = {_text(access.host)}"
    yield f"port = {access.port}"
    yield f"push_token = {_text(access.push_token)}"
    yield f"admin_token = {_text(access.admin_token)}"
    yield "[budget]"
    yield f"usd_per_hour = {BUDGET_USD_PER_HOUR}"
    yield "[providers.exo]"
    yield 'kind = "exoscale"'
    yield f"zone = {_text(access.zone)}"
    yield f"api_key = {_text(access.api_key)}"
    yield f"api_secret = {_text(access.api_secret)}"
    yield f"base_url = {_text(access.vendor_url)}"
    yield "[defaults]"
    yield f"stabilise_down_s = {STABILISE_DOWN_S:g}"
    yield "[sources.gateway]"
    yield 'kind = "push"'
    for gpu_type, price in PRICES_USD_PER_GPU_HOUR.items():
        yield "[[prices]]"
        yield 'provider = "exo"'
        yield f"gpu_type = {_text(gpu_type)}"
        yield f"usd_per_gpu_hour = {price}"
    for service in SERVICES:
        yield from _service_lines(service)


def _service_lines(service: DemoService) -> Iterator[str]:
    yield f"[services.{service.name}]"
    yield f"policies = [{_text(service.policy)}]"
    for signal in SIGNALS:
        at_zero = ", exists_at_zero = true" if signal in ("queued", "running") else ""
        yield f'signals.{signal} = {{ source = "gateway"{at_zero} }}'
    for one in service.deployments:
        yield f"[[services.{service.name}.deployments]]"
        yield f"name = {_text(one.name)}"
        yield 'provider = "exo"'
        yield f"id = {_text(emulated(service, one).deployment_id)}"
        yield f"capacity_per_replica = {one.places}"
        yield f"min_replicas = {one.min_replicas}"
        yield f"max_replicas = {one.max_replicas}"


def _text(value: str) -> str:
    return json.dumps(value)  # a JSON string of printable ASCII is a TOML string
