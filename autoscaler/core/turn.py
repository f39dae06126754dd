"""One turn of a fleet: decided, checked, and what of it may be written. The same live and simulated."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.core.decide import decide, step
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import Decision, Plan, Snapshot, key_of
from autoscaler.core.promises import Violation, violations


@dataclass(frozen=True, slots=True)
class Turn:
    """The plan of one snapshot, the memory after it, the promises that it breaks, and what is to be written.

    ``writes`` are the changes of services in mode ``act``, without those that break a promise.
    """

    plan: Plan
    after: Memory
    broken: tuple[Violation, ...]
    writes: tuple[Decision, ...]


def turn(memory: Memory, snapshot: Snapshot, fleet: Fleet, *, twice: bool = False) -> Turn:
    """Decide and check. Pure. ``twice``: decide again and compare, which is promise 12."""
    plan, after = step(memory, snapshot, fleet)
    broken = violations(plan, snapshot, after.human, fleet)
    if twice and decide(snapshot, memory, fleet) != plan:
        # Nothing of a plan that cannot be repeated may be carried out.
        broken = (
            *broken,
            *(
                Violation("12", d.service, d.deployment, "decided otherwise when asked again")
                for d in plan.decisions
            ),
        )
    return Turn(plan, after, broken, _writes(plan, broken, fleet))


def _writes(plan: Plan, broken: tuple[Violation, ...], fleet: Fleet) -> tuple[Decision, ...]:
    stopped = {violation.key for violation in broken}
    return tuple(
        decision
        for decision in plan.decisions
        if decision.changes
        and fleet.services[decision.service].mode == "act"
        and key_of(decision.service, decision.deployment) not in stopped
    )
