"""Ticks in a row, as a daemon would make them; every tick also keeps the promises and survives a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.core.codec import memory_from_json, memory_to_json
from autoscaler.core.decide import step
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import DeploymentMemory, Memory, ServiceMemory
from autoscaler.core.model import (
    Decision,
    ErrorKind,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Phase,
    Plan,
    Price,
    Reading,
    Sample,
    ServiceEvidence,
    Snapshot,
)
from autoscaler.core.promises import violations
from tests.core.fleets import START, a_fleet, a_service, seen

Levels = tuple[float | None, float | None]  # queued and running; None is not known


@dataclass
class Run:
    """A fleet, its memory and the time. Writes are accepted unless ``outcomes`` says otherwise."""

    fleet: Fleet = field(default_factory=a_fleet)
    memory: Memory = field(default_factory=Memory)
    at: float = 0.0  # seconds since START
    plan: Plan = field(default_factory=lambda: Plan(START, ()))

    def tick(
        self,
        queued: float | None = 0.0,
        running: float | None = 0.0,
        *,
        after: float = 15.0,
        age_s: float = 0.0,
        signals: Mapping[str, Reading] | None = None,
        services: Mapping[str, Levels] | None = None,
        prices: Mapping[str, Price] | None = None,
        human: Human | None = None,
        outcomes: tuple[Outcome, ...] | str | None = "accepted",
        clock: str | None = None,
        keys: Mapping[str, Observation] | None = None,
        **deployments: int | Observation | None,
    ) -> Run:
        """One tick, ``after`` seconds after the last. Deployments of ``chat`` by name: a count (all of it
        ready), an observation, or None for one that could not be read."""
        self.at = round(self.at + after, 3)
        now = START + self.at
        readings: dict[str, dict[str, Reading]] = {}
        for name, (q, r) in {"chat": (queued, running), **(services or {})}.items():
            levels = {"queued": q, "running": r}
            readings[name] = {k: Sample(v, now - age_s) for k, v in levels.items() if v is not None}
        readings["chat"].update(signals or {})
        observed = {f"chat/{name}": self._observation(name, value) for name, value in deployments.items()}
        observed.update(keys or {})
        snapshot = Snapshot(
            now,
            readings,
            observed,
            prices or {},
            human,
            self._accepted() if isinstance(outcomes, str) else outcomes,
            clock,  # type: ignore[arg-type]
        )
        self.look(snapshot)
        return self

    def look(self, snapshot: Snapshot) -> Plan:
        """One tick over this snapshot; the promises hold, and memory reads back as it was written."""
        self.at = round(snapshot.at - START, 3)
        plan, memory = step(self.memory, snapshot, self.fleet)
        broken = violations(plan, snapshot, memory.human, self.fleet)
        assert not broken, f"broken promises: {broken}"
        copy = memory_from_json(json.loads(json.dumps(memory_to_json(memory))))
        assert copy == memory, "a checkpoint reads back as something else"
        self.plan, self.memory = plan, copy
        return plan

    def _accepted(self) -> tuple[Outcome, ...]:
        return tuple(
            Outcome(d.service, d.deployment, OutcomeWord.ACCEPTED) for d in self.plan.decisions if d.changes
        )

    def _observation(self, name: str, value: int | Observation | None) -> Observation:
        if value is None:
            return unread()
        if not isinstance(value, int):
            return value
        providers = {d.name: d.provider for d in self.fleet.services["chat"].deployments}
        return seen(value, provider=providers.get(name, "exo"))

    def decision(self, name: str = "a", service: str = "chat") -> Decision:
        """The decision of the last tick for this deployment."""
        return next(d for d in self.plan.decisions if (d.service, d.deployment) == (service, name))

    def to(self, name: str = "a", service: str = "chat") -> int | None:
        """The count decided for this deployment."""
        return self.decision(name, service).replicas_to

    def reason(self, name: str = "a", service: str = "chat") -> str:
        """The reason code for this deployment."""
        return self.decision(name, service).reason

    def why(self, name: str = "a", service: str = "chat") -> str:
        """The sentence for this deployment."""
        return self.decision(name, service).why

    def verdict(self, name: str = "a", service: str = "chat") -> tuple[int | None, str]:
        """Count and reason code."""
        decision = self.decision(name, service)
        return decision.replicas_to, decision.reason

    def counts(self, service: str = "chat") -> dict[str, int | None]:
        """The counts decided for a service."""
        return {d.deployment: d.replicas_to for d in self.plan.decisions if d.service == service}

    def evidence(self, service: str = "chat") -> ServiceEvidence:
        """The evidence of the last tick for a service."""
        return self.plan.services[service]

    def known(self, name: str = "a", service: str = "chat") -> DeploymentMemory:
        """What is remembered of a deployment."""
        return self.memory.deployments[f"{service}/{name}"]

    def past(self, service: str = "chat") -> ServiceMemory:
        """What is remembered of a service."""
        return self.memory.services[service]

    def settle(self, ticks: int = 21, **same: object) -> Run:
        """The same tick several times: by default long enough for the stabilisation window to be full."""
        for _ in range(ticks):
            self.tick(**same)  # type: ignore[arg-type]
        return self

    def follow(
        self, ticks: int = 1, queued: float | None = 0.0, running: float | None = 0.0, **more: object
    ) -> Run:
        """Ticks in which ``chat`` has become what the last plan said; all of it is ready."""
        for _ in range(ticks):
            counts = {name: count for name, count in self.counts().items() if count is not None}
            self.tick(queued, running, **{**counts, **more})  # type: ignore[arg-type]
        return self


def unread(error: ErrorKind = ErrorKind.UNAVAILABLE) -> Observation:
    """What a failed read leaves."""
    return Observation(None, phase=Phase.UNKNOWN, error=error)


def a_run(*services: object, **settings: object) -> Run:
    """Ticks over a fleet of these services (default: ``chat`` with the deployment ``a``)."""
    return Run(a_fleet(*services, **settings))  # type: ignore[arg-type]


def chat_run(**settings: object) -> Run:
    """Ticks over the service ``chat`` with these settings; ``a`` takes 16 at once, up to 6 replicas."""
    return Run(a_fleet(a_service(**settings)))  # type: ignore[arg-type]


def said(
    word: OutcomeWord,
    error: ErrorKind | None = None,
    name: str = "a",
    service: str = "chat",
    retry_after_s: float | None = None,
) -> tuple[Outcome, ...]:
    """One outcome of the last plan."""
    return (Outcome(service, name, word, error, retry_after_s),)
