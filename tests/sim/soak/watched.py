"""The daemon's ports as the referee watches them: every call counts towards a death, and is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from autoscaler.core.model import Observation, Price, Reading, ReplicaRange
from autoscaler.journals.codec import body_text
from autoscaler.ports import (
    Inventory,
    Journal,
    JournalError,
    Observed,
    Provider,
    Receipt,
    Record,
    Ref,
    SignalQuery,
    SignalSource,
)
from tests.daemon.mortal import Killed
from tests.sim.soak.scenario import What
from tests.sim.soak.weather import Weather


class Witness(Protocol):
    """Who is told what really happened at the ports."""

    def answered(self, answers: Mapping[str, Observation]) -> None:
        """A provider said this of these deployments, by key."""
        ...

    def sends(self, key: str, replicas: ReplicaRange) -> None:
        """This write is about to reach the provider."""
        ...

    def recorded(self, record: Record, seq: int) -> None:
        """The journal has this now."""
        ...


class Nobody:
    """Watches what is not the daemon under test."""

    def answered(self, answers: Mapping[str, Observation]) -> None:
        pass

    def sends(self, key: str, replicas: ReplicaRange) -> None:
        pass

    def recorded(self, record: Record, seq: int) -> None:
        pass


class Life:
    """One process. ``die_in`` calls of ports it is gone: before the last one's effect, or after."""

    def __init__(self) -> None:
        self.left = 0  # 0: it lives on
        self.after_effect = False
        self.dead = False

    def die_in(self, calls: int, *, after_effect: bool) -> None:
        """From now on count."""
        self.left, self.after_effect = calls, after_effect

    def enter(self) -> bool:
        """Before a call; whether this is the last one. Raises: Killed."""
        if self.dead:
            raise Killed
        if self.left == 0:
            return False
        self.left -= 1
        if self.left == 0 and not self.after_effect:
            self.dead = True
            raise Killed
        return self.left == 0

    def leave(self, last: bool) -> None:
        """After its effect. Raises: Killed."""
        if last or self.dead:
            self.dead = True
            raise Killed


class WatchedProvider:
    """A provider, and who watches it."""

    def __init__(self, inner: Provider, life: Life, witness: Witness) -> None:
        self.name = inner.name
        self._inner = inner
        self._life = life
        self._witness = witness

    async def observe(self, refs: Sequence[Ref]) -> Observed:
        last = self._life.enter()
        observed = await self._inner.observe(refs)
        self._witness.answered({k: o for k, o in observed.deployments.items() if isinstance(o, Observation)})
        self._life.leave(last)
        return observed

    async def read(self, ref: Ref) -> Observation:
        last = self._life.enter()
        seen = await self._inner.read(ref)
        self._life.leave(last)
        return seen

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        last = self._life.enter()
        self._witness.sends(ref.key, replicas)
        receipt = await self._inner.set_replicas(ref, replicas)
        self._life.leave(last)
        return receipt

    async def prices(self) -> Mapping[str, Price]:
        return await self._inner.prices()

    async def inventory(self) -> Inventory:
        return await self._inner.inventory()

    async def close(self) -> None:
        await self._inner.close()


class WatchedSource:
    """A source whose calls count."""

    def __init__(self, inner: SignalSource, life: Life) -> None:
        self.name = inner.name
        self._inner = inner
        self._life = life

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        last = self._life.enter()
        readings = await self._inner.read(queries)
        self._life.leave(last)
        return readings

    async def close(self) -> None:
        await self._inner.close()


class WatchedJournal:
    """A journal on a disk that may be full or unreadable; what it takes is hashed, record by record."""

    def __init__(self, name: str, inner: Journal, life: Life, weather: Weather, witness: Witness) -> None:
        self._name = name
        self._inner = inner
        self._life = life
        self._weather = weather
        self._witness = witness

    async def append(self, record: Record) -> int:
        last = self._life.enter()
        if self._weather.on(What.DISK_FULL, self._name):
            raise JournalError("no space left on device")
        seq = await self._inner.append(record)
        self._witness.recorded(record, seq)
        self._life.leave(last)
        return seq

    async def read(self, **bounds: Any) -> Sequence[Record]:
        if self._weather.on(What.JOURNAL_UNREADABLE, self._name):
            raise JournalError("input/output error")
        return await self._inner.read(**bounds)

    async def prune(self, now: float) -> None:
        await self._inner.prune(now)

    async def close(self) -> None:
        await self._inner.close()


class Fingerprint:
    """One number for everything that a journal was given."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.records = 0

    def add(self, record: Record, seq: int) -> None:
        """One record more."""
        self._hash.update(f"{seq} {record.kind} {record.at!r} ".encode())
        self._hash.update(body_text(record.body))
        self.records += 1

    def text(self) -> str:
        """The first half of SHA-256, in hexadecimal."""
        return self._hash.hexdigest()[:32]
