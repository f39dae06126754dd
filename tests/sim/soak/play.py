"""One run: the daemon in virtual time, the scenario's acts around it, and the referee beside it."""

from __future__ import annotations

import asyncio
import logging
import selectors
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from autoscaler.core.codec import (
    memory_from_json,
    memory_to_json,
    plan_from_json,
    plan_to_json,
    snapshot_from_json,
)
from autoscaler.core.decide import decide, fold
from autoscaler.core.memory import Memory
from autoscaler.core.model import Override, Pause, Plan
from autoscaler.daemon.recall import Recalled
from autoscaler.daemon.report import ControlError
from autoscaler.ports import JournalError
from tests.daemon.mortal import Killed
from tests.daemon.rig import ShiftedClock
from tests.sim.soak.calm import STABLE_TICKS, Calm
from tests.sim.soak.house import House, a_rival
from tests.sim.soak.plant import Gauges, Plant
from tests.sim.soak.referee import Foul, Referee
from tests.sim.soak.scenario import PEOPLE, Act, Scenario, What
from tests.sim.soak.weather import Weather
from tests.virtual_time import JumpingSelector, VirtualTimeLoop

REPLAY_TICKS: Final = 20
"""Every so often a journalled tick is decided again from its own record."""

CHORES_TICKS: Final = 50
"""Every so often there are upkeep, a scrape, and a look whether somebody at zero has demand."""

HONEST_TICKS: Final = 100
"""After so many ticks without an untruth what the journal saw is what was there."""


@dataclass
class Verdict:
    """What came of one run."""

    seed: int
    fouls: list[Foul]
    fingerprint: str
    ticks: int
    struck: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    fouled_at_tick: int | None = None

    @property
    def check(self) -> str | None:
        """Which check failed first."""
        return self.fouls[0].check if self.fouls else None


def play(scenario: Scenario) -> Verdict:
    """Play a scenario to its end, or to its first foul."""
    if scenario.http:
        from tests.sim.soak.wire import HttpRun

        run: Run = HttpRun(scenario)
    else:
        run = Run(scenario)
    with asyncio.Runner(loop_factory=VirtualTimeLoop if scenario.http else DryLoop) as runner:
        return runner.run(run.play())


