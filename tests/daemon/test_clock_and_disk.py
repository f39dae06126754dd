"""The clock jumps, the disk is full, the journal is damaged or newer: hold, and say so."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from autoscaler.core.model import Pause
from autoscaler.ports import JournalError, JournalLocked, Record
from tests.daemon.rig import CHAT, INTERVAL_S, START, Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time

LONG = CHAT.replace("stabilise_down_s = 60", "stabilise_down_s = 300") + a_deployment("exo")


# --- the clock -----------------------------------------------------------------------------------


async def test_a_clock_set_back_takes_nothing_for_one_window_and_time_goes_on(tmp_path: Path) -> None:
    async with a_rig(tmp_path, LONG, replicas=4) as rig:
        rig.demand(running=50)
        await rig.run(400)
        rig.demand(running=10)
        await rig.run(285)
        rig.clock.ahead_s = -3600
        report = await rig.run(285)
        assert rig.replicas() == 4, "the window of demand has passed, that of the clock has not"
        assert rig.decision().reason == "clock"
        at = [one.at for one in rig.reports]
        assert at == sorted(at)
        assert report.at == pytest.approx(START + 400 + 285 + 285, abs=3 * INTERVAL_S)
        await rig.run(60)
        assert rig.replicas() == 1


async def test_a_clock_set_back_does_not_keep_replicas_from_growing(tmp_path: Path) -> None:
    async with a_rig(tmp_path, LONG) as rig:
        rig.demand(running=20)
        await rig.run(120)
        rig.clock.ahead_s = -3600
        rig.demand(running=60)
        await rig.tick()
        assert rig.replicas() == 5


async def test_a_clock_set_ahead_is_a_gap_and_takes_nothing_for_one_window(tmp_path: Path) -> None:
    async with a_rig(tmp_path, LONG, replicas=4) as rig:
        rig.demand(running=50)
        await rig.run(400)
        rig.demand(running=10)
        rig.clock.ahead_s = 3700
        await rig.run(270)
        assert rig.replicas() == 4
        await rig.run(60)
        assert rig.replicas() == 1


async def test_a_clock_that_was_set_back_while_the_daemon_was_down_goes_on_from_the_journal(
    tmp_path: Path,
) -> None:
    async with a_rig(tmp_path, LONG, replicas=4) as rig:
        rig.demand(running=50)
        await rig.run(400)
        last = rig.reports[-1].at
        await rig.stop()
        rig.clock.ahead_s = -3600
        await rig.start()
        rig.demand(running=10)
        report = await rig.tick()
        assert report.at > last
        await rig.run(270)
        assert rig.replicas() == 4
        await rig.run(90)
        assert rig.replicas() == 1


# --- the disk ------------------------------------------------------------------------------------


def _db(rig: Rig) -> sqlite3.Connection:
    assert rig.running is not None
    db: sqlite3.Connection = rig.running.journal._opened.store._db  # type: ignore[attr-defined]
    return db


async def test_a_full_disk_holds_everything_and_says_so_until_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        _db(rig).execute("PRAGMA max_page_count = 1")  # SQLite takes no page more, as on a full disk
        for _ in range(200):
            await rig.run(INTERVAL_S)
            if (await rig.metrics())["autoscaler_journal_errors_total"] >= 3:
                break
        assert "the journal cannot be written: holding" in capsys.readouterr().out
        rig.demand(running=60)
        await rig.run(120)
        assert rig.writes() == 0
        assert rig.replicas() == 2
        assert "holding" not in capsys.readouterr().out, "told once"

        _db(rig).execute("PRAGMA max_page_count = 100000")
        await rig.tick()
        assert rig.replicas() == 5
        assert "the journal can be written again" in capsys.readouterr().out


async def test_a_human_act_that_cannot_be_journalled_does_not_count(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.daemon._journal = _Full(rig.daemon._journal)
        with pytest.raises(JournalError):
            await rig.daemon.pause(Pause("chat", None, None, "a freeze", "anna"))
        rig.demand(running=60)
        await rig.tick()
        assert rig.replicas() == 5


class _Full:
    """A journal whose disk is full."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def append(self, record: Record) -> int:
        raise JournalError("journal j.db: cannot append to it: database or disk is full")


# --- the file ------------------------------------------------------------------------------------


async def test_a_damaged_journal_stops_the_start_names_the_file_and_is_kept(tmp_path: Path) -> None:
    async with a_rig(tmp_path, start=False) as rig:
        journal = tmp_path / "journal.db"
        journal.write_bytes(b"this was a photograph of a cat" * 200)
        before = journal.read_bytes()
        with pytest.raises(JournalError, match=r"journal\.db"):
            await rig.start()
        assert journal.read_bytes() == before


async def test_a_journal_of_a_newer_version_stops_the_start_and_is_kept(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.run(60)
        await rig.stop()
        journal = tmp_path / "journal.db"
        with sqlite3.connect(journal) as db:
            db.execute("PRAGMA user_version = 9999")
        db.close()
        before = journal.read_bytes()
        with pytest.raises(JournalError, match="newer"):
            await rig.start()
        assert journal.read_bytes() == before


async def test_a_second_daemon_is_told_which_process_holds_the_journal(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig, a_rig(tmp_path, start=False) as second:
        await rig.tick()
        with pytest.raises(JournalLocked, match=f"process {os.getpid()}"):
            await second.start()
        await rig.run(60)
