"""Which deployments the emulators show: from a small TOML file, or a default that needs none."""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from autoscaler.world.plant import DeploymentSpec, OutOfStock, World
from autoscaler.world.start_up import StartUp

_IDS: Final = uuid.UUID("6e1d5c0a-3f0b-5c55-9c36-4a2f0c1f7d21")  # our namespace for ids made from names

Replicas = Annotated[int, Field(ge=0, le=10_000)]


class FleetError(ValueError):
    """The fleet file cannot be used; the text names file, key and what is allowed."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmulatedDeployment(_Strict):
    """One deployment at one emulated vendor. The world bills the price; some vendors publish it too."""

    vendor: str = "exoscale"
    name: str = Field(min_length=1)
    id: str = ""  # default: a UUID made from vendor and name
    model: str = "Qwen/Qwen3-8B"
    gpu_type: str = Field(min_length=1)
    gpus_per_replica: int = Field(default=1, ge=1, le=8)
    concurrency: int = Field(default=16, ge=1)
    usd_per_gpu_hour: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    replicas: Replicas = 1
    start_up_median_s: float = Field(default=180.0, ge=0, allow_inf_nan=False)
    start_up_p95_s: float = Field(default=400.0, ge=0, allow_inf_nan=False)
    options: Mapping[str, Any] = {}  # what only this vendor's deployments have; its emulator checks them

    @model_validator(mode="after")
    def _is_possible(self) -> EmulatedDeployment:
        StartUp(self.start_up_median_s, self.start_up_p95_s)
        return self

    @property
    def deployment_id(self) -> str:
        """The id given, or one that is always the same for this vendor and name."""
        return self.id or str(uuid.uuid5(_IDS, f"{self.vendor}/{self.name}"))

    def spec(self) -> DeploymentSpec:
        """What the world needs to know of it."""
        return DeploymentSpec(
            id=self.deployment_id,
            name=self.name,
            gpu_type=self.gpu_type,
            gpus_per_replica=self.gpus_per_replica,
            concurrency=self.concurrency,
            usd_per_gpu_hour=self.usd_per_gpu_hour,
            start_up=StartUp(self.start_up_median_s, self.start_up_p95_s),
            initial_replicas=self.replicas,
        )


class VendorAccount(_Strict):
    """Where a vendor's emulator listens and which credential it takes. For local use, not secret."""

    port: int = Field(default=0, ge=0, le=65535)  # 0: any free port
    zone: str = "at-vie-2"  # where the vendor has zones
    api_key: str = ""  # or the vendor's token; empty: the emulator's own
    api_secret: SecretStr = SecretStr("emulator-secret-not-real")  # where the vendor has key and secret


class EmulatedFleet(_Strict):
    """Deployments, GPUs in stock by type (a type without a figure is unlimited), vendor accounts."""

    seed: int = 0
    stock: Mapping[str, Annotated[int, Field(ge=0)]] = {}
    vendors: Mapping[str, VendorAccount] = {}
    deployments: tuple[EmulatedDeployment, ...] = ()

    def account(self, vendor: str) -> VendorAccount:
        """The account at this vendor, or the default one."""
        return self.vendors.get(vendor) or VendorAccount()

    @property
    def kinds(self) -> list[str]:
        """Every vendor that has an account or a deployment, in order."""
        return sorted({*self.vendors, *(one.vendor for one in self.deployments)})

    def at(self, vendor: str) -> tuple[EmulatedDeployment, ...]:
        """The deployments at this vendor."""
        return tuple(one for one in self.deployments if one.vendor == vendor)

    def place(self, world: World | None, now: float) -> World:
        """The world given, up to now; without one, one of its own with the GPUs in stock and nothing else."""
        if world is not None:
            world.advance(now)
            return world
        own = World(self.seed, now)
        for gpu_type, gpus in self.stock.items():
            own.set_stock(gpu_type, gpus)
        return own

    def build(self, now: float) -> World:
        """A world of these deployments, whose replicas serve at once. Raises: FleetError."""
        world = self.place(None, now)
        for deployment in self.deployments:
            try:
                world.add(deployment.spec(), now)
            except (OutOfStock, ValueError) as error:
                raise FleetError(f"deployment {deployment.name!r}: {error}") from error
        return world


DEFAULT_FLEET: Final = EmulatedFleet(
    stock={
        "gpua5000": 24,
        "gpurtx6000pro": 8,
        "gpu3080ti": 16,
        "H100-80GB": 16,
        "L40S-48GB": 16,
        "H100": 16,
        "L4": 16,
    },
    vendors={
        "exoscale": VendorAccount(port=8081),
        "deepinfra": VendorAccount(port=8082),
        "baseten": VendorAccount(port=8083),
    },
    deployments=(
        EmulatedDeployment(name="chat-qwen3-8b", gpu_type="gpua5000", usd_per_gpu_hour=1.10, replicas=2),
        EmulatedDeployment(
            name="code-qwen3-coder-30b",
            model="Qwen/Qwen3-Coder-30B-A3B-Instruct",
            gpu_type="gpurtx6000pro",
            usd_per_gpu_hour=2.40,
        ),
        EmulatedDeployment(
            name="summaries-mistral-small",
            model="mistralai/Mistral-Small-3.2-24B-Instruct-2506",
            gpu_type="gpua5000",
            gpus_per_replica=2,
            usd_per_gpu_hour=1.10,
        ),
        EmulatedDeployment(
            name="embeddings-bge-m3",
            model="BAAI/bge-m3",
            gpu_type="gpu3080ti",
            concurrency=64,
            usd_per_gpu_hour=0.60,
            start_up_median_s=45,
            start_up_p95_s=100,
        ),
        EmulatedDeployment(
            vendor="deepinfra",
            name="chat-qwen3-32b-h100",
            model="Qwen/Qwen3-32B",
            gpu_type="H100-80GB",
            concurrency=96,
            usd_per_gpu_hour=2.20,
            options={"min_instances": 1, "max_instances": 4},
        ),
        EmulatedDeployment(
            vendor="deepinfra",
            name="summaries-qwen3-8b-l40s",
            gpu_type="L40S-48GB",
            concurrency=32,
            usd_per_gpu_hour=0.90,
        ),
        EmulatedDeployment(
            vendor="baseten",
            name="chat-qwen3-32b",
            model="Qwen/Qwen3-32B",
            gpu_type="H100",
            concurrency=32,
            usd_per_gpu_hour=6.50,
            options={"environment": "production", "min_replica": 1, "max_replica": 4},
        ),
        EmulatedDeployment(
            vendor="baseten",
            name="rag-embed",
            model="BAAI/bge-m3",
            gpu_type="L4",
            concurrency=64,
            usd_per_gpu_hour=0.85,
            options={
                "chain_id": "ragchain",
                "environment": "production",
                "chainlet": "Embed",
                "max_replica": 4,
            },
        ),
        EmulatedDeployment(
            vendor="baseten",
            name="rag-llm",
            gpu_type="H100",
            concurrency=32,
            usd_per_gpu_hour=6.50,
            options={
                "chain_id": "ragchain",
                "environment": "production",
                "chainlet": "Llm",
                "max_replica": 4,
            },
        ),
    ),
)
"""Names are of real models and GPU families; prices, stock and replica counts are made up."""


def load_fleet(path: Path | str) -> EmulatedFleet:
    """A fleet from a TOML file. Raises: FleetError."""
    path = Path(path)
    try:
        return EmulatedFleet.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FleetError(f"{path}: {error}") from error
    except ValidationError as error:
        lines = (
            f"{path}: {'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise FleetError("\n".join(lines)) from error
