"""What the demo runs: services, their deployments at three emulated vendors, the daemon's configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet, VendorAccount
from autoscaler.emulators.vendor import VendorEmulator

PROVIDERS: Final = {"exoscale": "exo", "deepinfra": "di", "baseten": "bt"}
"""Each vendor, and the name that its account has in the configuration."""

VENDOR_KEYS: Final = {"baseten": ('zero = "deactivate"',)}
"""Lines of a provider's table: the demo's gateways send requests to replicas that serve, and to no others."""

SIGNALS: Final = ("queued", "running", "arrived_total", "started_total", "late_total")
BUDGET_USD_PER_HOUR: Final = 24.0
STABILISE_DOWN_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class DemoDeployment:
    """One deployment at an emulated vendor. ``places`` are requests at once per replica."""

    vendor: str
    name: str
    model: str
    gpu_type: str
    places: int
    max_replicas: int
    start_up_median_s: float
    start_up_p95_s: float
    min_replicas: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)  # what only this vendor's deployments have


@dataclass(frozen=True, slots=True)
class DemoService:
    """A service, its policies and its promise to those who wait.

    ``policies`` are entries of the configuration, as TOML, by the stem of their file. ``service_s`` is the
    mean time of one request, ``service_variation`` its deviation over its mean. ``peak_window_s`` is how
    long the peak lasts that fixed capacity would have to be bought for.
    """

    name: str
    policies: Mapping[str, str]
    service_s: float
    promise_wait_s: float
    peak_window_s: float
    deployments: tuple[DemoDeployment, ...]
    service_variation: float = 0.6


_SMALL: Final = "Qwen/Qwen3-8B"
_CODER: Final = "Qwen/Qwen3-Coder-30B-A3B-Instruct"

SERVICES: Final = (
    DemoService(
        name="chat",
        policies={"queue-depth": '"queue-depth"', "cheap-gpu-first": '"cheap-gpu-first"'},
        service_s=8.0,
        promise_wait_s=10.0,
        peak_window_s=600.0,
        deployments=(
            DemoDeployment("exoscale", "exo-a5000", _SMALL, "gpua5000", 16, 5, 150.0, 300.0, min_replicas=1),
            DemoDeployment("deepinfra", "di-l40s", _SMALL, "L40S-48GB", 24, 4, 180.0, 360.0),
            DemoDeployment(
                "baseten",
                "bt-h100",
                _SMALL,
                "H100",
                64,
                2,
                120.0,
                240.0,
                options={"model_id": "chatmodel", "environment": "production", "scale_down_delay": 300},
            ),
        ),
    ),
    DemoService(
        name="code",
        policies={
            "queue-depth-eager": '"queue-depth-eager"',
            "office-hours": '{ name = "office-hours", time_zone = "Europe/London" }',
            "cheap-gpu-first": '"cheap-gpu-first"',
        },
        service_s=12.0,
        promise_wait_s=10.0,
        peak_window_s=600.0,
        deployments=(
            DemoDeployment("exoscale", "exo-rtx6000pro", _CODER, "gpurtx6000pro", 12, 5, 200.0, 360.0),
            DemoDeployment(
                "baseten",
                "bt-h100",
                _CODER,
                "H100",
                30,
                2,
                120.0,
                240.0,
                options={"model_id": "codermodel", "environment": "production", "scale_down_delay": 300},
            ),
        ),
    ),
    DemoService(
        name="batch",
        policies={"queue-depth-batch": '"queue-depth-batch"'},
        service_s=60.0,
        promise_wait_s=3600.0,
        peak_window_s=3600.0,
        deployments=(
            DemoDeployment("exoscale", "exo-rtx3080ti", "BAAI/bge-m3", "gpu3080ti", 64, 6, 60.0, 120.0),
        ),
    ),
)
"""Names are of real models and GPU types; sizes, times and demand are made up."""

PRICES_USD_PER_GPU_HOUR: Final = {
    "gpua5000": 1.10,
    "gpurtx6000pro": 2.40,
    "gpu3080ti": 0.60,
    "L40S-48GB": 1.90,
    "H100": 6.50,
}
"""At the start of the run. Made up, of a realistic size."""

STOCK_GPUS: Final = {"gpua5000": 24, "gpurtx6000pro": 12, "gpu3080ti": 16, "L40S-48GB": 16, "H100": 8}


def emulated_fleet(seed: int) -> EmulatedFleet:
    """What the emulated vendors show; only floors run at the start."""
    return EmulatedFleet(
        seed=seed,
        stock=STOCK_GPUS,
        vendors={vendor: VendorAccount() for vendor in PROVIDERS},
        deployments=tuple(emulated(service, one) for service in SERVICES for one in service.deployments),
    )


def emulated(service: DemoService, deployment: DemoDeployment) -> EmulatedDeployment:
    """One deployment as its emulated vendor has it."""
    return EmulatedDeployment(
        vendor=deployment.vendor,
        name=f"{service.name}-{deployment.name}",
        model=deployment.model,
        gpu_type=deployment.gpu_type,
        concurrency=deployment.places,
        usd_per_gpu_hour=PRICES_USD_PER_GPU_HOUR[deployment.gpu_type],
        replicas=deployment.min_replicas,
        start_up_median_s=deployment.start_up_median_s,
        start_up_p95_s=deployment.start_up_p95_s,
        options=deployment.options,
    )


def deployment_id(service: str, deployment: str) -> str:
    """The id of a deployment in the world. Raises: KeyError."""
    for one in SERVICES:
        for member in one.deployments:
            if (one.name, member.name) == (service, deployment):
                return emulated(one, member).deployment_id
    raise KeyError(f"{service}/{deployment}")


def policy_files() -> list[str]:
    """The shipped policy files that the services use, by their stems."""
    return sorted({name for service in SERVICES for name in service.policies})


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Where things are in this run, and the tokens for it. ``vendors`` with their providers' ``base_url``."""

    vendors: tuple[tuple[VendorEmulator, str], ...]
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
    for vendor, base_url in access.vendors:
        yield from _provider_lines(vendor, base_url)
    yield "[defaults]"
    yield f"stabilise_down_s = {STABILISE_DOWN_S:g}"
    yield "[sources.gateway]"
    yield 'kind = "push"'
    vendors = {vendor.kind: vendor for vendor, _ in access.vendors}
    for service in SERVICES:
        yield from _service_lines(service, vendors)


