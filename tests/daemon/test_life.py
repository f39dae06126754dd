"""The daemon's life: the schedule, early ticks, a reload, and an end in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from autoscaler.core.model import Override, Pause
from autoscaler.daemon.daemon import Endpoint
from autoscaler.daemon.http_api import create_app
from autoscaler.emulators.faults import Fault, FaultKind
from tests.daemon.rig import CHAT, INTERVAL_S, Rig, a_deployment, a_rig

PUSHED = """
[services.chat]
policies = ["queue-depth"]
stabilise_down_s = 60
signals.queued = { source = "gateway", exists_at_zero = true }
signals.running = { source = "gateway" }
signals.arrived_total = { source = "gateway" }
signals.started_total = { source = "gateway" }
"""


@asynccontextmanager
async def _running(rig: Rig, shutdown_s: float = 5.0) -> AsyncIterator[asyncio.Event]:
    """The whole daemon as ``autoscaler run`` has it, until the block ends or the event is set."""
    assert rig.running is not None
    stop = asyncio.Event()
    app = create_app(rig.daemon, rig.running.telemetry)
    life = asyncio.ensure_future(rig.daemon.run(app, Endpoint("127.0.0.1", 0), stop, shutdown_s))
    try:
        yield stop
    finally:
        stop.set()
        await life


async def _until(condition: Callable[[], object], within_s: float = 8.0) -> None:
    """Real seconds, in small steps."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no event
            await asyncio.sleep(0.005)


# --- the schedule, in real time that is sped up ---------------------------------------------------


async def test_the_first_tick_comes_at_once_and_others_at_the_interval(tmp_path: Path) -> None:
    async with a_rig(tmp_path, speed=60) as rig:
        rig.demand(running=20)
        assert not rig.daemon.ready()[0]
        async with _running(rig):
            await _until(lambda: rig.reports, 1.0)
            assert rig.daemon.ready()[0]
            await _until(lambda: len(rig.reports) >= 4)
        gaps = [b.at - a.at for a, b in zip(rig.reports, rig.reports[1:], strict=False)]
        assert min(gaps) > INTERVAL_S / 3
        assert rig.daemon.healthy()[0]


async def test_the_watchdog_sets_the_schedule_anew_when_ticks_are_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_rig(tmp_path, speed=60) as rig:
        async with _running(rig):
            await _until(lambda: len(rig.reports) >= 2)
            scheduler = rig.daemon._scheduler
            assert scheduler is not None
            scheduler.remove_all_jobs()  # as after the wall clock was set back: nothing fires any more
            seen = len(rig.reports)
            await _until(lambda: len(rig.reports) >= seen + 3)
            assert {job.id for job in scheduler.get_jobs()} == {"tick", "_poll_waking", "_upkeep"}
        assert "ticks were missed" in capsys.readouterr().out


async def test_a_waking_signal_is_polled_faster_than_the_interval_while_at_zero(tmp_path: Path) -> None:
    async with a_rig(tmp_path, replicas=0, speed=20, interval_s=600) as rig, _running(rig):
        await _until(lambda: rig.reports)
        rig.demand(queued=5, running=None)
        await _until(lambda: rig.replicas() == 1, 5.0)
        await _until(lambda: len(rig.reports) == 2, 5.0)


async def test_the_end_waits_for_the_running_tick(tmp_path: Path) -> None:
    async with a_rig(tmp_path, speed=10) as rig:
        async with _running(rig) as stop:
            await _until(lambda: rig.reports)
            server = rig.accounts["exo"]
            server.faults.add(
                Fault(kind=FaultKind.LATENCY, latency_s=2, applies_to="writes", after_effect=True)
            )
            rig.demand(running=60)
            await _until(lambda: server.requests.writes == 1)
            stop.set()
        assert rig.reports[-1].scale_calls == (("exo", "accepted"),)
        assert rig.running is not None
        last = await rig.running.journal.read(newest_first=True, limit=1)
        assert last[0].kind == "outcomes"


