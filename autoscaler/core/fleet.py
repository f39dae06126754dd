"""What the decision needs to know of the configuration, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from autoscaler.core.model import key_of
from autoscaler.core.proposals import Policy


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy and the name it is known by: the stem of its file."""

    name: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class SignalRule:
    """How a signal may be read by the decision."""

    max_age_s: float = 60.0
    exists_at_zero: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """One scalable thing at one provider."""

    service: str
    name: str
    provider: str
    capacity_per_replica: float
    max_replicas: int
    min_replicas: int = 0
    control: Literal["pin", "floor"] = "pin"
    start_up_s: float = 180.0
    key: str = field(init=False, compare=False)  # its name in snapshots and memory; asked for very often

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", key_of(self.service, self.name))


@dataclass(frozen=True, slots=True)
class Service:
    """What users call: signals, policies and promises over interchangeable deployments."""

    name: str
    policies: tuple[NamedPolicy, ...]
    deployments: tuple[Deployment, ...]
    signals: Mapping[str, SignalRule] = field(default_factory=dict)
    mode: Literal["act", "observe"] = "act"
    fallback_replicas: int | None = None
    blind_after_s: float = 300.0
    stabilise_down_s: float = 300.0
    budget_usd_per_hour: float | None = None
    priority: int = 0
    baseline_replicas: int | None = None  # None: the sum of min_replicas
    step_up_replicas_max: int | None = None
    step_down_replicas_max: int | None = None
    step_period_s: float = 60.0
    cooldown_s: float = 0.0
    drift_hold_s: float = 600.0
    switch_payback_s: float = 3600.0
    # What follows from the above, worked out once instead of at every tick:
    measures: bool = field(init=False, compare=False)  # whether any policy measures demand
    wakes_by_signal: bool = field(init=False, compare=False)  # a demand policy reads one that exists at zero
    signals_at_zero: frozenset[str] = field(init=False, compare=False)
    history_s: float = field(init=False, compare=False)
    preferring: tuple[NamedPolicy, ...] = field(init=False, compare=False)  # those that say how to allocate
    learning: tuple[NamedPolicy, ...] = field(init=False, compare=False)  # those that remember

    def __post_init__(self) -> None:
        own = self.policies
        demanding = [named.policy for named in own if named.policy.demand]
        at_zero = frozenset(name for name, rule in self.signals.items() if rule.exists_at_zero)
        for name, value in (
            ("measures", bool(demanding)),
            ("wakes_by_signal", any(_reads_any(policy, at_zero) for policy in demanding)),
            ("signals_at_zero", at_zero),
            ("history_s", max((named.policy.history_s for named in own), default=0.0)),
            ("preferring", tuple(n for n in own if type(n.policy).prefer is not Policy.prefer)),
            ("learning", tuple(n for n in own if type(n.policy).remember is not Policy.remember)),
        ):
            object.__setattr__(self, name, value)


def _reads_any(policy: Policy, names: frozenset[str]) -> bool:
    """Whether a policy reads one of these signals; one that names none may read them all."""
    read = policy.signals_read()
    return bool(names) and (not read or not names.isdisjoint(read))


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that is configured for the decision, over all services.

    ``fixed_prices`` are the configuration's own, by ``"provider/gpu_type"``: they win and never age.
    """

    services: Mapping[str, Service]
    interval_s: float = 15.0
    budget_usd_per_hour: float | None = None
    fixed_prices: Mapping[str, float] = field(default_factory=dict)
    config_hash: str = ""
