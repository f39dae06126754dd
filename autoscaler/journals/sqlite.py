"""The journal in one SQLite file: durable records, one writer, any number of readers."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from autoscaler.clock import SystemClock
from autoscaler.journals.lock import JournalLock
from autoscaler.journals.means import MinuteMean
from autoscaler.journals.schema import check_header, migrate, not_a_journal, version_of
from autoscaler.journals.store import Bounds, Store
from autoscaler.journals.upkeep import Upkeep
from autoscaler.ports import Clock, JournalError, Record

BUSY_S: Final = 2.0
"""How long to wait for a lock that a reader or a backup holds on the file, seconds."""

WAL_BYTES: Final = 8 * 1024 * 1024
FETCHED_AT_ONCE: Final = 16
DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class _Opened:
    """What an open journal holds: the file, and for a writer the lock, for some readers a copy."""

    store: Store
    lock: JournalLock | None = None
    copy: tempfile.TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Give back all of it, the lock last."""
        try:
            self.store.close()
        finally:
            if self.copy is not None:
                self.copy.cleanup()
            if self.lock is not None:
                self.lock.release()


class SqliteJournal:
    """A :class:`~autoscaler.ports.Journal` on SQLite, on one thread of its own.

    What was appended survives the end of the process, however it ends; a record of kind ``human`` is on the
    disk before ``append`` returns. Reads take their turn with appends, a few records at a time. A call that
    is cancelled while its piece of work runs does not undo it: the record may be there.
    """

    def __init__(self, path: Path, opened: _Opened, worker: ThreadPoolExecutor) -> None:
        self.path = path
        self._opened: _Opened | None = opened
        self._worker = worker

    @classmethod
    async def open(
        cls, path: Path | str, *, read_only: bool = False, clock: Clock | None = None
    ) -> SqliteJournal:
        """Open or create the journal; a writer takes its lock and brings an older version up to date.

        Readers need no lock, work while a daemon writes, and change nothing.

        Raises: JournalLocked, JournalError.
        """
        target = Path(path)
        now = (clock or SystemClock()).now()
        worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        opening: Callable[[], _Opened] = (
            (lambda: _open_to_read(target)) if read_only else (lambda: _open_to_write(target, now))
        )
        pending = asyncio.get_running_loop().run_in_executor(worker, _guarded(target, "open", opening))
        try:
            # Shielded, so that what a cancelled caller has opened is closed again, lock and all.
            return cls(target, await asyncio.shield(pending), worker)
        except BaseException:
            pending.add_done_callback(_close_unwanted)
            worker.shutdown(wait=False)
            raise

    async def append(self, record: Record) -> int:
        """Durably add one record; returns its sequence number. Raises: JournalError."""
        return await self._run("append to", lambda store: store.append(record))

    async def read(
        self,
        *,
        kinds: Sequence[str] | None = None,
        after_seq: int = 0,
        since: float | None = None,
        until: float | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Sequence[Record]:
        """Records in order of their sequence number, within the bounds given; instants are included.

        The whole answer is held in memory: give a ``limit``, or use :meth:`stream`. Raises: JournalError.
        """
        asked = None if kinds is None else tuple(kinds)
        bounds = Bounds(asked, after_seq, since, until, limit, newest_first)
        return [record async for record in self._each(bounds)]

    async def stream(
        self,
        kinds: Sequence[str] | None = None,
        after_seq: int = 0,
        since: float | None = None,
        until: float | None = None,
    ) -> AsyncIterator[Record]:
        """The same records one by one, few in memory at a time. Raises: JournalError."""
        bounds = Bounds(None if kinds is None else tuple(kinds), after_seq, since, until)
        async for record in self._each(bounds):
            yield record

    async def _each(self, bounds: Bounds) -> AsyncIterator[Record]:
        seqs = await self._run("read", lambda store: store.seqs(bounds))
        for start in range(0, len(seqs), FETCHED_AT_ONCE):
            for record in await self._few(seqs[start : start + FETCHED_AT_ONCE], bounds.kinds):
                yield record

    async def _few(self, seqs: Sequence[int], kinds: tuple[str, ...] | None) -> list[Record]:
        return await self._run("read", lambda store: store.fetch(seqs, kinds))

    async def minute_means(
        self, service: str | None = None, since: float = 0.0, until: float = float("inf")
    ) -> Sequence[MinuteMean]:
        """Means of minutes whose ticks :meth:`prune` has thinned, by service and time.

        Raises: JournalError.
        """
        return await self._run("read", lambda store: store.minute_means(service, since, until))

    async def prune(self, now: float) -> None:
        """Retention as of ``now``, in pieces of a few milliseconds between which appends go first.

        Full detail for 7 days; then the decisions that say something new, and minute means. Call it
        about hourly. Raises: JournalError.
        """
        upkeep = await self._run("prune", lambda store: Upkeep(store, now))
        while await self._run("prune", lambda _: upkeep.piece()):
            pass  # what was asked for meanwhile is in the queue before the next piece

    async def close(self) -> None:
        """Finish what is under way, fold the write-ahead log in, and give back the lock.

        Closing twice is nothing.
        """
        opened, self._opened = self._opened, None
        if opened is not None:
            closing = asyncio.get_running_loop().run_in_executor(self._worker, opened.close)
            self._worker.shutdown(wait=False)
            await asyncio.shield(closing)

    async def _run(self, doing: str, work: Callable[[Store], T]) -> T:
        opened = self._opened
        if opened is None:
            raise JournalError(f"journal {self.path} is closed")
        call = _guarded(self.path, doing, lambda: work(opened.store))
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)


