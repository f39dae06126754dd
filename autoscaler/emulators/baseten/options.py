"""What a fleet file may say of a deployment at Baseten, under ``options``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autoscaler.emulators.baseten.autoscaling import RANGES, Autoscaling
from autoscaler.emulators.fleet import EmulatedDeployment, FleetError

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def _within(name: str) -> object:
    low, high = RANGES[name]
    return Field(default=None, ge=low, le=high)


class Options(BaseModel):
    """A model's deployment, or with ``chain_id`` and ``chainlet`` one chainlet of a chain's deployment.

    Ids that are not given are made from the deployment's. Bounds that are not given are the replicas it
    begins with; ``concurrency_target`` is its ``concurrency``; the rest are Baseten's defaults.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: Word | None = None
    deployment_id: Word | None = None
    environment: Word | None = None
    is_development: bool = False
    chain_id: Word | None = None
    chainlet: Word | None = None
    instance_type: str | None = Field(default=None, min_length=1, max_length=100)
    min_replica: int | None = _within("min_replica")  # type: ignore[assignment]
    max_replica: int | None = _within("max_replica")  # type: ignore[assignment]
    autoscaling_window: int | None = _within("autoscaling_window")  # type: ignore[assignment]
    scale_down_delay: int | None = _within("scale_down_delay")  # type: ignore[assignment]
    concurrency_target: int | None = _within("concurrency_target")  # type: ignore[assignment]
    target_utilization_percentage: int | None = _within("target_utilization_percentage")  # type: ignore[assignment]

    @model_validator(mode="after")
    def _is_one_thing(self) -> Options:
        if (self.chain_id is None) != (self.chainlet is None):
            raise ValueError("chain_id and chainlet go together")
        if self.chain_id is not None and (self.model_id or self.deployment_id or self.is_development):
            raise ValueError("a chainlet has no model_id, no deployment_id and is no development deployment")
        if self.is_development and self.environment is not None:
            raise ValueError("a development deployment is in no environment")
        if self.deployment_id in ("production", "development"):
            raise ValueError("production and development are reserved words in the deployment_id's place")
        return self


def options_of(deployment: EmulatedDeployment) -> Options:
    """What is said of it. Raises: FleetError, which names deployment and key."""
    try:
        return Options.model_validate(dict(deployment.options))
    except ValidationError as error:
        said = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(["options", *map(str, said["loc"])])
        raise FleetError(f"deployment {deployment.name!r}: {key}: {said['msg']}") from error


def settings_of(deployment: EmulatedDeployment, options: Options) -> Autoscaling:
    """The autoscaling settings it begins with. Raises: FleetError."""
    defaults = Autoscaling(
        min_replica=deployment.replicas,
        max_replica=max(1, deployment.replicas, options.min_replica or 0),
        concurrency_target=deployment.concurrency,
    ).body()
    said = options.model_dump(include=set(RANGES) - {"max_scale_down_rate"}, exclude_none=True)
    settings = Autoscaling(**{**defaults, **said})
    if not settings.min_replica <= settings.max_replica:
        raise FleetError(
            f"deployment {deployment.name!r}: options.min_replica {settings.min_replica} must not be above"
            f" max_replica {settings.max_replica}; left out they are the replicas"
        )
    if deployment.replicas > settings.max_replica:
        raise FleetError(
            f"deployment {deployment.name!r}: replicas {deployment.replicas} must not be above"
            f" options.max_replica {settings.max_replica}"
        )
    return settings
