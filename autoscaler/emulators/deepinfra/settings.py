"""How the emulated DeepInfra behaves where its pages leave it open, or a test wants it otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DeepInfraSettings(BaseModel):
    """Choices where DeepInfra's pages are silent. Durations are seconds of the emulator's clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accepts_minimum_zero: bool = False  # min_instances 0 below a maximum; else 400
    accepts_maximum_zero: bool = False  # both 0; else 400
    refuses_repeats: bool = False  # 400 for a stop of what is stopped and a start of what is not
    keeps_deleted: bool = True  # shown as "deleted" by list and get; else left out and 404
    rent_goes_on_while_stopped: bool = False  # the rent meter counts the minimum as if it ran
    has_funds: bool = True  # else 402 for a new deployment
    refusal_status: Literal[401, 403] = 401  # for a wrong or missing token
    available: Mapping[str, bool] = Field(
        default={}, max_length=100
    )  # shown for "2xH100-80GB", whatever is free
    gpus_max: int = Field(default=64, ge=0)  # of each type, by /v1/me/gpu_limit; shown, not enforced

    initializing_s: float = Field(default=5.0, ge=0, le=86400)  # of a new deployment
    downloading_s: float = Field(default=60.0, ge=0, le=86400)  # then; after that its instances start

    target_utilisation: float = Field(default=0.8, gt=0, le=1)  # of max_batch_size, per instance
    window_s: float = Field(default=60.0, ge=0, le=86400)  # over which demand is averaged
    scale_down_delay_s: float = Field(default=600.0, ge=0, le=86400)

    statistics_delay_s: float = Field(default=0.0, ge=0, le=86400)  # figures are at least so old
    p95_over_mean: float = Field(default=2.0, ge=1, le=100)
    input_tokens_per_request: int = Field(default=600, ge=0)
    output_tokens_per_request: int = Field(default=250, ge=0)
