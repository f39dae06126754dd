"""What is known of the real plant, from a small TOML file: all of it optional, all of it checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Seconds = Annotated[float, Field(ge=0, le=2_592_000)]
Usd = Annotated[float, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=10_000)]


class PlantFileError(ValueError):
    """The plant file cannot be used; the text names file, key and what is allowed."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DeploymentFacts(_Table):
    """``[services.NAME.deployments.NAME]``: what differs from what the configuration says or implies.

    ``start_up_median_s`` and ``start_up_p95_s`` are the law that start-up times are drawn from.
    ``concurrency`` is requests at once per replica, ``speed`` divides service times. ``billing_block_s``: a
    replica is billed in whole blocks of this length; 0 is by the second. ``mean_life_s`` is how long a
    replica serves, in the mean, before it dies and another one starts; ``start_up_failure_share`` how often
    a start-up fails and begins again.
    """

    gpu_type: str | None = Field(default=None, min_length=1, max_length=100)
    gpus_per_replica: int | None = Field(default=None, ge=1, le=1024)
    usd_per_gpu_hour: Usd | None = None
    concurrency: int | None = Field(default=None, ge=1, le=100_000)
    speed: float = Field(default=1.0, gt=0, le=1000)
    start_up_median_s: Seconds | None = None
    start_up_p95_s: Seconds | None = None
    initial_replicas: Count | None = None
    billing_block_s: Seconds = 0.0
    mean_life_s: float | None = Field(default=None, gt=0)
    start_up_failure_share: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> DeploymentFacts:
        median, p95 = self.start_up_median_s, self.start_up_p95_s
        if p95 is not None and (median is None or p95 < median):
            raise ValueError("start_up_p95_s needs start_up_median_s, and is not below it")
        return self


class ServiceFacts(_Table):
    """``[services.NAME]``: its promise, how long a request takes, and what its signals mean.

    ``signals`` are formulas over what a gateway counts, such as ``in_flight = "queued + running"``.
    """

    promise_wait_s: Seconds | None = None
    service_s: float | None = Field(default=None, gt=0, le=86_400)
    signals: Mapping[str, str] = {}
    deployments: Mapping[str, DeploymentFacts] = {}


class PriceChange(_Table):
    """``[[price_changes]]``: another price from so many seconds after the start on."""

    at_s: float = Field(ge=0)
    deployment: str  # "service/deployment"
    usd_per_gpu_hour: Usd


class StockChange(_Table):
    """``[[stock_changes]]``: so many GPUs of a type in all; without ``gpus`` there is no limit any more."""

    at_s: float = Field(ge=0)
    gpu_type: str
    gpus: Count | None = None


class PlantFile(_Table):
    """The whole file."""

    services: Mapping[str, ServiceFacts] = {}
    stock: Mapping[str, Count] = {}
    price_changes: tuple[PriceChange, ...] = ()
    stock_changes: tuple[StockChange, ...] = ()

    def service(self, name: str) -> ServiceFacts:
        """What the file says of this service."""
        return self.services.get(name) or ServiceFacts()

    def deployment(self, service: str, name: str) -> DeploymentFacts:
        """What the file says of this deployment."""
        return self.service(service).deployments.get(name) or DeploymentFacts()


def read_plant_file(path: Path) -> PlantFile:
    """The file as it is. Raises: PlantFileError with every problem in it."""
    try:
        return PlantFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PlantFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlantFileError(f"{path}: is not TOML: {error}") from error
    except ValidationError as error:
        lines = (
            f"{path}: {'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise PlantFileError("\n".join(lines)) from error
