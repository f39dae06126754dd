"""What the journal on disk promises beyond the contract: death, damage, full disks, other processes."""

# ruff: noqa: ASYNC221, ASYNC240 - nothing else runs on the loop while a test looks at its files.

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from autoscaler.clock import SystemClock
from autoscaler.journals import SqliteJournal, codec, open_journal, schema
from autoscaler.journals.store import Store
from autoscaler.journals.upkeep import Upkeep
from autoscaler.ports import JournalError, JournalLocked, Record
from tests.journals.bodies import DAY_S, T0, a_tick
from tests.journals.processes import LIMITED, WRITER, started


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


async def filled(path: Path, ticks: int = 200) -> None:
    journal = await SqliteJournal.open(path)
    for i in range(ticks):
        await journal.append(Record("tick", T0 + 15 * i, a_tick(T0 + 15 * i, demand=i * 7919 % 101)))
        if i % 20 == 0:
            await journal.append(Record("checkpoint", T0 + 15 * i, {"i": i}))
    await journal.close()


async def all_of(path: Path) -> list[Record]:
    journal = await SqliteJournal.open(path, read_only=True)
    try:
        return list(await journal.read())
    finally:
        await journal.close()


# --- urls ---------------------------------------------------------------------------------------


async def test_a_url_opens_the_file_it_names(path: Path) -> None:
    journal = await open_journal(f"sqlite:{path}")
    await journal.append(Record("start", T0, {}))
    await journal.close()

    assert len(await all_of(path)) == 1


@pytest.mark.parametrize("url", ["postgres://x/y", "autoscaler.db", "sqlite:", "", "sqlite::memory:"])
async def test_another_url_is_an_error_that_says_what_is_allowed(url: str) -> None:
    with pytest.raises(JournalError, match="sqlite:"):
        await open_journal(url)


async def test_odd_characters_in_a_path_are_only_characters(tmp_path: Path) -> None:
    for name in ("a b?mode=memory.db", "100%25#x.db", "ä.db"):
        await filled(tmp_path / name, 1)
        assert (tmp_path / name).is_file()
        assert len(await all_of(tmp_path / name)) == 2


# --- one writer, many readers -------------------------------------------------------------------


async def test_a_second_daemon_learns_who_holds_the_journal_and_for_how_long(path: Path) -> None:
    start = SystemClock(starts_at=T0)
    journal = await SqliteJournal.open(path, clock=start)

    with pytest.raises(JournalLocked, match=rf"process {os.getpid()}, for 2 h 5 min"):
        await SqliteJournal.open(path, clock=SystemClock(starts_at=T0 + 7500.5))

    await journal.close()
    await (await SqliteJournal.open(path)).close()


async def test_a_killed_daemon_leaves_no_lock(path: Path) -> None:
    with started(WRITER, path) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(JournalLocked, match=f"process {writer.pid}, for"):
            await SqliteJournal.open(path)
        writer.kill()

    journal = await SqliteJournal.open(path)
    await journal.close()


async def test_readers_see_each_record_while_the_daemon_writes_and_change_nothing(path: Path) -> None:
    writer = await SqliteJournal.open(path)
    await writer.append(Record("human", T0, {"until": None}))
    reader = await SqliteJournal.open(path, read_only=True)
    await writer.append(Record("tick", T0, a_tick(T0)))

    assert [record.kind for record in await reader.read()] == ["human", "tick"]
    with pytest.raises(JournalError, match="read-only"):
        await reader.append(Record("event", T0, {}))
    await writer.append(Record("tick", T0 + 1, a_tick(T0 + 1)))
    assert len(await reader.read()) == 3
    await reader.close()
    await writer.close()


async def test_a_reader_keeps_its_place_while_retention_takes_records(path: Path) -> None:
    await filled(path)
    reader = await SqliteJournal.open(path, read_only=True)
    seen = []
    async for record in reader.stream(["tick"]):
        seen.append(record)
        if len(seen) == 20:
            writer = await SqliteJournal.open(path)
            await writer.prune(T0 + 1000 * DAY_S)
            await writer.close()
    await reader.close()

    assert [record.kind for record in seen] == ["tick"] * len(seen)
    assert [record.seq for record in seen] == sorted(record.seq for record in seen)
    assert seen[-1].at == T0 + 15 * 199


