"""Observe: every provider and source read at once, each within its deadline; a failure is a named absence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from autoscaler.core.memory import Memory
from autoscaler.core.model import Absence, ErrorKind, Observation, Outcome, OutcomeWord, Phase, Price, Reading
from autoscaler.daemon.setup import PRICE_REFRESH_S, Setup, read_deadline_s
from autoscaler.ports import (
    Clock,
    Observed,
    OperationEnd,
    Provider,
    ProviderError,
    RateLimited,
    Ref,
    SignalQuery,
    SignalSource,
)

log = structlog.stdlib.get_logger("autoscaler.observe")

Signals = dict[str, dict[str, Reading]]


def instant_of_tick(now: float, memory: Memory) -> float:
    """Now; or the millisecond after the last tick, where the clock does not say that it is later."""
    return now if memory.at is None or now > memory.at else round(memory.at + 0.001, 3)


class Observer:
    """Reads the world. Remembers only whose reads are limited, and until when."""

    def __init__(self, setup: Setup, clock: Clock) -> None:
        self.setup = setup
        self._clock = clock
        self._limited_until: dict[str, float] = {}
        self._priced_at: dict[str, float] = {}

    async def deployments(self) -> tuple[dict[str, Observation], tuple[Outcome, ...]]:
        """What runs, by key, and how changes of earlier ticks have ended."""
        setup = self.setup
        names = [name for name in setup.providers if setup.refs.get(name)]
        answers = await asyncio.gather(
            *(self._observe(name, setup.providers[name], setup.refs[name]) for name in names)
        )
        seen: dict[str, Observation] = {}
        ended: list[Outcome] = []
        for observations, ends in answers:
            seen.update(observations)
            ended.extend(_late_outcome(end) for end in ends if end.error is not None)
        return {key: seen[key] for key in sorted(seen)}, tuple(ended)

    async def _observe(
        self, name: str, provider: Provider, refs: Sequence[Ref]
    ) -> tuple[dict[str, Observation], tuple[OperationEnd, ...]]:
        if self._clock.monotonic() < self._limited_until.get(name, float("-inf")):
            return _all_absent(refs, ErrorKind.RATE_LIMITED), ()
        try:
            async with self._clock.deadline(read_deadline_s(self.setup.fleet.interval_s)):
                observed = await provider.observe(refs)
        except RateLimited as limited:
            self._limited_until[name] = self._clock.monotonic() + limited.retry_after_s
            return _all_absent(refs, limited.kind), ()
        except ProviderError as error:
            return _all_absent(refs, error.kind), ()
        except TimeoutError:
            return _all_absent(refs, ErrorKind.UNAVAILABLE), ()
        except Exception:
            # A bug of one adapter must not take the others' tick with it.
            log.exception("an adapter failed: please report this as a bug", provider=name)
            return _all_absent(refs, ErrorKind.BAD_REPLY), ()
        self._note_limits(name, observed)
        return {ref.key: _observation(observed, ref) for ref in refs}, observed.ended

    def _note_limits(self, name: str, observed: Observed) -> None:
        for answer in observed.deployments.values():
            if isinstance(answer, RateLimited):
                until = self._clock.monotonic() + answer.retry_after_s
                self._limited_until[name] = max(until, self._limited_until.get(name, until))

    async def signals(self) -> Signals:
        """One reading per configured signal, by service and signal."""
        setup = self.setup
        names = [name for name in setup.sources if setup.queries.get(name)]
        answers = await asyncio.gather(
            *(self._read(setup.sources[name], setup.queries[name]) for name in names)
        )
        signals: Signals = {}
        for readings in answers:
            for (service, signal), reading in readings.items():
                signals.setdefault(service, {})[signal] = reading
        return {s: {n: signals[s][n] for n in sorted(signals[s])} for s in sorted(signals)}

    async def _read(
        self, source: SignalSource, queries: Sequence[SignalQuery]
    ) -> Mapping[tuple[str, str], Reading]:
        try:
            async with self._clock.deadline(read_deadline_s(self.setup.fleet.interval_s)):
                return await source.read(queries)
        except TimeoutError:
            return {query.key: Absence("timeout", f"source {source.name}") for query in queries}
        except Exception:
            log.exception("a source failed: please report this as a bug", source=source.name)
            return {query.key: Absence("error", f"source {source.name} failed") for query in queries}

    async def waking(self, asleep: frozenset[str]) -> bool:
        """Whether a signal that exists at zero is above zero for one of these services."""
        setup = self.setup
        for name, source in setup.sources.items():
            queries = [
                query
                for query in setup.queries.get(name, ())
                if query.service in asleep
                and setup.fleet.services[query.service].signals[query.signal].exists_at_zero
            ]
            if not queries:
                continue
            for reading in (await self._read(source, queries)).values():
                if not isinstance(reading, Absence) and reading.value > 0.0:
                    return True
        return False

    async def prices(self) -> dict[str, Price]:
        """Prices by "provider/gpu_type" from vendors whose last answer is old; failures keep the old."""
        found: dict[str, Price] = {}
        now = self._clock.monotonic()
        due = [
            name
            for name in self.setup.providers
            if now - self._priced_at.get(name, float("-inf")) >= PRICE_REFRESH_S
        ]
        for name, prices in zip(due, await asyncio.gather(*(self._prices(n) for n in due)), strict=True):
            found.update({f"{name}/{gpu_type}": price for gpu_type, price in prices.items()})
        return found

    async def _prices(self, name: str) -> Mapping[str, Price]:
        try:
            async with self._clock.deadline(read_deadline_s(self.setup.fleet.interval_s)):
                prices = await self.setup.providers[name].prices()
        except (ProviderError, TimeoutError):
            return {}  # Counted and logged by the adapter; the last known price ages on.
        except Exception:
            log.exception("an adapter failed: please report this as a bug", provider=name)
            return {}
        self._priced_at[name] = self._clock.monotonic()
        return prices


def _all_absent(refs: Sequence[Ref], kind: ErrorKind) -> dict[str, Observation]:
    return {ref.key: Observation(None, phase=Phase.UNKNOWN, error=kind) for ref in refs}


def _observation(observed: Observed, ref: Ref) -> Observation:
    answer = observed.deployments.get(ref.key)
    if answer is None:
        return Observation(None, phase=Phase.UNKNOWN, error=ErrorKind.NOT_FOUND)
    if isinstance(answer, ProviderError):
        return Observation(None, phase=Phase.UNKNOWN, error=answer.kind)
    return answer


def _late_outcome(end: OperationEnd) -> Outcome:
    """A change that was accepted and failed afterwards."""
    assert end.error is not None
    service, _, deployment = end.key.partition("/")
    retry_after_s = end.error.retry_after_s if isinstance(end.error, RateLimited) else None
    return Outcome(service, deployment, OutcomeWord.FAILED, end.error.kind, retry_after_s)
