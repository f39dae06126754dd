"""The journal that a simulated daemon leaves: the same records, so that ``why`` and ``replay`` read it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from autoscaler import __version__
from autoscaler.core.fleet import Fleet
from autoscaler.core.model import Outcome, Snapshot
from autoscaler.core.turn import Turn
from autoscaler.daemon.recall import CHECKPOINT_TICKS
from autoscaler.daemon.records import checkpoint_body, outcomes_body, tick_body
from autoscaler.journals import SqliteJournal, open_journal
from autoscaler.ports import JournalError, Record

TICKS_AT_ONCE: Final = 200
"""How many ticks are written in one go: each go crosses to the journal's thread and back."""


class KeptJournal:
    """A journal file of one run, written behind it. An old file of that name is replaced.

    Raises: JournalError.
    """

    def __init__(self, path: Path, fleet: Fleet) -> None:
        self._runner = asyncio.Runner()
        self._ticks: list[tuple[Snapshot, Turn, tuple[Outcome, ...]]] = []
        self._count = 0
        self._fleet = fleet
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for end in ("", "-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
        except OSError as error:
            raise JournalError(f"journal {path}: {error.strerror}") from error
        self._journal: SqliteJournal = self._runner.run(open_journal(f"sqlite:{path}"))

    def take(self, snapshot: Snapshot, turned: Turn, outcomes: tuple[Outcome, ...]) -> None:
        """One tick of the run."""
        self._ticks.append((snapshot, turned, outcomes))
        if len(self._ticks) >= TICKS_AT_ONCE:
            self._runner.run(self._write())

    def close(self) -> None:
        """Write what is left, and give the file back."""
        try:
            self._runner.run(self._write())
        finally:
            self._runner.run(self._journal.close())
            self._runner.close()

    async def _write(self) -> None:
        for snapshot, turned, outcomes in self._ticks:
            at = snapshot.at
            if self._count == 0:
                body = {"config_hash": self._fleet.config_hash, "version": __version__}
                await self._journal.append(Record("start", at, body))
            seq = await self._journal.append(Record("tick", at, tick_body(snapshot, turned)))
            if turned.writes:
                await self._journal.append(Record("outcomes", at, outcomes_body(outcomes)))
            if self._count % CHECKPOINT_TICKS == 0:
                await self._journal.append(Record("checkpoint", at, checkpoint_body(turned.after, seq)))
            self._count += 1
        self._ticks.clear()
