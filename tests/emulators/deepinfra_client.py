"""A client for the tests of the emulated DeepInfra."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from autoscaler.emulators.deepinfra import DeepInfraEmulator, DeepInfraSettings
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.world.plant import World
from tests.emulators.client import HandClock, Reply

CHAT: Final = EmulatedDeployment(
    vendor="deepinfra",
    name="chat",
    id="fkj843kjh8",
    model="Qwen/Qwen3-32B",
    gpu_type="H100-80GB",
    gpus_per_replica=2,
    concurrency=10,
    replicas=2,
    start_up_median_s=100,
    start_up_p95_s=100,
    options={"min_instances": 1, "max_instances": 4},
)
ASLEEP: Final = EmulatedDeployment(
    vendor="deepinfra",
    name="asleep",
    gpu_type="L40S-48GB",
    replicas=0,
    start_up_median_s=50,
    start_up_p95_s=50,
)
FLEET: Final = EmulatedFleet(deployments=(CHAT, ASLEEP))
ID: Final = CHAT.deployment_id
ONE: Final = f"/deploy/{ID}"
NEW: Final = {"model_name": "emulated/new", "gpu": "A100-80GB", "hf": {"repo": "a/b", "token": "hf_x"}}


@dataclass(frozen=True)
class Client:
    """Sends with the account's token; ``clock`` stands still but for ``pass_s``."""

    server: EmulatorServer[DeepInfraEmulator]
    session: aiohttp.ClientSession
    clock: HandClock

    @property
    def vendor(self) -> DeepInfraEmulator:
        return self.server.vendor

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        if headers is None:
            headers = {"Authorization": f"Bearer {self.vendor.credentials()['api_token']}"}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        async with self.session.request(method, self.server.url + path, data=data, headers=headers) as reply:
            assert reply.content_type == "application/json", await reply.read()
            return Reply(reply.status, dict(reply.headers), json.loads(await reply.read()))

    async def get(self, path: str = ONE) -> Any:
        reply = await self.call("GET", path)
        assert reply.status == 200, reply
        return reply.body

    async def put(self, settings: Any, path: str = ONE, **more: Any) -> Reply:
        return await self.call("PUT", path, {"settings": settings, **more})

    async def bound(self, low: int, high: int) -> None:
        reply = await self.put({"min_instances": low, "max_instances": high})
        assert (reply.status, reply.body) == (200, {"deploy_id": ID}), reply

    async def control(self, method: str, path: str, body: Any = None) -> Reply:
        return await self.call(method, f"/_emulator{path}", body, {})

    async def load(self, **figures: float) -> None:
        assert (await self.control("POST", f"/deployments/{ID}/load", figures)).status == 200

    async def shown(self, path: str = ONE) -> tuple[str, int, int]:
        """Status, running, pending."""
        body = await self.get(path)
        return body["status"], body["instances"]["running"], body["instances"]["pending"]

    def pass_s(self, seconds: float) -> None:
        self.clock.pass_s(seconds)


@asynccontextmanager
async def emulated(
    fleet: EmulatedFleet = FLEET,
    settings: DeepInfraSettings | None = None,
    *,
    world: World | None = None,
    clock: HandClock | None = None,
) -> AsyncIterator[Client]:
    """A running emulator and a client of it."""
    clock = clock or HandClock()
    vendor = DeepInfraEmulator(fleet, world=world, clock=clock, settings=settings)
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, EmulatorServer(vendor) as server:
        yield Client(server, session, clock)
