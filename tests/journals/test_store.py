"""The file behind the SQLite journal: a transaction is all of it or nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from autoscaler.journals.sqlite import SqliteJournal
from autoscaler.journals.store import Bounds, Store
from autoscaler.ports import Record


async def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path)
    await journal.append(Record("tick", 1.0, {"n": 1}))
    await journal.close()
    db = sqlite3.connect(path, isolation_level=None)
    store = Store(path, db, db.execute("PRAGMA user_version").fetchone()[0])

    with pytest.raises(ZeroDivisionError):
        _deletes_and_breaks(store)

    assert store.fetch(store.seqs(Bounds(None, 0, None, None))) == [Record("tick", 1.0, {"n": 1}, seq=1)]
    store.close()


def _deletes_and_breaks(store: Store) -> None:
    with store.writing() as db:
        db.execute("DELETE FROM records")
        raise ZeroDivisionError
