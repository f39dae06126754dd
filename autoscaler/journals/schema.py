"""The tables of the SQLite journal, and how an older journal becomes a present one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from autoscaler.ports import JournalError

APPLICATION_ID: Final = 0x41534A4C  # "ASJL", in the file's header: other SQLite files are left alone

STEPS: Final[tuple[tuple[str, ...], ...]] = (
    (  # 1: records and the frames that they are compressed against
        # went_back: whether `at` ever fell from one record of the kind to the next.
        "CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
        " went_back INTEGER NOT NULL DEFAULT 0)",
        # AUTOINCREMENT: a number is never used twice, not even after the newest row was pruned.
        "CREATE TABLE frames (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)",
        "CREATE TABLE records (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL,"
        " at REAL NOT NULL, frame INTEGER NOT NULL, body BLOB NOT NULL)",
        "CREATE INDEX records_kind_at ON records (kind, at)",
        "CREATE INDEX records_frame ON records (frame)",
    ),
    (  # 2: minute means of what retention has thinned, and its own notes
        "CREATE TABLE hours (hour INTEGER NOT NULL, service TEXT NOT NULL, body BLOB NOT NULL,"
        " PRIMARY KEY (hour, service)) WITHOUT ROWID",
        "CREATE TABLE upkeep (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
    ),
)
"""Statements that lead from version n - 1 to version n. A released step is never edited."""

VERSION: Final = len(STEPS)
HEADER_BYTES: Final = 100


def check_header(path: Path) -> None:
    """Refuse a file that is not ours, before SQLite opens it. Raises: JournalError."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalError(f"journal {path}: cannot be read: {error.strerror}") from error
    if not header:
        return
    if len(header) < HEADER_BYTES or not header.startswith(b"SQLite format 3\x00"):
        raise JournalError(not_a_journal(path, "it has no SQLite header"))
    # Both numbers are zero until the first write-ahead log is folded in; `version_of` asks again.
    version, application = int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big")
    if application not in (0, APPLICATION_ID):
        raise JournalError(not_a_journal(path, "it is a database of another program"))
    if application == APPLICATION_ID:
        refuse_newer(path, version)


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The journal's version; 0 for a database without tables. Raises: JournalError, sqlite3.Error."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID:
        refuse_newer(path, version)
        return int(version)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application or version or tables:
        raise JournalError(not_a_journal(path, "it is a database of another program"))
    return 0


def refuse_newer(path: Path, version: int) -> None:
    """Raises: JournalError if this program does not know that version."""
    if version > VERSION:
        raise JournalError(
            f"journal {path} has version {version}; this program reads versions 1 to {VERSION}."
            " Run the newer program again, or move the file aside; it was not touched"
        )


def not_a_journal(path: Path, why: str) -> str:
    """What a person needs to read about a file that cannot be used."""
    return (
        f"journal {path} is not a journal or is damaged: {why}."
        f" Stop whatever uses it and move it aside (mv {path} {path}.damaged, with its -wal and -shm files);"
        " nothing was deleted"
    )


def migrate(connection: sqlite3.Connection, version: int, until: int = VERSION) -> None:
    """Take the steps from ``version`` to ``until``, each in a transaction. Raises: sqlite3.Error."""
    for number in range(version + 1, until + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in STEPS[number - 1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