class _NoSockets(JumpingSelector):
    """Where nothing of this process listens or calls, the kernel need not be asked."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits for something that nobody does"
        self.now_s += max(0.0, timeout)
        return []


class DryLoop(VirtualTimeLoop):
    """Virtual time without sockets and threads: some thousand ticks a second instead of some hundred."""

    def __init__(self) -> None:
        self._jumping = _NoSockets()
        asyncio.SelectorEventLoop.__init__(self, self._jumping)


class Run:
    """One scenario being played in this process."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.weather = Weather(scenario)
        self.plant = Plant(scenario, self.weather)
        self.referee = Referee(scenario.interval_s, self.plant.ready, self._trusts)
        self.reasons: Counter[str] = Counter()
        self.tick = 0
        self._down_until = 0
        self._rival: House | None = None
        self._rival_until = 0
        self._people: list[asyncio.Task[None]] = []
        self._calm_ticks: list[tuple[float, Mapping[str, Any]]] = []
        self._strays: list[str] = []
        self._down_ticks = 0
        self._known: Memory | None = None  # of the process that is gone

    def _trusts(self) -> bool:
        return self.weather.tick - self.weather.last_lie > HONEST_TICKS

    async def play(self) -> Verdict:
        """Storm, calm, and the checks of the end."""
        scenario = self.scenario
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self._strays.append(str(context)))
        with _listening(self._strays):
            await self._open()
            last = scenario.storm_ticks + scenario.calm_ticks
            while self.tick < last and not self.referee.fouls:
                if self.tick == scenario.storm_ticks:
                    await self._calm_down()
                await self._one_tick()
                self.tick += 1
            if scenario.calm_ticks and not self.referee.fouls:
                self._finish()
            await self._close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left and not self.referee.fouls:
            self._foul("tasks", f"left over: {sorted(task.get_name() for task in left)}")
        return Verdict(
            scenario.seed,
            self.referee.fouls,
            self.referee.fingerprint.text(),
            self.tick,
            self.weather.struck,
            self.reasons,
            self.referee.writes,
            self.tick if self.referee.fouls else None,
        )

    def _foul(self, check: str, text: str) -> None:
        self.referee.fouls.append(Foul(check, self.clock.now(), text))

    # --- the daemon's life ----------------------------------------------------------------------

    async def _open(self) -> None:
        self.clock = ShiftedClock(starts_at=self.scenario.starts_at)
        self._true_0 = self.clock.monotonic()
        self.house = House(self.scenario, self.plant, self.clock, self.referee)
        await self._start()

    async def _start(self) -> None:
        configuration = self.scenario.configurations[self.house.configured]
        try:
            recalled = await self.house.start()
        except (JournalError, Killed):
            await self.house.end()
            return
        self.referee.configured(configuration)
        known, self._known = self._known, None
        if known is not None and self.referee.one_configuration:
            self._remembers(known, recalled)

    async def _close(self) -> None:
        await self.house.end()
        if self._rival is not None:
            await self._rival.end()
        for task in self._people:
            task.cancel()
        await asyncio.gather(*self._people, return_exceptions=True)

    async def _stop(self, ticks: int) -> None:
        """The process is gone, for so many ticks; what it knew must come back with the next one."""
        if self.house.daemon is not None:
            self._known = self.house.daemon.ticker.state.memory
        await self.house.end()
        self.referee.ended()
        self._down_until = self.tick + ticks

    def _remembers(self, known: Memory, recalled: Recalled) -> None:
        """What the journal gives back is what the process before knew."""
        memory, last = recalled.memory, recalled.last_tick
        if memory != known and last is not None and memory.at != known.at:
            # It died between the journal's answer and its own note of it.
            plan = plan_from_json(last.body["plan"])
            known = fold(known, snapshot_from_json(last.body["snapshot"]), plan, self.house.fleet())
        if memory != known:
            self._foul("recall", f"memory after a restart differs: {_difference(known, memory)}")

    # --- one tick -------------------------------------------------------------------------------

    async def _one_tick(self) -> None:
        began = self.clock.monotonic()
        self.plant.advance(self.scenario.starts_at + began - self._true_0)
        for act in self.weather.turn(self.tick):
            await self._begin(act)
        self._weathered()
        if self.house.daemon is None and self.tick >= self._down_until:
            await self._start()
        if self.house.daemon is not None:
            await self._live()
        await self._rivalry()
        await self.clock.sleep(max(0.0, self.scenario.interval_s - (self.clock.monotonic() - began)))

    def _weathered(self) -> None:
        """The acts in force have changed, perhaps."""

    async def _live(self) -> None:
        daemon = self.house.daemon
        assert daemon is not None
        before = daemon.ticker.state.memory
        self.house.reports.clear()
        try:
            await daemon.tick()
            await self.house.idle()
            if self.tick % CHORES_TICKS == 0:
                await self._chores()
        except Killed:
            self.weather.note(What.KILLED)
            await self._stop(self._down_ticks)
            return
        self.referee.ended()
        self._heard()
        reports = self.house.reports
        if not reports:
            self._foul("tick", "a tick did not end")
        for report in reports:
            self.reasons.update(decision.reason for decision in report.plan.decisions)
            if report.violations:
                self._foul("own checker", f"{dict(report.violations)}: {_changes(report.plan)}")
        if self.tick % REPLAY_TICKS == 0 and len(reports) == 1 and daemon.ticker.state.memory is not before:
            self._replay(before)
        if self.tick >= self.scenario.storm_ticks and self.referee.last is not None:
            self._calm_ticks.append(self.referee.last)

    async def _chores(self) -> None:
        """What the scheduler and Prometheus do now and then. Raises: Killed."""
        house = self.house
        assert house.daemon is not None
        assert house.telemetry is not None
        await house.telemetry.exposition()
        await house.daemon._upkeep()
        if await house.daemon.ticker.wakes():
            house.daemon.wake()
            await house.idle()

    def _heard(self) -> None:
        if self._strays:
            self._foul("log", "; ".join(self._strays))
            self._strays.clear()

    def _replay(self, before: Memory) -> None:
        """Promise 12, over the journal: the record, read again, gives the plan that was journalled."""
        assert self.referee.last is not None
        _, body = self.referee.last
        again = plan_to_json(decide(snapshot_from_json(body["snapshot"]), before, self.house.fleet()))
        if again != body["plan"]:
            self._foul(
                "12", f"decided otherwise when asked again: {_first_difference(body['plan'], again, '')}"
            )

    async def _rivalry(self) -> None:
        if self._rival is None:
            return
        if self.tick >= self._rival_until:
            await self._rival.end()
            self._rival = None
            return
        assert self._rival.daemon is not None
        await self._rival.daemon.tick()
        self._rival.reports.clear()

    # --- acts -----------------------------------------------------------------------------------

    async def _begin(self, act: Act) -> None:
        what = act.what
        if what in PEOPLE:
            task = asyncio.get_running_loop().create_task(self._person(act), name=f"{what} at {act.tick}")
            if act.mid:
                self._people = [one for one in self._people if not one.done()] + [task]
            else:
                await task
        elif what in _WORLD:
            self._world(act)
        else:
            await self._around(act)

    def _world(self, act: Act) -> None:
        plant, what, world = self.plant, act.what, self.plant.world
        if what is What.KILL:
            if world.kill_replica(plant.id_of(act.target), world.now):
                self.weather.note(what)
            return
        self.weather.note(what)
        if what is What.START_FAILS:
            world.start_up_fails(plant.id_of(act.target), int(act.amount), world.now)
        elif what is What.PRICE:
            plant.prices[act.target] = act.amount
        elif what is What.BY_HAND:
            plant.by_hand(act.target, int(act.amount))
        elif what is What.DEMAND:
            for name in [act.target] if act.target else list(plant.demand):
                plant.demand[name] = act.amount
        elif what is What.STOCK:
            world.set_stock(act.target, int(act.amount))
            world.call_at(
                world.now + act.ticks * self.scenario.interval_s, lambda _: world.set_stock(act.target, None)
            )
        elif what is What.COUNTER_RESET:
            Gauges(plant, self.clock).reset(*act.target.split("/"))

    async def _around(self, act: Act) -> None:
        what = act.what
        if what is What.CLOCK:
            self.weather.note(what)
            self.clock.ahead_s += act.amount
        elif what is What.RELOAD:
            await self._reload(int(act.amount))
        elif what is What.STOPPED and self.house.daemon is not None:
            self.weather.note(what)
            await self._stop(act.ticks)
        elif what is What.KILLED and self.house.daemon is not None:
            self._down_ticks = act.ticks
            self.house.life.die_in(int(act.amount), after_effect=act.word == "after")
        elif what is What.RIVAL and self._rival is None:
            self.weather.note(what)
            self._rival = a_rival(self.scenario, self.plant, self.clock)
            self._rival.configured = self.house.configured
            self._rival_until = self.tick + act.ticks
            await self._rival.start()

    async def _reload(self, configured: int) -> None:
        """Other files are on disk, and the daemon, if there is one, is told."""
        self.house.configured = configured
        if self.house.daemon is None:
            return
        with suppress(Killed):  # The next tick finds it dead.
            if await self.house.daemon.reload():
                self.weather.note(What.RELOAD)
                self.referee.configured(self.scenario.configurations[configured])

    async def _person(self, act: Act) -> None:
        """A person acts now, or in the middle of the coming tick."""
        daemon = self.house.daemon
        if act.mid:
            for _ in range(1 + act.tick % 12):
                await asyncio.sleep(0)
        if daemon is None or daemon is not self.house.daemon:
            return
        service, _, deployment = act.target.partition("/")
        until = daemon.now() + max(1, act.ticks) * self.scenario.interval_s
        try:
            if act.what is What.PAUSE:
                await daemon.pause(Pause(service or None, act.word or None, until, "a reason", "anna"))
            elif act.what is What.RESUME:
                await daemon.resume(service or None, None, reason="", actor="anna")
            elif act.what is What.OVERRIDE:
                least = int(act.amount) if act.word != "at_most" else None
                most = int(act.amount) if act.word != "at_least" else None
                await daemon.override(Override(service, deployment or None, least, most, until, "", "anna"))
            else:
                await daemon.clear_override(service, deployment or None, reason="", actor="anna")
        except (ControlError, JournalError, Killed):
            return  # Refused, or nobody is there to hear it.
        self.weather.note(act.what)

    # --- the end --------------------------------------------------------------------------------

    async def _calm_down(self) -> None:
        """Faults and people's acts end; demand is constant from here on."""
        scenario = self.scenario
        self.weather.turn(self.tick)
        self.house.life.die_in(0, after_effect=False)
        if self._rival is not None:
            await self._rival.end()
            self._rival = None
        if self.house.daemon is None:
            await self._start()
        self.plant.demand.update(scenario.calm_demand)
        for key in scenario.final().places():
            world, id_ = self.plant.world, self.plant.id_of(key)
            world.start_up_fails(id_, 0, world.now)
            world.set_stock(world.spec(id_).gpu_type, None)
        daemon = self.house.daemon
        assert daemon is not None
        for shop in scenario.final().shops:
            await daemon.clear_override(shop.name, None, reason="calm", actor="anna")
        await daemon.resume(None, None, reason="calm", actor="anna")

    def _finish(self) -> None:
        scenario = self.scenario
        settled_s = (scenario.calm_ticks - STABLE_TICKS) * scenario.interval_s / 2
        calm = Calm(scenario.final(), scenario.calm_demand, self.referee)
        self.referee.fouls.extend(calm.judge(self._calm_ticks, settled_s))
        for key, place in scenario.final().places().items():
            status = self.plant.world.status(self.plant.id_of(key))
            if status.starting or (not place.native and status.ready != self.plant.deployed[key].asked[0]):
                self._foul("calm: not ready", f"{key}: {status}, asked for {self.plant.deployed[key].asked}")


