"""Baseten's fourteen status words, in ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from autoscaler.core.model import Phase, ReplicaRange
from autoscaler.providers.baseten.replies import Unit
from autoscaler.providers.baseten.zero import ZERO, from_bounds

PHASES: Final[Mapping[str, Phase]] = MappingProxyType(
    {
        "BUILDING": Phase.STARTING,
        "DEPLOYING": Phase.STARTING,
        "LOADING_MODEL": Phase.STARTING,
        "WAKING_UP": Phase.STARTING,
        "ACTIVE": Phase.READY,
        "UPDATING": Phase.SCALING,
        "UNHEALTHY": Phase.FAILED,
        "SCALED_TO_ZERO": Phase.STOPPED,
        "INACTIVE": Phase.STOPPED,
        "DEACTIVATING": Phase.STOPPED,
        "DEPLOY_FAILED": Phase.FAILED,
        "BUILD_FAILED": Phase.FAILED,
        "BUILD_STOPPED": Phase.FAILED,
        "FAILED": Phase.FAILED,
    }
)
"""Words of package 0.13.1. The client keeps unknown words as they come, so any other is no error."""

SWITCHED_OFF: Final = frozenset(("INACTIVE", "DEACTIVATING"))
"""No traffic wakes these; only activation does."""


def replicas_of(unit: Unit, *, left_open: bool) -> ReplicaRange | None:
    """The range that is asked for; None while the vendor shows no bounds.

    What is switched off has zero, whatever its bounds would say once it is switched on again.
    """
    if unit.word in SWITCHED_OFF:
        return ZERO
    return None if unit.bounds is None else from_bounds(unit.bounds, left_open=left_open)


def phase_of(unit: Unit, replicas: ReplicaRange | None) -> Phase:
    """The phase, by the vendor's word and by whether what serves is what was asked for."""
    phase = PHASES.get(unit.word, Phase.UNKNOWN)
    if phase is Phase.READY:
        if replicas is None or not replicas.minimum <= unit.active <= replicas.maximum:
            return Phase.SCALING
        return Phase.STOPPED if replicas.maximum == 0 else phase
    if unit.word == "SCALED_TO_ZERO" and replicas is not None and replicas.minimum > 0:
        return Phase.STARTING  # Not on purpose any more: it was asked for replicas.
    return phase


def starting_of(unit: Unit, replicas: ReplicaRange | None) -> int | None:
    """Replicas known to start without asking: traffic wakes one, where the range of zero hides it."""
    return 1 if replicas == ZERO and unit.word == "WAKING_UP" else None
