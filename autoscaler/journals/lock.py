"""One daemon per journal: an advisory lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from autoscaler.durations import spoken
from autoscaler.ports import JournalError, JournalLocked


class JournalLock:
    """``flock`` on ``PATH.lock``, with the holder's pid and since when inside.

    The file stays when the lock is given back: removing it would let two processes each lock a file of
    that name. A killed process leaves the file and no lock.
    """

    def __init__(self, journal: Path, now: float) -> None:
        """Take the lock. Raises: JournalLocked, JournalError."""
        path = journal.with_name(journal.name + ".lock")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"journal {journal}: cannot write {path}: {error.strerror}") from error
        try:
            self._take(journal, path, now)
        except BaseException:
            os.close(self._handle)
            raise

    def _take(self, journal: Path, path: Path, now: float) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(os.pread(self._handle, 200, 0), now)
            raise JournalLocked(f"journal {journal} is held by {holder}; one daemon per journal") from error
        except OSError as error:
            raise JournalError(f"journal {journal}: cannot lock {path}: {error.strerror}") from error
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps({"pid": os.getpid(), "since": now}).encode(), 0)
        except OSError as error:
            raise JournalError(f"journal {journal}: cannot write {path}: {error.strerror}") from error

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._handle)


def _holder(written: bytes, now: float) -> str:
    try:
        note = json.loads(written)
        held_s = max(0, int(now - float(note["since"])))
        return f"process {int(note['pid'])}, for {spoken(held_s)}"
    except (ValueError, TypeError, KeyError):
        return "another process, which has not written its name yet"
