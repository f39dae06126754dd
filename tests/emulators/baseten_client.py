"""A client for the Baseten emulator's tests, and a clock that they set."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from autoscaler.emulators.baseten import BasetenEmulator, BasetenSettings
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.load import Script
from autoscaler.emulators.server import EmulatorServer
from tests.emulators.client import HandClock, Reply

START: Final = 1_795_219_200.0  # 2026-11-21T00:00:00Z, a Saturday


def deployment(name: str, replicas: int = 2, **options: Any) -> EmulatedDeployment:
    return EmulatedDeployment(
        vendor="baseten",
        name=name,
        gpu_type="H100",
        concurrency=10,
        replicas=replicas,
        start_up_median_s=100,
        start_up_p95_s=100,
        options=options,
    )


CHAT: Final = deployment(
    "chat",
    model_id="mdlchat",
    deployment_id="dplchat",
    environment="production",
    min_replica=1,
    max_replica=5,
)
SIDE: Final = deployment("side", 0, model_id="mdlchat", deployment_id="dplside", min_replica=0, max_replica=3)
DEV: Final = deployment("dev", 1, model_id="mdlchat", deployment_id="dpldev", is_development=True)
EMBED: Final = deployment(
    "embed", chain_id="chrag", chainlet="Embed", environment="production", max_replica=4
)
LLM: Final = deployment("llm", 1, chain_id="chrag", chainlet="Llm", environment="production", max_replica=4)
FLEET: Final = EmulatedFleet(deployments=(CHAT, SIDE, DEV, EMBED, LLM))

MODEL: Final = "/v1/models/mdlchat"
ONE: Final = f"{MODEL}/deployments/dplchat"
OTHER: Final = f"{MODEL}/deployments/dplside"
ENVIRONMENT: Final = f"{MODEL}/environments/production"
CHAIN: Final = "/v1/chains/chrag"
CHAINLETS: Final = f"{CHAIN}/environments/production/chainlet_settings/autoscaling_settings"


class Client:
    """Sends with the key; ``clock`` stands still until a test lets time pass."""

    def __init__(
        self, server: EmulatorServer[BasetenEmulator], session: aiohttp.ClientSession, clock: HandClock
    ) -> None:
        self.server = server
        self.session = session
        self.clock = clock

    @property
    def vendor(self) -> BasetenEmulator:
        return self.server.vendor

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        key = self.vendor.credentials()["api_key"]
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.request(
            method,
            self.server.url + path,
            data=data,
            headers=headers or {"Authorization": f"Api-Key {key}"},
        ) as reply:
            text = await reply.text()
            is_json = reply.content_type == "application/json"
            return Reply(reply.status, dict(reply.headers), json.loads(text) if is_json else text)

    async def get(self, path: str) -> Any:
        reply = await self.call("GET", path)
        assert reply.status == 200, reply
        return reply.body

    async def scale(self, path: str = ONE, **settings: Any) -> Reply:
        return await self.call("PATCH", f"{path}/autoscaling_settings", settings)

    async def bounds(self, path: str = ONE) -> tuple[int, int]:
        settings = (await self.get(path))["autoscaling_settings"]
        return settings["min_replica"], settings["max_replica"]

    async def shown(self, path: str = ONE) -> tuple[str, int]:
        body = await self.get(path)
        return body["status"], body["active_replica_count"]

    async def chainlets(self) -> dict[str, tuple[int, int]]:
        (one,) = (await self.get(f"{CHAIN}/deployments"))["deployments"]
        return {
            each["name"]: (
                each["autoscaling_settings"]["min_replica"],
                each["autoscaling_settings"]["max_replica"],
            )
            for each in one["chainlets"]
        }

    async def switch(self, path: str, body: Any = None, method: str = "POST") -> Reply:
        return await self.call(method, f"/_emulator{path}", body)

    def carry(self, one: EmulatedDeployment, **figures: float) -> None:
        """From now on this deployment has this demand."""
        self.vendor.world.advance(self.clock.now())
        self.vendor.loads.lay_down(one.deployment_id, Script(**figures))

    def pass_s(self, seconds: float) -> None:
        """Let time pass, for the world too."""
        self.clock.pass_s(seconds)
        self.vendor.world.advance(self.clock.now())


@asynccontextmanager
async def emulated(
    fleet: EmulatedFleet = FLEET, settings: BasetenSettings | None = None, starts_at: float = START
) -> AsyncIterator[Client]:
    """A running emulator and a client of it."""
    clock = HandClock()
    clock.at = starts_at
    vendor = BasetenEmulator(fleet, clock=clock, settings=settings)
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, EmulatorServer(vendor) as server:
        yield Client(server, session, clock)
