"""``autoscaler shadow``: both sides in a table, from the journal where no daemon answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.support import invoke, write_config
from tests.daemon.rig import CHAT, Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time

EAGER = 'kind = "queue_depth"\ntarget_utilisation = 0.4\nidle_s = 60\n'
TEXT = CHAT + 'shadow = ["eager"]\n' + a_deployment("exo")


async def shadow(rig: Rig, *words: str) -> Result:
    return await asyncio.to_thread(invoke, "shadow", *words, "-c", rig.folder / "config.toml")


async def test_the_journal_tells_what_the_daemon_told(tmp_path: Path) -> None:
    async with a_rig(tmp_path, TEXT, policies={"eager": EAGER}) as rig:
        rig.demand(running=20)
        await rig.run(900)
        told = json.loads(await rig.get("/v1/services/chat/shadow"))
        await rig.stop()

        done = await shadow(rig, "chat", "--json")

        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == told
        assert "from the journal" in done.stderr


async def test_a_person_reads_both_sides_their_difference_and_one_sentence(tmp_path: Path) -> None:
    async with a_rig(tmp_path, TEXT, policies={"eager": EAGER}) as rig:
        rig.demand(running=20)
        await rig.run(900)
        rig.demand(running=40)
        await rig.run(300)
        await rig.stop()

        done = await shadow(rig, "chat")

        lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
        assert (
            lines[0]
            == "chat: queue-depth act, eager would; compared since 2026-11-21 12:00:00 UTC, for 19 min 45 s."
        )
        rows = {line.split()[0]: line for line in lines if line}
        assert rows["active"].startswith("active 0.") or rows["active"].startswith("active 1.")
        assert rows["difference"].split()[1].startswith("+")
        assert any("stays at 2, hold 2 -> 4, queue_depth" in line for line in lines)
        assert any(line.startswith("In 19 min 45 s, eager would have cost") for line in lines)


async def test_a_service_without_a_shadow_says_how_to_have_one(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.run(30)
        await rig.stop()

        done = await shadow(rig, "chat")
        other = await shadow(rig, "chatt")

        assert done.exit_code == 1
        assert '[services.chat] shadow = ["..."]' in done.stderr
        assert other.exit_code == 2
        assert "there is chat" in other.stderr


async def test_check_tells_who_is_in_the_shadow(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(
        path.read_text().replace("service_s = 30 }]", "service_s = 30 }]\nshadow = ['queue-depth']")
    )

    done = invoke("check", "-c", path)
    as_json = json.loads(invoke("check", "--json", "-c", path).stdout)

    assert done.exit_code == 0, done.output
    assert "In the shadow of chat, never acting: queue-depth. See autoscaler shadow chat." in done.stdout
    assert [one["policy"] for one in as_json["services"][0]["shadow"]] == ["queue-depth"]
