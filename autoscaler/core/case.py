"""One service on its way through a tick: facts and opinions in, targets and decisions out."""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.core.fleet import Deployment, Service
from autoscaler.core.limits import UNLIMITED, Limits, ServiceLimits
from autoscaler.core.memory import DeploymentMemory, ServiceMemory
from autoscaler.core.model import Observation, Step
from autoscaler.core.money import ReplicaPrice
from autoscaler.core.need import Need, Voice
from autoscaler.core.proposals import Preference, View


@dataclass(slots=True)
class Site:
    """One deployment during this tick.

    ``asked`` is what is set or was accepted to be set; ``carries`` how many of those count as capacity
    when others are sized. ``fixed``: no write, its count is what it is. ``target`` is the allocation's
    number before the guards, ``to`` the one after.
    """

    deployment: Deployment
    memory: DeploymentMemory | None
    observed: Observation | None
    price: ReplicaPrice
    limits: Limits
    now: int
    asked: int
    committed: int  # set, or accepted and still expected
    carries: int
    overdue: int
    obstacle: str | None
    obstacle_text: str
    fixed: bool
    no_increase: bool
    keep: int = 0
    micro_usd: int = 0  # for comparison; unknown prices count as dearest
    target: int = 0
    to: int = 0
    reason: str = ""
    text: str = ""
    gives_back_overdue: bool = False
    cut_by_budget: bool = False
    affords: int = UNLIMITED  # replicas that the budgets hold, for a range's maximum
    steps: list[Step] = field(default_factory=list)

    @property
    def capacity(self) -> float:
        """Capacity of one replica."""
        return self.deployment.capacity_per_replica

    @property
    def billed(self) -> int:
        """Replicas that cost money now, or will by a change that was accepted."""
        return max(self.committed, self.memory.billed if self.memory is not None else 0)


@dataclass(slots=True)
class Case:
    """One service during this tick."""

    service: Service
    memory: ServiceMemory
    view: View
    voices: tuple[Voice, ...]
    need: Need
    limits: ServiceLimits
    preference: Preference
    sites: list[Site]
    paused: str | None  # None, "down", "both"
    pause_text: str
    overridden: bool
    at: float
    interval_s: float
    least: int = 0  # replicas that the total must have, as far as ceilings allow
    hard_least: int = 0  # the part of it that beats the budget
    stays: tuple[int, ...] = ()  # the best plan that keeps what is set
    move: str = ""  # the arithmetic of a move, where there is one
    budget_bound: bool = False
    budget_text: str = ""
    floors_over_budget: bool = False  # what floors ask for, or what is there, exceeds a budget
    notes: list[str] = field(default_factory=list)
