"""Why, for a tick that has passed: the recorded decision, with the memory that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.core.fleet import Fleet
from autoscaler.daemon.explain import explain
from autoscaler.daemon.recall import plan_of, recall, snapshot_of
from autoscaler.daemon.report import Invalid
from autoscaler.ports import Journal, Record


async def why_at(journal: Journal, fleet: Fleet, service: str, at: float) -> Mapping[str, Any]:
    """The decision in force at this instant (epoch seconds). Raises: Invalid, JournalError."""
    found = await journal.read(kinds=("tick", "decisions"), until=at, newest_first=True, limit=1)
    if not found:
        raise Invalid("the journal holds no tick as early as that")
    return await why_record(journal, fleet, service, found[0])


async def why_record(journal: Journal, fleet: Fleet, service: str, record: Record) -> Mapping[str, Any]:
    """The decision of one journalled tick; counterfactuals only while its whole snapshot is kept."""
    if "snapshot" not in record.body:
        decisions = [d for d in record.body["plan"]["decisions"] if d["service"] == service]
        return {
            "service": service,
            "at": record.body["plan"]["at"],
            "decisions": decisions,
            "thinned": True,
        }
    recalled = await recall(journal, fleet, before=record, only=service)
    return explain(service, snapshot_of(record, service), plan_of(record, service), recalled.memory, fleet)
