"""How the emulated Baseten behaves where a test or a person wants it otherwise."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BasetenSettings(BaseModel):
    """What Baseten's pages leave open, and its limits. Durations are seconds of the emulator's clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    applied_after_s: float = Field(default=3.0, ge=0, le=86400)  # from a write to settings that show it
    building_s: float = Field(default=60.0, ge=0, le=86400)
    deploying_s: float = Field(default=20.0, ge=0, le=86400)  # until replicas begin to start
    deactivating_s: float = Field(default=5.0, ge=0, le=86400)  # at least, and until the last request ends
    shows_updating: bool = False  # the word UPDATING while a write is being applied, else ACTIVE
    predict_timeout_s: float = Field(
        default=1200.0, ge=0, le=86400
    )  # a request is held so long for a replica
    activations_per_minute: int | None = Field(default=20, ge=1, le=100_000)  # and deactivations; None: any
    exports_per_minute: int | None = Field(default=6, ge=1, le=100_000)  # of /metrics, for the organisation
    requests_per_s: int | None = Field(default=100, ge=1, le=100_000)  # of each other call
