"""``autoscaler replay``: what was recorded decides the same again, and what does not is listed."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from autoscaler.core.codec import instant_text
from autoscaler.core.model import Override
from autoscaler.daemon.recall import CHECKPOINT_TICKS
from autoscaler.journals import SqliteJournal, schema
from autoscaler.journals.upkeep import Upkeep
from tests.cli.support import invoke
from tests.cli.test_journal_export import an_eventful_hour, export
from tests.daemon.rig import CHAT, INTERVAL_S, QUEUE, Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time


async def replay(rig: Rig, *words: str | Path, recording: Path | None = None) -> Result:
    where = recording or rig.folder / "journal.db"
    return await asyncio.to_thread(invoke, "replay", where, "-c", rig.folder / "config.toml", *words)


async def judged(rig: Rig, *words: str | Path, recording: Path | None = None) -> dict[str, Any]:
    done = await replay(rig, "--json", *words, recording=recording)
    assert done.exit_code in (0, 1), done.output
    body: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == (1 if body["ticks_that_differ"] else 0)
    return body


async def exported(rig: Rig, name: str = "export.jsonl", *words: str) -> Path:
    done = await export(rig, *words)
    assert done.exit_code == 0, done.output
    path = rig.folder / name
    path.write_text(done.stdout)
    return path


async def test_the_daemons_own_plans_are_made_again_from_its_journal_and_from_an_export(
    tmp_path: Path,
) -> None:
    async with a_rig(tmp_path) as rig:
        await an_eventful_hour(rig)
        for recording in (None, await exported(rig)):
            for words in ((), ("--follow",)):
                done = await replay(rig, *words, recording=recording)

                assert (done.exit_code, done.stderr) == (0, ""), done.output
                count = len(rig.reports)
                assert done.stdout.startswith(
                    f"{count} decisions of {count} ticks replayed with configuration "
                )
                assert done.stdout.endswith(": no difference.\n")


async def test_a_stretch_of_a_recording_is_decided_with_the_memory_of_then(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await an_eventful_hour(rig)
        lines = await exported(rig)
        for index in (0, 1, 20, 41, 60, len(rig.reports) - 1):
            first, last = rig.reports[index].at, rig.reports[min(index + 25, len(rig.reports) - 1)].at
            words = ("--since", instant_text(first), "--until", instant_text(last))
            for recording in (None, lines):
                body = await judged(rig, *words, recording=recording)
                assert body["ticks_that_differ"] == 0
                assert body["ticks"] == sum(1 for one in rig.reports if first <= one.at <= last)


async def other_target(rig: Rig) -> None:
    """From now on the policies ask for more."""
    (rig.folder / "policies" / "queue-depth.toml").write_text(QUEUE.replace("0.8", "0.4"))


async def test_another_decision_is_listed_with_both_verdicts_and_the_configuration_is_named(
    tmp_path: Path,
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(300)
        then = rig.config().fleet.config_hash
        await other_target(rig)

        done = await replay(rig)
        body = await judged(rig)

        assert done.exit_code == 1
        assert f"20 of 20 ticks were decided with configuration {then}, and config.toml is " in done.stderr
        row = next(line for line in done.stdout.splitlines() if "chat/a" in line)
        told = "2026-11-21 12:00:00 UTC 20 chat/a 2 -> 2, hold 2 -> 4, queue_depth"
        assert " ".join(row.split()) == told
        assert "20 decisions: another number of replicas." in done.stdout
        assert body["decisions_that_differ"] == {"replicas": 20, "range": 0, "reason": 0, "gone": 0, "new": 0}
        (stretch,) = body["stretches"]
        assert (stretch["ticks"], stretch["recorded"]["reason"], stretch["today"]["replicas_to"]) == (
            20,
            "hold",
            4,
        )


async def test_each_tick_is_judged_by_itself_unless_today_is_followed(tmp_path: Path) -> None:
    """The largest want of the window is the recorded policies' own, or else the one of today."""
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(300)
        rig.demand(running=3)
        last = await rig.run(INTERVAL_S)
        await other_target(rig)
        words = ("--until", instant_text(last.at))

        alone = await judged(rig, *words)
        followed = await judged(rig, "--follow", *words)

        assert alone["ticks_that_differ"] == alone["ticks"] - 1  # 25 was the most of the window: 2 replicas
        assert followed["ticks_that_differ"] == followed["ticks"]  # 50 is: 4 replicas
        assert followed["stretches"][-1]["last_at"] == instant_text(last.at)


