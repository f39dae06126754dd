"""The daemon: ticks on time, answers people and programs, reads its configuration again, ends in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

import structlog
from aiohttp import web
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from autoscaler import __version__
from autoscaler.core.memory import DAY_S
from autoscaler.core.model import Human, Override, Pause
from autoscaler.daemon import people
from autoscaler.daemon.explain import explain
from autoscaler.daemon.past import why_at
from autoscaler.daemon.price_list import price_list
from autoscaler.daemon.prices import held_at
from autoscaler.daemon.report import Invalid, TickReport, check_override, known_service
from autoscaler.daemon.setup import Setup, late_after_s
from autoscaler.daemon.telemetry import PrometheusTelemetry
from autoscaler.daemon.tick import TickClock, Ticker
from autoscaler.ports import Journal, JournalError

log = structlog.stdlib.get_logger("autoscaler.daemon")

WAKE_POLL_S: Final = 3.0
UPKEEP_S: Final = 600.0
EARLY_TICK_MIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the daemon listens. Port 0: any free one."""

    host: str
    port: int


class Daemon:
    """One running daemon; implements ``report.Controls`` for the HTTP API."""

    def __init__(
        self,
        ticker: Ticker,
        journal: Journal,
        clock: TickClock,
        telemetry: PrometheusTelemetry,
        *,
        speed: float = 1.0,
        reload: Callable[[], Awaitable[Setup]] | None = None,
        on_tick: Callable[[TickReport], None] | None = None,
    ) -> None:
        self.ticker = ticker
        self._journal = journal
        self._clock = clock
        self._telemetry = telemetry
        self._speed = speed
        self._reload = reload
        self._on_tick = on_tick
        self._ticking = asyncio.Lock()
        self._last_tick: float | None = None  # monotonic; the end of the last whole tick
        self._last_try: float = clock.monotonic()  # the end of the last one, whole or not
        self._started = clock.monotonic()
        self._woken = False
        self._stopping = False
        self._early: asyncio.Task[None] | None = None
        self._scheduler: AsyncIOScheduler | None = None

    # --- ticks ----------------------------------------------------------------------------------

    async def tick(self) -> None:
        """One tick, unless one is running: then that one counts."""
        if not self._ticking.locked():
            async with self._ticking:
                await self._tick()

    async def _tick(self) -> None:
        if self._stopping:
            return
        try:
            report = await self.ticker.tick()
            self._last_tick = self._clock.monotonic()
            self._telemetry.tick(report)
            if self._on_tick is not None:
                self._on_tick(report)
        except Exception:
            # A bug of ours: told whole, once per tick; healthz fails when it goes on.
            log.exception("a tick failed: please report this as a bug")
        finally:
            self._last_try = self._clock.monotonic()

    def wake(self) -> None:
        """Start a tick early, at most once a second; one that is under way may have looked already."""
        self._woken = True
        if self._early is None or self._early.done():
            self._early = asyncio.get_running_loop().create_task(self._tick_early(), name="early tick")

    async def _tick_early(self) -> None:
        while self._woken and not self._stopping:
            since_s = self._clock.monotonic() - self._last_try
            if self._last_tick is not None and since_s < EARLY_TICK_MIN_S:
                await self._clock.sleep(EARLY_TICK_MIN_S - since_s)
            async with self._ticking:
                self._woken = False
                await self._tick()

    async def _poll_waking(self) -> None:
        if self._last_tick is not None and not self._ticking.locked() and await self.ticker.wakes():
            self.wake()

    async def _upkeep(self) -> None:
        try:
            await self._journal.prune(self._clock.now())
        except JournalError as error:
            self._telemetry.journal_error()
            log.warning("journal upkeep failed", error=str(error))

    async def _watch(self) -> None:
        """The scheduler's clock is the wall's: once that is set back it fires no more. This one cannot."""
        while True:
            interval_s = self.ticker.setup.fleet.interval_s
            await self._clock.sleep(max(1.0, interval_s / 2.0))
            if self._clock.monotonic() - self._last_try > 2.0 * interval_s and not self._ticking.locked():
                log.warning("ticks were missed: the schedule is set anew", interval_s=interval_s)
                self._schedule()
                await self.tick()

    def _schedule(self) -> None:
        """All jobs anew, from now on."""
        assert self._scheduler is not None
        interval_s = self.ticker.setup.fleet.interval_s
        for job, every_s in (
            (self.tick, interval_s / self._speed),
            (self._poll_waking, min(WAKE_POLL_S, interval_s / 3.0) / self._speed),
            (self._upkeep, max(1.0, UPKEEP_S / self._speed)),
        ):
            self._scheduler.add_job(
                job,
                "interval",
                seconds=every_s,
                id=job.__name__,
                replace_existing=True,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )

    # --- life -----------------------------------------------------------------------------------

    async def run(
        self, app: web.Application, endpoint: Endpoint, stop: asyncio.Event, shutdown_s: float = 10.0
    ) -> None:
        """Serve and tick until ``stop`` is set; then finish the running tick within ``shutdown_s``."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, endpoint.host, endpoint.port)
            await site.start()
            log.info(
                "started",
                version=__version__,
                services=len(self.ticker.setup.fleet.services),
                interval_s=self.ticker.setup.fleet.interval_s,
                address=_address(runner, endpoint),
            )
            await self._tick_until(stop, shutdown_s)
        finally:
            await runner.cleanup()
        log.info("stopped")

    async def _tick_until(self, stop: asyncio.Event, shutdown_s: float) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._schedule()
        self._scheduler.start()
        watch = asyncio.get_running_loop().create_task(self._watch(), name="watchdog")
        first = asyncio.get_running_loop().create_task(self.tick(), name="first tick")
        try:
            await stop.wait()
        finally:
            # The scheduler cancels what runs when it is shut down, so what runs is waited for first.
            self._stopping = True
            self._scheduler.pause()
            await self._drain(shutdown_s)
            self._scheduler.shutdown(wait=False)
            for task in (watch, first, self._early):
                if task is not None and not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _drain(self, shutdown_s: float) -> None:
        try:
            async with asyncio.timeout(shutdown_s), self._ticking:
                pass
        except TimeoutError:
            log.warning("the running tick did not end in time", shutdown_s=shutdown_s)

    async def reload(self) -> bool:
        """Read the configuration again; an invalid one is refused and the old one stays."""
        if self._reload is None:
            return False
        async with self._ticking:  # A running tick keeps its ends: the reload closes those that go.
            try:
                setup = await self._reload()
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a file must not end the daemon
                self._telemetry.config_reloaded(ok=False)
                log.error("the new configuration is refused, the old one stays", error=str(error))
                return False
            self.ticker.reconfigure(setup)
        self._telemetry.config_reloaded(ok=True)
        log.info("configuration read again", config_hash=setup.fleet.config_hash)
        if self._scheduler is not None:
            self._schedule()
        self.wake()
        return True

    # --- controls -------------------------------------------------------------------------------

    def latest(self) -> TickReport | None:
        """The last whole tick."""
        return self.ticker.latest

    def now(self) -> float:
        """The daemon's clock."""
        return self._clock.now()

    def ready(self) -> tuple[bool, str]:
        """Whether one whole tick has ended."""
        if self.ticker.latest is None:
            return False, "the first tick has not ended yet"
        return True, "ready"

    def healthy(self) -> tuple[bool, str]:
        """Whether the last tick is young enough."""
        limit_s = late_after_s(self.ticker.setup.fleet.interval_s)
        since = self._last_tick if self._last_tick is not None else self._started
        age_s = self._clock.monotonic() - since
        if age_s > limit_s:
            return False, f"the last tick ended {age_s:.0f} s ago, {limit_s:.0f} s are allowed"
        return True, f"the last tick ended {age_s:.0f} s ago" if self._last_tick is not None else "starting"

    async def why(self, service: str, at: float | None) -> Mapping[str, Any]:
        """The recorded decision at this instant. Raises: UnknownName, Invalid, JournalError."""
        known_service(self.ticker.setup.fleet, service)
        if at is not None:
            return await why_at(self._journal, self.ticker.setup.fleet, service, at)
        report = self.ticker.latest
        if report is None:
            raise Invalid("no tick has ended yet")
        known_service(report.fleet, service)  # One that was just configured has not been decided on yet.
        return explain(service, report.snapshot, report.plan, self.ticker.before, report.fleet)

    async def prices(self) -> Mapping[str, Any]:
        """Every price in force, with its change in 24 hours. Raises: JournalError."""
        now = self.now()
        day_ago = await held_at(self._journal, now - DAY_S)
        ticker = self.ticker
        return price_list(ticker.catalogue, ticker.state.memory, ticker.setup.fleet, now=now, day_ago=day_ago)

    async def push(self, service: str, signal: str, value: float, at: float) -> None:
        """Take one sample; a first demand at zero starts a tick early."""
        known_service(self.ticker.setup.fleet, service)
        self.ticker.setup.push(service, signal, value, at)
        rule = self.ticker.setup.fleet.services[service].signals.get(signal)
        # A counter of the past is no demand, and what need not be there at zero says nothing there.
        if value > 0.0 and rule is not None and rule.exists_at_zero and self.ticker.is_asleep(service):
            self.wake()

    async def pause(self, pause: Pause) -> None:
        """No writes until it ends."""
        if pause.service is not None:
            known_service(self.ticker.setup.fleet, pause.service)
        await self._say(
            "pause",
            lambda human: people.with_pause(human, pause),
            service=pause.service,
            reason=pause.reason,
            actor=pause.actor,
        )

    async def resume(self, service: str | None, direction: str | None, *, reason: str, actor: str) -> None:
        """End pauses, holds of drift and the brake."""
        if service is not None:
            known_service(self.ticker.setup.fleet, service)
        await self._say(
            "resume",
            lambda human: people.resumed(human, service, direction),
            service=service,
            reason=reason,
            actor=actor,
        )

    async def override(self, override: Override) -> None:
        """Set limits until it ends."""
        check_override(self.ticker.setup.fleet, override)
        await self._say(
            "override",
            lambda human: people.with_override(human, override),
            service=override.service,
            deployment=override.deployment,
            reason=override.reason,
            actor=override.actor,
        )

    async def clear_override(self, service: str, deployment: str | None, *, reason: str, actor: str) -> None:
        """End overrides of a service, or one deployment's."""
        known_service(self.ticker.setup.fleet, service)
        await self._say(
            "clear_override",
            lambda human: people.without_override(human, service, deployment),
            service=service,
            deployment=deployment,
            reason=reason,
            actor=actor,
        )

    async def _say(self, act: str, change: Callable[[Human], Human], **details: Any) -> None:
        state = self.ticker.state
        async with self.ticker.order:
            human = change(state.human)
            try:
                await people.journal_act(self._journal, self._clock.now(), act, human, details)
            except JournalError:
                self._telemetry.journal_error()
                raise
            state.human, state.human_changed = human, True
        log.info("a person acted", act=act, **details)
        self.wake()


def _address(runner: web.AppRunner, endpoint: Endpoint) -> str:
    for address in runner.addresses:
        return f"http://{address[0]}:{address[1]}"
    return f"http://{endpoint.host}:{endpoint.port}"