_WORLD: Final = frozenset(
    {
        *(What.KILL, What.START_FAILS, What.PRICE, What.BY_HAND, What.DEMAND, What.STOCK),
        What.COUNTER_RESET,
    }
)


def _changes(plan: Plan) -> str:
    return "; ".join(
        f"{d.service}/{d.deployment} {d.range_from} to {d.range_to}: {d.reason}, {d.why}"
        for d in plan.decisions
        if d.changes
    )


@contextmanager
def _listening(heard: list[str]) -> Iterator[None]:
    """Logs go nowhere but for a tick that failed, with its traceback."""

    def listen(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        if str(event.get("event", "")).startswith("a tick failed"):
            heard.append(traceback.format_exc())
        raise structlog.DropEvent

    before, disabled = structlog.get_config(), logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # aiohttp's servers tell of every client that went away
    structlog.configure(
        processors=[listen],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.disable(disabled)


def _difference(known: Memory, recalled: Memory) -> str:
    one, other = memory_to_json(known), memory_to_json(recalled)
    assert memory_from_json(one) == known
    return _first_difference(one, other, "")


def _first_difference(one: Any, other: Any, path: str) -> str:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                return _first_difference(one.get(key), other.get(key), f"{path}.{key}")
    return f"{path}: {one!r} is {other!r}"
