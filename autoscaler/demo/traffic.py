"""The gateways of the demo's services, and how they push their signals to the daemon."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Final

import aiohttp
import structlog

from autoscaler.demo.demand import ChatDemand, LoadMeter, batch_rows, code_rows
from autoscaler.demo.scenario import SERVICES, SIGNALS, DemoService, deployment_id
from autoscaler.world.demand import arrivals
from autoscaler.world.gateway import Gateway
from autoscaler.world.plant import World
from autoscaler.world.service_time import MeanServiceTime, ServiceTime

_ANSWER_S: Final = 10.0  # real seconds

log = structlog.stdlib.get_logger("autoscaler.demo")


@dataclass(frozen=True, slots=True)
class Street:
    """One service with its gateway and what arrives there."""

    service: DemoService
    gateway: Gateway
    load: LoadMeter


def streets(world: World, chat: ChatDemand, midnight: float, seed: int) -> tuple[Street, ...]:
    """A gateway for each service, attached to the world. ``midnight`` is the epoch second of ``t_s`` 0."""
    found = []
    for service in SERVICES:
        service_time: ServiceTime = MeanServiceTime(service.service_s, service.service_variation)
        scale = 1.0
        if service.name == "chat":
            rows, service_time, scale = chat.rows(seed), chat.service_time, chat.scale
        elif service.name == "code":
            rows = code_rows(chat.stretch, seed)
        else:
            rows = batch_rows(chat.stretch)
        load = LoadMeter(rows, service_time, service.peak_window_s, scale)
        gateway = Gateway(
            world,
            service.name,
            [deployment_id(service.name, one.name) for one in service.deployments],
            arrivals=arrivals(
                load, service_time, seed=seed, name=service.name, scale=scale, starts_at=midnight
            ),
            promise_wait_s=service.promise_wait_s,
        )
        found.append(Street(service, gateway, load))
    return tuple(found)


class Pusher:
    """Sends each gateway's signals to ``POST /v1/signals/...``, as a gateway of yours would."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, stop: asyncio.Event) -> None:
        self.failed = 0
        self._stop = stop
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def push(self, street: Street) -> None:
        """All signals of one service, one after another, as of now; those that ``stop`` leaves time for."""
        counters = asdict(street.gateway.counters)
        for signal in SIGNALS:
            if self._stop.is_set():
                return
            await self._send(street.service.name, signal, counters[signal])

    async def _send(self, service: str, signal: str, value: int) -> None:
        url = f"{self._url}/v1/signals/{service}/{signal}"
        try:
            async with (
                asyncio.timeout(_ANSWER_S),
                self._session.post(url, json={"value": value}, headers=self._headers) as answer,
            ):
                await answer.read()
                failed = None if answer.status == 200 else f"answered {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            failed = type(error).__name__
        # A daemon that was just told to stop closes its connections: no trouble of the run.
        if failed is not None and not self._stop.is_set():
            # The next push is the retry; the daemon sees the signal grow old, as it should.
            self.failed += 1
            log.warning("a signal was not taken", service=service, signal=signal, error=failed)
