"""The tables of the configuration file, key by key: types, ranges, defaults and what each is for.

Durations are seconds, money is USD. The reference page and the messages are made from these models.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from autoscaler.core.codec import REPLICAS_MAX
from autoscaler.durations import DURATION_S_MAX

NAME_PATTERN: Final = "[a-z][a-z0-9-]*"
SIGNAL_PATTERN: Final = "[a-z][a-z0-9_-]*"
"""Signals may have underscores: some roles of the built-in policies do, such as ``arrived_total``."""
NAME_CHARS_MAX: Final = 64

Seconds = Annotated[float, Field(ge=0, le=DURATION_S_MAX)]
Replicas = Annotated[int, Field(ge=0, le=REPLICAS_MAX)]
Usd = Annotated[float, Field(ge=0, le=1_000_000)]
Mode = Literal["act", "observe"]

_JOURNAL: Final = re.compile(r"sqlite:.*[^/].*")


class Table(BaseModel):
    """A table of the file: frozen, no unknown keys, no NaN, no values in error texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class DaemonSettings(Table):
    """``[daemon]``: the process."""

    interval_s: float = Field(
        default=15.0, ge=1, le=3600, description="How often the daemon looks and decides."
    )
    mode: Mode = Field(
        default="act",
        description='"observe" decides and reports and never writes; a service may set its own mode.',
    )
    journal: str = Field(
        default="sqlite:autoscaler.db",
        description="The daemon's only memory: `sqlite:` and a path. One daemon per journal, by lock.",
    )
    policy_dir: Path = Field(
        default=Path("policies"), description="Every *.toml there is a policy, named by its file stem."
    )
    shutdown_deadline_s: Seconds = Field(
        default=10.0,
        description="How long a tick under way may take to end after SIGTERM; keep it below the grace "
        "period of whatever stops the container.",
    )
    log_style: Literal["auto", "json", "console"] = Field(
        default="auto",
        description='Logs on standard error; "json" is an object a line, "auto" is "console" on a terminal.',
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info", description="The least important level that is logged."
    )

    @field_validator("journal")
    @classmethod
    def _is_a_journal(cls, value: str) -> str:
        if not _JOURNAL.fullmatch(value):
            raise ValueError("not a journal; allowed is sqlite:PATH")
        return value

    @property
    def journal_path(self) -> Path:
        """The file behind ``journal``; absolute once the configuration has been read."""
        return Path(self.journal.removeprefix("sqlite:"))


class HttpSettings(Table):
    """``[http]``: page, metrics, health and human acts."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on; the image sets 0.0.0.0."
    )
    port: int = Field(default=9464, ge=0, le=65_535, description="TCP port; 0 takes any free one.")
    admin_token: SecretStr | None = Field(
        default=None, description="Bearer token for pause, resume and override; without it those answer 403."
    )
    push_token: SecretStr | None = Field(
        default=None,
        description="Bearer token for POST /v1/signals only; the admin token may push too.",
    )

    @field_validator("admin_token", "push_token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value()
        if not text:
            raise ValueError("is empty; leave the key out to have no token")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(
                "has characters that no header carries; allowed is printable ASCII without spaces"
            )
        return value


class BudgetSettings(Table):
    """``[budget]``: the whole fleet's limit."""

    usd_per_hour: Usd | None = Field(
        default=None,
        description="Stops increases above it, except up to a floor; takes nothing away. Default: no limit.",
    )


class PriceSettings(Table):
    """``[[prices]]``: for vendors that publish none, and for negotiated prices; these win and never age."""

    provider: str = Field(description="Name of a [providers.NAME] table.")
    gpu_type: str = Field(min_length=1, max_length=100, description="GPU type, in the vendor's own word.")
    usd_per_gpu_hour: Usd = Field(description="List price before tax.")


class SignalSettings(Table):
    """``signals.NAME = { ... }`` of a service: one input; the source's kind adds its own keys."""

    source: str = Field(description="Name of a [sources.NAME] table.")
    max_age_s: Seconds = Field(default=60.0, description="An older sample is not used: the service is blind.")
    exists_at_zero: bool = Field(
        default=False,
        description="Whether the signal is there while no replica runs (gateway, push, queue), so that it "
        "can wake the service. One such signal is enough for a policy.",
    )