def _close_unwanted(pending: asyncio.Future[_Opened]) -> None:
    if not pending.cancelled() and pending.exception() is None:
        # The executor takes no more work; connections of this journal may be closed from any thread.
        pending.result().close()


def _guarded(path: Path, doing: str, work: Callable[[], T]) -> Callable[[], T]:
    """The same work, with SQLite's errors as ours."""

    def call() -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise _told(path, doing, error) from error
        except UnicodeDecodeError as error:
            # A damaged name inside SQLite's message, or a damaged text in a table.
            raise JournalError(not_a_journal(path, "a text in it is not UTF-8")) from error

    return call


def _told(path: Path, doing: str, error: sqlite3.Error) -> JournalError:
    # Extended codes carry the primary one in their low byte.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in DAMAGE:
        return JournalError(not_a_journal(path, str(error)))
    if code == sqlite3.SQLITE_READONLY:
        return JournalError(f"journal {path}: cannot {doing} it: the file or its directory is read-only")
    return JournalError(f"journal {path}: cannot {doing} it: {error}")


def _open_to_write(path: Path, now: float) -> _Opened:
    if not path.parent.is_dir():
        raise JournalError(f"journal {path}: the directory {path.parent} does not exist")
    lock = JournalLock(path, now)
    try:
        check_header(path)
        return _Opened(_writable(path), lock)
    except BaseException:
        lock.release()
        raise


def _writable(path: Path) -> Store:
    db = _connect(path, "mode=rwc")
    try:
        version = version_of(db, path)
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalError(f"journal {path}: this file system does not take a write-ahead log ({mode})")
        # In WAL mode NORMAL keeps every commit when the process dies; only a power cut may take the last.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        migrate(db, version)
        # A file that others may only read is found here, not at the first tick.
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
        return Store(path, db, version_of(db, path))
    except BaseException:
        db.close()
        raise


def _open_to_read(path: Path) -> _Opened:
    if not path.is_file():
        raise JournalError(f"journal {path} does not exist")
    check_header(path)
    try:
        return _Opened(_readable(path, path, "mode=ro"))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN:
            raise
    return _open_unwritable(path)


def _open_unwritable(path: Path) -> _Opened:
    """On a read-only file system SQLite cannot make the index of a write-ahead log."""
    wal = path.with_name(path.name + "-wal")
    if not wal.exists() or not wal.stat().st_size:
        return _Opened(_readable(path, path, "mode=ro&immutable=1"))
    copy = tempfile.TemporaryDirectory(prefix="autoscaler-journal-")
    try:
        duplicate = Path(copy.name) / "journal.db"
        shutil.copyfile(path, duplicate)
        shutil.copyfile(wal, duplicate.with_name("journal.db-wal"))
        return _Opened(_readable(path, duplicate, "mode=ro"), copy=copy)
    except OSError as error:
        copy.cleanup()
        raise JournalError(
            f"journal {path} is on a read-only file system, and a copy to read from failed: {error.strerror}"
        ) from error
    except BaseException:
        copy.cleanup()
        raise


def _readable(path: Path, file: Path, mode: str) -> Store:
    db = _connect(file, mode)
    try:
        version = version_of(db, path)
        if version == 0:
            raise JournalError(f"journal {path} is empty: no daemon has written to it yet")
        return Store(path, db, version)
    except BaseException:
        db.close()
        raise


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,  # transactions are begun and ended by us alone
        check_same_thread=False,  # one thread at a time: the worker, or whoever closes after it has ended
    )
