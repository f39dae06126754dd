"""From a configuration to live ends: providers, sources, journal and daemon. The only assembly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry

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
from autoscaler.sources import SOURCES, SourceSettings
from autoscaler.sources.push import BadSampleError, OutOfOrderError, PushSource, UnknownSignalError

S = TypeVar("S", ProviderSettings, SourceSettings)
E = TypeVar("E", Provider, SignalSource)
_End = Provider | SignalSource

READ_SHARE: Final = 0.9
"""How much of the tick's deadline for a read a source's own deadline may take."""

CALL_SHARE: Final = 0.65
"""The same of a provider's, which may follow its list up with other calls, for a quarter of that time."""


class Ends:
    """The live providers and sources of one process; a reload keeps those whose settings did not change."""

    def __init__(self, clock: Clock, telemetry: Telemetry) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._providers: dict[str, tuple[ProviderSettings, Provider]] = {}
        self._sources: dict[str, tuple[SourceSettings, SignalSource]] = {}

    async def setup(self, config: Config) -> Setup:
        """Live ends for this configuration; those that it no longer names are closed.

        Raises: ConfigError for settings that an adapter cannot use; then nothing has changed.
        """
        for secret in config.secrets():
            register_secret(secret)
        calling = {n: _within_the_tick(one, config, CALL_SHARE) for n, one in config.providers.items()}
        reading = {n: _within_the_tick(one, config, READ_SHARE) for n, one in config.sources.items()}
        with _told(config):
            providers = _renewed(self._providers, calling, self._provider)
            sources = _renewed(self._sources, reading, self._source)
        gone: list[_End] = [*_gone(self._providers, providers), *_gone(self._sources, sources)]
        self._providers, self._sources = providers, sources
        await _close(gone)
        return Setup(
            fleet=config.fleet,
            providers={name: provider for name, (_, provider) in providers.items()},
            refs=config.refs,
            sources={name: source for name, (_, source) in sources.items()},
            queries=config.queries,
            push=_push_door(self._expecting(config)),
            labels=config.labels,
            shadows=config.shadows,
        )

    def _provider(self, name: str, settings: ProviderSettings) -> Provider:
        try:
            return PROVIDERS[settings.kind].create(name, settings, self._clock, self._telemetry)
        except ValueError as error:
            raise _UnusableError(f"providers.{name}", str(error)) from error

    def _source(self, name: str, settings: SourceSettings) -> SignalSource:
        try:
            return SOURCES[settings.kind].create(name, settings, self._clock)
        except ValueError as error:
            raise _UnusableError(f"sources.{name}", str(error)) from error

    def _expecting(self, config: Config) -> Mapping[tuple[str, str], PushSource]:
        """By service and signal: who takes the samples of it that are pushed."""
        takers: dict[tuple[str, str], PushSource] = {}
        for name, (_, source) in self._sources.items():
            if isinstance(source, PushSource):
                keys = [query.key for query in config.queries.get(name, ())]
                source.expect(keys)
                takers.update(dict.fromkeys(keys, source))
        return takers

    async def close(self) -> None:
        """Give back every connection."""
        gone: list[_End] = [*_gone(self._providers, {}), *_gone(self._sources, {})]
        self._providers, self._sources = {}, {}
        await _close(gone)


def _renewed(
    held: Mapping[str, tuple[S, E]], wanted: Mapping[str, S], make: Callable[[str, S], E]
) -> dict[str, tuple[S, E]]:
    """An end for each of these settings: the one held where they are the same, else a new one."""
    return {
        name: held[name] if name in held and held[name][0] == settings else (settings, make(name, settings))
        for name, settings in wanted.items()
    }


def _gone(held: Mapping[str, tuple[S, E]], renewed: Mapping[str, tuple[S, E]]) -> list[E]:
    return [end[1] for name, end in held.items() if renewed.get(name) is not end]


async def _close(ends: Iterable[_End]) -> None:
    """All of them, also where one fails."""
    async with AsyncExitStack() as stack:
        for end in ends:
            stack.push_async_callback(end.close)


class _UnusableError(Exception):
    """An adapter cannot use its settings, such as a file that is no certificate."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


@contextmanager
def _told(config: Config) -> Iterator[None]:
    """What an adapter finds wrong with its settings is a problem of the configuration."""
    try:
        yield
    except _UnusableError as error:
        raise ConfigError([Problem(str(config.path), error.key, None, str(error))]) from error


def _within_the_tick(settings: S, config: Config, share: float) -> S:
    """An end's own deadline comes before the tick's for it: then only what is late is absent, not all."""
    deadline_s = getattr(settings, "deadline_s", None)
    longest_s = share * read_deadline_s(config.daemon.interval_s)
    if deadline_s is None or deadline_s <= longest_s:
        return settings
    return settings.model_copy(update={"deadline_s": longest_s})


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
