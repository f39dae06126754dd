"""Fleets of emulated deployments, and servers that begin and end cleanly."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from autoscaler.clock import SystemClock
from autoscaler.emulators.exoscale import ExoscaleEmulator
from autoscaler.emulators.fleet import (
    DEFAULT_FLEET,
    EmulatedDeployment,
    EmulatedFleet,
    FleetError,
    load_fleet,
)
from autoscaler.emulators.server import EmulatorServer, serve
from autoscaler.emulators.vendor import VendorEmulator
from autoscaler.world.gateway import Gateway, Request
from tests.emulators.client import CHAT, FLEET, ID


def test_the_default_fleet_is_small_real_looking_and_always_the_same() -> None:
    ids = [one.deployment_id for one in DEFAULT_FLEET.deployments]
    assert len(ids) == len(set(ids)) >= 4
    assert all(str(uuid.UUID(id_)) == id_ for id_ in ids)
    assert ids[0] == DEFAULT_FLEET.deployments[0].model_copy().deployment_id
    world = DEFAULT_FLEET.build(0.0)
    assert all((world.gpus_free(one.gpu_type) or 0) > 0 for one in DEFAULT_FLEET.deployments)
    assert "emulator-secret" not in repr(DEFAULT_FLEET)


def test_a_fleet_is_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(
        """
        seed = 7
        stock = { gpu3 = 4 }
        [vendors.exoscale]
        zone = "de-fra-1"
        port = 8099
        [[deployments]]
        name = "chat"
        gpu_type = "gpu3"
        replicas = 3
        """
    )
    fleet = load_fleet(path)
    assert (fleet.seed, fleet.account("exoscale").zone, fleet.account("exoscale").port) == (
        7,
        "de-fra-1",
        8099,
    )
    world = fleet.build(0.0)
    assert world.gpus_free("gpu3") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed = ", "fleet.toml"),
        ("[[deployments]]\nname = 'a'", "deployments.0.gpu_type"),
        ("[[deployments]]\nname = 'a'\ngpu_type = 'g'\nreplica = 1", "deployments.0.replica: "),
        (
            "[[deployments]]\nname = 'a'\ngpu_type = 'g'\nstart_up_median_s = 9\nstart_up_p95_s = 8",
            "median_s <= p95_s",
        ),
        ("stock = { gpu3 = -1 }", "stock.gpu3"),
        ("[vendors.exoscale]\napi_secret = 12345678", "vendors.exoscale.api_secret"),
    ],
)
def test_a_bad_fleet_file_is_refused_by_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(FleetError) as caught:
        load_fleet(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)
    assert "12345678" not in str(caught.value)


@pytest.mark.parametrize(
    ("deployments", "says"),
    [
        ((CHAT, CHAT), "deployment 'chat': .* exists already"),
        ((CHAT.model_copy(update={"replicas": 9}),), "deployment 'chat': 9 more GPUs"),
    ],
)
def test_a_fleet_that_cannot_be_is_refused_by_name(
    deployments: tuple[EmulatedDeployment, ...], says: str
) -> None:
    with pytest.raises(FleetError, match=says):
        EmulatedFleet(stock={"gpua5000": 8}, deployments=deployments).build(0.0)


@pytest.mark.parametrize("wrong", ["chat", ID.upper(), ID.replace("-", "")])
def test_an_id_that_exoscale_would_not_give_is_refused(wrong: str) -> None:
    with pytest.raises(FleetError, match="must be a UUID in lower case"):
        ExoscaleEmulator(EmulatedFleet(deployments=(CHAT.model_copy(update={"id": wrong}),)))


def test_the_fleet_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "emulators.md"
    path = tmp_path / "fleet.toml"
    path.write_text(page.read_text().split("```toml\n")[1].split("```")[0])
    assert [one.name for one in load_fleet(path).deployments] == ["chat", "code"]


async def test_the_test_in_the_documentation_passes() -> None:
    page = Path(__file__).parents[2] / "docs" / "emulators.md"
    scope: dict[str, Any] = {}
    exec(page.read_text().split("```python\n")[1].split("```")[0], scope)
    async with asyncio.timeout(5):
        await scope["test_a_lost_answer_is_not_a_second_write"]()


def test_a_missing_fleet_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match=r"none\.toml"):
        load_fleet(tmp_path / "none.toml")


async def test_serve_runs_every_vendor_of_the_fleet_until_told_to_end() -> None:
    ended, started = asyncio.Event(), asyncio.Event()
    running: list[EmulatorServer[VendorEmulator]] = []

    def on_started(servers: Sequence[EmulatorServer[VendorEmulator]]) -> None:
        running.extend(servers)
        started.set()

    async with asyncio.timeout(5):
        task = asyncio.create_task(serve(FLEET, ports={"exoscale": 0}, on_started=on_started, until=ended))
        await started.wait()
        (server,) = running
        assert set(server.vendor.credentials()) == {"zone", "api_key", "api_secret"}
        async with aiohttp.ClientSession() as session:
            async with session.get(server.url + "/_emulator/world") as reply:
                assert len((await reply.json())["deployments"]) == 2
            ended.set()
            await task
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(server.url + "/_emulator/world")


async def test_a_vendor_without_an_emulator_is_named() -> None:
    fleet = EmulatedFleet(deployments=(CHAT.model_copy(update={"vendor": "acme"}),))
    with pytest.raises(ValueError, match=r"no emulator for acme; there is .*, exoscale"):
        await serve(fleet)


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    async with EmulatorServer(ExoscaleEmulator(FLEET)) as server:
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="address already in use"):
            async with EmulatorServer(ExoscaleEmulator(FLEET), port=port):
                pass


async def test_a_world_with_a_gateway_can_stand_behind_the_emulator() -> None:
    clock = SystemClock(speed=1000.0, starts_at=0.0)
    world = FLEET.build(0.0)
    gateway = Gateway(world, "chat", [ID], arrivals=[[Request(float(n), 5.0) for n in range(1000)]])
    async with EmulatorServer(ExoscaleEmulator(FLEET, world=world, clock=clock)) as server:
        await clock.sleep(50)
        async with (
            aiohttp.ClientSession() as session,
            session.get(server.url + "/_emulator/world") as reply,
        ):
            now = (await reply.json())["now"]
        assert gateway.counters.arrived_total == int(now) + 1
