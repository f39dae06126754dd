"""Memory from the journal: the last checkpoint, and the fold over what came after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from autoscaler.core.codec import (
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
    journal: Journal, fleet: Fleet, before: Record | None = None, only: str | None = None
) -> Recalled:
    """Memory as it was before this record (None: at the end).

    ``only``: of one service, so that a large fleet's past is quick to ask for. Raises: JournalError.
    """
    if only is not None:
        fleet = replace(fleet, services={only: fleet.services[only]})
    memory = Memory()
    after = 0
    start = await last_checkpoint(journal, before)
    if start is not None:
        with damage_told(start):
            memory = memory_from_json(_part(start.body["memory"], only))
        after = made_after(start)
    outcomes: tuple[Outcome, ...] | None = ()
    human: Human | None = None
    last: Record | None = None
    # The tick that the checkpoint was made after is read too: what became of its writes may be unknown.
    async for record in _records(journal, max(0, after - 1), before):
        if record.kind == "tick" and record.seq == after:
            outcomes, last = (None if _has_writes(record.body) else ()), record
        elif record.kind == "tick":
            memory = fold_record(memory, record, fleet, only)
            human, last = None, record
            outcomes = None if _has_writes(record.body) else ()
        elif record.kind == "outcomes":
            with damage_told(record):
                outcomes = outcomes_from_json(list(record.body["outcomes"]))
        else:
            with damage_told(record):
                human = human_from_json(record.body["human"])
    return Recalled(memory, outcomes, human, last)


@contextmanager
def damage_told(record: Record) -> Iterator[None]:
    """What a record holds was written by us: where it cannot be read, it is the journal that is damaged."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        text = f"the {record.kind} {record.seq} of the journal is damaged: {error}"
        raise JournalError(text) from error


async def _records(journal: Journal, after: int, before: Record | None) -> AsyncIterator[Record]:
    """What memory is folded from, in pages: a past tick needs few of the records that follow it."""
    while True:
        page = await journal.read(kinds=("tick", "outcomes", "human"), after_seq=after, limit=_PAGE)
        for record in page:
            if before is not None and record.seq >= before.seq:
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


async def last_checkpoint(journal: Journal, before: Record | None = None) -> Record | None:
    """The newest checkpoint before this record (None: of all). Raises: JournalError."""
    until = None if before is None else before.at
    # One of the same instant may come after the record.
    found = await journal.read(kinds=("checkpoint",), until=until, newest_first=True, limit=4)
    return next((one for one in found if before is None or one.seq < before.seq), None)


def made_after(checkpoint: Record) -> int:
    """Sequence number of the tick whose memory it holds. Raises: JournalError."""
    with damage_told(checkpoint):
        return int(checkpoint.body.get("after_seq", checkpoint.seq))


def fold_record(memory: Memory, record: Record, fleet: Fleet, only: str | None = None) -> Memory:
    """Memory after one journalled tick; a thinned one (without its snapshot) changes nothing."""
    body = record.body
    if "snapshot" not in body or "plan" not in body:
        return memory
    snapshot, plan = snapshot_of(record, only), plan_of(record, only)
    with damage_told(record):
        return fold(memory, snapshot, plan, fleet)


def snapshot_of(record: Record, only: str | None = None) -> Snapshot:
    """The snapshot of a journalled tick, or one service's part of it. Raises: JournalError."""
    with damage_told(record):
        return snapshot_from_json(_part(record.body["snapshot"], only))


def plan_of(record: Record, only: str | None = None) -> Plan:
    """The plan of a journalled tick, or one service's part of it. Raises: JournalError."""
    with damage_told(record):
        return plan_from_json(_part(record.body["plan"], only))


def _has_writes(body: Mapping[str, Any]) -> bool:
    return bool(body.get("writes"))
