"""Memory from the journal: the last checkpoint, and the fold over what came after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from autoscaler.core.codec import (
    BadLine,
    human_from_json,
    memory_from_json,
    outcomes_from_json,
    plan_from_json,
    snapshot_from_json,
)
from autoscaler.core.decide import fold
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import Human, Outcome, Plan, Snapshot
from autoscaler.ports import Journal, JournalError, Record

CHECKPOINT_TICKS: Final = 40
"""Ticks from one checkpoint to the next; also how many are folded to answer for a past tick."""

_PAGE: Final = 2 * CHECKPOINT_TICKS


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the journal knew at an instant.

    ``outcomes`` None: the last plan had writes and nobody knows what became of them. ``human`` is set when a
    person acted after the last tick.
    """

    memory: Memory
    outcomes: tuple[Outcome, ...] | None
    human: Human | None
    last_tick: Record | None


async def recall(
    journal: Journal, fleet: Fleet, before_seq: int | None = None, only: str | None = None
) -> Recalled:
    """Memory as it was before the record ``before_seq`` (None: at the end).

    ``only``: of one service, so that a large fleet's past is quick to ask for. Raises: JournalError.
    """
    if only is not None:
        fleet = replace(fleet, services={only: fleet.services[only]})
    memory = Memory()
    after = 0
    bound = before_seq if before_seq is not None else 1 << 62
    start = await _last_checkpoint(journal, bound)
    if start is not None:
        try:
            memory = memory_from_json(_part(start.body["memory"], only))
        except (BadLine, KeyError) as error:
            raise JournalError(f"the checkpoint {start.seq} of the journal is damaged: {error}") from error
        after = int(start.body.get("after_seq", start.seq))
    outcomes: tuple[Outcome, ...] | None = ()
    human: Human | None = None
    last: Record | None = None
    # The tick that the checkpoint was made after is read too: what became of its writes may be unknown.
    async for record in _records(journal, max(0, after - 1), bound):
        if record.kind == "tick" and record.seq == after:
            outcomes, last = (None if _has_writes(record.body) else ()), record
        elif record.kind == "tick":
            memory = fold_record(memory, record, fleet, only)
            human, last = None, record
            outcomes = None if _has_writes(record.body) else ()
        elif record.kind == "outcomes":
            outcomes = outcomes_from_json(list(record.body["outcomes"]))
        else:
            human = human_from_json(record.body["human"])
    return Recalled(memory, outcomes, human, last)


async def _records(journal: Journal, after: int, bound: int) -> AsyncIterator[Record]:
    """What memory is folded from, in pages: a past tick needs few of the records that follow it."""
    while True:
        page = await journal.read(kinds=("tick", "outcomes", "human"), after_seq=after, limit=_PAGE)
        for record in page:
            if record.seq >= bound:
                return
            yield record
            after = record.seq
        if len(page) < _PAGE:
            return


def _part(body: Any, only: str | None) -> Any:
    """Of a snapshot, plan or memory as JSON: what concerns one service; None is all."""
    if only is None or not isinstance(body, Mapping):
        return body
    part = dict(body)
    prefix = f"{only}/"
    for key in ("signals", "services"):
        if isinstance(part.get(key), Mapping):
            part[key] = {name: value for name, value in part[key].items() if name == only}
    if isinstance(part.get("deployments"), Mapping):
        part["deployments"] = {k: v for k, v in part["deployments"].items() if k.startswith(prefix)}
    for key in ("decisions", "outcomes"):
        if isinstance(part.get(key), list):
            part[key] = [item for item in part[key] if item.get("service") == only]
    return part


async def _last_checkpoint(journal: Journal, bound: int) -> Record | None:
    """The newest checkpoint before ``bound``."""
    if bound == 1 << 62:
        found = await journal.read(kinds=("checkpoint",), newest_first=True, limit=1)
        return found[0] if found else None
    anchor = await journal.read(kinds=None, after_seq=bound - 1, limit=1)
    until = anchor[0].at if anchor else None
    for record in await journal.read(kinds=("checkpoint",), until=until, newest_first=True, limit=4):
        if record.seq < bound:
            return record
    return None


def fold_record(memory: Memory, record: Record, fleet: Fleet, only: str | None = None) -> Memory:
    """Memory after one journalled tick; a thinned one (without its snapshot) changes nothing."""
    body = record.body
    if "snapshot" not in body or "plan" not in body:
        return memory
    try:
        snapshot, plan = snapshot_of(record, only), plan_of(record, only)
        return fold(memory, snapshot, plan, fleet)
    except (BadLine, ValueError, TypeError, KeyError) as error:
        raise JournalError(f"the tick {record.seq} of the journal is damaged: {error}") from error


def snapshot_of(record: Record, only: str | None = None) -> Snapshot:
    """The snapshot of a journalled tick, or one service's part of it. Raises: BadLine, KeyError."""
    return snapshot_from_json(_part(record.body["snapshot"], only))


def plan_of(record: Record, only: str | None = None) -> Plan:
    """The plan of a journalled tick, or one service's part. Raises: ValueError, TypeError, KeyError."""
    return plan_from_json(_part(record.body["plan"], only))


def _has_writes(body: Mapping[str, Any]) -> bool:
    return bool(body.get("writes"))
