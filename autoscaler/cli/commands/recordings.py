"""Recorded ticks from a journal or from exported lines, one at a time: what a replay reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from autoscaler.cli.commands.decide import LINE_BYTES_MAX, parse_line
from autoscaler.cli.commands.history import hash_before, hash_of
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.core.codec import BadLine, memory_from_json, plan_from_json, snapshot_from_json
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.daemon.recall import last_checkpoint, made_after, plan_of, recall, snapshot_of
from autoscaler.daemon.replay import Recorded
from autoscaler.journals import SqliteJournal, open_journal
from autoscaler.journals.older import up_to_date
from autoscaler.journals.retention import THINNED_KIND
from autoscaler.ports import JournalError, Record

KINDS: Final = ("start", "tick", "checkpoint", THINNED_KIND)
_SQLITE: Final = b"SQLite format 3\x00"


@dataclass(slots=True)
class Heard:
    """What a reader should know beside the ticks. Instants are epoch seconds."""

    hashes: Counter[str] = field(default_factory=Counter)  # ticks by the configuration that decided them
    thinned: int = 0  # ticks of which only some decisions are kept
    thinned_until: float | None = None
    without_memory: int = 0  # whole ticks that are left out: the memory from before them is not known
    share: float = 0.0  # of the recording that has been read


def is_journal(path: Path) -> bool:
    """Whether this is a SQLite file; anything else is taken for lines. Raises: Trouble."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise Trouble(f"{path}: cannot be read: {error.strerror}", Exit.UNREACHABLE) from error


# --- a journal ----------------------------------------------------------------------------------


async def from_file(
    path: Path, fleet: Fleet, since: float | None, until: float | None, heard: Heard
) -> AsyncIterator[Recorded]:
    """Whole ticks of a journal's file, whatever version it is of; the file is not changed.

    Raises: Trouble.
    """
    try:
        with up_to_date(path) as present:
            journal = await open_journal(f"sqlite:{present}", read_only=True)
            try:
                async for tick in _ticks(journal, fleet, since, until, heard):
                    yield tick
            finally:
                await journal.close()
    except JournalError as error:
        raise Trouble(str(error), Exit.UNREACHABLE) from error


async def _ticks(
    journal: SqliteJournal, fleet: Fleet, since: float | None, until: float | None, heard: Heard
) -> AsyncIterator[Recorded]:
    in_force = await hash_before(journal, since)
    newest = await journal.read(kinds=("tick",), until=until, newest_first=True, limit=1)
    begun: float | None = None
    async for record in journal.stream(kinds=KINDS, since=since, until=until):
        if record.kind in ("start", "checkpoint"):
            in_force = hash_of(record) or in_force
        elif "snapshot" not in record.body:
            heard.thinned += 1
            heard.thinned_until = record.at
        else:
            memory = await _memory_before(journal, fleet, record) if begun is None else None
            if begun is None and memory is None:
                heard.without_memory += 1
                continue
            begun = record.at if begun is None else begun
            heard.hashes[in_force] += 1
            heard.share = _share(record.at - begun, newest[0].at - begun)
            yield Recorded(snapshot_of(record), plan_of(record), memory)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else 1.0


async def _memory_before(journal: SqliteJournal, fleet: Fleet, first: Record) -> Memory | None:
    """Memory before this tick, folded as recorded; None where a tick that it needs is thinned."""
    checkpoint = await last_checkpoint(journal, first)
    if checkpoint is None:
        thinned = await journal.read(kinds=(THINNED_KIND,), until=first.at, limit=1)
        if thinned and thinned[0].seq < first.seq:
            return None
    else:
        # The oldest are thinned first: where the checkpoint's own tick is whole, those after it are as well.
        after = made_after(checkpoint)
        (own, *_) = await journal.read(after_seq=after - 1, limit=1)
        if own.seq != after or own.kind == THINNED_KIND:
            return None
    return (await recall(journal, fleet, before=first)).memory


# --- lines --------------------------------------------------------------------------------------


async def from_lines(
    path: Path, since: float | None, until: float | None, heard: Heard
) -> AsyncIterator[Recorded]:
    """Ticks of a file as ``journal export`` writes it; several exports may follow each other.

    Memory is folded from the first line on, so lines before ``since`` are read too. Raises: Trouble.
    """
    for tick, in_force in _lines(path, heard):
        if until is not None and tick.snapshot.at > until:
            return
        counts = since is None or tick.snapshot.at >= since
        heard.hashes[in_force] += counts
        yield tick if counts else replace(tick, counts=False)


def _lines(path: Path, heard: Heard) -> Iterator[tuple[Recorded, str]]:
    """Each line's tick, with the hash of the configuration that decided it."""
    size = max(1, path.stat().st_size)
    in_force, read = "", 0
    at: float | None = None
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""), start=1):
            read += len(raw)
            heard.share = read / size
            with _place_told(path, number):
                line = parse_line(raw)
                tick = _line(line)
                if at is not None and tick.snapshot.at < at and tick.memory is None:
                    raise BadLine(f"at: {line['at']} goes back; the line before it was later")
            at = tick.snapshot.at
            in_force = str(line.get("config") or in_force)
            yield tick, in_force


@contextmanager
def _place_told(path: Path, number: int) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        text = str(error) if isinstance(error, BadLine) else f"plan: damaged: {error}"
        raise Trouble(f"{path}, line {number}: {text}", Exit.UNREACHABLE) from error


def _line(line: dict[str, Any]) -> Recorded:
    plan, memory = line.get("plan"), line.get("memory")
    return Recorded(
        snapshot_from_json(line),
        None if plan is None else plan_from_json(plan),
        None if memory is None else memory_from_json(memory),
    )
