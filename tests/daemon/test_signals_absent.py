"""A signal that is missing, stale, not a number or from a failed source is never zero demand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon.rig import Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time

AGED = """
[services.chat]
policies = ["queue-depth"]
stabilise_down_s = 60
blind_after_s = 120
signals.queued = { source = "prom", query = "queued", exists_at_zero = true }
signals.running = { source = "prom", query = "running", age_query = "age" }
"""


def _missing(rig: Rig) -> None:
    rig.demand(running=None)


def _nan(rig: Rig) -> None:
    rig.demand(running="NaN")


def _infinite(rig: Rig) -> None:
    rig.demand(running="+Inf")


def _negative(rig: Rig) -> None:
    rig.demand(running=-1)


def _stale(rig: Rig) -> None:
    rig.demand(running=0, age=61)


def _failed(rig: Rig) -> None:
    rig.demand(running=0)
    rig.prom.status = 500


def _hangs(rig: Rig) -> None:
    rig.demand(running=0)
    rig.prom.delay_s = 3600


TROUBLES = [_missing, _nan, _infinite, _negative, _stale, _failed, _hangs]


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_demand_that_is_not_known_never_scales_down_and_everybody_says_so(
    tmp_path: Path, trouble: Callable[[Rig], None]
) -> None:
    async with a_rig(tmp_path, AGED + a_deployment("exo"), replicas=4) as rig:
        rig.demand(running=45, age=1)
        await rig.run(120)
        trouble(rig)
        report = await rig.run(900)

        assert rig.replicas() == 4
        assert rig.writes() == 0
        assert report.plan.services["chat"].blind
        metrics = await rig.metrics()
        assert metrics['autoscaler_blind{service="chat"}'] == 1
        assert rig.decision().reason == "blind"
        assert "blind" in await rig.get("/")
        if trouble is not _stale:
            assert 'autoscaler_signal_value{service="chat",signal="running"}' not in metrics

        rig.prom.status, rig.prom.delay_s = 200, 0
        rig.demand(running=10, age=1)
        await rig.run(120)
        assert rig.replicas() == 1
        assert (await rig.metrics())['autoscaler_blind{service="chat"}'] == 0


async def test_known_demand_scales_up_although_another_signal_is_missing(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=10)
        await rig.run(60)
        rig.demand(queued=64, running=None)  # 64 / 0.8 = 80 of capacity
        report = await rig.tick()
        assert rig.replicas() == 5
        assert report.plan.services["chat"].blind


async def test_the_fallback_is_a_floor_after_a_while_of_blindness_and_ends_with_sight(tmp_path: Path) -> None:
    text = AGED.replace("[services.chat]", "[services.chat]\nfallback_replicas = 4") + a_deployment("exo")
    async with a_rig(tmp_path, text) as rig:
        rig.demand(running=10, age=1)
        await rig.run(90)
        rig.demand(running=None)
        await rig.run(105)
        assert rig.replicas() == 1
        await rig.run(45)
        assert rig.replicas() == 4
        assert any(d.reason == "fallback" for r in rig.reports for d in r.plan.decisions)
        rig.demand(running=10)
        await rig.run(120)
        assert rig.replicas() == 1


async def test_a_slow_source_costs_its_deadline_and_no_more(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.prom.delay_s = 3600
        report = await rig.tick()
        assert report.duration_s < 7.0