async def test_today_is_followed_from_the_beginning_of_the_range_in_a_journal_as_in_lines(
    tmp_path: Path,
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(300)
        rig.demand(running=3)
        await rig.run(120)
        lines = await exported(rig)
        await other_target(rig)
        words = ("--follow", "--since", instant_text(rig.reports[21].at))

        journal = await judged(rig, *words)

        # What today would have wanted before the range is not in the window of today.
        assert journal["ticks_that_differ"] == 0
        assert (await judged(rig, *words, recording=lines))["stretches"] == journal["stretches"]


async def test_a_deployment_that_came_or_went_is_a_kind_of_its_own(tmp_path: Path) -> None:
    text = CHAT + a_deployment("exo")
    async with a_rig(tmp_path, text + a_deployment("other", "b")) as rig:
        rig.demand(running=20)
        await rig.run(60)
        await rig.stop()

        rig.write(text)
        gone = await judged(rig)
        rig.write(text + a_deployment("other", "c"))
        both = await judged(rig)

        assert gone["decisions_that_differ"]["gone"] == 4
        assert both["decisions_that_differ"]["gone"] == both["decisions_that_differ"]["new"] == 4


async def test_no_more_differences_are_listed_than_asked_for_and_all_are_counted(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        for level in (20, 30, 20, 40, 20, 50):
            rig.demand(running=level)
            await rig.run(90)
        await other_target(rig)

        whole, part = await judged(rig), await judged(rig, "--limit", "2")

        assert len(whole["stretches"]) > 2
        assert part["stretches"] == whole["stretches"][:2]
        assert part["stretches_not_listed"] == len(whole["stretches"]) - 2
        assert part["decisions_that_differ"] == whole["decisions_that_differ"]
        assert "--limit shows more" in (await replay(rig, "--limit", "0")).stdout


# --- what is not there --------------------------------------------------------------------------


async def test_what_was_thinned_is_said_and_not_silently_passed_over(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(1200)
        await rig.daemon.override(Override("chat", None, 3, None, rig.clock.now() + 2e6, "a launch", "anna"))
        await rig.clock.sleep(9 * 86_400)
        await rig.run(900)
        await rig.daemon._upkeep()

        done = await replay(rig)
        body = await judged(rig)

        assert done.exit_code == 0, done.output
        assert "older than 7 days and thinned, up to 2026-11-21" in done.stderr
        assert body["thinned_until"].startswith("2026-11-21T12:")
        assert body["ticks"] >= 60
        assert body["ticks_without_memory"] == 1
        assert "not replayed: 1 ticks before the first whose memory is known exactly" in done.stderr


async def test_in_the_middle_of_upkeep_no_memory_is_taken_for_a_later_one(tmp_path: Path) -> None:
    """Ticks are thinned before the checkpoints that they followed go; whatever is read meanwhile is exact."""
    async with a_rig(tmp_path) as rig:
        rig.demand(running=60)
        await rig.run((CHECKPOINT_TICKS + 2) * INTERVAL_S)
        await rig.clock.sleep(9 * 86_400)
        await rig.run(60)
        now = rig.clock.now()
        await rig.stop()
        journal = await SqliteJournal.open(tmp_path / "journal.db")
        assert journal._opened is not None
        upkeep = Upkeep(journal._opened.store, now)
        seen = []
        while upkeep.piece():
            body = await judged(rig)
            assert body["ticks_that_differ"] == 0
            if body["thinned_until"] is not None:
                seen.append((body["ticks"], body["ticks_without_memory"]))
        await journal.close()

        # From the second checkpoint's own tick on; what it was made from is thinned.
        assert set(seen) == {(1 + 4, 1)}


async def test_a_range_without_ticks_is_no_success(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.run(60)
        lines = await exported(rig)

        for recording in (None, lines):
            done = await replay(rig, "--since", "2027-01-01T00:00:00Z", recording=recording)
            assert done.exit_code == 3
            assert "holds nothing to compare in this range" in done.stderr


async def test_lines_without_plans_are_not_compared_and_said(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        lines = [json.loads(line) for line in (await exported(rig)).read_text().splitlines()]
        del lines[1]["plan"]
        path = tmp_path / "part.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

        done = await replay(rig, recording=path)
        for line in lines:
            line.pop("plan", None)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        none = await replay(rig, recording=path)

        assert done.exit_code == 0
        assert "not compared: 1 lines without a recorded plan" in done.stderr
        assert none.exit_code == 3


async def test_exports_one_after_the_other_are_one_recording(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=60)
        await rig.run(240)
        rig.demand(running=5)
        await rig.run(240)
        middle = rig.reports[16].at
        late = await exported(rig, "late.jsonl", "--since", instant_text(middle))
        early = await exported(rig, "early.jsonl", "--until", instant_text(middle))
        (tmp_path / "both.jsonl").write_text(late.read_text() + early.read_text())

        body = await judged(rig, recording=tmp_path / "both.jsonl")

        assert (body["ticks"], body["ticks_that_differ"]) == (len(rig.reports) + 1, 0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: malformed JSON"),
        ('{"signals": {}}', "line 2: at: missing"),
        ('{"at": "2020-01-01T00:00:00Z"}', "line 2: at: 2020-01-01T00:00:00Z goes back"),
        ('{"at": "2030-01-01T00:00:00Z", "plan": {"decisions": 3}}', "line 2: plan: damaged"),
        (
            '{"at": "2030-01-01T00:00:00Z", "memory": {"version": 2}}',
            "line 2: memory.version: 2; 1 is allowed",
        ),
    ],
)
async def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, told: str) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.run(INTERVAL_S)
        path = await exported(rig)
        path.write_text(path.read_text() + line + "\n")

        done = await replay(rig, recording=path)

        assert done.exit_code == 3
        assert f"{path}, {told}" in done.stderr


# --- versions -----------------------------------------------------------------------------------


def back_to_version_1(path: Path) -> None:
    """The file as version 1 of the schema had it: without minute means and upkeep's notes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TABLE hours")
        db.execute("DROP TABLE upkeep")
        db.execute("PRAGMA user_version = 1")


async def test_a_journal_of_an_older_version_is_replayed_and_not_changed(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(120)
        await rig.stop()
        path = tmp_path / "journal.db"
        back_to_version_1(path)
        before = path.read_bytes()

        done = await replay(rig)

        assert (done.exit_code, done.stderr) == (0, ""), done.output
        assert path.read_bytes() == before


async def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.run(60)
        await rig.stop()
        with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
            db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")

        done = await replay(rig)

        assert done.exit_code == 3
        assert (
            f"has version {schema.VERSION + 1}; this program reads versions 1 to {schema.VERSION}"
            in done.stderr
        )


async def test_what_is_not_there_or_not_well_asked_has_its_own_status(tmp_path: Path) -> None:
    async with a_rig(tmp_path, start=False) as rig:
        missing = await replay(rig, recording=tmp_path / "nothing.db")
        folder = await replay(rig, recording=tmp_path)
        bad_time = await replay(rig, "--since", "yesterday", recording=tmp_path / "config.toml")
        no_lines = await replay(rig, recording=tmp_path / "config.toml")

        assert [one.exit_code for one in (missing, folder, bad_time, no_lines)] == [3, 3, 2, 3]
        assert "cannot be read: No such file" in missing.stderr
        assert "line 1: malformed JSON" in no_lines.stderr
