"""Small fleets, small numbers, and a plant that answers plans: so that cases collide."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.model import (
    Absence,
    ErrorKind,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Override,
    Pause,
    Phase,
    Plan,
    Price,
    Reading,
    ReplicaRange,
    Sample,
    Snapshot,
    exactly,
)
from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.policies.queue_depth import QueueDepth

START = 1_795_262_400.0  # 2026-11-21T12:00:00Z


class Limit(Policy, kind="limit"):
    """A rule that only limits."""

    deployment: str | None = None
    at_least: int | None = None
    at_most: int | None = None

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return (Proposal("a limit", self.deployment, at_least=self.at_least, at_most=self.at_most),)


def a_service(
    name: str = "chat",
    *,
    replicas_max: int = 6,
    capacity: float = 16.0,
    policies: tuple[NamedPolicy, ...] = (),
    deployments: tuple[Deployment, ...] = (),
    signals: dict[str, SignalRule] | None = None,
    demand: bool = True,
    **settings: object,
) -> Service:
    """A service with one deployment ``a`` and the policy queue_depth, unless told otherwise."""
    own = (NamedPolicy("queue-depth", QueueDepth()),) if demand else ()
    return Service(
        name,
        (*own, *policies),
        deployments or (Deployment(name, "a", "exo", capacity, replicas_max),),
        signals if signals is not None else {"queued": SignalRule(60, True), "running": SignalRule(60)},
        **settings,  # type: ignore[arg-type]
    )


def a_fleet(*services: Service, **settings: object) -> Fleet:
    """A fleet of these services (default: one), with a price for every GPU type named here."""
    named = {service.name: service for service in services or (a_service(),)}
    settings.setdefault("fixed_prices", {"exo/gpua5000": 1.1, "cheap/l4": 0.5, "dear/h100": 4.0})
    return Fleet(services=named, **settings)  # type: ignore[arg-type]


GPU = {"exo": "gpua5000", "cheap": "l4", "dear": "h100"}


def seen(
    replicas: int,
    ready: int | None = None,
    *,
    phase: Phase | None = None,
    provider: str = "exo",
    **more: object,
) -> Observation:
    """An observation of an exact count, all of it ready unless told otherwise."""
    count = replicas if ready is None else ready
    word = phase or (Phase.STOPPED if replicas == 0 else Phase.READY if count >= replicas else Phase.SCALING)
    return Observation(exactly(replicas), count, None, word, GPU[provider], 1, **more)  # type: ignore[arg-type]


def a_snapshot(
    at: float,
    queued: float | None = 0.0,
    running: float | None = 0.0,
    *,
    replicas: int = 4,
    ready: int | None = None,
    age_s: float = 2.0,
    deployments: dict[str, Observation] | None = None,
    **more: object,
) -> Snapshot:
    """One service ``chat``, ``at`` seconds after the start; None leaves a signal out."""
    now = START + at
    signals: dict[str, Reading] = {}
    if queued is not None:
        signals["queued"] = Sample(queued, now - age_s)
    if running is not None:
        signals["running"] = Sample(running, now - age_s)
    more.setdefault("outcomes", ())
    return Snapshot(
        now,
        {"chat": signals},
        deployments if deployments is not None else {"chat/a": seen(replicas, ready)},
        **more,  # type: ignore[arg-type]
    )


@dataclass
class Plant:
    """A fleet that does what plans say, or fails in every way that the ports allow. Seeded."""

    fleet: Fleet
    rng: random.Random
    interval_s: float = 15.0
    at: float = START
    faults: float = 0.0
    set_: dict[str, int] = field(default_factory=dict)
    ready: dict[str, int] = field(default_factory=dict)
    demand: dict[str, float] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] | None = ()
    pending: dict[str, int] = field(default_factory=dict)
    human: Human | None = None

    def __post_init__(self) -> None:
        for service in self.fleet.services.values():
            self.demand[service.name] = float(self.rng.randint(0, 60))
            for d in service.deployments:
                self.set_[d.key] = self.rng.randint(0, d.max_replicas + 1)
                self.ready[d.key] = self.rng.randint(0, self.set_[d.key])

    def fails(self, share: float = 0.2) -> bool:
        """Whether a fault of this share happens now."""
        return self.rng.random() < self.faults * share

    def snapshot(self) -> Snapshot:
        """Let one interval pass, and look."""
        rng = self.rng
        self.at = round(self.at + (rng.choice([130.0, 400.0]) if self.fails(0.05) else self.interval_s), 3)
        signals: dict[str, dict[str, Reading]] = {}
        for name in self.fleet.services:
            if rng.random() < 0.3:
                self.demand[name] = max(0.0, self.demand[name] + rng.randint(-30, 30))
            if rng.random() < 0.05:
                self.demand[name] = 0.0
            readings: dict[str, Reading] = {}
            for signal, share in (("queued", 0.3), ("running", 0.7)):
                value = round(self.demand[name] * share, 1)
                if self.fails():
                    bad: list[Reading] = [Absence("nan"), Sample(value, self.at - 100), Absence("timeout")]
                    readings[signal] = rng.choice(bad)
                elif not self.fails(0.1):
                    readings[signal] = Sample(value, self.at - rng.randint(0, 10))
            signals[name] = readings
        return Snapshot(
            at=self.at,
            signals=signals,
            deployments={d.key: self._look(d) for s in self.fleet.services.values() for d in s.deployments},
            prices={"spot/any": Price(rng.choice([0.4, 2.0, 9.0]), self.at)} if rng.random() < 0.3 else {},
            human=self._people(),
            outcomes=self.outcomes if not self.fails(0.1) else None,
            clock="back" if self.fails(0.03) else None,
        )

    def _look(self, d: Deployment) -> Observation:
        rng, key = self.rng, d.key
        for pending, count in list(self.pending.items()):
            if rng.random() < 0.6:
                self.set_[pending] = count
                del self.pending[pending]
        self.ready[key] = min(self.ready[key], self.set_[key])
        if rng.random() < 0.5:
            self.ready[key] = min(self.set_[key], self.ready[key] + 1)
        if self.fails(0.1) and self.ready[key]:
            self.ready[key] -= 1
        if self.fails(0.05):
            self.set_[key] = rng.randint(0, d.max_replicas + 1)  # somebody else
        if self.fails():
            return Observation(None, phase=Phase.UNKNOWN, error=rng.choice(list(ErrorKind)))
        phase = Phase.READY if self.ready[key] == self.set_[key] else Phase.SCALING
        if self.set_[key] == 0:
            phase = Phase.STOPPED
        if self.fails(0.1):
            phase = rng.choice(list(Phase))
        return Observation(
            exactly(self.set_[key]),
            None if self.fails() else self.ready[key],
            None,
            phase,
            GPU.get(d.provider, "any"),
            1,
            available=False if self.fails(0.1) else None,
            busy=self.fails(0.1),
        )

    def _people(self) -> Human | None:
        rng = self.rng
        if not self.fails(0.1):
            return None
        name = rng.choice(sorted(self.fleet.services))
        pauses = (Pause(rng.choice([None, name]), rng.choice([None, "down"]), self.at + 200),)
        low = rng.randint(0, 5)
        overrides = (
            Override(
                name,
                None,
                rng.choice([None, low]),
                rng.choice([None, low + 1, low or 0]),
                self.at + 300,
            ),
        )
        return Human(pauses if rng.random() < 0.4 else (), overrides if rng.random() < 0.5 else (), ())

    def carry_out(self, plan: Plan) -> None:
        """Do what the plan says, as far as the vendor pleases."""
        outcomes: list[Outcome] = []
        for d in plan.decisions:
            if not d.changes or d.replicas_to is None:
                continue
            key = f"{d.service}/{d.deployment}"
            if self.fails():
                error = self.rng.choice(list(ErrorKind))
                word = OutcomeWord.TIMEOUT if error is ErrorKind.UNAVAILABLE else OutcomeWord.REJECTED
                outcomes.append(Outcome(d.service, d.deployment, word, error, 30.0))
                if word is OutcomeWord.TIMEOUT and self.rng.random() < 0.5:
                    self.pending[key] = d.replicas_to
                continue
            outcomes.append(Outcome(d.service, d.deployment, OutcomeWord.ACCEPTED))
            if not self.fails(0.3):
                if self.rng.random() < 0.7:
                    self.set_[key] = d.replicas_to
                else:
                    self.pending[key] = d.replicas_to
        self.outcomes = tuple(outcomes)


def random_fleet(rng: random.Random) -> Fleet:
    """One to four services over one to four deployments each, every setting drawn."""
    services = []
    for index in range(rng.randint(1, 4)):
        name = f"s{index}"
        deployments = []
        for j in range(rng.choice([1, 1, 2, 3, 4])):
            top = rng.randint(0, 5)
            deployments.append(
                Deployment(
                    name,
                    f"d{j}",
                    rng.choice(["exo", "cheap", "dear", "spot", "unpriced"]),
                    rng.choice([4.0, 8.0, 16.0, 2.5]),
                    top,
                    rng.randint(0, min(2, top)),
                    start_up_s=rng.choice([30.0, 180.0]),
                )
            )
        limits = []
        if rng.random() < 0.4:
            limits.append(NamedPolicy("floor", Limit(at_least=rng.randint(0, 6))))
        if rng.random() < 0.4:
            limits.append(NamedPolicy("cap", Limit(at_most=rng.randint(0, 6))))
        if rng.random() < 0.3:
            limits.append(
                NamedPolicy(
                    "own", Limit(deployment="d0", at_most=rng.randint(0, 3), at_least=rng.choice([None, 1]))
                )
            )
        services.append(
            a_service(
                name,
                deployments=tuple(deployments),
                policies=tuple(limits),
                demand=rng.random() < 0.85,
                stabilise_down_s=rng.choice([0.0, 60.0, 300.0]),
                fallback_replicas=rng.choice([None, 2]),
                blind_after_s=rng.choice([0.0, 60.0]),
                budget_usd_per_hour=rng.choice([None, None, 3.0, 10.0]),
                step_up_replicas_max=rng.choice([None, 1, 2]),
                step_down_replicas_max=rng.choice([None, 1]),
                cooldown_s=rng.choice([0.0, 60.0]),
                drift_hold_s=rng.choice([0.0, 60.0, 600.0]),
                priority=rng.randint(0, 1),
                switch_payback_s=rng.choice([60.0, 3600.0]),
            )
        )
    return a_fleet(*services, budget_usd_per_hour=rng.choice([None, None, 8.0, 30.0]))


Builder = Callable[..., Snapshot]


def ranged(low: int, high: int, ready: int | None = None, **more: object) -> Observation:
    """An observation of a vendor with an autoscaler of its own."""
    return Observation(ReplicaRange(low, high), ready, None, Phase.READY, "gpua5000", 1, native=True, **more)  # type: ignore[arg-type]
