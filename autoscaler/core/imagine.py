"""An imagined plant: what a deployment would be, had other decisions been carried out.

Replicas start in the learned median start-up time and go at once; every write is taken. What the real
deployment shows beside its counts (errors, failure, no GPU free) holds for the imagined one as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autoscaler.core.model import Decision, DeploymentEvidence, Observation, Phase, ReplicaRange

_AS_IT_IS = frozenset({Phase.FAILED, Phase.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Imagined:
    """One deployment: what was asked for, how many serve, and when each other one will (ascending)."""

    replicas: ReplicaRange
    ready: int
    starting: tuple[float, ...] = ()

    @property
    def running(self) -> int:
        """Replicas that cost money."""
        return self.ready + len(self.starting)


def passed(
    was: Imagined | None, real: Observation | None, at: float, facts: DeploymentEvidence
) -> Imagined | None:
    """What is there at ``at``; at first sight, what is really there. None: that was never read.

    Inside a range the vendor's own autoscaler is imagined to run what it really runs, as far as the
    imagined range allows.
    """
    seen = None if real is None else real.replicas
    running = (facts.replicas_ready or 0) + facts.replicas_starting
    if was is None:
        if seen is None:
            return None
        first = Imagined(seen, min(facts.replicas_ready or 0, seen.maximum))
        return _run(first, _within(running, seen), at, facts)
    come = sum(1 for due in was.starting if due <= at)
    now = Imagined(was.replicas, was.ready + come, was.starting[come:])
    if was.replicas.is_exact or seen is None:
        return now
    return _run(now, _within(running, was.replicas), at, facts)


def carried_out(was: Imagined, decision: Decision, at: float, facts: DeploymentEvidence) -> Imagined:
    """What is there once this change has been taken."""
    assert decision.range_to is not None
    asked = replace(was, replicas=decision.range_to)
    return _run(asked, _within(was.running, decision.range_to), at, facts)


def observed(real: Observation, plant: Imagined | None, facts: DeploymentEvidence) -> Observation:
    """The real observation with the imagined counts, and start-up times as they were really learned."""
    if plant is None or real.replicas is None:
        return real
    ready, phase = plant.ready, real.phase
    if phase is Phase.FAILED:
        ready = min(ready, real.ready or 0)
    elif phase not in _AS_IT_IS:
        phase = Phase.SCALING if plant.starting else Phase.READY if plant.running else Phase.STOPPED
    return replace(
        real,
        replicas=plant.replicas,
        ready=ready,
        starting=len(plant.starting),
        phase=phase,
        busy=False,
        start_up_p50_s=facts.start_up_p50_s,
        start_up_p90_s=facts.start_up_p90_s,
    )


def _within(count: int, replicas: ReplicaRange) -> int:
    return min(max(count, replicas.minimum), replicas.maximum)


def _run(was: Imagined, count: int, at: float, facts: DeploymentEvidence) -> Imagined:
    """So many running: new ones start now, and what does not serve yet goes first, the latest before all."""
    more = count - was.running
    if more >= 0:
        due = at + facts.start_up_p50_s
        return replace(was, starting=tuple(sorted((*was.starting, *([due] * more)))))
    kept = was.starting[: max(0, len(was.starting) + more)]
    return replace(was, ready=min(was.ready, count), starting=kept)
