"""Has somebody else changed the replicas? What we set, and what we meant to set, is ours."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.core.memory import DAY_S, DeploymentMemory
from autoscaler.core.model import ReplicaRange

HOLDS_A_DAY_MAX = 3
"""At this many holds within a day another controller is at work, and we leave the deployment alone."""


def judge_range(was: DeploymentMemory, seen: ReplicaRange, at: float, hold_s: float) -> DeploymentMemory:
    """Memory after seeing this range: confirmed as ours, or a hold that starts, goes on or ends.

    A hold starts only when the observed range changes; at its end what is there counts as ours.
    """
    changed = seen != was.last.replicas
    if was.left_alone_until is not None and at < was.left_alone_until:
        if was.drift_until is None and seen == was.read_back and not was.intents:
            return was
        return replace(was, drift_until=None, read_back=seen, intents=())
    # A deadline that passed while nobody looked leaves the intent ours for this first look.
    is_ours = any(seen == intent.range_to and was.last_at <= intent.deadline for intent in was.intents)
    if was.drift_until is not None:
        if at >= was.drift_until:
            return replace(was, drift_until=None, read_back=seen, intents=())
        if changed and is_ours:  # What max_replicas made us write goes on with the hold; it starts none.
            return replace(was, read_back=seen)
        return _hold(was, at, hold_s) if changed else was
    if seen == was.read_back:
        return was
    if is_ours:
        return replace(was, read_back=seen)
    if changed:
        return _hold(was, at, hold_s)
    # Not ours by now, and yet no news: an intent ran out after it had been seen.
    return replace(was, read_back=seen)


def _hold(was: DeploymentMemory, at: float, hold_s: float) -> DeploymentMemory:
    drifts = (*(start for start in was.drifts if start > at - DAY_S), at)
    left_alone_until = was.left_alone_until
    if len(drifts) >= HOLDS_A_DAY_MAX:
        left_alone_until = at + DAY_S
    return replace(was, drift_until=at + hold_s, drifts=drifts, left_alone_until=left_alone_until, intents=())
