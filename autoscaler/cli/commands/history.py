"""A stretch of the journal as lines for ``decide``: one configuration, with the memory from before it.

Each line also holds the plan that was made then, which ``decide`` passes over and ``replay`` compares with.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from autoscaler.core.codec import memory_to_json
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.daemon.recall import last_checkpoint, made_after, recall
from autoscaler.journals import SqliteJournal
from autoscaler.journals.retention import THINNED_KIND
from autoscaler.ports import Record

KINDS: Final = ("start", "tick", "checkpoint")


@dataclass(slots=True)
class Stretch:
    """What became of an export. ``other_hash`` is set where another configuration begins, at ``other_at``.

    ``skipped_at`` is the first tick that could not be exported for want of the memory from before it.
    """

    lines: int = 0
    config_hash: str = ""
    other_hash: str | None = None
    other_at: float | None = None
    skipped_at: float | None = None


async def lines_of(
    journal: SqliteJournal, fleet: Fleet, since: float | None, until: float | None, stretch: Stretch
) -> AsyncIterator[dict[str, Any]]:
    """Each whole tick from ``since`` to ``until`` as a line; ends where the configuration changes.

    Raises: JournalError.
    """
    in_force = await hash_before(journal, since)
    async for record in journal.stream(kinds=KINDS, since=since, until=until):
        if record.kind != "tick":
            in_force = hash_of(record) or in_force
            if stretch.lines and in_force not in ("", stretch.config_hash):
                stretch.other_hash, stretch.other_at = in_force, record.at
                return
            continue
        line = record.body.get("snapshot")
        if line is None:
            if stretch.lines:
                return
            continue
        if stretch.lines == 0:
            memory = await _memory_before(journal, fleet, record, in_force)
            if memory is None:
                stretch.skipped_at = stretch.skipped_at or record.at
                continue
            stretch.config_hash = in_force or fleet.config_hash
            line = {**line, "config": stretch.config_hash, "memory": memory_to_json(memory)}
        stretch.lines += 1
        yield {**line, "plan": record.body["plan"]} if "plan" in record.body else line


async def hash_before(journal: SqliteJournal, since: float | None) -> str:
    """The configuration in force when the range begins, as far as the journal says."""
    if since is None:
        return ""
    found = await journal.read(kinds=("start", "checkpoint"), until=since, newest_first=True, limit=1)
    return hash_of(found[0]) if found else ""


def hash_of(record: Record) -> str:
    """The configuration that a start or a checkpoint names; empty where it names none."""
    if record.kind == "start":
        return str(record.body.get("config_hash") or "")
    return str(record.body.get("memory", {}).get("config_hash") or "")


async def _memory_before(journal: SqliteJournal, fleet: Fleet, first: Record, in_force: str) -> Memory | None:
    """Memory before this tick; None where it cannot be known exactly: ticks before it are thinned, or were
    made with a configuration that is not the one at hand."""
    checkpoint = await last_checkpoint(journal, first)
    after = 0 if checkpoint is None else made_after(checkpoint)
    between = [
        record
        for record in await journal.read(kinds=("tick", THINNED_KIND), after_seq=after, until=first.at)
        if record.seq < first.seq
    ]
    if any("snapshot" not in record.body for record in between):
        return None
    if between and in_force not in ("", fleet.config_hash):
        return None
    return (await recall(journal, fleet, before=first)).memory
