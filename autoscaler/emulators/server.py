"""Emulators behind real sockets on 127.0.0.1: for tests, the demo and ``autoscaler emulate``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Generic, TypeVar

from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.emulators.control import Control
from autoscaler.emulators.faults import Faults, fault_middleware
from autoscaler.emulators.fleet import DEFAULT_FLEET, EmulatedFleet
from autoscaler.emulators.middlewares import (
    door_middleware,
    error_middleware,
    log_middleware,
    vendor_only,
)
from autoscaler.emulators.registry import EMULATORS
from autoscaler.emulators.request_log import RequestLog
from autoscaler.emulators.vendor import TellsItsAddress, VendorEmulator
from autoscaler.ports import Clock
from autoscaler.world.plant import World

V_co = TypeVar("V_co", bound=VendorEmulator, covariant=True)

BODY_BYTES_MAX: Final = 1024 * 1024
_ADVANCE_EVERY_S: Final = 1.0  # real seconds; keeps the world's work in small pieces


def emulator_app(vendor: VendorEmulator, faults: Faults, requests: RequestLog) -> web.Application:
    """The vendor's API, its fault switches and ``/_emulator`` as one aiohttp application."""
    app = web.Application(
        client_max_size=BODY_BYTES_MAX,
        middlewares=[
            vendor_only(log_middleware(vendor, requests)),
            vendor_only(error_middleware(vendor)),
            vendor_only(fault_middleware(vendor, faults)),
            vendor_only(door_middleware(vendor)),
        ],
    )
    app.add_routes(vendor.routes())
    app.add_routes(vendor.control_routes())
    app.add_routes(Control(vendor, faults, requests).routes())

    async def end_hangs(app: web.Application) -> None:
        del app
        faults.closing.set()

    app.on_shutdown.append(end_hangs)
    return app


class EmulatorServer(Generic[V_co]):
    """One vendor's emulator on a port of its own: ``async with EmulatorServer(ExoscaleEmulator())``.

    Port 0 is any free port. ``url`` and ``base_url`` are known once it runs. Raises: OSError if the
    port is taken.
    """

    def __init__(self, vendor: V_co, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0) -> None:
        self.vendor = vendor
        self.faults = Faults(seed)
        self.requests = RequestLog()
        self.url = ""  # http://127.0.0.1:port
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def world(self) -> World:
        """The plant behind it, as of its last request."""
        return self.vendor.world

    @property
    def base_url(self) -> str:
        """What to configure as the provider's ``base_url``."""
        return self.url + self.vendor.base_path

    async def __aenter__(self) -> EmulatorServer[V_co]:
        app = emulator_app(self.vendor, self.faults, self.requests)
        # A client that goes must end a hang; a server that ends must not wait for clients.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self.url = f"http://{self._host}:{runner.addresses[0][1]}"
        if isinstance(self.vendor, TellsItsAddress):
            self.vendor.served_at(self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


async def serve(
    fleet: EmulatedFleet = DEFAULT_FLEET,
    *,
    clock: Clock | None = None,
    world: World | None = None,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    on_started: Callable[[Sequence[EmulatorServer[VendorEmulator]]], None] | None = None,
    until: asyncio.Event | None = None,
) -> None:
    """Every vendor of the fleet over one world, until ``until`` is set or the task is cancelled.

    ``ports`` by vendor win over the fleet's; 0 is any free port. ``on_started`` gets the running servers.

    Raises: ValueError for a vendor that has no emulator, OSError if a port is taken.
    """
    clock, until = clock or SystemClock(), until or asyncio.Event()
    world = world or fleet.build(clock.now())
    if unknown := sorted(set(fleet.kinds) - set(EMULATORS)):
        raise ValueError(f"no emulator for {', '.join(unknown)}; there is {', '.join(EMULATORS)}")
    async with AsyncExitStack() as running:
        servers = []
        for kind in fleet.kinds:
            vendor = EMULATORS[kind](fleet, world, clock)
            port = (ports or {}).get(kind, fleet.account(kind).port)
            server = EmulatorServer(vendor, host=host, port=port, seed=fleet.seed)
            servers.append(await running.enter_async_context(server))
        if on_started is not None:
            on_started(servers)
        while not until.is_set():
            try:
                async with asyncio.timeout(_ADVANCE_EVERY_S):
                    await until.wait()
            except TimeoutError:
                world.advance(clock.now())
