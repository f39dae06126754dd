"""How much: from the policies' wants to the need, the largest want of the stabilisation window."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.core.fleet import Service
from autoscaler.core.memory import DeploymentMemory, ServiceMemory
from autoscaler.core.proposals import Proposal
from autoscaler.core.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Voice:
    """A proposal and the policy that made it."""

    name: str
    kind: str
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor of the service's total that is weaker than every ceiling."""

    replicas: int
    reason: str
    text: str
    holds_only: bool = False  # keeps what is there, causes no increase


@quick
@dataclass(frozen=True, slots=True)
class Need:
    """How much a service must carry, in capacity units, and why.

    ``keeps_set``: nothing that is set
    may be given back for lack of demand, nor change places.
    """

    demand: float | None
    want: float | None
    amount: float
    reason: str
    text: str
    blind: bool
    floors: tuple[Floor, ...]
    keeps_set: bool
    keep_reason: str


def staircase(
    wants: tuple[tuple[float, float], ...], at: float, want: float | None, window_s: float
) -> tuple[tuple[float, float], ...]:
    """The window's wants that can still be its maximum, newest last; the window is (at - window_s, at]."""
    oldest = at - window_s
    start = 0
    while start < len(wants) and wants[start][0] <= oldest:
        start += 1
    if want is None:
        return wants[start:] if start else wants
    end = len(wants)
    while end > start and wants[end - 1][1] <= want:
        end -= 1
    return (*wants[start:end], (at, want))


def need_of(
    service: Service,
    memory: ServiceMemory,
    deployments: tuple[DeploymentMemory | None, ...],
    voices: tuple[Voice, ...],
    at: float,
    wakes: bool,
    brake: bool,
) -> Need:
    """Fold the proposals of one service with its past. ``brake``: the fleet brake holds it."""
    measures = service.measures
    largest = _largest(voices)
    want = largest.proposal.want if largest else None
    blind = any(voice.proposal.blind for voice in voices)
    demand = _demand(voices) if measures else None
    wants = staircase(memory.wants, at, want, service.stabilise_down_s)
    amount = wants[0][1] if wants else 0.0
    reason, text = _speaker(voices, largest)
    if wants and (want is None or amount > want):
        reason = "stabilised"
        text = (
            f"the largest want of the last {service.stabilise_down_s:.0f} s, "
            f"{at - wants[0][0]:.0f} s ago, takes {{supply}}"
        )
    blind_since = (memory.blind_since if memory.blind_since is not None else at) if blind else None
    keeps, keep_reason = _keeps(memory, at, blind, brake)
    if keeps:
        # What is set counts once, when the keeping starts: counted every tick, replicas that cover for
        # others which cannot be given back yet would be covered for in turn, without end.
        held = memory.need if memory.need is not None else 0.0
        if not memory.kept or memory.need is None:
            held = max(held, _held(service, deployments))
        if held >= amount:
            amount, reason, text = held, keep_reason, _keep_text(keep_reason, voices)
    seen_at = (
        at
        if (demand is not None and demand > 0.0) or (demand is None and (want or 0.0) > 0.0)
        else (memory.demand_seen_at)
    )
    floors = _floors(service, memory, deployments, voices, at, measures, wakes, amount, blind_since, seen_at)
    return Need(
        demand=demand,
        want=want,
        amount=amount,
        reason=reason,
        text=text,
        blind=blind,
        floors=floors,
        keeps_set=keeps,
        keep_reason=keep_reason,
    )


def _largest(voices: tuple[Voice, ...]) -> Voice | None:
    largest: Voice | None = None
    for voice in voices:
        want = voice.proposal.want
        if want is None:
            continue
        if largest is None or want > (largest.proposal.want or 0.0):
            largest = voice
    return largest


def _demand(voices: tuple[Voice, ...]) -> float | None:
    """The largest demand that any policy knows; None when none knows it."""
    demand: float | None = None
    for voice in voices:
        known = voice.proposal.demand
        if known is None and not voice.proposal.blind:
            known = voice.proposal.want
        if known is not None and (demand is None or known > demand):
            demand = known
    return demand


def _speaker(voices: tuple[Voice, ...], largest: Voice | None) -> tuple[str, str]:
    if largest is not None:
        return largest.kind, largest.proposal.reason
    if any(voice.proposal.blind for voice in voices):
        return "blind", _blind_text(voices)
    return "hold", "nothing is wanted"


def _blind_text(voices: tuple[Voice, ...]) -> str:
    return "; ".join(voice.proposal.reason for voice in voices if voice.proposal.blind)


def _keeps(memory: ServiceMemory, at: float, blind: bool, brake: bool) -> tuple[bool, str]:
    if blind:
        return True, "blind"
    if brake:
        return True, "brake"
    if memory.clock_hold_until is not None and at < memory.clock_hold_until:
        return True, "clock"
    return False, ""


def _keep_text(reason: str, voices: tuple[Voice, ...]) -> str:
    if reason == "blind":
        return f"demand is not known, which keeps {{supply}}: {_blind_text(voices)}"
    if reason == "brake":
        return "demand of over half of the fleet fell to zero at once, which keeps {supply}"
    return "the clock was set back, which keeps {supply} for one stabilisation window"


def _held(service: Service, deployments: tuple[DeploymentMemory | None, ...]) -> float:
    """Capacity of what is set now."""
    held = 0.0
    for deployment, memory in zip(service.deployments, deployments, strict=True):
        if memory is not None and memory.last.phase.value != "failed":
            held += memory.replicas_set * deployment.capacity_per_replica
    return held


def _floors(
    service: Service,
    memory: ServiceMemory,
    deployments: tuple[DeploymentMemory | None, ...],
    voices: tuple[Voice, ...],
    at: float,
    measures: bool,
    wakes: bool,
    amount: float,
    blind_since: float | None,
    seen_at: float | None,
) -> tuple[Floor, ...]:
    floors: list[Floor] = []
    if not measures:
        baseline = service.baseline_replicas
        if baseline is None:
            baseline = sum(deployment.min_replicas for deployment in service.deployments)
        if baseline > 0:
            floors.append(Floor(baseline, "baseline", f"baseline_replicas is {baseline}"))
        return tuple(floors)
    if (
        blind_since is not None
        and service.fallback_replicas is not None
        and at - blind_since >= service.blind_after_s
    ):
        text = (
            f"demand has not been known for {at - blind_since:.0f} s, "
            f"so fallback_replicas is {service.fallback_replicas}"
        )
        floors.append(Floor(service.fallback_replicas, "fallback", text))
    if not wakes and not service.wakes_by_signal:
        text = "no signal exists at zero replicas, so the last one stays"
        floors.append(Floor(1, "no_wake_signal", text))
    if amount == 0.0:
        idle_s = max((voice.proposal.idle_s for voice in voices), default=0.0)
        waits_s = max(idle_s, service.stabilise_down_s)
        since = seen_at if seen_at is not None else memory.watching_since
        if at - since < waits_s and any(m is not None and m.replicas_set > 0 for m in deployments):
            text = f"idle for {at - since:.0f} s of {waits_s:.0f} s, so the last replica stays"
            floors.append(Floor(1, "stabilised", text, holds_only=True))
    return tuple(floors)