async def test_the_end_does_not_wait_longer_than_it_may(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_rig(tmp_path, speed=1) as rig:
        rig.prom.delay_s = 4
        async with _running(rig, shutdown_s=0.2) as stop:
            await asyncio.sleep(0.1)
            stop.set()
        assert rig.reports == []
        assert "did not end in time" in capsys.readouterr().out


# --- early ticks, in virtual time ----------------------------------------------------------------


@pytest.mark.virtual_time
async def test_a_first_demand_at_zero_starts_a_tick_early_and_only_one(tmp_path: Path) -> None:
    async with a_rig(tmp_path, PUSHED + a_deployment("exo"), replicas=0) as rig:
        await _push(rig, queued=0)
        await rig.run(60)
        ticks = len(rig.reports)
        await _push(rig, queued=3)
        await _push(rig, queued=3)
        await rig.clock.sleep(2)
        assert len(rig.reports) == ticks + 1
        assert rig.replicas() == 1


@pytest.mark.virtual_time
async def test_demand_that_cannot_wake_anything_does_not_tick_for_every_sample(tmp_path: Path) -> None:
    async with a_rig(tmp_path, PUSHED + a_deployment("exo"), replicas=0) as rig:
        await _push(rig, queued=0)
        await rig.run(60)
        await rig.daemon.pause(Pause("chat", None, None, "a freeze", "anna"))
        await rig.clock.sleep(5)
        ticks = len(rig.reports)
        for _ in range(20):
            await _push(rig, queued=3)
            await rig.clock.sleep(0.7)
        assert len(rig.reports) == ticks + 1
        assert rig.replicas() == 0


@pytest.mark.virtual_time
async def test_a_counter_of_the_past_wakes_nothing(tmp_path: Path) -> None:
    async with a_rig(tmp_path, PUSHED + a_deployment("exo"), replicas=0) as rig:
        await _push(rig, queued=0)
        await rig.run(60)
        ticks = len(rig.reports)
        await _push(rig, arrived_total=7000, started_total=7000)
        await rig.clock.sleep(5)
        assert len(rig.reports) == ticks


@pytest.mark.virtual_time
async def test_a_sample_from_the_future_or_from_before_the_last_is_refused_by_http(tmp_path: Path) -> None:
    async with a_rig(tmp_path, PUSHED + a_deployment("exo"), replicas=0) as rig:
        now = rig.clock.now()
        path = "/v1/signals/chat/queued"
        assert (await rig.post(path, {"value": 3, "at": now}))[0] == 200
        early, answer = await rig.post(path, {"value": 4, "at": now + 60})
        assert (early, "in the future" in str(answer["error"])) == (400, True)
        assert (await rig.post(path, {"value": 4, "at": now - 60}))[0] == 409
        assert (await rig.post("/v1/signals/chat/nothing", {"value": 4}))[0] == 404


async def _push(rig: Rig, **values: float) -> None:
    for name, value in values.items():
        await rig.daemon.push("chat", name, value, rig.clock.now())


@pytest.mark.virtual_time
async def test_health_ends_when_ticks_stay_away(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.tick()
        await rig.clock.sleep(44)
        assert rig.daemon.healthy()[0]
        await rig.clock.sleep(2)
        well, sentence = rig.daemon.healthy()
        assert not well
        assert "46 s ago, 45 s are allowed" in sentence


# --- a reload ------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_an_invalid_configuration_is_refused_and_the_old_one_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        good = rig.text
        rig.write(good.replace("max_replicas = 6", "max_replicas = 6\nmax_replica = 7"))
        assert not await rig.daemon.reload()
        assert (await rig.metrics())["autoscaler_config_reload_ok"] == 0
        assert "max_replica" in capsys.readouterr().out
        rig.demand(running=60)
        await rig.tick()
        assert rig.replicas() == 5, "the old configuration is at work"

        rig.write(good.replace("max_replicas = 6", "max_replicas = 8"))
        assert await rig.daemon.reload()
        assert (await rig.metrics())["autoscaler_config_reload_ok"] == 1
        rig.demand(running=100)
        await rig.clock.sleep(INTERVAL_S)
        await rig.tick()
        assert rig.replicas() == 8


@pytest.mark.virtual_time
async def test_a_reload_forgets_neither_override_nor_window_nor_what_is_ours(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=60)
        await rig.run(90)
        await rig.daemon.override(Override("chat", None, 3, None, rig.clock.now() + 3600, "a launch", "anna"))
        rig.demand(running=10)
        await rig.run(30)
        rig.write(rig.text.replace("max_replicas = 6", "max_replicas = 8"))
        assert await rig.daemon.reload()
        await rig.run(15)
        assert rig.replicas() == 5
        await rig.run(90)
        assert rig.replicas() == 3
        assert not any(d.reason == "drift" for r in rig.reports for d in r.plan.decisions)


@pytest.mark.virtual_time
async def test_a_running_tick_keeps_the_connections_that_a_reload_replaces(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=60)
        rig.accounts["exo"].faults.add(Fault(kind=FaultKind.LATENCY, latency_s=2))
        tick = asyncio.ensure_future(rig.tick())
        await rig.clock.sleep(1)
        config = rig.folder / "config.toml"
        config.write_text(
            config.read_text().replace('kind = "exoscale"', 'kind = "exoscale"\ndeadline_s = 5')
        )
        assert await rig.daemon.reload()
        report = await tick
        assert report.scale_calls == (("exo", "accepted"),)
        await rig.run(60)
        assert rig.decision().replicas_from == 5


@pytest.mark.virtual_time
async def test_a_service_that_leaves_the_configuration_is_left_as_it_is(tmp_path: Path) -> None:
    both = (
        CHAT + a_deployment("exo") + CHAT.replace(".chat]", ".code]") + a_deployment("other", service="code")
    )
    async with a_rig(tmp_path, both) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.write(CHAT + a_deployment("exo"))
        assert await rig.daemon.reload()
        rig.demand(running=70)
        await rig.run(120)
        assert rig.replicas() == 6
        assert rig.replicas("other", service="code") == 2
        assert {d.service for d in rig.reports[-1].plan.decisions} == {"chat"}
        assert not any('service="code"' in series for series in await rig.metrics())
