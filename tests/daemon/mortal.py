"""A daemon that dies at its k-th call of a port, as by kill -9: nothing runs after it, no cleanup of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from autoscaler.core.model import Observation, Price, Reading, ReplicaRange
from autoscaler.daemon.daemon import Daemon
from autoscaler.ports import (
    Inventory,
    Journal,
    Observed,
    Provider,
    Receipt,
    Record,
    Ref,
    SignalQuery,
    SignalSource,
)

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Life:
    """Ends at the ``dies_at``-th call (from 1; 0: never), before or after its effect."""

    dies_at: int = 0
    after_effect: bool = False
    calls: int = 0
    dead: bool = False

    async def live(self, call: Callable[[], Awaitable[T]]) -> T:
        """One call of a port, if there is life enough for it."""
        self.calls += 1
        last = self.calls == self.dies_at
        if self.dead or (last and not self.after_effect):
            self._die()
        result = await asyncio.shield(asyncio.ensure_future(call()))
        if self.dead or last:
            self._die()
        return result

    def _die(self) -> None:
        self.dead = True
        raise Killed


class MortalProvider:
    def __init__(self, inner: Provider, life: Life) -> None:
        self.name = inner.name
        self._inner = inner
        self._life = life

    async def observe(self, refs: Sequence[Ref]) -> Observed:
        return await self._life.live(lambda: self._inner.observe(refs))

    async def read(self, ref: Ref) -> Observation:
        return await self._life.live(lambda: self._inner.read(ref))

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        return await self._life.live(lambda: self._inner.set_replicas(ref, replicas))

    async def prices(self) -> Mapping[str, Price]:
        return await self._inner.prices()

    async def inventory(self) -> Inventory:
        return await self._inner.inventory()

    async def close(self) -> None:
        await self._inner.close()


class MortalSource:
    def __init__(self, inner: SignalSource, life: Life) -> None:
        self.name = inner.name
        self._inner = inner
        self._life = life

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        return await self._life.live(lambda: self._inner.read(queries))

    async def close(self) -> None:
        await self._inner.close()


class MortalJournal:
    def __init__(self, inner: Journal, life: Life) -> None:
        self._inner = inner
        self._life = life

    async def append(self, record: Record) -> int:
        return await self._life.live(lambda: self._inner.append(record))

    async def read(self, **bounds: Any) -> Sequence[Record]:
        return await self._inner.read(**bounds)

    async def prune(self, now: float) -> None:
        await self._inner.prune(now)

    async def close(self) -> None:
        await self._inner.close()


def make_mortal(daemon: Daemon, life: Life) -> None:
    """From now on every call of this daemon's ports counts."""
    ticker = daemon.ticker
    setup = ticker.setup
    ticker.reconfigure(
        replace(
            setup,
            providers={name: MortalProvider(one, life) for name, one in setup.providers.items()},
            sources={name: MortalSource(one, life) for name, one in setup.sources.items()},
        )
    )
    ticker._journal = MortalJournal(ticker._journal, life)
