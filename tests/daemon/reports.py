"""Small builders of tick reports, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.model import (
    Absence,
    Decision,
    DeploymentEvidence,
    ErrorKind,
    Human,
    Observation,
    Opinion,
    Phase,
    Plan,
    Price,
    Reading,
    ReplicaRange,
    Sample,
    ServiceEvidence,
    Snapshot,
    exactly,
)
from autoscaler.core.proposals import Policy
from autoscaler.daemon.report import TickReport

AT = 1_795_262_400.0  # 2026-11-21T12:00:00Z


class QueuePolicy(Policy, kind="test_queue", demand=True):
    """A stand-in: only its name is shown."""


@dataclass
class Member:
    """One deployment: what is configured, seen and decided."""

    name: str = "exo-a5000"
    provider: str = "exo"
    gpu_type: str | None = "gpua5000"
    gpus: int | None = 1
    replicas: int | tuple[int, int] | None = 4  # None: could not be read
    ready: int | None = 4
    starting: int | None = 0
    overdue: int = 0
    low: int = 0
    high: int = 6
    to: int | None = -1  # -1: a hold
    reason: str = "hold"
    why: str = "60 requests at once need 4 replicas of 16 at 0.80"
    phase: Phase = Phase.READY
    price: float | None = 1.10
    control: str = "pin"
    error: ErrorKind | None = None
    p50_p90: tuple[float, float] | None = None
    obstacle: str | None = None

    @property
    def count(self) -> int | None:
        return self.replicas[0] if isinstance(self.replicas, tuple) else self.replicas

    @property
    def range(self) -> ReplicaRange | None:
        if isinstance(self.replicas, tuple):
            return ReplicaRange(*self.replicas)
        return None if self.replicas is None else exactly(self.replicas)


@dataclass
class Case:
    """One service."""

    name: str = "chat"
    members: list[Member] = field(default_factory=lambda: [Member()])
    demand: float | None = 60.0
    need: float = 75.0
    blind: bool = False
    mode: str = "act"
    budget: float | None = None
    signals: dict[str, Reading] = field(
        default_factory=lambda: {"queued": Sample(3.0, AT - 2), "running": Sample(57.0, AT - 4)}
    )
    opinions: tuple[Opinion, ...] = (
        Opinion("queue-depth", "queue_depth", None, 75.0, None, None, False, "60 requests at once"),
    )


def a_deployment(case: Case, one: Member) -> Deployment:
    return Deployment(
        service=case.name,
        name=one.name,
        provider=one.provider,
        capacity_per_replica=16.0,
        max_replicas=one.high,
        min_replicas=one.low,
        control="floor" if one.control == "floor" else "pin",
    )


def a_fleet(*cases: Case, budget: float | None = 60.0, fixed: Mapping[str, float] | None = None) -> Fleet:
    services = {
        case.name: Service(
            name=case.name,
            policies=(NamedPolicy("queue-depth", QueuePolicy()),),
            deployments=tuple(a_deployment(case, one) for one in case.members),
            signals={name: SignalRule() for name in case.signals},
            mode="observe" if case.mode == "observe" else "act",
            budget_usd_per_hour=case.budget,
        )
        for case in cases
    }
    return Fleet(services=services, budget_usd_per_hour=budget, fixed_prices=fixed or {})


def an_observation(one: Member) -> Observation:
    return Observation(
        replicas=one.range,
        ready=one.ready,
        starting=one.starting,
        phase=one.phase,
        gpu_type=one.gpu_type,
        gpus_per_replica=one.gpus,
        native=one.control == "floor",
        error=one.error,
    )


def a_decision(case: Case, one: Member) -> Decision:
    to = one.count if one.to == -1 else one.to
    before, after = one.range, None if to is None else exactly(to)
    if isinstance(one.replicas, tuple) and to is not None:
        after = ReplicaRange(to, one.replicas[1])
    return Decision(case.name, one.name, one.count, to, one.reason, one.why, before, after)


def some_evidence(case: Case) -> ServiceEvidence:
    return ServiceEvidence(
        demand=case.demand,
        want=case.need,
        need=case.need,
        need_reason="queue_depth",
        blind=case.blind,
        floor=sum(one.low for one in case.members),
        ceiling=sum(one.high for one in case.members),
        forced_ceiling=sum(one.high for one in case.members),
        paused=None,
        overridden=False,
        opinions=case.opinions,
        deployments={
            one.name: DeploymentEvidence(
                replicas_set=one.count,
                replicas_ready=one.ready,
                replicas_starting=one.starting or 0,
                replicas_overdue=one.overdue,
                floor=one.low,
                ceiling=one.high,
                forced_ceiling=one.high,
                override_floor=None,
                price_usd_per_gpu_hour=one.price,
                price_age_s=None if one.price is None else 300.0,
                usd_per_replica_hour=None if one.price is None else one.price * (one.gpus or 1),
                start_up_p50_s=180.0,
                start_up_p90_s=180.0,
                obstacle=one.obstacle,
            )
            for one in case.members
        },
        usd_per_hour=None,
    )


def a_report(
    *cases: Case,
    at: float = AT,
    fleet: Fleet | None = None,
    human: Human | None = None,
    brake: tuple[str, ...] = (),
    violations: Mapping[str, int] | None = None,
    scale_calls: tuple[tuple[str, str], ...] = (),
    start_ups: tuple[tuple[str, float], ...] = (),
    drift_started: tuple[str, ...] = (),
) -> TickReport:
    fleet = a_fleet(*cases) if fleet is None else fleet
    prices: dict[str, Price] = {}
    for _, one in _members(cases):
        if one.price is not None and one.gpu_type is not None:
            prices[f"{one.provider}/{one.gpu_type}"] = Price(one.price, at - 300)
    return TickReport(
        at=at,
        fleet=fleet,
        snapshot=Snapshot(
            at=at,
            signals={case.name: case.signals for case in cases},
            deployments={f"{case.name}/{one.name}": an_observation(one) for case, one in _members(cases)},
            prices=prices,
        ),
        plan=Plan(
            at=at,
            decisions=tuple(a_decision(case, one) for case, one in _members(cases)),
            services={case.name: some_evidence(case) for case in cases},
            brake=brake,
        ),
        duration_s=0.4,
        violations=violations or {},
        start_ups=start_ups,
        start_up_estimates={
            f"{case.name}/{one.name}": one.p50_p90 for case, one in _members(cases) if one.p50_p90 is not None
        },
        scale_calls=scale_calls,
        drift_started=drift_started,
        human=human or Human(),
        prices={**{key: price.usd_per_gpu_hour for key, price in prices.items()}, **fleet.fixed_prices},
    )


def _members(cases: Iterable[Case]) -> list[tuple[Case, Member]]:
    return [(case, one) for case in cases for one in case.members]


def missing(detail: str = "no series") -> Absence:
    return Absence("empty", detail)
