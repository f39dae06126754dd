"""Bodies of the journal's records of a tick, as the daemon and the simulator write them."""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.core.codec import memory_to_json, outcome_to_json, plan_to_json, snapshot_to_json
from autoscaler.core.memory import Memory
from autoscaler.core.model import Outcome, Snapshot, key_of
from autoscaler.core.turn import Turn


def tick_body(snapshot: Snapshot, turned: Turn) -> dict[str, object]:
    """What was seen and decided, and what of it is about to be written."""
    return {
        "snapshot": snapshot_to_json(snapshot),
        "plan": plan_to_json(turned.plan),
        "writes": [key_of(d.service, d.deployment) for d in turned.writes],
    }


def outcomes_body(outcomes: Iterable[Outcome]) -> dict[str, object]:
    """What became of the writes of the tick before it."""
    return {"outcomes": [outcome_to_json(outcome) for outcome in outcomes]}


def checkpoint_body(memory: Memory, after_seq: int) -> dict[str, object]:
    """The memory after the tick of this sequence number."""
    return {"memory": memory_to_json(memory), "after_seq": after_seq}
