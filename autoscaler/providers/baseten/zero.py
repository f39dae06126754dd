"""Zero replicas at a vendor whose maximum is at least one: bounds of 0 to 1, and back.

See docs/decisions/0016-zero-at-baseten-is-0-to-1.md.
"""

from __future__ import annotations

from typing import Final

from autoscaler.core.model import ReplicaRange, exactly
from autoscaler.ports import Rejected

LEAST_BOUNDS: Final = ReplicaRange(0, 1)
"""The tightest bounds that let a deployment go to zero."""

ZERO: Final = exactly(0)


def to_bounds(replicas: ReplicaRange) -> ReplicaRange:
    """What is sent for a range. Raises: Rejected for one that is none."""
    if not 0 <= replicas.minimum <= replicas.maximum:
        raise Rejected(f"{replicas.minimum} to {replicas.maximum} replicas is no range")
    return LEAST_BOUNDS if replicas.maximum == 0 else replicas


def from_bounds(bounds: ReplicaRange, *, left_open: bool) -> ReplicaRange:
    """What was asked for, by the bounds that are set.

    0 to 1 is our zero, whatever runs in it; with ``left_open`` it is what a ``floor`` asked for.
    """
    return ZERO if bounds == LEAST_BOUNDS and not left_open else bounds
