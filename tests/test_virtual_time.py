"""The test infrastructure's own promises: what the virtual loop does to time, sockets and threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from autoscaler.clock import SystemClock
from tests.servers import serving
from tests.virtual_time import VirtualTimeLoop

WEEK_S = 7 * 86_400.0


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query.get("after_s", "0")))
        return web.json_response({"demand": 3})

    app = web.Application()
    app.router.add_get("/", answer)
    async with serving(app) as address:
        yield f"{address}/"


@pytest.mark.virtual_time
async def test_a_week_of_ticks_over_real_http_passes_in_seconds(url: str) -> None:
    clock, began = SystemClock(starts_at=1_700_000_000.0), time.monotonic()
    ticks = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
        while clock.now() < 1_700_000_000.0 + WEEK_S:
            async with session.get(url) as reply:
                assert await reply.json() == {"demand": 3}
            ticks += 1
            await clock.sleep(60)

    assert ticks == 10_080
    assert asyncio.get_running_loop().time() == pytest.approx(WEEK_S, abs=0.01)
    assert time.monotonic() - began < 60  # two seconds on an idle machine


@pytest.mark.virtual_time
async def test_a_client_timeout_fires_at_its_virtual_time(url: str) -> None:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
        asked_at = loop.time()
        with pytest.raises(TimeoutError):
            await session.get(url, params={"after_s": "600"})

        assert loop.time() - asked_at == pytest.approx(5.0, abs=0.001)


@pytest.mark.virtual_time
async def test_a_thread_at_work_is_not_outrun_by_a_timer() -> None:
    async with asyncio.timeout(3600):
        await asyncio.to_thread(time.sleep, 0.05)

    assert asyncio.get_running_loop().time() == 0.0


@pytest.mark.virtual_time
async def test_time_goes_on_after_a_thread_was_given_up() -> None:
    future = asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05)
    future.cancel()
    await asyncio.sleep(10)

    assert asyncio.get_running_loop().time() == pytest.approx(10)


@pytest.mark.virtual_time
async def test_timers_fire_in_order_at_their_times_even_where_floats_are_coarse() -> None:
    loop = asyncio.get_running_loop()
    seen: list[float] = []
    await asyncio.sleep(1e9)  # a float's grain here is coarser than the loop's clock resolution
    for delay_s in (0.3, 0.1, 0.2):
        loop.call_later(delay_s, seen.append, delay_s)
    await asyncio.sleep(1)

    assert seen == [0.1, 0.2, 0.3]


@pytest.mark.virtual_time
async def test_nothing_jumps_inside_a_standstill() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    woken = asyncio.Event()
    outside = threading.Timer(0.05, lambda: loop.call_soon_threadsafe(woken.set))
    with loop.standstill():
        outside.start()
        async with asyncio.timeout(60):
            await woken.wait()
    outside.join()

    assert loop.time() == 0.0


async def test_an_unmarked_test_runs_in_real_time() -> None:
    began = time.monotonic()
    await asyncio.sleep(0.02)

    assert time.monotonic() - began >= 0.015
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