async def test_a_missing_or_empty_journal_cannot_be_read(path: Path) -> None:
    with pytest.raises(JournalError, match=f"{path} does not exist"):
        await SqliteJournal.open(path, read_only=True)
    assert not path.exists()
    path.touch()
    with pytest.raises(JournalError, match="empty"):
        await SqliteJournal.open(path, read_only=True)


@pytest.mark.parametrize("wal", [True, False])
async def test_a_journal_on_a_read_only_file_system_can_be_read(tmp_path: Path, wal: bool) -> None:
    mount = tmp_path / "disk"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(mount)], check=False).returncode:
        pytest.skip("mounting needs root")
    try:
        path = mount / "journal.db"
        if wal:
            with started(WRITER, path) as writer:
                assert writer.stdout is not None
                for _ in range(30):
                    writer.stdout.readline()
                writer.kill()
            path.with_name("journal.db-shm").unlink()
            assert path.with_name("journal.db-wal").stat().st_size > 0
        else:
            await filled(path, 29)
        subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)

        assert len([r for r in await all_of(path) if r.kind == "tick"]) >= 29
        with pytest.raises(JournalError, match=str(path)):
            await SqliteJournal.open(path)
    finally:
        subprocess.run(["umount", str(mount)], check=True)


async def test_a_cancelled_open_gives_the_lock_back(path: Path) -> None:
    opening = asyncio.ensure_future(SqliteJournal.open(path))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    for _ in range(100):
        try:
            journal = await SqliteJournal.open(path)
        except JournalLocked:
            await asyncio.sleep(0.01)
        else:
            return await journal.close()
    raise AssertionError("the lock stayed")


# --- death --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_a_killed_writer_loses_at_most_the_record_in_flight(path: Path, seed: int) -> None:
    with started(WRITER, path) as writer:
        assert writer.stdout is not None
        told = 0
        for _ in range(random.Random(seed).randrange(2, 150)):
            line = writer.stdout.readline().strip()
            told = int(line) if line.isdigit() else told
        writer.kill()
        told = max([told, *(int(line) for line in writer.stdout.read().split() if line.isdigit())])

    journal = await SqliteJournal.open(path)
    records = await journal.read()
    assert max(record.seq for record in records) >= told
    for record in records:
        if record.kind == "tick":
            i = round((record.at - T0) / 15)
            assert record.body == a_tick(record.at, demand=i % 50)
    # Prunes cut short go on where they stopped: each tick is in the means exactly once.
    last = max(record.at for record in records)
    await journal.append(Record("checkpoint", last, {}))
    ticks = round((last - T0) / 15) + 1
    await journal.prune(last + 1 + 7 * DAY_S)
    assert sum(mean.ticks for mean in await journal.minute_means("chat")) == ticks
    await journal.append(Record("event", T0, {"after": True}))
    await journal.close()


@pytest.mark.parametrize("pieces", range(12))
async def test_retention_cut_short_anywhere_counts_each_tick_once(path: Path, pieces: int) -> None:
    await filled(path, 601)
    journal = await SqliteJournal.open(path)
    now = T0 + 15 * 600 + 7 * DAY_S

    def some_pieces(store: Store) -> int:
        upkeep = Upkeep(store, now)
        return sum(upkeep.piece() for _ in range(pieces))

    done = await journal._run("prune", some_pieces)
    await journal.prune(now)

    assert done == pieces
    assert sum(mean.ticks for mean in await journal.minute_means()) == 600
    assert [record.at for record in await journal.read(kinds=["tick", "decisions"])] == [T0, T0 + 9000]
    await journal.close()


async def test_reopening_does_not_start_a_new_frame(path: Path) -> None:
    for i in range(20):
        journal = await SqliteJournal.open(path)
        await journal.append(Record("tick", T0 + i, a_tick(T0 + i)))
        await journal.close()

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM frames").fetchone() == (1,)


