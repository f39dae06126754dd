"""The same run over HTTP: the real adapters, the emulated vendors, a small Prometheus, SQLite and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

from autoscaler.clock import SystemClock
from autoscaler.config import load
from autoscaler.core.fleet import Fleet
from autoscaler.core.model import exactly
from autoscaler.daemon.recall import Recalled
from autoscaler.daemon.setup import Setup
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.registry import EMULATORS
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import JournalLocked
from autoscaler.wiring import Running, assemble
from tests.daemon.rig import AnswersQueries, ShiftedClock
from tests.servers import serving
from tests.sim.soak.build import signals_of
from tests.sim.soak.house import House
from tests.sim.soak.plant import Deployed, Gauges, Plant
from tests.sim.soak.play import Run
from tests.sim.soak.scenario import Act, Configuration, Place, Scenario, Shop, What
from tests.sim.soak.watched import Life, WatchedJournal, WatchedProvider, WatchedSource, Witness
from tests.sim.soak.weather import Weather

VENDORS: Final = {"exo": "exoscale", "dee": "deepinfra", "bas": "baseten"}

_FAULTS: Final[Mapping[What, FaultKind]] = {
    What.UNAVAILABLE: FaultKind.SERVER_ERROR,
    What.RATE_LIMITED: FaultKind.RATE_LIMITED,
    What.BAD_REPLY: FaultKind.GARBAGE,
    What.HANG: FaultKind.HANG,
    What.SLOW: FaultKind.LATENCY,
    What.IGNORE: FaultKind.ACCEPT_AND_IGNORE,
    What.ANSWER_LOST: FaultKind.DROP,
    What.STALE_READS: FaultKind.STALE_READS,
}


class WirePlant(Plant):
    """The true state behind the emulators; a deployment's id is its vendor's, not its key."""

    def __init__(self, scenario: Scenario, weather: Weather) -> None:
        self.emulated: dict[str, EmulatedDeployment] = {}
        super().__init__(scenario, weather)

    def _deploy(self, key: str, place: Place) -> None:
        service, _, name = key.partition("/")
        options = (
            {"model_id": f"{service}{name}", "environment": "production"} if place.provider == "bas" else {}
        )
        one = EmulatedDeployment(
            vendor=VENDORS[place.provider],
            name=f"{service}-{name}",
            gpu_type=place.gpu_type,
            gpus_per_replica=place.gpus,
            usd_per_gpu_hour=self.scenario.prices[f"{place.provider}/{place.gpu_type}"],
            replicas=place.replicas,
            start_up_median_s=place.start_up_s,
            start_up_p95_s=place.start_up_s,
            options=options,
        )
        self.emulated[key] = one
        self.deployed[key] = Deployed(key, place, exactly(place.replicas))

    def id_of(self, key: str) -> str:
        return self.emulated[key].deployment_id

    def advance(self, now: float) -> None:
        super().advance(now)
        for key, one in self.deployed.items():
            one.asked = exactly(self.world.status(self.id_of(key)).replicas_set)


class WireHouse(House):
    """The daemon as ``autoscaler run`` assembles it, from files, on a journal on disk."""

    def __init__(self, run: HttpRun, folder: Path, clock: ShiftedClock, witness: Witness) -> None:
        super().__init__(run.scenario, run.plant, clock, witness)
        self._run = run
        self._folder = folder
        self._open = AsyncExitStack()
        self._running: Running | None = None

    def fleet(self) -> Fleet:
        return load(self._write(), environ={}).fleet

    def _write(self) -> Path:
        configuration = self.scenario.configurations[self.configured]
        (self._folder / "policies").mkdir(exist_ok=True)
        for name, table in configuration.policies.items():
            (self._folder / "policies" / f"{name}.toml").write_text("".join(_toml(table)))
        path = self._folder / "config.toml"
        path.write_text("".join(self._run.config(configuration)))
        return path

    async def start(self) -> Recalled:
        self.life = Life()
        self._write()
        self._open = AsyncExitStack()
        running = await self._open.enter_async_context(
            assemble(
                load(self._folder / "config.toml", environ={}),
                clock=self.clock,
                reread=lambda: load(self._write(), environ={}),
                on_tick=self.reports.append,
            )
        )
        self._running = running
        state = running.daemon.ticker.state
        ticks = await running.journal.read(kinds=("tick",), newest_first=True, limit=1)
        recalled = Recalled(state.memory, state.outcomes, state.human, ticks[0] if ticks else None)
        self.journal = running.journal
        self.daemon, self.telemetry = running.daemon, running.telemetry
        watched = WatchedJournal(
            self.journal_name, running.journal, self.life, self.plant.weather, self.witness
        )
        running.daemon._journal = running.daemon.ticker._journal = watched
        self._watch()
        reload = running.daemon._reload
        assert reload is not None

        async def watched_reload() -> Setup:
            return self._watched(await reload())

        running.daemon._reload = watched_reload
        return recalled

    def _watch(self) -> None:
        assert self.daemon is not None
        self.daemon.ticker.reconfigure(self._watched(self.daemon.ticker.setup))

    def _watched(self, setup: Setup) -> Setup:
        return replace(
            setup,
            providers={n: WatchedProvider(p, self.life, self.witness) for n, p in setup.providers.items()},
            sources={n: WatchedSource(s, self.life) for n, s in setup.sources.items()},
        )

    async def end(self) -> None:
        await super().end()
        await self._open.aclose()

    async def is_refused_a_second(self) -> bool:
        """Whether another daemon on this journal is kept out."""
        try:
            async with assemble(load(self._folder / "config.toml", environ={}), clock=self.clock):
                return False
        except JournalLocked:
            return True


class HttpRun(Run):
    """One scenario over HTTP."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._wire = WirePlant(scenario, self.weather)
        self.plant = self._wire
        self.referee.truth = self.plant.ready
        self._servers: dict[str, EmulatorServer[Any]] = {}
        self._prom = AnswersQueries()
        self._prom_url = ""
        self._ends = AsyncExitStack()

    async def _open(self) -> None:
        scenario = self.scenario
        self.clock = ShiftedClock(starts_at=scenario.starts_at)
        true_clock = SystemClock(starts_at=scenario.starts_at)
        self._true_0 = self.clock.monotonic()
        fleet = EmulatedFleet(deployments=tuple(self._wire.emulated.values()))
        self.plant.world = fleet.build(scenario.starts_at)
        for kind in fleet.kinds:
            vendor = EMULATORS[kind](fleet, self.plant.world, true_clock)
            server = await self._ends.enter_async_context(EmulatorServer(vendor))
            self._servers[kind] = server
            self._count_strikes(server)
        self._prom_url = await self._ends.enter_async_context(serving(self._prom.app()))
        folder = Path(self._ends.enter_context(TemporaryDirectory()))
        self.house = WireHouse(self, folder, self.clock, self.referee)
        gauges = Gauges(self.plant, self.clock)
        for shop in {shop.name: shop for one in scenario.configurations for shop in one.shops}.values():
            for signal in ("queued", "running", "arrived_total", "started_total"):
                self._prom.values[f"{shop.name}_{signal}"] = self._answer(gauges, shop.name, signal)
        await self._start()

    def _answer(self, gauges: Gauges, service: str, signal: str) -> Any:
        def answer() -> float | str | None:
            name = f"{service}/{signal}"
            lie = self.weather.on(What.LIE, name)
            if lie is not None:
                return lie.word or lie.amount
            if self.weather.on(What.MISSING, name):
                return None
            return gauges.value(service, signal)

        return answer

    def _count_strikes(self, server: EmulatorServer[Any]) -> None:
        strike = server.faults.strike
        names = {kind: what for what, kind in _FAULTS.items()}

        def counted(method: str, path: str) -> list[Fault]:
            struck = strike(method, path)
            for fault in struck:
                self.weather.note(names[fault.kind])
                if fault.kind in (FaultKind.STALE_READS, FaultKind.ACCEPT_AND_IGNORE):
                    self.weather.last_lie = self.weather.tick
            return struck

        server.faults.strike = counted  # type: ignore[method-assign]

    async def _one_tick(self) -> None:
        self._prom.status = 500 if self.weather.on(What.SOURCE_BUG, "gateway") else 200
        self._prom.delay_s = 900.0 if self.weather.on(What.SOURCE_HANGS, "gateway") else 0.0
        await super()._one_tick()

    async def _begin(self, act: Act) -> None:
        if act.what is What.SAME_JOURNAL:
            if self.house.daemon is not None:
                assert isinstance(self.house, WireHouse)
                self.weather.note(act.what)
                if not await self.house.is_refused_a_second():
                    self._foul("lock", "a second daemon runs on the same journal")
            return
        await super()._begin(act)

    def _weathered(self) -> None:
        for short, kind in VENDORS.items():
            if kind in self._servers:
                faults = [
                    fault
                    for what in _FAULTS
                    for act in self.weather.acts(what)
                    if act.target.partition("/")[0] in ("", short)
                    for fault in [_fault(act)]
                ]
                if tuple(faults) != self._servers[kind].faults.active:
                    self._servers[kind].faults.set(faults)

    async def _close(self) -> None:
        await super()._close()
        await self._ends.aclose()

    def config(self, configuration: Configuration) -> Iterator[str]:
        """The configuration file."""
        yield f'[daemon]\ninterval_s = {self.scenario.interval_s}\njournal = "sqlite:journal.db"\n'
        if configuration.budget_usd_per_hour is not None:
            yield f"[budget]\nusd_per_hour = {configuration.budget_usd_per_hour}\n"
        yield f'[sources.prom]\nkind = "prometheus"\nurl = "{self._prom_url}"\n'
        places = configuration.places()
        for short in sorted({place.provider for place in places.values()}):
            server = self._servers[VENDORS[short]]
            yield f'[providers.{short}]\nkind = "{VENDORS[short]}"\nbase_url = "{server.base_url}"\n'
            yield from _toml(server.vendor.credentials())
        for key, usd in {**self.scenario.prices, **configuration.fixed_prices}.items():
            short, _, gpu_type = key.partition("/")
            if any(place.provider == short for place in places.values()):
                yield from _toml(
                    {"provider": short, "gpu_type": gpu_type, "usd_per_gpu_hour": usd}, "[[prices]]"
                )
        for shop in configuration.shops:
            yield from self._service(shop, configuration)

    def _service(self, shop: Shop, configuration: Configuration) -> Iterator[str]:
        yield from _toml(
            {
                "policies": list(shop.policies),
                "start_up_s": max(place.prior_s for place in shop.places),
                **shop.keys,
            },
            f"[services.{shop.name}]",
        )
        for name in signals_of(shop, configuration):
            at_zero = ", exists_at_zero = true" if name == "queued" and shop.wakes_by_signal else ""
            query = f'source = "prom", query = "{shop.name}_{name}", max_age_s = {shop.max_age_s}'
            yield f"signals.{name} = {{ {query}{at_zero} }}\n"
        for place in shop.places:
            key = f"{shop.name}/{place.name}"
            vendor = self._servers[VENDORS[place.provider]].vendor
            keys = {
                "name": place.name,
                "provider": place.provider,
                **vendor.ids(self._wire.id_of(key)),
                "capacity_per_replica": place.capacity,
                "min_replicas": place.min_replicas,
                "max_replicas": place.max_replicas,
            }
            yield from _toml(keys, f"[[services.{shop.name}.deployments]]")


def _fault(act: Act) -> Fault:
    sides: Mapping[str, Literal["reads", "writes"]] = {"write": "writes", "list": "reads", "read": "reads"}
    side = sides.get(act.word, "all")
    lost = act.what is What.ANSWER_LOST
    return Fault(
        kind=_FAULTS[act.what],
        applies_to="writes" if lost or act.what is What.IGNORE else side,
        probability=act.share,
        after_effect=lost,
        latency_s=act.amount if act.what is What.SLOW else 0.0,
        retry_after_s=act.amount if act.what is What.RATE_LIMITED else None,
        lag_s=act.amount * 15.0 if act.what is What.STALE_READS else 0.0,
    )


def _toml(table: Mapping[str, Any], head: str = "") -> list[str]:
    """Plain keys, and lists of tables, as TOML."""
    lines = [f"{head}\n"] if head else []
    tables = [
        key
        for key, value in table.items()
        if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping)
    ]
    lines += [f"{key} = {json.dumps(value)}\n" for key, value in table.items() if key not in tables]
    for key in tables:
        for inner in table[key]:
            lines += _toml(inner, f"[[{key}]]")
    return lines
