"""What a configuration says of a DeepInfra account and its deployments."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from autoscaler.providers.kinds import HeaderSecret, ProviderSettings

ADDRESS: Final = "https://api.deepinfra.com"
ID_PATTERN: Final = r"^[A-Za-z0-9_-]{1,128}$"
"""Ids are opaque to us; but they become a part of a path, and none may lead elsewhere."""


class DeepInfraSettings(ProviderSettings):
    """``[providers.NAME]`` with ``kind = "deepinfra"``: one account."""

    kind: Literal["deepinfra"] = Field(default="deepinfra", description="Which adapter this is.")
    api_token: HeaderSecret = Field(description="API token of the account.")

    @field_validator("base_url")
    @classmethod
    def _is_a_bare_host(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).path:
            raise ValueError("must be a bare host, without a path")
        return value

    @property
    def address(self) -> str:
        """Base URL of the API, without a path."""
        return self.base_url or ADDRESS


class DeepInfraIds(BaseModel):
    """What a deployment's entry carries: which one it is at DeepInfra."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(
        pattern=ID_PATTERN, description="`deploy_id` of the deployment, as `GET /deploy/list` shows it."
    )
