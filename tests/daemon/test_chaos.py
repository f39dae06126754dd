"""After any bad day: no promise was broken, nothing is above its maximum, and all is right again in time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from autoscaler.world.plant import WorldEvent
from tests.daemon.chaos import a_bad_day
from tests.daemon.rig import ACCOUNTS, CHAT, Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time

TEXT = CHAT + "start_up_s = 60\n" + a_deployment("exo", "a") + a_deployment("other", "b", max_replicas=3)


@pytest.mark.parametrize("seed", range(6))
async def test_after_a_bad_day_the_fleet_is_what_demand_needs(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with a_rig(tmp_path, TEXT, replicas=1) as rig:
        highest = _watch(rig)
        await a_bad_day(rig, rng, 60)
        for name, server in rig.accounts.items():
            server.faults.clear()
            server.world.set_stock(ACCOUNTS[name], None)
        rig.demand(queued=0, running=40)
        await rig.daemon.clear_override("chat", None, reason="", actor="")
        await rig.daemon.resume(None, None, reason="", actor="")
        await rig.run(2 * 3600, every_s=60)

        assert all(not report.violations for report in rig.reports)
        assert highest["a"] <= 6
        assert highest["b"] <= 3
        assert (rig.replicas("exo", "a"), rig.replicas("other", "b")) == (1, 3), (
            "50 of capacity, cheapest first"
        )
        assert rig.ready("exo", "a") + rig.ready("other", "b") == 4


def _watch(rig: Rig) -> dict[str, int]:
    highest = {"a": 1, "b": 1}
    names = {rig.id_of("a"): "a", rig.id_of("b"): "b"}

    def note(event: WorldEvent) -> None:
        name = names[event.deployment_id]
        highest[name] = max(highest[name], event.status.replicas_set)

    for server in rig.accounts.values():
        server.world.subscribe(note)
    return highest
