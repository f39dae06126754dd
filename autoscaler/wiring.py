"""From a configuration to live ends: providers, sources, journal and daemon. The only assembly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry
from pydantic import BaseModel, SecretStr

from autoscaler import __version__
from autoscaler.clock import SteadyClock, SystemClock
from autoscaler.config import Config, ConfigError, Problem
from autoscaler.core.memory import Memory
from autoscaler.daemon.daemon import Daemon
from autoscaler.daemon.logs import register_secret
from autoscaler.daemon.recall import Recalled, recall
from autoscaler.daemon.report import Conflict, Invalid, TickReport, UnknownName
from autoscaler.daemon.setup import Setup, read_deadline_s
from autoscaler.daemon.telemetry import PrometheusTelemetry
from autoscaler.daemon.tick import Ticker, TickState
from autoscaler.journals import open_journal
from autoscaler.ports import Clock, Journal, JournalError, Provider, Record, SignalSource, Telemetry
from autoscaler.providers import PROVIDERS, ProviderSettings
from autoscaler.sources import SOURCES
from autoscaler.sources.push import BadSampleError, OutOfOrderError, PushSource, UnknownSignalError

READ_SHARE: Final = 0.9
"""How much of the tick's deadline for a read a source's own deadline may take."""


class Ends:
    """The live providers and sources of one process; a reload keeps those whose settings did not change."""

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
                assert isinstance(settings, ProviderSettings)
                kind = PROVIDERS[settings.kind]
                with _told(config, "providers", name):
                    providers[name] = (settings, kind.create(name, settings, self._clock, self._telemetry))
        sources: dict[str, tuple[BaseModel, SignalSource]] = {}
        for name, written in config.sources.items():
            source_settings = _within_the_tick(written, config)
            held = self._sources.get(name)
            if held is not None and held[0] == source_settings:
                sources[name] = held
            else:
                with _told(config, "sources", name):
                    made = SOURCES[_kind(source_settings)].create(name, source_settings, self._clock)
                sources[name] = (source_settings, made)
        gone.extend(held[1] for n, held in self._providers.items() if providers.get(n) is not held)
        gone.extend(held[1] for n, held in self._sources.items() if sources.get(n) is not held)
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
            labels=config.labels,
        )

    async def close(self) -> None:
        """Give back every connection."""
        ends: list[Provider | SignalSource] = [end for _, end in self._providers.values()]
        ends.extend(end for _, end in self._sources.values())
        for end in ends:
            await end.close()
        self._providers, self._sources = {}, {}


@contextmanager
def _told(config: Config, section: str, name: str) -> Iterator[None]:
    """What an adapter finds wrong with its settings (a file that it cannot use) is a configuration error."""
    try:
        yield
    except ValueError as error:
        problem = Problem(str(config.path), f"{section}.{name}", None, str(error))
        raise ConfigError([problem]) from error


def _within_the_tick(settings: BaseModel, config: Config) -> BaseModel:
    """A source's own deadline ends before the tick's for it: then only what is late is absent, not all."""
    deadline_s = getattr(settings, "deadline_s", None)
    longest_s = READ_SHARE * read_deadline_s(config.daemon.interval_s)
    if deadline_s is None or deadline_s <= longest_s:
        return settings
    return settings.model_copy(update={"deadline_s": longest_s})


def _kind(settings: BaseModel) -> str:
    kind: str = settings.kind  # type: ignore[attr-defined]  # every source's settings have it
    return kind


def _push_door(
    pushed: Mapping[tuple[str, str], PushSource],
) -> Callable[[str, str, float, float | None], None]:
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

    Raises: ConfigError for settings that an adapter cannot use, JournalError, JournalLocked.
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
            await journal.append(_start_record(steady.now(), config))
            state = TickState(
                memory=recalled.memory,
                outcomes=recalled.outcomes,
                human=recalled.human or recalled.memory.human,
                human_changed=recalled.human is not None,
            )
            ticker = Ticker(setup, journal, steady, state, telemetry.journal_error)

            async def reload() -> Setup:
                assert reread is not None
                new = reread()
                renewed = await ends.setup(new)
                try:
                    await journal.append(_start_record(steady.now(), new))
                except JournalError:
                    # The old ends are closed by now, so the new ones are used all the same.
                    telemetry.journal_error()
                return renewed

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


def _start_record(at: float, config: Config) -> Record:
    """From here on this configuration and this version decide."""
    return Record("start", at, {"config_hash": config.fleet.config_hash, "version": __version__})


@dataclass(frozen=True, slots=True)
class Looking:
    """Live ends for one look, and what the journal remembers; nothing that could write."""

    setup: Setup
    clock: Clock
    recalled: Recalled
    has_journal: bool


@asynccontextmanager
async def look(config: Config, telemetry: Telemetry) -> AsyncIterator[Looking]:
    """Ends and memory without a daemon: no lock is taken, and a journal is only read if there is one.

    Raises: ConfigError for settings that an adapter cannot use, JournalError for a journal that cannot
    be read.
    """
    clock = SystemClock()
    recalled = Recalled(Memory(), (), None, None)
    if has_journal := config.daemon.journal_path.is_file():
        journal = await open_journal(config.daemon.journal, read_only=True, clock=clock)
        try:
            recalled = await recall(journal, config.fleet)
        finally:
            await journal.close()
    ends = Ends(clock, telemetry)
    try:
        yield Looking(await ends.setup(config), clock, recalled, has_journal)
    finally:
        await ends.close()
