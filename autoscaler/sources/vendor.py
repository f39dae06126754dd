"""What the sources of vendors share: an account of their own or a provider's, and addresses worth a key.

A vendor's key may change and delete deployments, so it is sent in clear to this machine only, unless told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from yarl import URL

from autoscaler.credentials import is_loopback
from autoscaler.sources.http import ConnectionSettings, plain_base

Address = Annotated[str, Field(max_length=2048), AfterValidator(plain_base)]
"""Where an API is, without a slash at the end."""


class VendorSettings(ConnectionSettings):
    """Keys that the source of every vendor takes; each adds its credential and addresses."""

    provider: str | None = Field(
        default=None,
        description="Name of a [providers.NAME] table of this vendor: its credential, addresses, allow_http "
        "and ca_file are used, except where they are given here.",
    )
    allow_http: bool = Field(
        default=False,
        description="Allow addresses of http:// beyond this machine. Everything is then sent in clear.",
    )

    def addresses(self) -> Mapping[str, str]:
        """Every address that the credential is sent to, by its key."""
        return {}

    @model_validator(mode="after")
    def _sends_credentials_encrypted(self) -> Self:
        for key, address in self.addresses().items():
            url = URL(address)
            if url.scheme == "http" and not self.allow_http and not is_loopback(url.host or ""):
                raise ValueError(
                    f"{key} of http:// to {url.host} would send credentials in clear: "
                    "use https://, a loopback address, or set allow_http = true"
                )
        return self
