"""The vendors and the source of one run, in this process: ports over the world, and their troubles."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from autoscaler.core.model import (
    Absence,
    Observation,
    Phase,
    Price,
    Reading,
    ReplicaRange,
    Sample,
    ZeroCapability,
    exactly,
)
from autoscaler.ports import (
    BadReply,
    Busy,
    Clock,
    Inventory,
    NoCapacity,
    NotFound,
    Observed,
    OperationEnd,
    ProviderError,
    RateLimited,
    Receipt,
    Ref,
    Rejected,
    SignalQuery,
    Unauthorized,
    Unavailable,
)
from autoscaler.sources.values import reading
from autoscaler.world.plant import DeploymentSpec, OutOfStock, World
from autoscaler.world.start_up import StartUp
from tests.sim.soak.scenario import PROVIDER_ERRORS, Place, Scenario, What
from tests.sim.soak.weather import Weather

_ERRORS: Final[Mapping[What, type[ProviderError]]] = {
    What.UNAVAILABLE: Unavailable,
    What.BUSY: Busy,
    What.REJECTED: Rejected,
    What.NOT_FOUND: NotFound,
    What.UNAUTHORIZED: Unauthorized,
    What.NO_CAPACITY: NoCapacity,
    What.BAD_REPLY: BadReply,
}
_FOR_EVER_S: Final = 90_000.0
_HISTORY_TICKS: Final = 64


def the_error(what: What, retry_after_s: float) -> ProviderError:
    """The error of the closed set that this kind of trouble is."""
    if what is What.RATE_LIMITED:
        return RateLimited("too many calls", retry_after_s)
    return _ERRORS[what](what.value)


@dataclass
class Deployed:
    """One deployment as its vendor has it."""

    key: str
    place: Place
    asked: ReplicaRange
    busy_until: float = 0.0
    failure: ProviderError | None = None  # of the last change, told at the next look
    past: deque[tuple[int, Observation]] = field(default_factory=lambda: deque(maxlen=_HISTORY_TICKS))


class Plant:
    """The true state of everything outside the daemon; ``now`` is true time, which no clock change moves."""

    def __init__(self, scenario: Scenario, weather: Weather) -> None:
        self.scenario = scenario
        self.weather = weather
        self.world = World(scenario.seed, scenario.starts_at)
        self.demand = dict(scenario.demand)
        self.prices = dict(scenario.prices)
        self.deployed: dict[str, Deployed] = {}
        self.counted: dict[str, float] = {}  # requests so far, by service
        self.reset_by: dict[str, float] = {}  # counters start again from here, by service/signal
        self._counted_at = scenario.starts_at
        for configuration in scenario.configurations:
            for key, place in configuration.places().items():
                if key not in self.deployed:
                    self._deploy(key, place)

    def id_of(self, key: str) -> str:
        """The world's name of a deployment."""
        return key

    def _deploy(self, key: str, place: Place) -> None:
        count = max(place.replicas, 1) if place.zero == "impossible" else place.replicas
        self.deployed[key] = Deployed(key, place, exactly(count))
        self.world.add(
            DeploymentSpec(
                id=key,
                name=key,
                gpu_type=f"{place.provider}/{place.gpu_type}",
                gpus_per_replica=place.gpus,
                start_up=StartUp.fixed(place.start_up_s),
                initial_replicas=count,
            )
        )

    def advance(self, now: float) -> None:
        """Let time pass, and vendors' own autoscalers act."""
        if now <= self._counted_at:
            return
        self.world.advance(now)
        for service, level in self.demand.items():
            rate = level / self.scenario.service_s
            self.counted[service] = self.counted.get(service, 0.0) + rate * (now - self._counted_at)
        self._counted_at = now
        for one in self.deployed.values():
            if one.place.native or (one.place.wakes and one.asked.maximum == 0):
                self._scale_itself(one)

    def _scale_itself(self, one: Deployed) -> None:
        level = self.demand.get(one.key.partition("/")[0], 0.0)
        wanted = math.ceil(level / one.place.capacity)
        highest = max(one.asked.maximum, 1 if one.place.wakes and level > 0 else 0)
        with suppress(NoCapacity):  # The vendor finds no GPU for itself, and looks again.
            self._bring(one, min(max(wanted, one.asked.minimum), highest))

    def _bring(self, one: Deployed, count: int) -> None:
        try:
            self.world.set_replicas(self.id_of(one.key), count, self.world.now)
        except OutOfStock as error:
            raise NoCapacity(str(error)) from error

    def ask(self, one: Deployed, replicas: ReplicaRange) -> None:
        """Carry out a request. Raises: NoCapacity."""
        running = self.world.status(self.id_of(one.key)).replicas_set
        self._bring(one, min(max(running, replicas.minimum), replicas.maximum))
        one.asked = replicas

    def by_hand(self, key: str, count: int) -> bool:
        """Somebody uses the vendor's console. False: the vendor refused."""
        one = self.deployed[key]
        if count == 0 and one.place.zero == "impossible":
            return False
        try:
            self.ask(one, exactly(count))
        except NoCapacity:
            return False
        return True

    def ready(self, service: str) -> dict[str, int]:
        """Replicas of a service that really serve, by key."""
        prefix = f"{service}/"
        return {
            key: self.world.status(self.id_of(key)).ready for key in self.deployed if key.startswith(prefix)
        }

    def look(self, one: Deployed) -> Observation:
        """What the vendor says if it tells the truth."""
        status = self.world.status(one.key)
        serves = status.ready >= max(one.asked.minimum, status.replicas_set)
        phase = Phase.READY if serves else (Phase.SCALING if status.ready else Phase.STARTING)
        if one.asked.maximum == 0 and status.replicas_set == 0:
            phase = Phase.STOPPED
        free = self.world.gpus_free(self.world.spec(one.key).gpu_type)
        return Observation(
            replicas=one.asked,
            ready=status.ready,
            starting=status.starting,
            phase=phase,
            gpu_type=one.place.gpu_type,
            gpus_per_replica=one.place.gpus,
            native=one.place.native,
            wakes=one.place.wakes,
            zero=ZeroCapability(one.place.zero),
            available=None if free is None else free >= one.place.gpus,
            busy=self.world.now < one.busy_until,
        )


