"""Journals: where the daemon's only memory is kept."""

from __future__ import annotations

from autoscaler.journals.memory import MemoryJournal
from autoscaler.journals.sqlite import SqliteJournal
from autoscaler.ports import Clock, JournalError

__all__ = ["MemoryJournal", "SqliteJournal", "open_journal"]


async def open_journal(url: str, *, read_only: bool = False, clock: Clock | None = None) -> SqliteJournal:
    """Open the journal that a config names: ``sqlite:PATH``, the path as the caller resolved it.

    Raises: JournalError for another scheme or an empty path, and as :meth:`SqliteJournal.open`.
    """
    scheme, colon, path = url.partition(":")
    if scheme != "sqlite" or not colon:
        raise JournalError(f"journal {url!r}: allowed is sqlite:PATH, for example sqlite:autoscaler.db")
    if not path or path == ":memory:":
        raise JournalError(f"journal {url!r}: sqlite: needs the path of a file")
    return await SqliteJournal.open(path, read_only=read_only, clock=clock)
