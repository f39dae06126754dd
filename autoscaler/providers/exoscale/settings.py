"""What a configuration says of an Exoscale account and its deployments."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from autoscaler.providers.kinds import HeaderSecret, ProviderSettings


class ExoscaleSettings(ProviderSettings):
    """``[providers.NAME]`` with ``kind = "exoscale"``: one account in one zone."""

    kind: Literal["exoscale"] = Field(default="exoscale", description="Which adapter this is.")
    zone: str = Field(
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        max_length=32,
        description="Zone of the deployments, such as at-vie-2. A deployment is seen in its own zone only.",
    )
    api_key: HeaderSecret = Field(description="API key of an IAM role; it starts with EXO.")
    api_secret: HeaderSecret = Field(description="Secret of the API key.")

    @field_validator("base_url")
    @classmethod
    def _ends_in_v2(cls, value: str | None) -> str | None:
        if value is not None and not value.endswith("/v2"):
            raise ValueError("must end in /v2")
        return value

    @property
    def address(self) -> str:
        """Base URL of the API, ending in ``/v2``."""
        return self.base_url or f"https://api-{self.zone}.exoscale.com/v2"


class ExoscaleIds(BaseModel):
    """What a deployment's entry carries: which one it is at Exoscale."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID = Field(
        description="UUID of the deployment, as `exo dedicated-inference deployment list` shows."
    )
