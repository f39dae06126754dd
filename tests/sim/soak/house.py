"""The daemon's house in this process: journal, clock, ends, and lives that start, end and are killed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry

from autoscaler.clock import SteadyClock
from autoscaler.core.fleet import Fleet
from autoscaler.daemon.daemon import Daemon
from autoscaler.daemon.recall import Recalled, recall
from autoscaler.daemon.report import TickReport
from autoscaler.daemon.setup import Setup
from autoscaler.daemon.telemetry import PrometheusTelemetry
from autoscaler.daemon.tick import Ticker, TickState
from autoscaler.journals.memory import MemoryJournal
from autoscaler.ports import Journal, JournalError, Record
from tests.daemon.mortal import Killed
from tests.daemon.rig import ShiftedClock
from tests.sim.soak.build import a_fleet, a_setup
from tests.sim.soak.plant import Gauges, Plant, Vendor
from tests.sim.soak.scenario import Scenario
from tests.sim.soak.watched import Life, Nobody, WatchedJournal, WatchedProvider, WatchedSource, Witness


class House:
    """One daemon at a time, on one journal that outlives it. ``witness`` hears of this daemon alone."""

    def __init__(
        self,
        scenario: Scenario,
        plant: Plant,
        clock: ShiftedClock,
        witness: Witness,
        journal_name: str = "journal",
    ) -> None:
        self.journal_name = journal_name
        self.scenario = scenario
        self.plant = plant
        self.clock = clock
        self.witness = witness
        self.journal: Journal = MemoryJournal()
        self.configured = 0  # which configuration is on disk
        self.life = Life()
        self.daemon: Daemon | None = None
        self.telemetry: PrometheusTelemetry | None = None
        self.reports: list[TickReport] = []
        self._fleets: dict[int, Fleet] = {}

    async def start(self) -> Recalled:
        """As ``autoscaler.wiring.assemble`` does it; what it remembers. Raises: JournalError."""
        self.life = Life()
        journal = WatchedJournal(self.journal_name, self.journal, self.life, self.plant.weather, self.witness)
        configured = self.configured
        recalled = await recall(journal, self.fleet())
        steady = SteadyClock(self.clock, not_before=recalled.memory.at)
        telemetry = PrometheusTelemetry(CollectorRegistry(), steady.monotonic)
        setup = self._setup(steady)
        await journal.append(_start_record(steady.now(), configured))
        state = TickState(
            memory=recalled.memory,
            outcomes=recalled.outcomes,
            human=recalled.human or recalled.memory.human,
            human_changed=recalled.human is not None,
        )
        ticker = Ticker(setup, journal, steady, state, telemetry.journal_error)

        async def reload() -> Setup:
            new = self._setup(steady)
            try:
                await journal.append(_start_record(steady.now(), self.configured))
            except JournalError:
                telemetry.journal_error()
            return new

        self.telemetry = telemetry
        self.daemon = Daemon(ticker, journal, steady, telemetry, reload=reload, on_tick=self.reports.append)
        return recalled

    def fleet(self) -> Fleet:
        """What the configuration on disk says."""
        if self.configured not in self._fleets:
            self._fleets[self.configured] = a_fleet(self.scenario, self.configured)
        return self._fleets[self.configured]

    def _setup(self, clock: Any) -> Setup:
        vendors: dict[str, WatchedProvider] = {}

        def provider(name: str) -> WatchedProvider:
            return vendors.setdefault(
                name, WatchedProvider(Vendor(name, self.plant, clock), self.life, self.witness)
            )

        source = WatchedSource(Gauges(self.plant, clock), self.life)
        return a_setup(self.scenario, self.configured, self.fleet(), provider, source)

    async def idle(self) -> None:
        """Until no tick is under way or about to start early. Raises: Killed."""
        daemon = self.daemon
        while daemon is not None and daemon._early is not None:
            early, daemon._early = daemon._early, None
            await early

    async def end(self) -> None:
        """The process is gone; what it had begun goes nowhere."""
        self.life.dead = True
        if self.daemon is not None and self.daemon._early is not None:
            self.daemon._early.cancel()
            with suppress(asyncio.CancelledError, Killed):
                await self.daemon._early
        self.daemon = None


def a_rival(scenario: Scenario, plant: Plant, clock: ShiftedClock) -> House:
    """A second daemon, on a journal of its own."""
    return House(scenario, plant, clock, Nobody(), "the rival's journal")


def _start_record(at: float, configured: int) -> Record:
    return Record("start", at, {"config_hash": f"configuration-{configured}", "version": "soak"})
