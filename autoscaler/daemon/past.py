"""Why, for a tick that has passed: the recorded decision, with the memory that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from autoscaler.core.codec import instant_text
from autoscaler.core.fleet import Fleet
from autoscaler.daemon.explain import explain
from autoscaler.daemon.recall import plan_of, recall, snapshot_of
from autoscaler.daemon.report import Invalid
from autoscaler.ports import Journal, Record

LOOKED_BACK_MAX: Final = 500
"""Records of a thinned stretch that are looked through for the decisions in force."""


async def why_at(journal: Journal, fleet: Fleet, service: str, at: float) -> Mapping[str, Any]:
    """The decision in force at this instant (epoch seconds). Raises: Invalid, JournalError."""
    found = await journal.read(kinds=("tick", "decisions"), until=at, newest_first=True, limit=1)
    if not found:
        raise Invalid("the journal holds no tick as early as that")
    if "snapshot" not in found[0].body:
        return await _thinned(journal, fleet, service, at)
    return await why_record(journal, fleet, service, found[0])


async def why_record(journal: Journal, fleet: Fleet, service: str, record: Record) -> Mapping[str, Any]:
    """The decision of one tick whose whole snapshot is kept."""
    memory = (await recall(journal, fleet, before=record, only=service)).memory
    # Memory is folded with the configuration of today; only the journal knows the one of then.
    starts = await journal.read(kinds=("start",), until=record.at, newest_first=True, limit=4)
    then = next((str(one.body["config_hash"]) for one in starts if one.seq < record.seq), None)
    return explain(service, snapshot_of(record, service), plan_of(record, service), memory, fleet, then)


async def _thinned(journal: Journal, fleet: Fleet, service: str, at: float) -> Mapping[str, Any]:
    """The last decision of each deployment that was kept: what only repeated it is not in the journal."""
    records = await journal.read(
        kinds=("tick", "decisions"), until=at, newest_first=True, limit=LOOKED_BACK_MAX
    )
    last: dict[str, dict[str, Any]] = {}
    names = {one.name for one in fleet.services[service].deployments}
    for record in records:
        for one in record.body["plan"]["decisions"]:
            if one["service"] == service:
                last.setdefault(one["deployment"], {**one, "at": instant_text(record.at)})
        if names <= last.keys():
            break
    return {
        "service": service,
        "at": instant_text(at),
        "decisions": [last[name] for name in sorted(last)],
        "thinned": True,
    }