async def test_retention_leaves_no_frame_that_nobody_needs(path: Path) -> None:
    await filled(path, 400)
    journal = await SqliteJournal.open(path)
    await journal.prune(T0 + 1000 * DAY_S)
    await journal.close()

    with closing(sqlite3.connect(path)) as db:
        used = db.execute("SELECT count(DISTINCT frame) FROM records").fetchone()
        assert db.execute("SELECT count(*) FROM frames").fetchone() == used


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"hello, this is no database at all\n" * 50, b"x", b"SQLite format 3\x00", bytes(4096)]
)
@pytest.mark.parametrize("read_only", [True, False])
async def test_a_file_that_is_not_a_journal_is_left_alone(
    path: Path, content: bytes, read_only: bool
) -> None:
    path.write_bytes(content)

    with pytest.raises(
        JournalError, match=f"{path} is not a journal .* move it aside .* nothing was deleted"
    ):
        await SqliteJournal.open(path, read_only=read_only)
    assert path.read_bytes() == content


async def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name)")
    before = path.read_bytes()

    for read_only in (True, False):
        with pytest.raises(JournalError, match="another program"):
            await SqliteJournal.open(path, read_only=read_only)
    assert path.read_bytes() == before


async def outcome_of_using(path: Path) -> list[Record] | str:
    """All that can be read, or the error that a person gets; nothing else may come out."""
    try:
        journal = await SqliteJournal.open(path)
    except JournalError as error:
        return str(error)
    try:
        found = list(await journal.read())
        await journal.append(Record("event", T0, {}))
        await journal.prune(T0 + 20 * DAY_S)
        return found
    except JournalError as error:
        return str(error)
    finally:
        await journal.close()


@pytest.mark.parametrize("seed", [*range(12), 35])
async def test_a_damaged_journal_gives_what_is_intact_or_an_error_and_is_never_deleted(
    tmp_path: Path, seed: int
) -> None:
    await filled(tmp_path / "whole.db")
    whole = await all_of(tmp_path / "whole.db")
    path = tmp_path / "damaged.db"
    shutil.copyfile(tmp_path / "whole.db", path)
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    if seed % 4 == 0:
        del content[chance.randrange(1, len(content)) :]
    elif seed % 4 == 3:  # the page that holds the schema
        for _ in range(3):
            content[chance.randrange(4096)] = chance.randrange(256)
    else:
        for _ in range(1 if seed % 4 == 1 else 100):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)

    outcome = await outcome_of_using(path)

    assert path.exists()
    if isinstance(outcome, str):
        assert str(path) in outcome
    else:
        bodies = {record.seq: record.body for record in whole}
        assert all(record.body == bodies.get(record.seq, record.body) for record in outcome)


async def test_one_damaged_record_is_named_and_stops_neither_appends_nor_retention(path: Path) -> None:
    await filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE records SET body = x'00112233445566' WHERE seq = 50")
        db.commit()
    journal = await SqliteJournal.open(path)

    with pytest.raises(JournalError, match=r"record 50 \(tick\) is damaged"):
        await journal.read()
    await journal.append(Record("checkpoint", T0 + 15 * 200, {}))
    await journal.prune(T0 + 20 * DAY_S)
    assert sum(mean.ticks for mean in await journal.minute_means()) == 199
    await journal.close()


@pytest.mark.parametrize("broken", ["directory missing", "path is a directory", "lock is a directory"])
async def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "missing" / "journal.db" if broken == "directory missing" else tmp_path / "journal.db"
    if broken == "path is a directory":
        path.mkdir()
    if broken == "lock is a directory":
        path.with_name("journal.db.lock").mkdir()

    with pytest.raises(JournalError, match=str(path)):
        await SqliteJournal.open(path)


# --- full disks ---------------------------------------------------------------------------------


async def test_a_full_disk_is_an_error_and_later_there_is_room_again(path: Path) -> None:
    with started(LIMITED, path) as writer:
        assert writer.stdout is not None
        error, numbers = writer.stdout.read().splitlines()
    assert writer.returncode == 0
    refused, last_seq = (int(number) for number in numbers.split())

    *records, new = await all_of(path)
    assert (new.kind, new.body) == ("new kind", {"room": True})
    assert str(path) in error
    assert [record.body["n"] for record in records[:-1]] == list(range(refused))
    assert records[-1].body == {"room": True}
    assert records[-1].seq == last_seq == refused + 1  # the refused record left nothing, not even a number


