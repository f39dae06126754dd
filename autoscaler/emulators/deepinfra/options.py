"""What a DeepInfra deployment of a fleet may have beside the common keys."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoscaler.emulators.deepinfra.catalogue import GPUS
from autoscaler.emulators.fleet import EmulatedDeployment, FleetError

INSTANCES_MAX: Final = 10_000
BATCH_MAX: Final = 256
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Options(BaseModel):
    """Bounds; without them as many as there are replicas. ``stopped``: by default what has no replicas
    and no minimum of zero."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_instances: int | None = Field(default=None, ge=0, le=INSTANCES_MAX)
    max_instances: int | None = Field(default=None, ge=1, le=INSTANCES_MAX)
    stopped: bool | None = None


def start_of(one: EmulatedDeployment) -> tuple[tuple[int, int], bool]:
    """The bounds that a deployment of the fleet begins with, and whether it is stopped.

    Raises: FleetError, which names the deployment and what is allowed.
    """
    options = _options(one)
    _check_words(one)
    stopped = options.stopped
    if stopped is None:
        stopped = one.replicas == 0 and options.min_instances != 0
    low = max(1, one.replicas) if options.min_instances is None else options.min_instances
    high = max(1, one.replicas, low) if options.max_instances is None else options.max_instances
    if low > high:
        raise FleetError(f"deployment {one.name!r}: min_instances {low} is above max_instances {high}")
    return (low, high), stopped


def _options(one: EmulatedDeployment) -> Options:
    try:
        return Options.model_validate(dict(one.options))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(["options", *map(str, found["loc"])])
        allowed = ", ".join(Options.model_fields)
        raise FleetError(f"deployment {one.name!r}: {key}: {found['msg']}; there are {allowed}") from error


def _check_words(one: EmulatedDeployment) -> None:
    if one.gpu_type not in GPUS:
        raise FleetError(
            f"deployment {one.name!r}: gpu_type {one.gpu_type!r} is none of DeepInfra's: {', '.join(GPUS)}"
        )
    if _ID.fullmatch(one.deployment_id) is None:
        raise FleetError(f"deployment {one.name!r}: id must be 1 to 64 of A-Z a-z 0-9 _ -")
    if one.concurrency > BATCH_MAX:
        raise FleetError(
            f"deployment {one.name!r}: concurrency {one.concurrency} is above {BATCH_MAX}, the largest "
            "max_batch_size"
        )