def _provider_lines(vendor: VendorEmulator, base_url: str) -> Iterator[str]:
    name = PROVIDERS[vendor.kind]
    yield f"[providers.{name}]"
    yield f"kind = {_text(vendor.kind)}"
    yield f"base_url = {_text(base_url)}"
    yield from (f"{key} = {_text(value)}" for key, value in vendor.credentials().items())
    yield from VENDOR_KEYS.get(vendor.kind, ())
    if vendor.publishes_prices:
        return
    for gpu_type in sorted(
        {one.gpu_type for s in SERVICES for one in s.deployments if one.vendor == vendor.kind}
    ):
        yield "[[prices]]"
        yield f"provider = {_text(name)}"
        yield f"gpu_type = {_text(gpu_type)}"
        yield f"usd_per_gpu_hour = {PRICES_USD_PER_GPU_HOUR[gpu_type]}"


def _service_lines(service: DemoService, vendors: Mapping[str, VendorEmulator]) -> Iterator[str]:
    yield f"[services.{service.name}]"
    yield f"policies = [{', '.join(service.policies.values())}]"
    for signal in SIGNALS:
        at_zero = ", exists_at_zero = true" if signal in ("queued", "running") else ""
        yield f'signals.{signal} = {{ source = "gateway"{at_zero} }}'
    for one in service.deployments:
        ids = vendors[one.vendor].ids(emulated(service, one).deployment_id)
        yield f"[[services.{service.name}.deployments]]"
        yield f"name = {_text(one.name)}"
        yield f"provider = {_text(PROVIDERS[one.vendor])}"
        yield from (f"{key} = {_text(value)}" for key, value in ids.items())
        yield f"capacity_per_replica = {one.places}"
        yield f"min_replicas = {one.min_replicas}"
        yield f"max_replicas = {one.max_replicas}"


def _text(value: str) -> str:
    return json.dumps(value)  # a JSON string of printable ASCII is a TOML string
