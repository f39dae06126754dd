"""What people may do: pause, override, watch only, and change replicas by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from autoscaler.core.model import Override, Pause
from autoscaler.emulators.faults import Fault, FaultKind
from tests.daemon.rig import CHAT, INTERVAL_S, Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time


def _override(rig: Rig, for_s: float = 600, deployment: str | None = None, **limits: int) -> Override:
    low, high = limits.get("at_least"), limits.get("at_most")
    return Override("chat", deployment, low, high, rig.clock.now() + for_s, "a launch", "anna")


# --- pause and observe ---------------------------------------------------------------------------


async def test_a_paused_service_is_not_written_until_the_pause_ends(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        await rig.daemon.pause(Pause("chat", None, rig.clock.now() + 300, "a freeze", "anna"))
        rig.demand(running=60)
        await rig.run(240)
        assert rig.writes() == 0
        assert rig.decision().reason == "paused"
        assert (await rig.metrics())['autoscaler_paused{service="chat"}'] == 1
        await rig.run(90)
        assert rig.replicas() == 5


async def test_paused_downwards_scales_up_and_never_down(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        await rig.daemon.pause(Pause(None, "down", None, "a launch", "anna"))
        rig.demand(running=60)
        await rig.run(30)
        assert rig.replicas() == 5
        rig.demand(running=10)
        await rig.run(600)
        assert rig.replicas() == 5
        await rig.daemon.resume(None, None, reason="over", actor="anna")
        await rig.run(30)
        assert rig.replicas() == 1


async def test_once_a_pause_is_confirmed_no_write_leaves(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        rig.demand(running=60)
        rig.accounts["exo"].faults.add(Fault(kind=FaultKind.LATENCY, applies_to="reads", latency_s=2))
        tick = asyncio.create_task(rig.daemon.tick())
        await rig.clock.sleep(3)  # the plan is in the journal, and the deployment is being read again
        await rig.daemon.pause(Pause("chat", None, rig.clock.now() + 300, "a freeze", "anna"))
        await tick
        assert rig.writes() == 0
        assert rig.reports[-1].scale_calls == (("exo", "stale"),)


async def test_a_pause_outlives_a_restart(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        await rig.daemon.pause(Pause("chat", None, None, "a freeze", "anna"))
        await rig.stop()
        await rig.start()
        rig.demand(running=60)
        await rig.run(120)
        assert rig.writes() == 0


async def test_observe_mode_decides_and_never_writes(tmp_path: Path) -> None:
    async with a_rig(tmp_path, CHAT + 'mode = "observe"\n' + a_deployment("exo")) as rig:
        rig.demand(running=60)
        report = await rig.run(300)
        assert rig.decision().replicas_to == 5
        assert rig.writes() == 0
        assert report.scale_calls == ()


# --- override ------------------------------------------------------------------------------------


async def test_an_override_holds_while_it_lasts_and_no_longer(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        await rig.daemon.override(_override(rig, at_least=4, at_most=4))
        await rig.run(30)
        assert rig.replicas() == 4
        assert rig.decision().reason == "override"
        assert (await rig.metrics())['autoscaler_override_active{service="chat"}'] == 1
        await rig.run(660)
        assert rig.replicas() == 2


async def test_an_override_that_is_taken_back_ends_at_once(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        await rig.daemon.override(_override(rig, at_most=1))
        await rig.run(30)
        assert rig.replicas() == 1
        await rig.daemon.clear_override("chat", None, reason="over", actor="anna")
        await rig.run(30)
        assert rig.replicas() == 2


async def test_an_override_above_max_replicas_is_refused_with_the_bounds(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.tick()
        body = {"replicas": 7, "for_s": 600, "reason": "a launch", "actor": "anna"}
        status, answer = await rig.post("/v1/services/chat/override", body)
        assert status == 409
        assert answer["allowed"] == {"min_replicas": 0, "max_replicas": 6}
        status, _ = await rig.post("/v1/services/chat/override", {**body, "replicas": 6})
        assert status == 200
        await rig.idle()
        assert rig.replicas() == 6
        await rig.daemon.clear_override("chat", None, reason="over", actor="anna")
        rig.demand(running=20)
        await rig.run(120)
        assert rig.replicas() == 2


async def test_an_act_while_a_tick_writes_counts_in_a_tick_of_its_own_right_after(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        ticks = len(rig.reports)
        rig.accounts["exo"].faults.add(Fault(kind=FaultKind.LATENCY, latency_s=3, applies_to="writes"))
        rig.demand(running=60)
        task = asyncio.ensure_future(rig.daemon.tick())
        await rig.clock.sleep(1)  # it has decided, and waits for the vendor
        await rig.daemon.pause(Pause("chat", None, None, "a freeze", "anna"))
        await task
        await rig.clock.sleep(2)
        assert [len(report.human.pauses) for report in rig.reports[ticks:]] == [0, 1], "not an interval later"


# --- by hand -------------------------------------------------------------------------------------


async def test_replicas_set_by_hand_are_left_for_the_hold_and_then_count_as_ours(tmp_path: Path) -> None:
    async with a_rig(tmp_path, CHAT + a_deployment("exo", min_replicas=2)) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.set_by_hand(1)
        await rig.run(570)
        assert rig.replicas() == 1, "the floor too waits for the hold"
        assert rig.writes() == 0
        assert rig.decision().reason == "drift"
        assert (await rig.metrics())['autoscaler_drift_total{deployment="a",service="chat"}'] == 1
        await rig.run(60)
        assert rig.replicas() == 2


async def test_max_replicas_binds_in_a_hold_too(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.set_by_hand(9)
        await rig.run(30)
        assert rig.replicas() == 6
        await rig.run(300)
        assert rig.replicas() == 6, "and no lower"


async def test_others_of_the_service_fill_what_a_hand_took(tmp_path: Path) -> None:
    text = CHAT + "switch_payback_s = 0\n" + a_deployment("exo", "a") + a_deployment("other", "b")
    async with a_rig(tmp_path, text) as rig:
        rig.demand(running=45)  # 56.25 of capacity: four
        await rig.run(90)
        assert (rig.replicas("exo", "a"), rig.replicas("other", "b")) == (2, 2)
        rig.set_by_hand(0, "exo", "a")
        await rig.run(60)
        assert (rig.replicas("exo", "a"), rig.replicas("other", "b")) == (0, 4)


async def test_after_three_holds_a_deployment_is_left_alone_until_resume(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        for count in (4, 5, 3):
            rig.set_by_hand(count)
            await rig.run(700)
        rig.set_by_hand(4)
        await rig.run(3000)
        assert rig.replicas() == 4
        assert rig.decision().reason == "drift"
        assert "left alone until resume" in rig.decision().why
        await rig.daemon.resume("chat", None, reason="it was the old script", actor="anna")
        await rig.run(60)
        assert rig.replicas() == 2
        assert rig.decision().reason != "drift"


async def test_a_change_by_hand_between_looking_and_writing_is_not_overwritten(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["exo"].faults.add(
            Fault(kind=FaultKind.LATENCY, latency_s=2, path_prefix=f"/v2/ai/deployment/{rig.id_of()}")
        )
        rig.demand(running=60)
        task = asyncio.ensure_future(rig.tick())
        await rig.clock.sleep(1)
        rig.set_by_hand(3)
        report = await task
        assert report.scale_calls == (("exo", "stale"),)
        assert rig.replicas() == 3
        assert rig.writes() == 0
        await rig.clock.sleep(INTERVAL_S)
        await rig.run(300)
        assert rig.replicas() == 3
        assert rig.decision().reason == "drift"
