"""From a configuration to live ends: providers, sources, journal and daemon. The only assembly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import BaseModel, SecretStr

from autoscaler.clock import SteadyClock, SystemClock
from autoscaler.config import Config
from autoscaler.daemon.daemon import Daemon
from autoscaler.daemon.logs import register_secret
from autoscaler.daemon.recall import recall
from autoscaler.daemon.report import Conflict, Invalid, TickReport, UnknownName
from autoscaler.daemon.setup import Setup
from autoscaler.daemon.telemetry import PrometheusTelemetry
from autoscaler.daemon.tick import Ticker, TickState
from autoscaler.journals import open_journal
from autoscaler.ports import Clock, Journal, Provider, SignalSource, Telemetry
from autoscaler.providers import PROVIDERS
from autoscaler.sources import SOURCES
from autoscaler.sources.push import BadSampleError, OutOfOrderError, PushSource, UnknownSignalError


class Ends:
    """The live providers and sources of one process; kept over a reload where their settings did not change."""

    def __init__(self, clock: Clock, telemetry: Telemetry) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._providers: dict[str, tuple[BaseModel, Provider]] = {}
        self._sources: dict[str, tuple[BaseModel, SignalSource]] = {}

    async def setup(self, config: Config) -> Setup:
        """Live ends for this configuration; those that it no longer names are closed."""
        register_secrets(config)
        gone: list[Provider | SignalSource] = []
        providers: dict[str, tuple[BaseModel, Provider]] = {}
        for name, settings in config.providers.items():
            known = self._providers.get(name)
            if known is not None and known[0] == settings:
                providers[name] = known
            else:
                kind = PROVIDERS[settings.kind]
                providers[name] = (settings, kind.create(name, settings, self._clock, self._telemetry))
        sources: dict[str, tuple[BaseModel, SignalSource]] = {}
        for name, source_settings in config.sources.items():
            held = self._sources.get(name)
            if held is not None and held[0] == source_settings:
                sources[name] = held
            else:
                made = SOURCES[_kind(source_settings)].create(name, source_settings, self._clock)
                sources[name] = (source_settings, made)
        gone.extend(p for n, (_, p) in self._providers.items() if n not in providers or providers[n][1] is not p)
        gone.extend(s for n, (_, s) in self._sources.items() if n not in sources or sources[n][1] is not s)
        self._providers, self._sources = providers, sources
        for end in gone:
            await end.close()
        queries = config.queries
        pushed: dict[tuple[str, str], PushSource] = {}
        for name, (_, source) in sources.items():
            if isinstance(source, PushSource):
                keys = [query.key for query in queries.get(name, ())]
                source.expect(keys)
                pushed.update(dict.fromkeys(keys, source))
        return Setup(
            fleet=config.fleet,
            providers={name: provider for name, (_, provider) in providers.items()},
            refs=config.refs,
            sources={name: source for name, (_, source) in sources.items()},
            queries=queries,
            push=_push_door(pushed),
        )

    async def close(self) -> None:
        """Give back every connection."""
        for _, end in (*self._providers.values(), *self._sources.values()):
            await end.close()
        self._providers, self._sources = {}, {}


def _kind(settings: BaseModel) -> str:
    kind: str = settings.kind  # type: ignore[attr-defined]  # every source's settings have it
    return kind


def _push_door(pushed: Mapping[tuple[str, str], PushSource]) -> Callable[[str, str, float, float | None], None]:
    """Takes samples from outside, and tells the errors in the daemon's words."""

    def push(service: str, signal: str, value: float, at: float | None) -> None:
        source = pushed.get((service, signal))
        if source is None:
            known = [name for owner, name in pushed if owner == service]
            raise UnknownName(f"pushed signal of service {service}", signal, known)
        try:
            source.push(service, signal, value, at)
        except UnknownSignalError as error:
            raise UnknownName(f"pushed signal of service {service}", signal, []) from error
        except BadSampleError as error:
            raise Invalid(str(error)) from error
        except OutOfOrderError as error:
            raise Conflict(str(error), {}) from error

    return push


def register_secrets(config: Config) -> None:
    """Tell the log which values must never appear."""
    for settings in (*config.providers.values(), *config.sources.values(), config.http):
        for secret in _secrets(settings):
            register_secret(secret)


def _secrets(value: Any) -> list[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, BaseModel):
        return [secret for name in type(value).model_fields for secret in _secrets(getattr(value, name))]
    if isinstance(value, Mapping):
        return [secret for item in value.values() for secret in _secrets(item)]
    return []


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon with all that it holds open."""

    daemon: Daemon
    telemetry: PrometheusTelemetry
    journal: Journal
    clock: SteadyClock


@asynccontextmanager
async def assemble(
    config: Config,
    *,
    clock: SystemClock | None = None,
    reread: Callable[[], Config] | None = None,
    on_tick: Callable[[TickReport], None] | None = None,
) -> AsyncIterator[Running]:
    """A daemon for this configuration, its memory recalled from its journal. Closes what it opened.

    Raises: JournalError, JournalLocked.
    """
    system = clock or SystemClock()
    journal = await open_journal(config.daemon.journal, clock=system)
    try:
        recalled = await recall(journal, config.fleet)
        steady = SteadyClock(system, not_before=recalled.memory.at)
        telemetry = PrometheusTelemetry(CollectorRegistry(), steady.monotonic)
        ends = Ends(steady, telemetry)
        try:
            setup = await ends.setup(config)
            state = TickState(
                memory=recalled.memory,
                outcomes=recalled.outcomes,
                human=recalled.human or recalled.memory.human,
                human_changed=recalled.human is not None,
            )
            ticker = Ticker(setup, journal, steady, state, telemetry.journal_error)

            async def reload() -> Setup:
                assert reread is not None
                return await ends.setup(reread())

            daemon = Daemon(
                ticker,
                journal,
                steady,
                telemetry,
                speed=system.speed,
                reload=reload if reread is not None else None,
                on_tick=on_tick,
            )
            yield Running(daemon, telemetry, journal, steady)
        finally:
            await ends.close()
    finally:
        await journal.close()
