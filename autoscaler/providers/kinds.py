"""What the configuration and the wiring need to know of a kind of provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from autoscaler.credentials import HeaderSecret, is_loopback
from autoscaler.ports import Clock, Provider, Telemetry

__all__ = ["REPLY_BYTES_MAX", "HeaderSecret", "ProviderKind", "ProviderSettings"]

REPLY_BYTES_MAX: Final = 4 * 1024 * 1024


class ProviderSettings(BaseModel):
    """Keys that every ``[providers.NAME]`` table takes; each vendor adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str = Field(description="Which adapter this is.")
    base_url: str | None = Field(
        default=None, description="Where the API is, without a trailing slash. Default: the vendor's address."
    )
    allow_http: bool = Field(
        default=False,
        description="Allow a base_url of http:// beyond this machine. Everything is then sent in clear.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the certificate authorities to trust instead of the system's; "
        "for a proxy that inspects TLS.",
    )
    deadline_s: float = Field(
        default=10.0,
        ge=0.1,
        le=300,
        description="Longest wait for one answer of the vendor, in seconds; "
        "at most 0.65 of what a tick gives a vendor's reads (3.9 s at an interval_s of 15).",
    )
    connections_max: int = Field(
        default=8, ge=1, le=256, description="Most connections open to the vendor at once."
    )
    reply_bytes_max: int = Field(
        default=REPLY_BYTES_MAX,
        ge=1024,
        le=256 * 1024 * 1024,
        description="Longest reply that is read, in bytes; a longer one counts as a bad reply.",
    )

    @field_validator("base_url")
    @classmethod
    def _is_a_base_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = _split(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be http:// or https:// with a host")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not carry a user name or password")
        if parts.query or parts.fragment:
            raise ValueError("must not carry a query or fragment")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _sends_credentials_encrypted(self) -> Self:
        if self.base_url is None or self.allow_http:
            return self
        parts = _split(self.base_url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError(
                f"base_url of http:// to {parts.hostname} would send credentials in clear: "
                "use https://, a loopback address, or set allow_http = true"
            )
        return self


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # A port out of range is told only when it is asked for.
        url.encode("ascii")
    except ValueError as error:
        raise ValueError("is not an address") from error
    if any(character.isspace() for character in url):
        raise ValueError("must not contain white space")
    return parts


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """One vendor: its settings, the ids of its deployments, and how to make its adapter.

    ``ids`` are the keys that a ``[[services.NAME.deployments]]`` entry carries for this kind.
    ``create(name, settings, clock, telemetry)`` opens no connection and needs no running event loop.
    """

    settings: type[ProviderSettings]
    ids: type[BaseModel]
    create: Callable[[str, ProviderSettings, Clock, Telemetry], Provider]
