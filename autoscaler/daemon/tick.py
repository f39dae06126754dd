"""One tick, a straight line: observe, decide, check, journal, act, report."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import structlog

from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Decision,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Plan,
    Price,
    Reading,
    Snapshot,
)
from autoscaler.core.promises import Violation
from autoscaler.core.turn import turn
from autoscaler.daemon import people, prices
from autoscaler.daemon.act import act
from autoscaler.daemon.observe import Observer, instant_of_tick
from autoscaler.daemon.recall import CHECKPOINT_TICKS
from autoscaler.daemon.records import checkpoint_body, outcomes_body, tick_body
from autoscaler.daemon.report import TickReport, start_up_estimates
from autoscaler.daemon.setup import Setup, tick_deadline_s
from autoscaler.daemon.shadows import Shadows, Tick
from autoscaler.ports import Clock, Journal, JournalError, Record

log = structlog.stdlib.get_logger("autoscaler.tick")


class TickClock(Clock, Protocol):
    """A clock that never goes back and tells when the wall's did."""

    def jumped(self) -> Literal["back", "ahead"] | None:
        """The jump since this was last asked, if any."""
        ...


@dataclass(frozen=True, slots=True)
class Untold:
    """Facts that are told once, kept until a tick with them has been journalled."""

    ended: tuple[Outcome, ...] = ()  # changes of earlier ticks that failed
    prices: Mapping[str, Price] = field(default_factory=dict)
    jump: Literal["back", "ahead"] | None = None


@dataclass(slots=True)
class TickState:
    """What one tick leaves to the next, beside the memory."""

    memory: Memory = field(default_factory=Memory)
    outcomes: tuple[Outcome, ...] | None = ()  # of the last plan; None: nobody knows
    human: Human = field(default_factory=Human)  # acts in force
    human_changed: bool = False
    ticks: int = 0
    journal_broken: bool = False
    untold: Untold = field(default_factory=Untold)


