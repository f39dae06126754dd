"""The vendors' sources against the vendors' emulators: what a gateway carries is what they read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.model import Absence, Reading, Sample
from autoscaler.emulators.baseten import BasetenEmulator
from autoscaler.emulators.deepinfra import DeepInfraEmulator
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.load import Script
from autoscaler.emulators.server import EmulatorServer
from autoscaler.emulators.vendor import VendorEmulator
from autoscaler.ports import SignalQuery, SignalSource
from autoscaler.sources import SOURCES
from autoscaler.world.gateway import Gateway, Request

pytestmark = pytest.mark.virtual_time

EPOCH = 1_795_219_200.0
BT = EmulatedDeployment(
    vendor="baseten",
    name="chat",
    gpu_type="H100",
    concurrency=10,
    replicas=2,
    options={"model_id": "mdlchat", "environment": "production", "min_replica": 2, "max_replica": 2},
)
DI = EmulatedDeployment(
    vendor="deepinfra",
    name="chat",
    id="fkj843kjh8",
    gpu_type="H100-80GB",
    concurrency=10,
    replicas=2,
    options={"min_instances": 2, "max_instances": 2},
)
CONCURRENT = 'baseten_concurrent_requests{model_id="mdlchat", environment="production"}'


def steady(per_s: int, service_s: float) -> Iterator[list[Request]]:
    """So many requests each second, forever."""
    second = 0
    while True:
        yield [Request(EPOCH + second + n / per_s, service_s) for n in range(per_s)]
        second += 1


async def read(source: SignalSource, query: str, max_age_s: float = 240.0) -> Reading:
    asked = SignalQuery("chat", "running", query, max_age_s=max_age_s)
    return (await source.read([asked]))[asked.key]


@asynccontextmanager
async def source_at(
    vendor: VendorEmulator, clock: SystemClock, **keys: object
) -> AsyncIterator[SignalSource]:
    kind = SOURCES[vendor.kind]
    given = {**vendor.credentials(), **keys}
    table = {key: value for key, value in given.items() if key in kind.settings.model_fields}
    source = kind.create("load", kind.settings.model_validate(table), clock)
    try:
        yield source
    finally:
        await source.close()


async def test_baseten_tells_what_a_gateway_carries_half_a_minute_late() -> None:
    clock = SystemClock(starts_at=EPOCH)
    vendor = BasetenEmulator(EmulatedFleet(deployments=(BT,)), clock=clock)
    Gateway(vendor.world, "chat", [BT.deployment_id], arrivals=steady(2, 4.0))
    async with EmulatorServer(vendor) as server, source_at(vendor, clock) as source:
        readings = []
        for _ in range(40):
            readings.append(await read(source, CONCURRENT))
            await clock.sleep(5)
        scrapes = server.requests.counts["GET export"]

    last = readings[-1]
    assert isinstance(last, Sample)
    assert last.value == pytest.approx(8, abs=1)  # 2 a second of 4 s each
    assert clock.now() - 30 - 15 - 5 - 1 <= last.at <= clock.now() - 30
    assert not any(isinstance(one, Absence) for one in readings)
    assert scrapes <= 200 / 15 + 1


async def test_no_scrape_of_ours_is_ever_refused_for_its_rate() -> None:
    clock = SystemClock(starts_at=EPOCH)
    vendor = BasetenEmulator(EmulatedFleet(deployments=(BT,)), clock=clock)
    ages = []
    async with EmulatorServer(vendor), source_at(vendor, clock, scrape_interval_s=10) as source:
        for _ in range(720):
            reading = await read(source, CONCURRENT)
            assert isinstance(reading, Sample)
            ages.append(clock.now() - reading.at)
            await clock.sleep(5)

    assert max(ages) < 30 + 10 + 5 + 0.1  # a refused one would have left a minute's gap


async def test_baseten_tells_the_asynchronous_queue_of_now() -> None:
    clock = SystemClock(starts_at=EPOCH)
    vendor = BasetenEmulator(EmulatedFleet(deployments=(BT,)), clock=clock)
    vendor.set_async_queue(BT.deployment_id, 12, 3)
    async with EmulatorServer(vendor), source_at(vendor, clock) as source:
        queued = await read(source, 'async_queue{model_id="mdlchat", environment="production"}')
        running = await read(source, 'async_in_progress{model_id="mdlchat", environment="production"}')
        unknown = await read(source, 'async_queue{model_id="mdlchat", environment="staging"}')

    assert [one.value for one in (queued, running) if isinstance(one, Sample)] == [12, 3]
    assert isinstance(unknown, Absence)


async def test_deepinfra_tells_what_a_gateway_carried_in_the_window() -> None:
    clock = SystemClock(starts_at=EPOCH)
    vendor = DeepInfraEmulator(EmulatedFleet(deployments=(DI,)), clock=clock)
    Gateway(vendor.world, "chat", [DI.deployment_id], arrivals=steady(2, 4.0))
    async with (
        EmulatorServer(vendor) as server,
        source_at(vendor, clock, base_url=server.base_url) as source,
    ):
        await clock.sleep(600)
        before = clock.now()
        busy = await read(source, 'in_flight{deploy_id="fkj843kjh8"}')
        rate = await read(source, 'requests_per_s{deploy_id="fkj843kjh8"}')
        gone = await read(source, 'in_flight{deploy_id="nowhere"}')

    assert isinstance(busy, Sample)
    assert busy.value == pytest.approx(8, rel=0.1)
    assert busy.at == pytest.approx(before - 150, abs=1)
    assert isinstance(rate, Sample)
    assert rate.value == pytest.approx(2, rel=0.1)
    assert isinstance(gone, Absence)


async def test_a_deployment_that_nobody_asks_is_at_a_true_zero() -> None:
    clock = SystemClock(starts_at=EPOCH)
    vendor = DeepInfraEmulator(EmulatedFleet(deployments=(DI,)), clock=clock)
    vendor.loads.lay_down(DI.deployment_id, Script(requests_per_s=2, service_s=4))
    async with (
        EmulatorServer(vendor) as server,
        source_at(vendor, clock, base_url=server.base_url) as source,
    ):
        await clock.sleep(600)
        vendor.world.advance(clock.now())
        vendor.loads.lay_down(DI.deployment_id, Script())
        await clock.sleep(320)
        idle = await read(source, 'in_flight{deploy_id="fkj843kjh8"}')

    assert isinstance(idle, Sample)
    assert idle.value == 0
