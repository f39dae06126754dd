"""Human acts: what changes in what people have said, each change journalled before it counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoscaler.core.codec import human_to_json
from autoscaler.core.model import Decision, Human, Override, Pause
from autoscaler.ports import Journal, Record


def with_pause(human: Human, pause: Pause) -> Human:
    """This pause in place of one for the same service and direction."""
    kept = tuple(p for p in human.pauses if (p.service, p.direction) != (pause.service, pause.direction))
    return replace(human, pauses=(*kept, pause))


def resumed(human: Human, service: str | None, direction: str | None) -> Human:
    """Without the pauses of this service (None: all), and with word for the core to end its own holds."""
    kept = tuple(
        p
        for p in human.pauses
        if (service is not None and p.service != service)
        or (direction is not None and p.direction != direction)
    )
    return replace(human, pauses=kept, resumes=(*human.resumes, service))


def is_paused(human: Human, decision: Decision) -> bool:
    """Whether a pause forbids this change."""
    was, to = decision.range_from, decision.range_to
    assert was is not None
    assert to is not None
    falls = to.minimum < was.minimum or to.maximum < was.maximum
    return any(
        pause.service in (None, decision.service) and (pause.direction is None or falls)
        for pause in human.pauses
    )


def with_override(human: Human, override: Override) -> Human:
    """This override in place of one for the same name."""
    return replace(human, overrides=(*_others(human, override.service, override.deployment), override))


def without_override(human: Human, service: str, deployment: str | None) -> Human:
    """Without one deployment's override; deployment None: without any of the service."""
    if deployment is None:
        return replace(human, overrides=tuple(o for o in human.overrides if o.service != service))
    return replace(human, overrides=_others(human, service, deployment))


def _others(human: Human, service: str, deployment: str | None) -> tuple[Override, ...]:
    return tuple(o for o in human.overrides if (o.service, o.deployment) != (service, deployment))


async def journal_act(journal: Journal, at: float, act: str, human: Human, details: dict[str, Any]) -> None:
    """Record an act with everything that is in force after it. Raises: JournalError."""
    ends = [p.until for p in human.pauses] + [o.until for o in human.overrides]
    until = None if not ends or None in ends else max(end for end in ends if end is not None)
    body = {"act": act, **details, "human": human_to_json(human), "until": until if ends else at}
    await journal.append(Record("human", at, body))
