"""Acting and observing at the ports themselves: what neither an adapter nor a source catches before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from autoscaler.clock import SteadyClock, SystemClock
from autoscaler.core.fleet import Deployment
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Absence,
    Decision,
    ErrorKind,
    Observation,
    Outcome,
    OutcomeWord,
    Phase,
    Price,
    Reading,
    ReplicaRange,
    Sample,
    exactly,
)
from autoscaler.daemon.act import WRITES_AT_ONCE, act
from autoscaler.daemon.observe import Observer, instant_of_tick
from autoscaler.daemon.recall import recall
from autoscaler.daemon.setup import Setup
from autoscaler.daemon.tick import Ticker
from autoscaler.journals.memory import MemoryJournal
from autoscaler.ports import (
    Inventory,
    JournalError,
    Observed,
    ProviderError,
    RateLimited,
    Receipt,
    Record,
    Ref,
    SignalQuery,
)
from tests.core.fleets import START, a_fleet, a_service

pytestmark = pytest.mark.virtual_time

HOUR_S = 3600.0
QUERIES = tuple(SignalQuery("chat", name, "q") for name in ("queued", "running"))


def nothing(_ref: Ref) -> None:
    """No trouble."""


@dataclass
class Vendor:
    """A vendor in this process: it does what it is told at once, unless ``trouble`` raises."""

    name: str
    clock: SystemClock
    counts: dict[str, int]
    delay_s: float = 0.0
    trouble: Callable[[Ref], None] = nothing
    writes: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    looks: int = 0

    async def observe(self, refs: Sequence[Ref]) -> Observed:
        self.looks += 1
        await self.clock.sleep(self.delay_s)
        found: dict[str, Observation | ProviderError] = {}
        for ref in refs:
            self.trouble(ref)
            found[ref.key] = await self.read(ref)
        return Observed(found)

    async def read(self, ref: Ref) -> Observation:
        count = self.counts[ref.key]
        return Observation(exactly(count), count, phase=Phase.READY)

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        self.writes.append(ref.key)
        self.asked[ref.key] = replicas.minimum
        await self.clock.sleep(self.delay_s)
        self.trouble(ref)
        self.counts[ref.key] = replicas.minimum
        return Receipt()

    async def prices(self) -> Mapping[str, Price]:
        return {}

    async def inventory(self) -> Inventory:
        return Inventory(())

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Source:
    """A source that answers after a while."""

    name: str
    clock: SystemClock
    delay_s: float = 0.0
    value: float = 0.0

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        await self.clock.sleep(self.delay_s)
        return {query.key: Sample(self.value, self.clock.now()) for query in queries}

    async def close(self) -> None:
        """Nothing is held."""


def a_setup(vendor: Vendor, *others: Vendor, source: Source | None = None) -> Setup:
    """A service with the deployments ``a`` and ``b`` at the vendor, and ``c`` at each other one."""
    deployments = [Deployment("chat", name, vendor.name, 16, 6) for name in "ab"]
    deployments += [Deployment("chat", "c", other.name, 16, 6) for other in others]
    vendors = (vendor, *others)
    return Setup(
        fleet=a_fleet(a_service(deployments=tuple(deployments))),
        providers={one.name: one for one in vendors},
        refs={one.name: tuple(Ref(key, {}) for key in one.counts) for one in vendors},
        sources={} if source is None else {source.name: source},
        queries={}
        if source is None
        else {source.name: tuple(SignalQuery("chat", name, "q") for name in ("queued", "running"))},
        push=lambda *_: None,
    )


def an_increase(name: str) -> Decision:
    return Decision("chat", name, 2, 3, "queue_depth", "more", exactly(2), exactly(3))


def vendors(clock: SystemClock) -> tuple[Vendor, Vendor]:
    return Vendor("exo", clock, {"chat/a": 2, "chat/b": 2}), Vendor("other", clock, {"chat/c": 2})


def limits(_ref: Ref) -> None:
    raise RateLimited("too many", 90.0)


# --- acting ---------------------------------------------------------------------------------------


async def test_after_a_limit_no_other_write_of_that_vendor_is_sent_and_its_time_is_told() -> None:
    clock = SystemClock()
    names = [f"d{number}" for number in range(2 * WRITES_AT_ONCE)]
    exo = Vendor("exo", clock, {f"chat/{name}": 2 for name in names}, trouble=limits)

    outcomes = await act([an_increase(name) for name in names], a_setup(exo), clock, 60.0)

    refused = (OutcomeWord.REJECTED, ErrorKind.RATE_LIMITED, 90.0)
    assert outcomes == tuple(Outcome("chat", name, *refused) for name in names)
    assert len(exo.writes) == WRITES_AT_ONCE, "those that were under way already"


async def test_a_write_without_an_answer_is_a_timeout_and_not_accepted() -> None:
    clock = SystemClock()
    exo, other = vendors(clock)
    exo.delay_s = HOUR_S
    began = clock.monotonic()

    outcomes = await act((an_increase("a"), an_increase("c")), a_setup(exo, other), clock, 60.0)

    assert outcomes == (
        Outcome("chat", "a", OutcomeWord.TIMEOUT, ErrorKind.UNAVAILABLE),
        Outcome("chat", "c", OutcomeWord.ACCEPTED),
    )
    assert clock.monotonic() - began == pytest.approx(6.0), "0.4 of the interval for one call"


async def test_what_was_refused_and_what_failed_are_told_apart() -> None:
    clock = SystemClock()
    exo, other = vendors(clock)

    def trouble(ref: Ref) -> None:
        raise {"chat/a": NoGpu, "chat/b": Down}[ref.key]("no")

    exo.trouble = trouble
    outcomes = await act((an_increase("a"), an_increase("b")), a_setup(exo, other), clock, 60.0)

    assert [(one.outcome, one.error) for one in outcomes] == [
        (OutcomeWord.REJECTED, ErrorKind.NO_CAPACITY),
        (OutcomeWord.FAILED, ErrorKind.UNAVAILABLE),
    ]


class NoGpu(ProviderError):
    kind = ErrorKind.NO_CAPACITY


class Down(ProviderError):
    kind = ErrorKind.UNAVAILABLE


# --- observing ------------------------------------------------------------------------------------


async def test_a_vendor_that_hangs_costs_its_deadline_and_hides_only_its_own() -> None:
    clock = SystemClock()
    exo, other = vendors(clock)
    exo.delay_s = HOUR_S
    began = clock.monotonic()

    seen, _ = await Observer(a_setup(exo, other), clock).deployments()

    assert clock.monotonic() - began == pytest.approx(6.0)
    assert {key: one.error for key, one in seen.items()} == {
        "chat/a": ErrorKind.UNAVAILABLE,
        "chat/b": ErrorKind.UNAVAILABLE,
        "chat/c": None,
    }


async def test_a_source_that_hangs_costs_its_deadline_and_is_named() -> None:
    clock = SystemClock()
    exo, _ = vendors(clock)
    began = clock.monotonic()

    readings = await Observer(a_setup(exo, source=Source("slow", clock, HOUR_S)), clock).signals()

    assert clock.monotonic() - began == pytest.approx(6.0)
    late = Absence("timeout", "source slow")
    assert readings == {"chat": {"queued": late, "running": late}}


async def test_a_vendor_is_not_looked_at_while_its_limit_lasts() -> None:
    clock = SystemClock()
    exo, other = vendors(clock)
    exo.trouble = limits
    observer = Observer(a_setup(exo, other), clock)
    await observer.deployments()
    exo.trouble = nothing

    await clock.sleep(89.0)
    seen, _ = await observer.deployments()
    assert (exo.looks, seen["chat/a"].error) == (1, ErrorKind.RATE_LIMITED)

    await clock.sleep(2.0)
    seen, _ = await observer.deployments()
    assert (exo.looks, seen["chat/a"].error) == (2, None)


def test_a_tick_is_later_than_the_one_before_it_whatever_the_clock_says() -> None:
    before = replace(Memory(), at=START)

    assert instant_of_tick(START + 1, before) == START + 1
    assert instant_of_tick(START, before) == START + 0.001
    assert instant_of_tick(START - 5, before) == START + 0.001
    assert instant_of_tick(START, Memory()) == START


# --- whole ticks ----------------------------------------------------------------------------------


class SetByHand(SystemClock):
    """A machine whose wall clock a person sets."""

    ahead_s = 0.0

    def now(self) -> float:
        return round(super().now() + self.ahead_s, 3)


class Disk(MemoryJournal):
    """A journal whose disk may be full."""

    is_full = False

    async def append(self, record: Record) -> int:
        if self.is_full:
            raise JournalError("the disk is full")
        return await super().append(record)


async def test_a_tick_that_ends_in_the_middle_of_its_writes_leaves_their_fate_open() -> None:
    clock = SystemClock(starts_at=START)
    exo, _ = vendors(clock)
    exo.delay_s = 2.0
    source = Source("prom", clock, value=30.0)
    journal = MemoryJournal()
    setup = a_setup(exo, source=source)
    ticker = Ticker(setup, journal, SteadyClock(clock))

    async with asyncio.TaskGroup() as group:
        tick = group.create_task(ticker.tick())
        await clock.sleep(3.0)  # observed, journalled, and the write is under way
        tick.cancel()
    exo.counts.update(exo.asked)  # The vendor took it all the same.
    exo.delay_s = 0.0

    assert ticker.state.outcomes is None
    assert (await recall(journal, setup.fleet)).outcomes is None
    await clock.sleep(15.0)
    report = await ticker.tick()
    assert "drift" not in {decision.reason for decision in report.plan.decisions}


async def test_a_jump_of_the_clock_is_told_by_the_first_tick_that_can_be_journalled() -> None:
    clock = SetByHand(starts_at=START)
    exo, _ = vendors(clock)
    journal = Disk()
    ticker = Ticker(a_setup(exo, source=Source("prom", clock)), journal, SteadyClock(clock))
    await ticker.tick()

    clock.ahead_s = -100.0
    journal.is_full = True
    for _ in range(2):
        await clock.sleep(15.0)
        await ticker.tick()
    journal.is_full = False
    await clock.sleep(15.0)

    assert (await ticker.tick()).snapshot.clock == "back"
    await clock.sleep(15.0)
    assert (await ticker.tick()).snapshot.clock is None
