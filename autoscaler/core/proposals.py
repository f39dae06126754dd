"""What a policy is, what it sees, and what it may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from autoscaler.core.model import Sample
from autoscaler.core.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Proposal:
    """One opinion. Nothing in it is binding.

    ``deployment`` None speaks of the whole service. ``want`` is in capacity units (by default
    requests at once), ``at_least`` and ``at_most`` in replicas. ``reason`` is a clause; the text
    ``{supply}`` in it is replaced by what was allotted, such as "5 replicas of 16".
    """

    reason: str
    deployment: str | None = None
    want: float | None = None
    at_least: int | None = None
    at_most: int | None = None
    blind: bool = False
    demand: float | None = None  # capacity in use or queued now, where the policy knows it
    idle_s: float = 0.0  # how long demand must be zero before the last replica goes


@dataclass(frozen=True, slots=True)
class Preference:
    """What a policy asks of the allocation."""

    switch_if_saves_percent: float = 0.0
    price_max_age_s: float = 3600.0
    gpu_types: frozenset[str] | None = None  # None: all are allowed


@quick
@dataclass(frozen=True, slots=True)
class DeploymentView:
    """One deployment as a policy sees it."""

    name: str
    provider: str
    gpu_type: str | None
    gpus_per_replica: int | None
    capacity_per_replica: float
    replicas_set: int | None
    replicas_ready: int | None
    price_usd_per_gpu_hour: float | None
    price_age_s: float | None


@quick
@dataclass(frozen=True, slots=True)
class View:
    """One service's slice of the snapshot, with history.

    ``signals`` holds only samples that are fresh; ``missing`` says, for every other signal that the
    service configures, why it is absent. ``history`` holds past samples, oldest first, without the
    current one's duplicates, as far back as the service's policies asked (``history_s``).
    """

    service: str
    at: float
    signals: Mapping[str, Sample]
    missing: Mapping[str, str]
    exists_at_zero: frozenset[str]
    history: Mapping[str, tuple[Sample, ...]]
    deployments: tuple[DeploymentView, ...]
    replicas_ready: int | None  # service total; None: not known for any one of them
    start_up_p50_s: float
    start_up_p90_s: float  # of the slowest deployment
    state: Mapping[str, Any] = field(default_factory=dict)  # what the policy's own ``remember`` returned last
    measured: Any = None  # what the policy's own ``measure`` found in this view


class Policy(BaseModel):
    """A rule from a policy file: a frozen model whose methods return opinions and their reason.

    Subclass with ``kind`` (the word in the file) and ``demand=True`` for a policy that measures
    demand: such a policy always wants, or is blind. Pure: no clock, no I/O, no randomness.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str] = ""
    demand: ClassVar[bool] = False
    history_s: ClassVar[float] = 0.0  # how much signal history ``View.history`` must hold

    def __init_subclass__(cls, kind: str = "", demand: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if kind:
            cls.kind = kind
        cls.demand = demand or cls.demand

    def signals_read(self) -> tuple[str, ...]:
        """Names of the signals that this policy cannot do without; checked when config is read."""
        return ()

    def measure(self, view: View) -> Any:
        """What both ``propose`` and ``remember`` rest on, worked out once for the two: ``view.measured``.

        The view has no ``state`` yet. Default: nothing.
        """
        return None

    def propose(self, view: View) -> tuple[Proposal, ...]:
        """Opinions about this service now."""
        raise NotImplementedError(f"{type(self).__name__} must define propose(view)")

    def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
        """The policy's own learned state after this view: JSON, at most 64 KiB. Default: unchanged."""
        return state

    def prefer(self, view: View) -> Preference | None:
        """What the policy asks of the allocation. Default: nothing."""
        return None