async def test_a_full_file_refuses_the_append_whole(path: Path) -> None:
    await filled(path, 30)
    journal = await SqliteJournal.open(path)
    await journal._run("limit", lambda store: store._db.execute("PRAGMA max_page_count = 1").fetchone())
    chance = random.Random(1)
    taken = 0

    async def fill() -> None:
        nonlocal taken
        for taken in range(1000):  # noqa: B007
            await journal.append(Record("event", T0, {"noise": [chance.random() for _ in range(300)]}))

    with pytest.raises(JournalError, match="full"):
        await fill()
    with pytest.raises(JournalError, match="full"):
        await journal.append(Record("a new kind", T0, {"noise": [chance.random() for _ in range(3000)]}))
    await journal._run("lift", lambda store: store._db.execute("PRAGMA max_page_count = 100000").fetchone())
    await journal.append(Record("event", T0, {"room": True}))
    await journal.append(Record("a new kind", T0, {"room": True}))

    assert [record.body for record in await journal.read(kinds=["a new kind"])] == [{"room": True}]
    events = await journal.read(kinds=["event"])
    assert len(events) == taken + 1
    assert events[-1].body == {"room": True}
    await journal.close()


# --- versions -----------------------------------------------------------------------------------


def as_version_1(path: Path) -> None:
    """A journal as version 1 of the schema wrote it, with one record."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        schema.migrate(db, 0, until=1)
        text = codec.body_text(a_tick(T0))
        db.execute("INSERT INTO kinds (name) VALUES ('tick')")
        db.execute("INSERT INTO frames (body) VALUES (?)", (codec.shrink(text),))
        db.execute(
            "INSERT INTO records (kind, at, frame, body) VALUES (1, ?, 1, ?)",
            (T0, codec.shrink(text, codec.Frame(text))),
        )


async def test_a_version_1_journal_is_read_as_it_is_and_brought_up_to_date_by_a_writer(path: Path) -> None:
    as_version_1(path)
    reader = await SqliteJournal.open(path, read_only=True)
    assert (await reader.read())[0].body == a_tick(T0)
    assert not await reader.minute_means()
    await reader.close()

    journal = await SqliteJournal.open(path)
    await journal.append(Record("checkpoint", T0 + 1, {}))
    await journal.prune(T0 + 20 * DAY_S)
    assert [mean.ticks for mean in await journal.minute_means()] == [1]
    await journal.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


async def test_a_migration_that_fails_leaves_the_old_version_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_version_1(path)
    broken = (*schema.STEPS[:1], ("CREATE TABLE upkeep (x)", "CREATE NONSENSE"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", broken)
        with pytest.raises(JournalError, match=str(path)):
            await SqliteJournal.open(path)

    journal = await SqliteJournal.open(path)
    assert len(await journal.read()) == 1
    await journal.close()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("in_wal", [True, False])
async def test_a_newer_version_is_refused_and_not_touched(path: Path, read_only: bool, in_wal: bool) -> None:
    await filled(path, 3)
    keeper = sqlite3.connect(path)
    keeper.execute("PRAGMA user_version = 99")
    if not in_wal:
        keeper.close()
    before = path.read_bytes()

    with pytest.raises(JournalError, match=f"version 99; this program reads versions 1 to {schema.VERSION}"):
        await SqliteJournal.open(path, read_only=read_only)

    assert path.read_bytes() == before
    keeper.close()


# --- size ---------------------------------------------------------------------------------------


async def test_a_day_of_one_deployment_stays_well_under_a_megabyte(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    ticks = 640
    for i in range(ticks):
        body = a_tick(T0 + 15 * i, demand=i * 7919 % 101)
        await journal.append(Record("tick", T0 + 15 * i, body))
    await journal.close()

    assert path.stat().st_size / ticks < 170
