"""Bodies of requests, by DeepInfra's schemas. Unknown keys are passed over, as there."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from autoscaler.emulators.deepinfra.catalogue import Gpu

Text = Annotated[str, Field(max_length=500)]
Arguments = Annotated[list[Text], Field(max_length=100)]


class ScaleSettings(BaseModel):
    """Bounds. Each is 1 when left out."""

    min_instances: int = 1
    max_instances: int = 1


class Weights(BaseModel):
    """Where the model comes from."""

    repo: Text
    revision: Text | None = None
    token: Text | None = Field(default=None, repr=False)


class Update(BaseModel):
    """PUT /deploy/{deploy_id}. ``standard_args`` and ``extra_args`` replace their whole set."""

    settings: ScaleSettings
    standard_args: dict[str, Any] | None = Field(default=None, max_length=100)
    extra_args: Arguments | None = None


class Create(BaseModel):
    """POST /deploy/llm."""

    model_name: Annotated[str, Field(min_length=1, max_length=200)]
    gpu: Gpu
    num_gpus: int = Field(default=1, ge=1, le=8)
    max_batch_size: int = Field(default=96, ge=1, le=256)
    hf: Weights | None = None
    base_model: Text | None = None
    container_image: Text | None = None
    settings: ScaleSettings | None = None
    standard_args: dict[str, Any] | None = Field(default=None, max_length=100)
    extra_args: Arguments | None = None