class Vendor:
    """A :class:`~autoscaler.ports.Provider` over the plant, with every trouble that the port allows."""

    def __init__(self, name: str, plant: Plant, clock: Clock) -> None:
        self.name = name
        self._plant = plant
        self._weather = plant.weather
        self._clock = clock  # the daemon's: what it dates prices with

    async def observe(self, refs: Sequence[Ref]) -> Observed:
        await self._trouble("list")
        ended: list[OperationEnd] = []
        answers: dict[str, Observation | ProviderError] = {}
        for ref in refs:
            one = self._plant.deployed[ref.key]
            if one.failure is not None:
                ended.append(OperationEnd(ref.key, one.failure))
                one.failure = None
            error = self._error(ref.key, "read")
            answers[ref.key] = error or self._seen(one)
        return Observed(answers, tuple(ended))

    async def read(self, ref: Ref) -> Observation:
        await self._trouble("read")
        error = self._error(ref.key, "read")
        if error is not None:
            raise error
        return self._seen(self._plant.deployed[ref.key])

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        await self._trouble("write")
        error = self._error(ref.key, "write")
        if error is not None:
            raise error
        one = self._plant.deployed[ref.key]
        if one.place.zero == "impossible" and replicas.minimum < 1:
            raise Rejected("at least one replica always")
        if self._plant.world.now < one.busy_until:
            raise Busy("another change is being applied")
        await self._apply(one, replicas)
        if self._weather.on(What.ANSWER_LOST, self.name):
            raise Unavailable("the connection broke")
        return Receipt()

    async def _apply(self, one: Deployed, replicas: ReplicaRange) -> None:
        weather, plant = self._weather, self._plant
        if weather.on(What.IGNORE, self.name):
            weather.last_lie = weather.tick
            return
        failing = weather.on(What.LATE_FAILURE, self.name)
        if failing is not None:
            one.failure = the_error(What(failing.word), failing.amount)
            return
        late = weather.on(What.LATE, self.name)
        if late is not None:
            weather.last_lie = weather.tick
            at = plant.world.now + late.amount
            one.busy_until = at
            plant.world.call_at(at, lambda _: self._deliver(one, replicas))
            return
        increase = replicas.minimum - one.asked.minimum
        if increase > 1 and weather.on(What.PARTIAL, self.name):
            lower = one.asked.minimum + 1
            replicas = ReplicaRange(lower, lower if replicas.is_exact else replicas.maximum)
        plant.ask(one, replicas)

    def _deliver(self, one: Deployed, replicas: ReplicaRange) -> None:
        try:
            self._plant.ask(one, replicas)
        except NoCapacity as error:
            one.failure = error

    async def prices(self) -> Mapping[str, Price]:
        if self._weather.on(What.PRICES_GONE, self.name):
            raise Unavailable("no prices today")
        prefix = f"{self.name}/"
        return {
            key.removeprefix(prefix): Price(usd, self._clock.now())
            for key, usd in self._plant.prices.items()
            if key.startswith(prefix)
        }

    async def inventory(self) -> Inventory:
        return Inventory(())

    async def close(self) -> None:
        pass

    # --- trouble --------------------------------------------------------------------------------

    async def _trouble(self, call: str) -> None:
        """What strikes the whole call."""
        weather = self._weather
        if weather.is_calm:
            return
        slow = weather.on(What.SLOW, self.name, call)
        if slow is not None:
            await asyncio.sleep(slow.amount)
        if weather.on(What.HANG, self.name, call):
            await asyncio.sleep(_FOR_EVER_S)
        if weather.on(What.CRASH, self.name, call):
            raise KeyError("an adapter's own bug")
        for what in PROVIDER_ERRORS:
            act = weather.on(what, self.name, call)
            if act is not None:
                raise the_error(what, act.amount)

    def _error(self, key: str, call: str) -> ProviderError | None:
        """What strikes one deployment: acts whose target is its key."""
        if self._weather.is_calm:
            return None
        for what in PROVIDER_ERRORS:
            act = self._weather.on(what, key, call)
            if act is not None:
                return the_error(what, act.amount)
        return None

    def _seen(self, one: Deployed) -> Observation:
        """The truth, or what this vendor says instead."""
        weather = self._weather
        truth = self._plant.look(one)
        if not one.past or one.past[-1][0] != weather.tick:
            one.past.append((weather.tick, truth))
        if weather.is_calm:
            return truth
        stale = weather.on(What.STALE_READS, self.name)
        if stale is not None:
            weather.last_lie = weather.tick
            old = [seen for tick, seen in one.past if tick <= weather.tick - stale.amount]
            truth = old[-1] if old else one.past[0][1]
        for what, change in _LIES.items():
            if weather.on(what, self.name):
                weather.last_lie = weather.tick
                truth = replace(truth, **change)  # type: ignore[arg-type]
        return truth


