"""The edge of the system as Protocols, and the closed tree of provider errors.

Every implementation translates: the outside's words, units and errors in, ours out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from autoscaler.core.model import ErrorKind, Observation, Price, Reading, ReplicaRange

# --- errors -------------------------------------------------------------------------------------


class ProviderError(Exception):
    """Expected trouble with a provider. The text never holds a secret; causes are chained."""

    kind: ClassVar[ErrorKind]


class Unavailable(ProviderError):
    """Down, unreachable or too slow. The next tick tries again."""

    kind = ErrorKind.UNAVAILABLE


class RateLimited(ProviderError):
    """Too many calls; none of this kind (read or write) until ``retry_after_s`` has passed."""

    kind = ErrorKind.RATE_LIMITED

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Busy(ProviderError):
    """Another change is being applied. Ends the attempt quietly."""

    kind = ErrorKind.BUSY


class Rejected(ProviderError):
    """The request is wrong for this deployment, and would be so again."""

    kind = ErrorKind.REJECTED


class NotFound(ProviderError):
    """No such deployment here."""

    kind = ErrorKind.NOT_FOUND


class Unauthorized(ProviderError):
    """The credential is missing, wrong or not allowed to do this."""

    kind = ErrorKind.UNAUTHORIZED


class NoCapacity(ProviderError):
    """The vendor has no GPU of this type free."""

    kind = ErrorKind.NO_CAPACITY


class BadReply(ProviderError):
    """An answer that is not what the vendor documents: truncated, too large, wrong type."""

    kind = ErrorKind.BAD_REPLY


# --- providers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ref:
    """Which deployment: our key (``"service/deployment"``) and the vendor's ids."""

    key: str
    ids: Mapping[str, str]  # Exoscale: {"id": uuid}


@dataclass(frozen=True, slots=True)
class Receipt:
    """A write was accepted. Accepted is not delivered."""

    operation_id: str | None = None


@dataclass(frozen=True, slots=True)
class OperationEnd:
    """A change that was accepted earlier has ended; ``error`` None is success."""

    key: str
    error: ProviderError | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What one provider answered in one tick.

    Every ref that was asked for is in ``deployments``, as an observation or as the error that hid it.
    """

    deployments: Mapping[str, Observation | ProviderError]
    ended: tuple[OperationEnd, ...] = ()


@dataclass(frozen=True, slots=True)
class InventoryItem:
    """One thing that the account has at the vendor, for ``check --online``."""

    ids: Mapping[str, str]
    name: str
    phase: str
    replicas: str
    gpu_type: str | None
    gpus_per_replica: int | None
    model: str | None = None
    scalable: bool = True  # False: public or legacy, never touched
    note: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What ``check --online`` prints: deployments, and which GPU types the account may use."""

    items: tuple[InventoryItem, ...]
    gpu_types: Mapping[str, bool | None] = field(default_factory=dict)  # type -> allowed; None: not known


class Provider(Protocol):
    """One vendor account. One call, one deadline, no retry: the next tick is the retry.

    Raises: only :class:`ProviderError`, never an aiohttp error.
    """

    name: str

    async def observe(self, refs: Sequence[Ref]) -> Observed:
        """What runs now, for these refs, and which earlier changes ended. A trouble that hides all
        refs (the list call failed) is raised."""
        ...

    async def read(self, ref: Ref) -> Observation:
        """What runs now for one ref; the re-read just before a write."""
        ...

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        """Ask for this range: absolute, idempotent."""
        ...

    async def prices(self) -> Mapping[str, Price]:
        """USD per GPU-hour by GPU type, and by the name of a whole configuration where the vendor rents
        those; empty where it publishes none."""
        ...

    async def inventory(self) -> Inventory:
        """All that the account has, for a person to read."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class Telemetry(Protocol):
    """Where adapters report calls; the daemon's implementation feeds Prometheus and logs."""

    def request(self, provider: str, operation: str, duration_s: float, error: ErrorKind | None) -> None:
        """One call to a provider ended after ``duration_s``."""
        ...

    def unknown_word(self, provider: str, word: str, where: str) -> None:
        """A vendor's word that the adapter does not know was seen."""
        ...

    def first_sight(self, provider: str, fact: str, seen: str) -> None:
        """A fact that the documentation leaves open was observed; logged once per fact."""
        ...


# --- sources ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignalQuery:
    """Which signal to read, and how. ``options`` are the source kind's own keys."""

    service: str
    signal: str
    query: str | None = None
    age_query: str | None = None
    max_age_s: float = 60.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """Service and signal."""
        return self.service, self.signal


class SignalSource(Protocol):
    """Where demand is read. A failure is a named absence, never an exception and never zero."""

    name: str

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        """One reading per query, keyed by service and signal."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


# --- journal ------------------------------------------------------------------------------------


class JournalError(Exception):
    """The journal could not be read or written; the text names the path."""


class JournalLocked(JournalError):
    """Another process holds the journal; the text names its pid."""


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the journal: what kind, when, and a JSON body.

    Kinds: ``start`` (config hash, version), ``tick`` (snapshot and plan), ``outcomes``, ``human``,
    ``checkpoint`` (memory), ``prices`` (every price that is known, when one changes), ``shadow`` (what shadow
    policies would have done, when it is something new), ``event`` (anything else that a person may ask
    about).
    """

    kind: str
    at: float
    body: Mapping[str, Any]
    seq: int = 0  # set by the journal


class Journal(Protocol):
    """Append-only record; the daemon's only memory."""

    async def append(self, record: Record) -> int:
        """Durably add one record; returns its sequence number. Raises: JournalError."""
        ...

    async def read(
        self,
        *,
        kinds: Sequence[str] | None = None,
        after_seq: int = 0,
        since: float | None = None,
        until: float | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Sequence[Record]:
        """Records in order of their sequence number, within the bounds given."""
        ...

    async def prune(self, now: float) -> None:
        """Retention: full detail for 7 days, then decisions and minute means."""
        ...

    async def close(self) -> None:
        """Flush, and give back the lock."""
        ...


# --- time ---------------------------------------------------------------------------------------


class Clock(Protocol):
    """Wall and monotonic time, possibly scaled: a demo's day passes in minutes.

    All durations given and returned are in the clock's own seconds.
    """

    def now(self) -> float:
        """Seconds since the Unix epoch, rounded to a millisecond."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let this many of the clock's seconds pass."""
        ...

    def deadline(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """``async with clock.deadline(5)``: TimeoutError once this many seconds have passed."""
        ...
