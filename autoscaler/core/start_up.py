"""Learned start-up times and the deadlines that follow from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoscaler.core.fleet import Deployment
from autoscaler.core.memory import HOUR_S, SAMPLES_MIN, DeploymentMemory


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least ``share`` of them do not exceed (nearest rank).

    Raises: ValueError for no samples.
    """
    if not samples:
        raise ValueError("a quantile needs at least one sample")
    return _ranked(sorted(samples), share)


def _ranked(ordered: Sequence[float], share: float) -> float:
    return ordered[max(1, math.ceil(share * len(ordered) - 1e-9)) - 1]


def start_up_s(deployment: Deployment, memory: DeploymentMemory | None, share: float) -> float:
    """Start-up time in seconds: the prior until enough samples were seen, then their quantile.

    What the vendor measured is a better prior than the configured one; shares other than the median and
    the 90th percentile take the next above that the vendor tells.
    """
    if memory is None:
        return deployment.start_up_s
    if len(memory.start_ups_s) >= SAMPLES_MIN:
        return quantile(memory.start_ups_s, share)
    measured = memory.last.start_up_p50_s if share <= 0.5 else memory.last.start_up_p90_s
    return deployment.start_up_s if measured is None else measured


def start_up_times_s(deployment: Deployment, memory: DeploymentMemory | None) -> tuple[float, float]:
    """The median start-up time and the 90th percentile, as :func:`start_up_s` gives each."""
    if memory is None or len(memory.start_ups_s) < SAMPLES_MIN:
        return start_up_s(deployment, memory, 0.5), start_up_s(deployment, memory, 0.9)
    ordered = sorted(memory.start_ups_s)
    return _ranked(ordered, 0.5), _ranked(ordered, 0.9)


def deadline_s(deployment: Deployment, memory: DeploymentMemory | None, interval_s: float) -> float:
    """How long a starting replica counts as capacity: max(2 x p90, 8 x interval), in seconds."""
    return max(2.0 * start_up_s(deployment, memory, 0.9), 8.0 * interval_s)


def repeated_deadline_s(first_s: float, repeats: int) -> float:
    """The deadline after ``repeats`` repetitions: doubling to an hour, never below the first."""
    return max(first_s, min(first_s * 2.0 ** min(repeats, 12), HOUR_S))


def overdue(memory: DeploymentMemory, at: float) -> int:
    """Replicas that were asked for and do not serve although their deadline has passed."""
    if not memory.batches:
        return 0
    late = 0
    for batch in memory.batches:
        if batch.deadline < at:
            late = max(late, batch.count)
    return max(0, min(late, asked(memory)) - memory.ready)


def asked(memory: DeploymentMemory) -> int:
    """The count last asked for: what is set, or an accepted increase that is not read back yet."""
    count = memory.replicas_set
    if memory.intents:
        newest = memory.intents[-1]
        taken = newest.accepted or memory.reasserts > 0  # Asked again: the same count was accepted before.
        if taken and newest.range_to.minimum > count:
            count = newest.range_to.minimum
    return count
