"""What the daemon decided, decided again from its own journal: the same."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from autoscaler.core.codec import instant_text, line_of_plan
from autoscaler.core.model import Override, Pause
from autoscaler.daemon.recall import CHECKPOINT_TICKS
from tests.cli.support import invoke
from tests.daemon.rig import CHAT, INTERVAL_S, START, Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time


async def export(rig: Rig, *words: str) -> Result:
    return await asyncio.to_thread(invoke, "journal", "export", "-c", rig.folder / "config.toml", *words)


async def decided(rig: Rig, lines: str) -> list[dict[str, Any]]:
    done = await asyncio.to_thread(invoke, "decide", "-c", rig.folder / "config.toml", given=lines)
    assert done.exit_code == 0
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


async def an_eventful_hour(rig: Rig) -> None:
    """Growth, a foreign hand, blindness, people, a restart of the daemon, and the way down."""
    rig.demand(running=20)
    await rig.run(120)
    rig.demand(running=60, queued=8)
    await rig.run(300)
    await rig.daemon.override(Override("chat", None, 3, None, rig.clock.now() + 300, "a launch", "anna"))
    rig.demand(running=5, queued=0)
    await rig.run(120)
    rig.set_by_hand(6)
    await rig.run(60)
    rig.demand(running=None)
    await rig.run(90)
    await rig.stop()
    await rig.start()
    rig.demand(running=0)
    await rig.daemon.pause(Pause("chat", "down", rig.clock.now() + 60, "a look", "anna"))
    await rig.run(120)
    await rig.daemon.resume(None, None, reason="over", actor="anna")
    await rig.run(700)


async def test_an_export_gives_the_daemons_own_plans(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await an_eventful_hour(rig)
        done = await export(rig)

        assert done.exit_code == 0
        assert done.stderr == ""
        again = await decided(rig, done.stdout)
        assert again == [line_of_plan(report.plan) for report in rig.reports]
        assert len({one["reason"] for plan in again for one in plan["decisions"]}) >= 5


async def test_an_export_from_the_middle_starts_with_the_memory_of_then(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await an_eventful_hour(rig)
        for index in (1, 7, 21, 33, len(rig.reports) - 1):
            since, until = rig.reports[index].at, rig.reports[min(index + 30, len(rig.reports) - 1)].at
            done = await export(rig, "--since", instant_text(since), "--until", instant_text(until))

            first = json.loads(done.stdout.splitlines()[0])
            assert first["memory"]["version"] == 1
            assert len(first["config"]) == 12
            expected = [line_of_plan(one.plan) for one in rig.reports if since <= one.at <= until]
            assert await decided(rig, done.stdout) == expected


async def test_an_export_stops_where_another_configuration_begins_and_says_how_to_go_on(
    tmp_path: Path,
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        before = len(rig.reports)
        old = (tmp_path / "config.toml").read_text()
        rig.write(CHAT + "cooldown_s = 60\n" + a_deployment("exo"))
        assert await rig.daemon.reload()
        await rig.run(90)

        rest = await export(rig, "--since", instant_text(rig.reports[before].at))
        (tmp_path / "config.toml").write_text(old)
        first = await export(rig)

        assert len(first.stdout.splitlines()) == before
        assert await decided(rig, first.stdout) == [line_of_plan(one.plan) for one in rig.reports[:before]]
        assert "stopped: configuration " in first.stderr
        hint = first.stderr.split("--since ")[1].split()[0]
        assert rig.reports[before - 1].at < _at(hint) <= rig.reports[before].at
        hashes = [json.loads(done.stdout.splitlines()[0])["config"] for done in (first, rest) if done.stdout]
        assert len(set(hashes)) == len(hashes)


async def test_ticks_of_a_configuration_that_is_not_at_hand_are_exported_from_a_checkpoint_on(
    tmp_path: Path,
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run((CHECKPOINT_TICKS + 10) * INTERVAL_S)
        rig.write(CHAT + "cooldown_s = 60\n" + a_deployment("exo"))

        done = await export(rig, "--since", instant_text(rig.reports[5].at))

        assert done.exit_code == 0, done.output
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        # The first checkpoint is made after the first tick, the second after so many more.
        assert lines[0]["at"] == instant_text(rig.reports[CHECKPOINT_TICKS + 1].at)
        assert "left out" in done.stderr
        assert "your" in done.stderr


def _at(text: str) -> float:
    from autoscaler.core.codec import instant

    return instant(text, "hint")


async def test_an_empty_range_is_a_negative_answer(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.run(30)
        done = await export(rig, "--since", instant_text(START + 86_400))

        assert done.exit_code == 1
        assert done.stdout == ""
        assert "no whole tick" in done.stderr


async def test_an_export_needs_a_journal(tmp_path: Path) -> None:
    async with a_rig(tmp_path, start=False) as rig:
        done = await export(rig)

        assert done.exit_code == 3
        assert "journal.db does not exist" in done.stderr


async def test_a_time_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        done = await export(rig, "--since", "last week")

        assert done.exit_code == 2
        assert "--since" in done.stderr
