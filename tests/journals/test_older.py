"""A journal of an older version is looked into on a copy."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from autoscaler.journals import SqliteJournal, schema
from autoscaler.journals.older import up_to_date
from autoscaler.ports import JournalError, Record
from tests.journals.bodies import T0, a_tick
from tests.journals.test_sqlite import as_version_1


def everything(folder: Path) -> dict[str, bytes]:
    """What is written in this folder; SQLite leaves an empty log and its index beside what it reads."""
    found = {one.name: one.read_bytes() for one in folder.iterdir() if not one.name.endswith("-shm")}
    return {name: content for name, content in found.items() if content}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def as_present(path: Path) -> None:
    """A journal without records, of the present version."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        schema.migrate(db, 0)


async def records(path: Path) -> list[Record]:
    journal = await SqliteJournal.open(path, read_only=True)
    try:
        return list(await journal.read())
    finally:
        await journal.close()


def test_a_present_journal_is_given_as_it_is(path: Path) -> None:
    as_present(path)

    with up_to_date(path) as file:
        assert file == path


def test_an_older_journal_is_brought_up_to_date_on_a_copy_that_goes(path: Path) -> None:
    as_version_1(path)
    before = everything(path.parent)

    with up_to_date(path) as file:
        assert file != path
        assert [one.body for one in asyncio.run(records(file))] == [a_tick(T0)]
        with closing(sqlite3.connect(file)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)

    assert not file.exists()
    assert everything(path.parent) == before


def test_what_is_only_in_the_write_ahead_log_is_in_the_copy(path: Path) -> None:
    as_version_1(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("INSERT INTO kinds (name) VALUES ('fresh')")
        before = path.read_bytes()

        with up_to_date(path) as file, closing(sqlite3.connect(file)) as db:
            assert ("fresh",) in db.execute("SELECT name FROM kinds").fetchall()

        assert path.read_bytes() == before


def test_every_step_of_the_schema_is_taken_from_wherever_a_journal_stands(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a made-up third version: what migrates the copy is the writer's own list of steps."""
    as_version_1(path)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, ("CREATE TABLE made_up (x)",)))
    monkeypatch.setattr(schema.migrate, "__defaults__", (3,))
    monkeypatch.setattr(schema, "VERSION", 3)
    monkeypatch.setattr("autoscaler.journals.older.VERSION", 3)

    with up_to_date(path) as file, closing(sqlite3.connect(file)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        assert {"records", "hours", "upkeep", "made_up"} <= tables
        assert db.execute("PRAGMA user_version").fetchone() == (3,)


def test_a_newer_journal_is_refused_and_not_touched(path: Path) -> None:
    as_present(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()

    told = f"version 99; this program reads versions 1 to {schema.VERSION}"
    with pytest.raises(JournalError, match=told), up_to_date(path):
        pass

    assert path.read_bytes() == before


def test_what_is_no_journal_is_told_as_such(path: Path) -> None:
    for content, told in ((b"not a database", "no SQLite header"), (None, "does not exist")):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(JournalError, match=told), up_to_date(path):
            pass
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 0")
        db.execute("VACUUM")
    with pytest.raises(JournalError, match="is empty"), up_to_date(path):
        pass
