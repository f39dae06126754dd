"""A folder with a configuration that works, and ways to change it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from autoscaler.config import Config, ConfigError, Kinds, load, load_for_decide
from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.providers import PROVIDERS, ProviderKind, ProviderSettings
from autoscaler.sources import SOURCES

ID = "3c1f5d0e-8a6b-4f2d-9b1e-2a7c4d5e6f70"
OTHER_ID = "0b9b2c5e-7a41-4b0e-8a53-5f3a8f3c9d10"


class AlwaysTwo(Policy, kind="always_two"):
    """A policy that measures nothing."""

    replicas: int = Field(default=2, ge=0)

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return (Proposal("always", at_least=self.replicas),)


class ChainSettings(ProviderSettings):
    token: SecretStr


class ChainIds(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    chain_id: str
    environment: str
    chainlet: str


def _never(*_: Any) -> Any:
    raise AssertionError("a configuration makes no adapters")


KINDS = Kinds(
    {**PROVIDERS, "chains": ProviderKind(ChainSettings, ChainIds, _never)},
    SOURCES,
    {"queue_depth": QueueDepth, "always_two": AlwaysTwo},
)

GOOD = f"""
[http]
port = 0

[providers.exo]
kind = "exoscale"
zone = "at-vie-2"
api_key = "EXO0123456789"
api_secret = "hush-hush-secret"

[sources.gateway]
kind = "push"

[services.chat]
policies = ["queue-depth"]
signals.queued = {{ source = "gateway", exists_at_zero = true }}
signals.running = {{ source = "gateway" }}
signals.arrived_total = {{ source = "gateway" }}
signals.started_total = {{ source = "gateway" }}

[[services.chat.deployments]]
name = "exo-a5000"
provider = "exo"
id = "{ID}"
capacity_per_replica = 16
max_replicas = 6
"""


class Folder:
    """A configuration on disk: ``config.toml`` and ``policies/``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "config.toml"
        (path / "policies").mkdir(parents=True)
        self.policy("queue-depth", 'kind = "queue_depth"\n')
        self.policy("always-two", 'kind = "always_two"\n')
        self.write(GOOD)

    def write(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def policy(self, name: str, text: str) -> None:
        (self.path / "policies" / f"{name}.toml").write_text(text, encoding="utf-8")

    def change(self, *changes: tuple[str, str]) -> None:
        """Replace text of the good file; each must be in it."""
        text = self.file.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        self.write(text)

    def add(self, text: str) -> None:
        self.write(self.file.read_text(encoding="utf-8") + text)

    def load(self, environ: Mapping[str, str] | None = None) -> Config:
        return load(self.file, environ or {}, KINDS)

    def load_for_decide(self, environ: Mapping[str, str] | None = None) -> Config:
        return load_for_decide(self.file, environ or {}, KINDS)

    def problems(self, environ: Mapping[str, str] | None = None) -> list[str]:
        """What is wrong, a line each, with paths from the folder."""
        with pytest.raises(ConfigError) as caught:
            self.load(environ)
        return str(caught.value).replace(f"{self.path}/", "").splitlines()