_LIES: Final[Mapping[What, Mapping[str, object]]] = {
    What.READY_UNKNOWN: {"ready": None, "starting": None},
    What.PHASE_UNKNOWN: {"phase": Phase.UNKNOWN},
    What.PHASE_FAILED: {"phase": Phase.FAILED},
}


class Gauges:
    """A :class:`~autoscaler.ports.SignalSource`: what the services' gateways would export."""

    name = "gateway"

    def __init__(self, plant: Plant, clock: Clock) -> None:
        self._plant = plant
        self._clock = clock
        self._frozen: dict[tuple[str, str], Sample] = {}

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        weather = self._plant.weather
        if weather.on(What.SOURCE_HANGS, self.name):
            await asyncio.sleep(_FOR_EVER_S)
        if weather.on(What.SOURCE_BUG, self.name):
            raise RuntimeError("a source's own bug")
        now = self._clock.now()
        return {query.key: self._reading(query, now) for query in queries}

    def _reading(self, query: SignalQuery, now: float) -> Reading:
        value = self.value(query.service, query.signal)
        truth: Reading = Absence("missing") if value is None else Sample(value, now)
        weather = self._plant.weather
        if weather.is_calm:
            return truth
        name = f"{query.service}/{query.signal}"
        if weather.on(What.MISSING, name):
            return Absence("missing")
        lie = weather.on(What.LIE, name)
        if lie is not None:
            return reading(float(lie.word) if lie.word else lie.amount, now)
        if weather.on(What.STALE_SIGNAL, name):
            if isinstance(truth, Sample):
                return self._frozen.setdefault(query.key, truth)
            return truth
        self._frozen.pop(query.key, None)
        future = weather.on(What.FUTURE_SIGNAL, name)
        if future is not None and isinstance(truth, Sample):
            return Sample(truth.value, now + future.amount)
        return truth

    def value(self, service: str, signal: str) -> float | None:
        """The true value of a signal now; None where nothing runs that would export it."""
        plant = self._plant
        level = plant.demand.get(service, 0.0)
        ready = plant.ready(service)
        carries = sum(count * plant.deployed[key].place.capacity for key, count in ready.items())
        running = min(level, carries)
        if signal == "queued":
            return level - running
        if signal == "running":
            return running if carries else None
        counted = plant.counted.get(service, 0.0) * (1.0 if signal == "arrived_total" or carries else 0.0)
        return max(0.0, math.floor(counted - plant.reset_by.get(f"{service}/{signal}", 0.0)))

    def reset(self, service: str, signal: str) -> None:
        """A counter starts from zero again."""
        self._plant.reset_by[f"{service}/{signal}"] = self._plant.counted.get(service, 0.0)

    async def close(self) -> None:
        pass
