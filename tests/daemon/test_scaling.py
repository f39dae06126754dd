"""The assembled daemon on a good day: demand rises and falls, and replicas follow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from autoscaler.world.gateway import Gateway, Request
from tests.daemon.rig import CHAT, INTERVAL_S, START, Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time


async def test_a_rising_queue_scales_up_and_a_falling_one_down_after_the_window(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(120)
        assert rig.replicas() == 2

        rig.demand(queued=30, running=32)
        report = await rig.tick()
        assert rig.replicas() == 5  # 62 / 0.8 = 77.5 of capacity
        assert report.scale_calls == (("exo", "accepted"),)
        await rig.run(90)
        assert rig.ready() == 5

        rig.demand(queued=0, running=20)
        await rig.run(45)
        assert rig.replicas() == 5, "the window still holds the larger want"
        await rig.run(60)
        assert rig.replicas() == 2
        assert rig.writes() == 2


async def test_a_service_without_demand_goes_to_zero_and_comes_back(tmp_path: Path) -> None:
    async with a_rig(tmp_path, replicas=1) as rig:
        rig.demand(running=3)
        await rig.run(90)
        rig.demand(running=0)
        await rig.run(45)
        assert rig.replicas() == 1, "the last replica waits for idle_s"
        await rig.run(60)
        assert rig.replicas() == 0
        rig.demand(running=None)  # only a running replica would export it
        await rig.run(60)
        assert not rig.reports[-1].plan.services["chat"].blind

        rig.demand(queued=5)
        await rig.tick()
        assert rig.replicas() == 1
        await rig.run(90)
        assert rig.ready() == 1


async def test_the_learned_start_up_time_is_what_the_vendor_took(tmp_path: Path) -> None:
    async with a_rig(tmp_path, replicas=1, start_up_s=100.0) as rig:
        rig.demand(running=30)
        await rig.run(150)
        samples = rig.daemon.ticker.state.memory.deployments["chat/a"].start_ups_s
        assert len(samples) == 1
        assert samples[0] == pytest.approx(100.0, abs=INTERVAL_S)
        assert (await rig.metrics())['autoscaler_start_up_seconds_count{deployment="a",service="chat"}'] == 1


async def test_three_more_do_not_become_twenty_while_replicas_start_for_ten_minutes(tmp_path: Path) -> None:
    """The example of the design: 1.5 arrivals a second of 30 s each, 2 replicas of 16, start-up 600 s."""
    counters = "".join(
        f'signals.{n} = {{ source = "prom", query = "{n}" }}\n' for n in ("arrived_total", "started_total")
    )
    text = CHAT + "start_up_s = 600\n" + counters + a_deployment("exo", max_replicas=40)
    async with a_rig(tmp_path, text, start_up_s=600.0) as rig:
        gateway = _gateway(rig)
        await rig.run(120)
        assert rig.replicas() == 4
        highest_queue = 0
        for _ in range(10):
            await rig.run(60)
            highest_queue = max(highest_queue, gateway.counters.queued)
            assert rig.replicas() <= 5, f"{gateway.counters}"
        assert highest_queue > 150, "the queue did grow while replicas started"
        assert rig.ready() >= 4


async def test_more_real_demand_still_scales_while_replicas_start(tmp_path: Path) -> None:
    counters = "".join(
        f'signals.{n} = {{ source = "prom", query = "{n}" }}\n' for n in ("arrived_total", "started_total")
    )
    text = CHAT + "start_up_s = 600\n" + counters + a_deployment("exo", max_replicas=40)
    async with a_rig(tmp_path, text, start_up_s=600.0) as rig:
        _gateway(rig, doubles_after_s=300)
        await rig.run(270)
        before = rig.replicas()
        await rig.run(180)
        assert before in (4, 5)
        assert 7 <= rig.replicas() <= 9  # 90 at once at 0.8, and something for the queue


def _gateway(rig: Rig, doubles_after_s: float = 1e9) -> Gateway:
    """A steady stream of requests through the emulator's own replicas, behind the queries."""
    world = rig.accounts["exo"].world

    def stream() -> Iterator[list[Request]]:
        at = START
        for _ in count():
            at += 1 / 1.5 if at - START < doubles_after_s else 1 / 3.0
            yield [Request(at, 30.0)]

    gateway = Gateway(world, "chat", [rig.id_of()], arrivals=stream())

    def read(name: str) -> float:
        world.advance(rig.clock.now())
        return float(getattr(gateway.counters, name))

    for name in ("queued", "running", "arrived_total", "started_total"):
        rig.demand(**{name: lambda name=name: read(name)})
    return gateway
