"""One run of the demo: vendors, world, gateways and daemon in one event loop, until the day is over."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.config import Config, load
from autoscaler.core.fleet import Fleet
from autoscaler.daemon.daemon import Endpoint
from autoscaler.daemon.http_api import create_app
from autoscaler.demo.demand import ChatDemand
from autoscaler.demo.events import Vendors, events
from autoscaler.demo.files import HOST, DemoError, copy_policies
from autoscaler.demo.scenario import Access, config_toml, emulated_fleet, policy_files
from autoscaler.demo.tally import Line, Tally
from autoscaler.demo.traffic import Pusher, Street, streets
from autoscaler.emulators.registry import EMULATORS
from autoscaler.emulators.server import EmulatorServer
from autoscaler.wiring import Running, assemble
from autoscaler.world.plant import World

MONDAY: Final = 1_780_272_000.0
"""2026-06-01T00:00:00Z, the midnight that all demand counts from."""
INTERVAL_S: Final = 15.0
PUSH_S: Final = 15.0
PAGE_RELOADS_S: Final = 2  # real seconds
_SHUTDOWN_S: Final = 2.0
_LOOK_S: Final = 0.05  # real seconds between looks at the wall's clock


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. ``for_s`` is real seconds; None: until the demand ends."""

    chat: ChatDemand
    speed: float
    port: int
    seed: int
    for_s: float | None = None
    interval_s: float = INTERVAL_S


@dataclass(frozen=True, slots=True)
class Stage:
    """A run under way: everything that may be looked at."""

    wish: Wish
    config: Config
    clock: SystemClock
    world: World
    streets: tuple[Street, ...]
    tally: Tally
    running: Running
    vendors: Vendors
    starts_at: float
    ends_at: float
    wall_started: float  # monotonic, real seconds
    stop: asyncio.Event

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.wish.port}/"

    @property
    def fleet(self) -> Fleet:
        """The daemon's configuration of the fleet."""
        return self.config.fleet

    def wall_s(self) -> float:
        """Real seconds since the start."""
        return time.monotonic() - self.wall_started

    def simulated_s(self) -> float:
        """Simulated seconds that the world has lived."""
        return self.world.now - self.starts_at


@asynccontextmanager
async def stage(wish: Wish, folder: Path, tell: Callable[[Line], None]) -> AsyncIterator[Stage]:
    """Everything set up, and a daemon that does not tick yet. Raises: OSError, JournalError."""
    starts_at = MONDAY + wish.chat.stretch.from_s
    clock = SystemClock(speed=wish.speed, starts_at=starts_at)
    fleet = emulated_fleet(wish.seed)
    world = fleet.build(starts_at)
    gateways = streets(world, wish.chat, MONDAY, wish.seed)
    tally = Tally(wish.chat.stretch.length_s, tell)
    async with AsyncExitStack() as servers:
        vendors = {
            kind: await servers.enter_async_context(
                EmulatorServer(EMULATORS[kind](fleet, world, clock), seed=wish.seed)
            )
            for kind in fleet.kinds
        }
        config = _configured(wish, folder, vendors)
        async with assemble(config, clock=clock, on_tick=tally.tick) as running:
            yield Stage(
                wish=wish,
                config=config,
                clock=clock,
                world=world,
                streets=gateways,
                tally=tally,
                running=running,
                vendors=vendors,
                starts_at=starts_at,
                ends_at=MONDAY + wish.chat.stretch.to_s,
                wall_started=time.monotonic(),
                stop=asyncio.Event(),
            )


def _configured(wish: Wish, folder: Path, vendors: Vendors) -> Config:
    """The configuration as a person would have it: files, read by the same code."""
    access = Access(
        vendors=tuple((server.vendor, server.base_url) for server in vendors.values()),
        host=HOST,
        port=wish.port,
        push_token=secrets.token_urlsafe(16),
        admin_token=secrets.token_urlsafe(16),
    )
    copy_policies(policy_files(), folder / "policies")
    path = folder / "config.toml"
    path.write_text(config_toml(access, wish.interval_s), encoding="utf-8")
    return load(path, environ={})  # what the caller's environment says is for another daemon


