"""Limits in replicas, folded by precedence. They are never compared with capacity.

Strongest first: pause, ``max_replicas``, override, ``min_replicas``, ``at_least``, ``at_most``, budget, need.
Pause is a guard and the budget a share of the fleet's; the ones between are folded here.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.core.fleet import Deployment, Service
from autoscaler.core.memory import DeploymentMemory
from autoscaler.core.model import Override, ZeroCapability
from autoscaler.core.need import Voice
from autoscaler.core.quick import quick

UNLIMITED = 1_000_000_000


@dataclass(slots=True)
class Limits:
    """A floor and a ceiling, each with the reason code and the text of the rule that set it."""

    floor: int = 0
    ceiling: int = UNLIMITED
    floor_reason: str = "bounds"
    ceiling_reason: str = "bounds"
    floor_text: str = ""
    ceiling_text: str = ""
    forced_ceiling: int = UNLIMITED  # by max_replicas or a person
    override_floor: int | None = None

    def lower_to(self, ceiling: int, reason: str, text: str, *, forced: bool = False) -> None:
        """A ceiling, stronger than all that was folded before."""
        if forced:
            self.forced_ceiling = min(self.forced_ceiling, ceiling)
        if ceiling <= self.ceiling:
            self.ceiling, self.ceiling_reason, self.ceiling_text = ceiling, reason, text
        if self.floor > self.ceiling:
            self.floor, self.floor_reason, self.floor_text = self.ceiling, reason, text
        if self.override_floor is not None:
            self.override_floor = min(self.override_floor, self.ceiling)

    def raise_to(self, floor: int, reason: str, text: str) -> None:
        """A floor, stronger than all that was folded before."""
        if floor <= 0:
            return
        if floor >= self.floor:
            self.floor, self.floor_reason, self.floor_text = floor, reason, text
        if self.ceiling < self.floor:
            self.ceiling, self.ceiling_reason, self.ceiling_text = self.floor, reason, text


@quick
@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Limits of the service's total, and of each deployment in the service's order."""

    total: Limits
    each: tuple[Limits, ...]


def limits_of(
    service: Service,
    voices: tuple[Voice, ...],
    overrides: tuple[Override, ...],
    memories: tuple[DeploymentMemory | None, ...],
) -> ServiceLimits:
    """Fold policies' limits, bounds and overrides of one service."""
    each = tuple(
        [
            _deployment_limits(deployment, voices, overrides, memory)
            for deployment, memory in zip(service.deployments, memories, strict=True)
        ]
    )
    total = Limits()
    for voice in voices:
        proposal = voice.proposal
        if proposal.deployment is None and proposal.at_most is not None:
            total.lower_to(proposal.at_most, voice.kind, f"{voice.name}: {proposal.reason}")
    for voice in voices:
        proposal = voice.proposal
        if proposal.deployment is None and proposal.at_least is not None:
            total.raise_to(proposal.at_least, voice.kind, f"{voice.name}: {proposal.reason}")
    _each_floor_counts(total, each)
    for override in overrides:
        if override.deployment is None:
            _override(total, override)
    _service_override_beats_floors(total, each)
    maximum = sum([limits.forced_ceiling for limits in each])
    if total.floor > maximum:
        # A floor above what the deployments may hold is what they may hold.
        by_hand = next((limits for limits in each if limits.ceiling_reason == "override"), None)
        total.floor, total.floor_reason = maximum, "override" if by_hand else "bounds"
        total.floor_text = by_hand.ceiling_text if by_hand else f"max_replicas is {maximum} in all"
        if total.override_floor is not None:
            total.override_floor = min(total.override_floor, maximum)
    return ServiceLimits(total, each)


def _deployment_limits(
    deployment: Deployment,
    voices: tuple[Voice, ...],
    overrides: tuple[Override, ...],
    memory: DeploymentMemory | None,
) -> Limits:
    limits = Limits()
    for voice in voices:
        proposal = voice.proposal
        if proposal.deployment == deployment.name and proposal.at_most is not None:
            limits.lower_to(proposal.at_most, voice.kind, f"{voice.name}: {proposal.reason}")
    for voice in voices:
        proposal = voice.proposal
        if proposal.deployment == deployment.name and proposal.at_least is not None:
            limits.raise_to(proposal.at_least, voice.kind, f"{voice.name}: {proposal.reason}")
    if deployment.min_replicas > 0:
        limits.raise_to(deployment.min_replicas, "bounds", f"min_replicas is {deployment.min_replicas}")
    for override in overrides:
        if override.deployment == deployment.name:
            _override(limits, override)
    if memory is not None and memory.last.zero is ZeroCapability.IMPOSSIBLE and deployment.max_replicas > 0:
        limits.raise_to(1, "bounds", "the provider runs at least one replica")
    limits.lower_to(
        deployment.max_replicas, "bounds", f"max_replicas is {deployment.max_replicas}", forced=True
    )
    return limits


def _override(limits: Limits, override: Override) -> None:
    text = f"override by {override.actor or 'a person'}"
    if override.reason:
        text = f"{text}: {override.reason}"
    if override.at_least is not None:
        limits.raise_to(override.at_least, "override", text)
        limits.override_floor = max(limits.override_floor or 0, override.at_least)
    if override.at_most is not None:
        limits.lower_to(override.at_most, "override", text, forced=True)


def _each_floor_counts(total: Limits, each: tuple[Limits, ...]) -> None:
    """Floors of single deployments beat a policy's ceiling on the total."""
    least = sum([limits.floor for limits in each])
    if least > total.ceiling:
        strongest = max(each, key=lambda limits: limits.floor)
        total.ceiling, total.ceiling_reason, total.ceiling_text = (
            least,
            strongest.floor_reason,
            strongest.floor_text,
        )


def _service_override_beats_floors(total: Limits, each: tuple[Limits, ...]) -> None:
    """A person's ceiling on the total is stronger than the floors of single deployments, except those
    that a person set."""
    least = sum([limits.floor for limits in each])
    if total.forced_ceiling >= least:
        return
    for limits in each:
        limits.floor = limits.override_floor or 0
    least = sum([limits.floor for limits in each])
    if least > total.ceiling:
        total.ceiling = least
    # Give back no more than the person asked for.
    total.floor = max(total.floor, total.ceiling)
    total.floor_reason, total.floor_text = "override", total.ceiling_text
