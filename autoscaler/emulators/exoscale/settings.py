"""How the emulated Exoscale behaves where a test or a person wants it otherwise."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from autoscaler.emulators.exoscale.operations import OperationReason, OperationState


class ErrorBody(StrEnum):
    """The four shapes that Exoscale's errors were seen in."""

    PROBLEM = "problem"  # type, title, status, detail
    ERROR = "error"  # error
    CODE = "code"  # code, error
    DEPLOYMENTS = "deployments"  # deployments: no text at all


class ExoscaleSettings(BaseModel):
    """How this emulator behaves where Exoscale's documentation leaves it open, or a test wants it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation_s: float | None = Field(default=3.0, ge=0, le=86400)  # None: until all replicas serve
    error_body: ErrorBody | None = None  # None: code for 403, problem for the rest
    unauthorized_families: tuple[str, ...] = ()


class NextOperations(BaseModel):
    """How the next so many operations end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: OperationReason
    state: OperationState = OperationState.FAILURE
    message: str | None = None
    operations: int = Field(default=1, ge=0, le=10_000)
