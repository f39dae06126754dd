"""A scale call that was accepted, and nothing happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.emulators.faults import Fault, FaultKind
from tests.daemon.rig import CHAT, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time

START_UP = "start_up_s = 60\n"


async def test_what_does_not_come_is_overdue_reported_and_asked_for_again(tmp_path: Path) -> None:
    async with a_rig(tmp_path, CHAT + START_UP + a_deployment("exo")) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["exo"].faults.add(Fault(kind=FaultKind.ACCEPT_AND_IGNORE))
        rig.demand(running=60)
        await rig.run(105)
        assert rig.writes() == 1, "before the deadline it may still come"
        await rig.run(45)
        assert rig.writes() == 2
        again = next(d for r in rig.reports[::-1] for d in r.plan.decisions if d.changes)
        assert (again.replicas_to, again.reason) == (5, "reassert")
        rig.accounts["exo"].faults.clear()
        await rig.run(600)
        assert rig.replicas() == 5
        assert rig.ready() == 5


async def test_replicas_that_never_serve_are_overdue_and_others_cover(tmp_path: Path) -> None:
    text = (
        CHAT
        + START_UP
        + "switch_payback_s = 0\n"
        + a_deployment("other", "a")
        + a_deployment("exo", "b", max_replicas=8)
    )
    async with a_rig(tmp_path, text, replicas=1) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["other"].vendor.set_word(rig.id_of("a"), "scaling", "")
        rig.accounts["other"].world.start_up_fails(rig.id_of("a"), 1000, rig.clock.now())
        rig.demand(running=60)
        await rig.run(60)
        assert (rig.replicas("other", "a"), rig.replicas("exo", "b")) == (4, 1)
        await rig.run(120)
        metrics = await rig.metrics()
        assert metrics['autoscaler_scale_overdue{deployment="a",service="chat"}'] == 3
        assert rig.replicas("exo", "b") == 4, "the need is covered without those that do not come"
        assert rig.replicas("other", "a") == 4, "and no more are asked for there"
        await rig.run(900)
        assert rig.replicas("exo", "b") == 4
        assert rig.replicas("other", "a") == 4
