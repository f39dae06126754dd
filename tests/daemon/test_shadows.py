"""Shadow policies beside a running daemon: on the same signals, journalled, and never in its way."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler.core.fleet import Fleet, NamedPolicy
from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.core.shadow import Shadow
from autoscaler.daemon.recall import CHECKPOINT_TICKS
from autoscaler.daemon.shadows import Shadows, Tick, recalled
from autoscaler.journals import MemoryJournal
from tests.cli.support import environment
from tests.core.fleets import a_fleet, a_snapshot
from tests.core.run import Run
from tests.daemon.rig import CHAT, INTERVAL_S, Rig, a_deployment, a_rig

EAGER = 'kind = "queue_depth"\ntarget_utilisation = 0.4\nidle_s = 60\n'
TEXT = CHAT + 'shadow = ["eager"]\n' + a_deployment("exo")


def shadow_of(rig: Rig, service: str = "chat") -> Shadow:
    found = rig.reports[-1].shadows[service].shadow
    assert found is not None
    return found


@pytest.mark.virtual_time
async def test_a_shadow_decides_on_the_same_signals_and_nothing_of_it_is_sent(tmp_path: Path) -> None:
    async with a_rig(tmp_path, TEXT, policies={"eager": EAGER}) as rig:
        rig.demand(running=20)
        await rig.run(600)

        assert rig.replicas() == 2
        assert rig.writes() == 0
        shadow = shadow_of(rig)
        assert shadow.wanted == {"a": 4}
        assert shadow.shadow.usd > shadow.active.usd > 0
        answer = json.loads(await rig.get("/v1/services/chat/shadow"))
        assert answer["active"]["policies"] == ["queue-depth"]
        assert answer["shadow"]["policies"] == ["eager"]
        assert answer["shadow"]["replicas_wanted"] == {"a": 4}
        assert answer["difference"]["usd"] == pytest.approx(shadow.shadow.usd - shadow.active.usd, abs=1e-5)
        (one,) = answer["decisions_that_differ"]
        assert (one["active"]["replicas_to"], one["shadow"]["replicas_to"]) == (2, 4)
        assert "more than what was there" in answer["sentence"]


@pytest.mark.virtual_time
async def test_a_shadow_changes_no_decision_and_not_the_name_of_the_configuration(tmp_path: Path) -> None:
    plans: list[Any] = []
    for index, text in enumerate((TEXT, CHAT + a_deployment("exo"))):
        folder = tmp_path / str(index)
        folder.mkdir()
        async with a_rig(folder, text, policies={"eager": EAGER}) as rig:
            for level in (20, 60, 5):
                rig.demand(running=level)
                await rig.run(300)
            plans.append([report.plan for report in rig.reports])
            name = rig.config().fleet.config_hash
            rig.write(CHAT + a_deployment("exo"))
            assert rig.config().fleet.config_hash == name

    assert [p.decisions for p in plans[0]] == [p.decisions for p in plans[1]]


@pytest.mark.virtual_time
@pytest.mark.parametrize("ticks", [1, 7, CHECKPOINT_TICKS - 1, CHECKPOINT_TICKS, CHECKPOINT_TICKS + 3])
async def test_after_a_restart_the_account_goes_on(tmp_path: Path, ticks: int) -> None:
    async with a_rig(tmp_path, TEXT, policies={"eager": EAGER}) as rig:
        for index in range(ticks):
            rig.demand(running=20 + 40 * (index % 7 > 3))
            await rig.run(INTERVAL_S)
        before = shadow_of(rig)
        journal = rig.daemon.ticker.shadows.journal
        alone = rig.config().shadows["chat"]
        assert await recalled(journal, "chat", alone, None, 5.0) == before

        await rig.stop()
        await rig.start()
        await rig.run(INTERVAL_S)

        after = shadow_of(rig)
        assert after.since == before.since
        assert after.ticks == before.ticks + 1
        assert after.shadow.usd > before.shadow.usd


@pytest.mark.virtual_time
async def test_a_shadow_begins_anew_when_what_it_is_about_changes_and_only_then(tmp_path: Path) -> None:
    async with a_rig(tmp_path, TEXT, policies={"eager": EAGER}) as rig:
        rig.demand(running=20)
        await rig.run(120)
        since = shadow_of(rig).since

        assert await rig.daemon.reload()
        await rig.run(60)
        assert shadow_of(rig).since == since

        (tmp_path / "policies" / "eager.toml").write_text(EAGER.replace("0.4", "0.5"))
        assert await rig.daemon.reload()
        await rig.run(60)
        assert shadow_of(rig).since > since

        rig.write(CHAT + a_deployment("exo"))
        assert await rig.daemon.reload()
        report = await rig.run(60)
        assert report.shadows == {}
        assert "autoscaler_shadow_cost_usd_per_hour" not in str(await rig.metrics())


@pytest.mark.virtual_time
async def test_the_journal_tells_what_a_shadow_decided_where_it_is_something_new(tmp_path: Path) -> None:
    async with a_rig(tmp_path, TEXT, policies={"eager": EAGER}) as rig:
        rig.demand(running=20)
        await rig.run(300)
        rig.demand(running=30)
        await rig.run(300)

        found = await rig.daemon.ticker.shadows.journal.read(kinds=("shadow",))

        told = [[(d["replicas_from"], d["replicas_to"]) for d in one.body["decisions"]] for one in found]
        assert told == [[(2, 4)], [(4, 5)]]  # it began, and it grew
        assert ["state" in one.body for one in found] == [True, False]


# --- shadows that misbehave ---------------------------------------------------------------------


class Raises(Policy, kind="raises", demand=True):
    """A policy with a bug."""

    def propose(self, view: View) -> tuple[Proposal, ...]:
        raise ZeroDivisionError


class Sleeps(Policy, kind="sleeps"):
    """A policy that takes its time."""

    seconds: float = 1.0

    def propose(self, view: View) -> tuple[Proposal, ...]:
        time.sleep(self.seconds)
        return ()


def alone(fleet: Fleet, policy: Policy) -> dict[str, Fleet]:
    own = replace(fleet.services["chat"], policies=(NamedPolicy("candidate", policy),))
    return {"chat": replace(fleet, services={"chat": own}, config_hash="shadow")}


async def one_tick(shadows: Shadows, run: Run) -> float:
    """Seconds that the shadows took for a tick."""
    run.tick(20, a=2)
    at = asyncio.get_running_loop().time()
    snapshot = a_snapshot(run.at, 20, 0)
    await shadows.follow(Tick(1, snapshot, run.plan, run.memory), journalled_nowhere)
    return asyncio.get_running_loop().time() - at


async def journalled_nowhere(kind: str, body: dict[str, object]) -> int | None:
    return None


async def test_a_policy_that_raises_makes_its_shadow_blind_by_name() -> None:
    fleet = a_fleet()
    shadows = Shadows(MemoryJournal(), alone(fleet, Raises()))

    await one_tick(shadows, Run(fleet))

    standing = shadows.standing["chat"]
    assert standing.trouble is None
    assert standing.shadow is not None
    assert standing.shadow.memory.services["chat"].blind_since is not None


async def test_a_shadow_that_is_late_is_set_aside_and_holds_up_no_more_ticks() -> None:
    fleet = a_fleet()
    shadows = Shadows(MemoryJournal(), alone(fleet, Sleeps()), deadline_s=0.05)
    run = Run(fleet)

    first = await one_tick(shadows, run)
    second = await one_tick(shadows, run)

    assert first < 0.5
    assert second < 0.02
    assert shadows.standing["chat"].trouble == "it took over 0.05 s"
    shadows.reconfigure(alone(fleet, Sleeps(seconds=0.0)))
    await one_tick(shadows, run)
    assert shadows.standing["chat"].trouble is None


async def test_a_shadow_that_fails_is_set_aside_with_its_reason() -> None:
    fleet = a_fleet()
    broken = {"chat": replace(fleet, services={}, config_hash="shadow")}  # no such thing is configured
    shadows = Shadows(MemoryJournal(), broken)

    await one_tick(shadows, Run(fleet))

    assert "it failed: ValueError" in str(shadows.standing["chat"].trouble)


async def test_all_shadows_together_take_no_longer_than_one_tick_allows() -> None:
    fleet = a_fleet()
    slow = alone(fleet, Sleeps(seconds=0.08))["chat"]
    shadows = Shadows(MemoryJournal(), dict.fromkeys("abcdefgh", slow), all_s=0.2)

    took = await one_tick(shadows, Run(fleet))

    assert took < 0.5
    assert len(shadows.standing) < 8


async def test_the_end_of_the_process_does_not_wait_for_a_shadow(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio, time\nfrom autoscaler.daemon.apart import apart\n"
        "async def main():\n    try:\n        await apart(lambda: time.sleep(60), 0.05)\n"
        "    except TimeoutError:\n        print('late')\nasyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), env=environment(), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    assert (out, process.returncode) == (b"late\n", 0)
