"""A client for the emulator's tests. Requests are signed by Exoscale's own package, not by ours."""

from __future__ import annotations

import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from exoscale_auth import ExoscaleV2Auth  # type: ignore[import-untyped]
from yarl import URL

from autoscaler.clock import SystemClock
from autoscaler.emulators.exoscale import ExoscaleEmulator, ExoscaleSettings
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import Clock

CHAT: Final = EmulatedDeployment(
    name="chat", gpu_type="gpua5000", replicas=2, start_up_median_s=100, start_up_p95_s=100
)
CODE: Final = EmulatedDeployment(name="code", gpu_type="gpurtx6000pro", replicas=1)
FLEET: Final = EmulatedFleet(deployments=(CHAT, CODE))
ID: Final = CHAT.deployment_id
ONE: Final = f"/v2/ai/deployment/{ID}"


class HandClock(SystemClock):
    """Shows what a test sets; sleeps and deadlines are real but 100 times shorter."""

    def __init__(self) -> None:
        super().__init__(speed=100.0)
        self.at = float(int(time.time()))

    def now(self) -> float:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += seconds


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: Any


def authorization(method: str, url: str, body: bytes, expires: int, keys: Mapping[str, str]) -> str:
    request = SimpleNamespace(method=method, url=url, body=body, headers={})
    ExoscaleV2Auth(keys["api_key"], keys["api_secret"])._sign_request(request, expires)
    text: str = request.headers["Authorization"]
    return text


class Client:
    """Signs and sends; ``hands`` are the clock's."""

    def __init__(
        self, server: EmulatorServer[ExoscaleEmulator], session: aiohttp.ClientSession, clock: Clock
    ) -> None:
        self.server = server
        self.session = session
        self.clock = clock

    async def call(self, method: str, path: str, body: Any = None, *, signed: bool = True) -> Reply:
        url = self.server.url + path
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {}
        if signed:
            expires = int(self.clock.now()) + 600
            headers["Authorization"] = authorization(
                method, url, data, expires, self.server.vendor.credentials()
            )
        async with self.session.request(
            method, URL(url, encoded=True), data=io.BytesIO(data) if data else None, headers=headers
        ) as reply:
            assert reply.content_type == "application/json", await reply.read()
            return Reply(reply.status, dict(reply.headers), json.loads(await reply.read()))

    async def get(self, path: str = ONE) -> Any:
        reply = await self.call("GET", path)
        assert reply.status == 200, reply
        return reply.body

    async def scale(self, replicas: Any, path: str = ONE) -> Reply:
        return await self.call("POST", f"{path}/scale", {"replicas": replicas})

    async def control(self, method: str, path: str, body: Any = None) -> Reply:
        return await self.call(method, f"/_emulator{path}", body, signed=False)

    async def shown(self) -> tuple[str, int]:
        body = await self.get()
        return body["state"], body["replicas"]


@asynccontextmanager
async def emulated(
    fleet: EmulatedFleet = FLEET, settings: ExoscaleSettings | None = None, clock: Clock | None = None
) -> AsyncIterator[Client]:
    """A running emulator and a client of it."""
    clock = clock or HandClock()
    vendor = ExoscaleEmulator(fleet, clock=clock, settings=settings)
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, EmulatorServer(vendor) as server:
        yield Client(server, session, clock)


def hands(client: Client) -> HandClock:
    assert isinstance(client.clock, HandClock)
    return client.clock
