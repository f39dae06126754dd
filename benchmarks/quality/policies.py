"""Who is scored: the rivals with their frozen settings, and our own policies with one setting for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.proposals import Policy
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.sim.design import task_of
from autoscaler.sim.facts import Facts
from autoscaler.sim.known_future import clairvoyant_run
from autoscaler.sim.plant import COUNTERS, Design
from autoscaler.sim.result import RunResult
from autoscaler.sim.rivals import RIVALS
from autoscaler.sim.run import run
from autoscaler.sim.scaler import OurDecision, RivalScaler
from benchmarks.quality.scenario import CONCURRENCY, DEPLOYMENT, INTERVAL_S, SERVICE, SHARE

Progress = Callable[[float], None]

PLAN: Final = "clairvoyant"
FIXED: Final = "least fixed"
OURS: Final[Mapping[str, Policy]] = {"queue-depth": QueueDepth()}


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same count: a rival for the yardstick."""

    replicas: int

    def tick(self, facts: Facts) -> int:
        """The count."""
        del facts
        return self.replicas


def contestants() -> Mapping[str, Callable[[Design, Progress], RunResult]]:
    """By name: the yardsticks, the rivals and ours."""
    made: dict[str, Callable[[Design, Progress], RunResult]] = {PLAN: _plan, FIXED: _least_fixed}
    for name in RIVALS:
        made[name] = _rival(name)
    for name, policy in OURS.items():
        made[name] = _ours(name, policy)
    return made


def _plan(design: Design, progress: Progress) -> RunResult:
    return _bare(clairvoyant_run(design, INTERVAL_S, share=SHARE, progress=progress))


def _rival(name: str) -> Callable[[Design, Progress], RunResult]:
    def make(design: Design, progress: Progress) -> RunResult:
        rival = RIVALS[name].make(task_of(design.services[SERVICE], INTERVAL_S))
        return _bare(run(name, "rival", design, RivalScaler({SERVICE: rival}), INTERVAL_S, progress=progress))

    return make


def _ours(name: str, policy: Policy) -> Callable[[Design, Progress], RunResult]:
    def make(design: Design, progress: Progress) -> RunResult:
        scaler = OurDecision(_fleet(name, policy, design))
        made = run(
            name,
            "config",
            design,
            scaler,
            INTERVAL_S,
            progress=progress,
            violations=lambda: scaler.broken,
        )
        return _bare(made)

    return make


def _least_fixed(design: Design, progress: Progress) -> RunResult:
    """The smallest fixed size that keeps the promise, by halving; the largest where none does."""
    main = design.services[SERVICE].main
    low, high = max(1, main.min_replicas), main.max_replicas
    best: RunResult | None = None
    while low < high:
        middle = (low + high) // 2
        tried = _fixed(design, middle)
        progress(1 - (high - low) / main.max_replicas)
        if (tried.on_time_share or 0.0) >= SHARE:
            best, high = tried, middle
        else:
            low = middle + 1
    return _bare(best if best is not None and high == _count(best) else _fixed(design, high))


def _fixed(design: Design, replicas: int) -> RunResult:
    """From the start on: a fixed fleet is there before anybody comes."""
    service = design.services[SERVICE]
    main = service.main
    there = replace(main, spec=replace(main.spec, initial_replicas=replicas))
    standing = replace(design, services={SERVICE: replace(service, deployments=(there,))})
    return run(FIXED, "rival", standing, RivalScaler({SERVICE: Fixed(replicas)}), INTERVAL_S)


def _count(result: RunResult) -> int:
    series = result.services[SERVICE].series
    assert series is not None
    return series.deployments[DEPLOYMENT].replicas_set[0]


def _fleet(name: str, policy: Policy, design: Design) -> Fleet:
    main = design.services[SERVICE].main
    service = Service(
        name=SERVICE,
        policies=(NamedPolicy(name, policy),),
        deployments=(
            Deployment(SERVICE, DEPLOYMENT, main.provider, CONCURRENCY, main.max_replicas, main.min_replicas),
        ),
        signals={signal: SignalRule(exists_at_zero=True) for signal in COUNTERS},
    )
    return Fleet({SERVICE: service}, interval_s=INTERVAL_S, fixed_prices={"vendor/gpu": 1.0})


def _bare(result: RunResult) -> RunResult:
    """Without the series, which nobody plots here and which would cross from process to process."""
    services = {name: replace(one, series=None) for name, one in result.services.items()}
    return replace(result, services=services)