async def play(on: Stage, watch: Callable[[Stage], None] = lambda _: None, watch_s: float = 0.25) -> None:
    """Let the day pass, until its end, ``for_s`` or ``stop``. ``watch`` is called every ``watch_s``, real.

    Raises: DemoError where the port was taken in the meantime.
    """
    http = on.config.http
    assert http.admin_token is not None
    assert http.push_token is not None
    app = create_app(
        on.running.daemon,
        on.running.telemetry,
        admin_token=http.admin_token.get_secret_value(),
        push_token=http.push_token.get_secret_value(),
    )
    app.on_response_prepare.append(_reload_soon)
    taken: Exception | None = None
    try:
        # A task that fails ends the others; one that sees ``stop`` ends by itself.
        async with _interrupts(on.stop), asyncio.TaskGroup() as tasks:
            tasks.create_task(
                on.running.daemon.run(app, Endpoint(HOST, http.port), on.stop, _SHUTDOWN_S), name="daemon"
            )
            tasks.create_task(_happen(on), name="events")
            tasks.create_task(_push(on, http.push_token.get_secret_value()), name="signals")
            await _until_over(on, watch, watch_s)
            on.stop.set()
    except* OSError as errors:
        taken = errors.exceptions[0]
    if taken is not None:
        raise DemoError(f"the page cannot be served: {taken}") from taken
    on.world.advance(min(on.clock.now(), on.ends_at))


async def _reload_soon(request: web.Request, response: web.StreamResponse) -> None:
    """The page reloads as often as a day of minutes asks for."""
    if request.path == "/":
        response.headers["Refresh"] = str(PAGE_RELOADS_S)


@asynccontextmanager
async def _interrupts(stop: asyncio.Event) -> AsyncIterator[None]:
    """Ctrl-C and SIGTERM end the run in order; a second one at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def interrupt() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    with contextlib.suppress(
        NotImplementedError, RuntimeError
    ):  # not everywhere, and not off the main thread
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError):
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


async def _until_over(on: Stage, watch: Callable[[Stage], None], watch_s: float) -> None:
    watched_at = float("-inf")
    while not on.stop.is_set() and on.clock.now() < on.ends_at:
        wall_s = on.wall_s()
        if on.wish.for_s is not None and wall_s >= on.wish.for_s:
            return
        if wall_s - watched_at >= watch_s:
            watched_at = wall_s
            watch(on)
        await _pause(on, _LOOK_S * on.wish.speed)


async def _pause(on: Stage, seconds: float) -> None:
    """So many simulated seconds, or until it is over."""
    with contextlib.suppress(TimeoutError):
        async with on.clock.deadline(seconds):
            await on.stop.wait()


async def _happen(on: Stage) -> None:
    for event in events(on.vendors, on.world, on.wish.chat.stretch, on.starts_at):
        await _pause(on, event.at - on.clock.now())
        if on.stop.is_set():
            return
        on.world.advance(on.clock.now())
        on.tally.event(on.clock.now(), event.act())


async def _push(on: Stage, token: str) -> None:
    while on.tally.ticks == 0 and not on.stop.is_set():
        await _pause(on, 1.0)  # The page is up by then.
    connector = aiohttp.TCPConnector(limit=len(on.streets))
    # Not through a proxy: the daemon is on this machine.
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        pusher = Pusher(session, on.url.rstrip("/"), token, on.stop)
        while not on.stop.is_set():
            started = on.clock.monotonic()
            on.world.advance(on.clock.now())
            await asyncio.gather(*(pusher.push(street) for street in on.streets))
            on.tally.pushes_failed = pusher.failed
            await _pause(on, max(0.0, PUSH_S - (on.clock.monotonic() - started)))