class DeploymentSettings(Table):
    """``[[services.NAME.deployments]]``: one scalable thing; the provider's kind adds the vendor's ids."""

    name: str = Field(description=f"Unique in the service; matches {NAME_PATTERN}.")
    provider: str = Field(description="Name of a [providers.NAME] table.")
    capacity_per_replica: float = Field(
        gt=0,
        le=1_000_000,
        description="What one replica carries, in the unit of the signals: requests at once.",
    )
    max_replicas: Replicas = Field(description="Never exceeded, whatever is wanted.")
    min_replicas: Replicas = Field(default=0, description="A floor that only an override goes below.")
    control: Literal["pin", "floor"] = Field(
        default="pin",
        description='For vendors with an autoscaler of their own: "pin" sets min = max = n; "floor" sets min '
        "and leaves the vendor room above it (then it must be the service's only deployment).",
    )
    gpu_type: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Only to compare min_replicas with budgets at the start; later the vendor's word counts. "
        "Default: the GPU type of the provider's [[prices]], if there is exactly one.",
    )
    gpus_per_replica: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Only to compare min_replicas with budgets at the start; later the vendor's word counts.",
    )


class ServiceSettings(Table):
    """``[services.NAME]``: what users call. ``[defaults]`` takes the same keys, for all services."""

    policies: tuple[Any, ...] = Field(
        description="Names of policy files; an entry may be a table of a name and keys that it overrides, "
        'such as { name = "queue-depth", target_utilisation = 0.6 }.'
    )
    shadow: tuple[Any, ...] = Field(
        default=(),
        description="Other policies, entries as in policies, that are evaluated beside those on the same "
        "signals and never act; `autoscaler shadow NAME` compares.",
    )
    mode: Mode | None = Field(
        default=None, description='"act" or "observe" for this service. Default: the daemon\'s.'
    )
    signals: dict[str, Any] = Field(default_factory=dict, description="What is read; see signals.NAME below.")
    deployments: tuple[Any, ...] = Field(
        default=(), description="Interchangeable deployments that serve it; at least one. Not in [defaults]."
    )
    fallback_replicas: Replicas | None = Field(
        default=None,
        description="A floor while blind for longer than blind_after_s, weaker than every ceiling. "
        "Default: none, what is set stays.",
    )
    blind_after_s: Seconds = Field(
        default=300.0, description="How long the service is blind before fallback_replicas acts."
    )
    stabilise_down_s: Seconds = Field(
        default=300.0, description="Replicas go only when they were not needed for this long."
    )
    budget_usd_per_hour: Usd | None = Field(
        default=None, description="Limit on this service's cost; stops increases only. Default: none."
    )
    priority: int = Field(
        default=0, ge=-1000, le=1000, description="Who gets the fleet's budget first; higher goes first."
    )
    baseline_replicas: Replicas | None = Field(
        default=None,
        description="Floor of a service without a demand policy, weaker than every ceiling. "
        "Default: the sum of min_replicas.",
    )
    step_up_replicas_max: int | None = Field(
        default=None,
        ge=1,
        le=REPLICAS_MAX,
        description="Most replicas added per step_period_s. Default: any.",
    )
    step_down_replicas_max: int | None = Field(
        default=None,
        ge=1,
        le=REPLICAS_MAX,
        description="Most replicas removed per step_period_s. Default: any.",
    )
    step_period_s: Seconds = Field(default=60.0, description="Period of the two step limits.")
    cooldown_s: Seconds = Field(
        default=0.0, description="No decrease for this long after any change; increases are not delayed."
    )
    drift_hold_s: Seconds = Field(
        default=600.0, description="Hands off a deployment for this long after somebody else changed it."
    )
    start_up_s: Seconds = Field(
        default=180.0, description="Scale call to ready, assumed until 5 start-ups were measured."
    )
    switch_payback_s: Seconds = Field(
        default=3600.0,
        description="A move to a cheaper deployment must pay for its start-up within this time.",
    )
    labels: dict[str, str] = Field(
        default_factory=dict,
        max_length=32,
        description="Free words for people, shown on the page and the API.",
    )
