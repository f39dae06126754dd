"""A journal of an older version, to look into: brought up to date on a copy, the file never changed."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from autoscaler.journals.schema import VERSION, check_header, migrate, not_a_journal, version_of
from autoscaler.ports import JournalError


@contextmanager
def up_to_date(path: Path) -> Iterator[Path]:
    """The file of a journal of the present version: the one given, or where it is older a migrated copy.

    The copy is in the system's folder for temporary files, and gone at the end.

    Raises: JournalError for what is no journal, an empty one, a newer one, or no room for the copy.
    """
    if not path.is_file():
        raise JournalError(f"journal {path} does not exist")
    check_header(path)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="autoscaler-journal-"))
            present = _present(path, Path(folder))
        except sqlite3.DatabaseError as error:
            raise JournalError(not_a_journal(path, str(error))) from error
        except OSError as error:
            raise JournalError(f"journal {path}: a copy of it cannot be made: {error.strerror}") from error
        yield present


def _present(path: Path, folder: Path) -> Path:
    copy = folder / "journal.db"
    with closing(_connect(path, folder)) as given:
        version = version_of(given, path)
        if version == 0:
            raise JournalError(f"journal {path} is empty: no daemon has written to it yet")
        if version == VERSION:
            return path
        with closing(sqlite3.connect(copy, isolation_level=None)) as db:
            given.backup(db)
            migrate(db, version)
    return copy


def _connect(path: Path, folder: Path) -> sqlite3.Connection:
    """To read alone; from a copy where SQLite cannot make the index of a write-ahead log."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN:
            raise
        twin = folder / "given.db"
        shutil.copyfile(path, twin)
        wal = path.with_name(path.name + "-wal")
        if wal.exists():
            shutil.copyfile(wal, twin.with_name("given.db-wal"))
        return sqlite3.connect(twin, isolation_level=None)
    return connection