class Ticker:
    """Runs ticks, one at a time. ``before`` is the memory that the plan of ``latest`` was made from."""

    def __init__(
        self,
        setup: Setup,
        journal: Journal,
        clock: TickClock,
        state: TickState | None = None,
        on_journal_error: Callable[[], None] = lambda: None,
    ) -> None:
        self.setup = setup
        self.state = state or TickState()
        self.before = self.state.memory
        self.latest: TickReport | None = None
        self.catalogue: prices.Catalogue = {}
        """Every price in force at the last tick."""
        self.order = asyncio.Lock()
        """Held from the moment a tick takes the human acts until it is journalled, and by human acts."""
        self.shadows = Shadows(journal, setup.shadows)
        self._journal = journal
        self._clock = clock
        self._observer = Observer(setup, clock)
        self._on_journal_error = on_journal_error
        self._prices: prices.PriceBook | None = None  # None: not recalled yet

    def reconfigure(self, setup: Setup) -> None:
        """From the next tick on. Limits of reads are forgotten: the credentials may be others."""
        self.setup = setup
        self.shadows.reconfigure(setup.shadows)
        self._observer = Observer(setup, self._clock)

    async def wakes(self) -> bool:
        """Whether a service at zero has demand again; reads only the signals that exist at zero."""
        asleep = frozenset(name for name in self.setup.fleet.services if self.is_asleep(name))
        return bool(asleep) and await self._observer.waking(asleep)

    def is_asleep(self, service: str) -> bool:
        """Whether the service has no replica and the last tick saw no demand that it could have acted on."""
        memory = self.state.memory
        known = memory.services.get(service)
        if known is None or known.demand_seen_at == memory.at:
            return False
        found = [memory.deployments.get(d.key) for d in self.setup.fleet.services[service].deployments]
        return all(one is not None and one.replicas_set == 0 for one in found)

    async def tick(self) -> TickReport:
        """Observe, decide, check, journal, act. Never raises for expected trouble."""
        setup, state, clock = self.setup, self.state, self._clock
        started = clock.monotonic()
        at = instant_of_tick(clock.now(), state.memory)
        deployments, signals = await self._look()
        async with self.order:
            snapshot = Snapshot(
                at=at,
                signals=signals,
                deployments=deployments,
                prices=state.untold.prices,
                human=state.human if state.human_changed or state.human.resumes else None,
                outcomes=self._outcomes(state.untold.ended),
                clock=state.untold.jump,
            )
            before = state.memory
            turned = turn(before, snapshot, setup.fleet, twice=state.ticks % CHECKPOINT_TICKS == 0)
            plan, after, broken, writes = turned.plan, turned.after, turned.broken, turned.writes
            _tell_broken(broken)
            # Intent before effect. None: not journalled, so nothing may be sent, and nothing has happened.
            seq = await self._append("tick", tick_body(snapshot, turned), at=snapshot.at)
            if seq is not None:
                state.memory = after
                state.human, state.human_changed = after.human, False
                state.untold = Untold()
                # Until they are known: a tick that ends here must not lend them those of the plan before.
                state.outcomes = None if writes else ()
        outcomes: tuple[Outcome, ...] = ()
        if seq is not None:
            left_s = tick_deadline_s(setup.fleet.interval_s) - (clock.monotonic() - started)
            outcomes = await self._carry_out(writes, broken, max(1.0, left_s))
            await self.shadows.follow(Tick(seq, snapshot, plan, after), self._append)
            if state.ticks % CHECKPOINT_TICKS == 0:
                body = {**checkpoint_body(after, seq), **self.shadows.checkpoint()}
                await self._append("checkpoint", body)
            await self._tell_prices(snapshot, before, after)
            state.ticks += 1
        report = self._report(snapshot, plan, before, after, outcomes, broken, clock.monotonic() - started)
        self.latest, self.before = report, before
        return report

    async def _look(self) -> tuple[Mapping[str, Observation], Mapping[str, Mapping[str, Reading]]]:
        """Deployments and signals; what is told once is kept in ``untold``, whatever becomes of this tick."""
        (deployments, ended), signals, fresh = await asyncio.gather(
            self._observer.deployments(), self._observer.signals(), self._observer.prices()
        )
        untold = self.state.untold
        self.state.untold = Untold(
            (*untold.ended, *ended), {**untold.prices, **fresh}, self._clock.jumped() or untold.jump
        )
        return deployments, signals

    async def _carry_out(
        self, writes: tuple[Decision, ...], broken: tuple[Violation, ...], deadline_s: float
    ) -> tuple[Outcome, ...]:
        """Send what is to be written, and journal what became of it."""
        outcomes: tuple[Outcome, ...] = ()
        if writes:
            outcomes = await act(writes, self.setup, self._clock, deadline_s, self._is_paused)
        keys = {violation.key: violation for violation in broken}
        withheld = tuple(Outcome(v.service, v.deployment, OutcomeWord.STALE) for v in keys.values())
        self.state.outcomes = (*outcomes, *withheld)
        if writes:
            await self._append("outcomes", outcomes_body(self.state.outcomes))
        return outcomes

    def _is_paused(self, decision: Decision) -> bool:
        """Whether a person has paused this since the plan was made; what was in force then it knows."""
        return people.is_paused(self.state.human, decision)

    def _outcomes(self, ended: tuple[Outcome, ...]) -> tuple[Outcome, ...] | None:
        """Outcomes of the last plan and, after them, ends of older changes."""
        known = self.state.outcomes
        if known is None:
            return None
        last = {(o.service, o.deployment) for o in known if o.outcome is not OutcomeWord.ACCEPTED}
        kept = [
            o for o in known if not any((o.service, o.deployment) == (e.service, e.deployment) for e in ended)
        ]
        return (*kept, *(e for e in ended if (e.service, e.deployment) not in last))

    async def _tell_prices(self, snapshot: Snapshot, before: Memory, after: Memory) -> None:
        """Journal the price catalogue where this tick changed it, or a day has passed; last, since nothing
        waits for it. What could not be journalled is told by the next tick."""
        setup = self.setup
        book = self._prices if self._prices is not None else await self._recall_prices(before)
        book = book.after(snapshot.prices, after, setup.fleet, setup.providers)
        self.catalogue = book.catalogue(setup.fleet)
        if book.is_news(self.catalogue, snapshot.at):
            seq = await self._append(prices.KIND, prices.body_of(self.catalogue), at=snapshot.at)
            if seq is not None:
                book = replace(book, told=self.catalogue, told_at=snapshot.at)
        self._prices = book

    async def _recall_prices(self, memory: Memory) -> prices.PriceBook:
        """What the journal and the memory know. An unreadable record is as none: it is history, and all of
        the catalogue is told anew."""
        try:
            return prices.recalled(await prices.last_record(self._journal), memory)
        except JournalError as error:
            self._on_journal_error()
            log.warning("the last prices of the journal cannot be read", error=str(error))
            return prices.recalled(None, memory)

    async def _append(self, kind: str, body: dict[str, object], at: float | None = None) -> int | None:
        state = self.state
        try:
            seq = await self._journal.append(Record(kind, self._clock.now() if at is None else at, body))
        except JournalError as error:
            self._on_journal_error()
            if not state.journal_broken:
                log.error("the journal cannot be written: holding, nothing is sent", error=str(error))
            state.journal_broken = True
            return None
        if state.journal_broken:
            log.info("the journal can be written again")
            state.journal_broken = False
        return seq

    def _report(
        self,
        snapshot: Snapshot,
        plan: Plan,
        before: Memory,
        after: Memory,
        outcomes: tuple[Outcome, ...],
        broken: tuple[Violation, ...],
        duration_s: float,
    ) -> TickReport:
        fleet = self.setup.fleet
        providers = {d.key: d.provider for s in fleet.services.values() for d in s.deployments}
        return TickReport(
            at=snapshot.at,
            fleet=fleet,
            snapshot=snapshot,
            plan=plan,
            duration_s=duration_s,
            violations=Counter(violation.promise for violation in broken),
            start_ups=tuple(_start_ups_learned(before, after)),
            start_up_estimates=start_up_estimates(fleet, after),
            scale_calls=tuple((providers[f"{o.service}/{o.deployment}"], o.outcome.value) for o in outcomes),
            drift_started=tuple(_drifts_started(before, after, snapshot.at)),
            human=after.human,
            labels=self.setup.labels,
            prices={key: one.usd_per_gpu_hour for key, one in self.catalogue.items()},
            shadows=dict(self.shadows.standing),
        )


def _tell_broken(broken: tuple[Violation, ...]) -> None:
    for violation in broken:
        log.error(
            "a promise is broken: the write is not sent",
            promise=violation.promise,
            service=violation.service,
            deployment=violation.deployment,
            found=violation.text,
        )


def _start_ups_learned(before: Memory, after: Memory) -> Iterator[tuple[str, float]]:
    for key, now in after.deployments.items():
        was = before.deployments.get(key)
        if was is not None and now.start_ups_s != was.start_ups_s:
            yield key, now.start_ups_s[-1]


def _drifts_started(before: Memory, after: Memory, at: float) -> Iterator[str]:
    for key, now in after.deployments.items():
        was = before.deployments.get(key)
        if was is not None and now.drifts and now.drifts[-1] == at and now.drifts != was.drifts:
            yield key
