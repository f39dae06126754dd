"""A journal in memory, with the same contract: for tests and for the simulator."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from autoscaler.journals.codec import body_from, body_text
from autoscaler.journals.means import HourMeans, MinuteMean, hour_of
from autoscaler.journals.retention import (
    FULL_DETAIL_S,
    KEPT_S,
    THINNED_KIND,
    Reasons,
    facts_of,
    needed_from,
    says_nothing,
    still_in_force,
    thinned,
)
from autoscaler.ports import JournalError, Record

RECORDS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Entry:
    """One record as text, so that nobody's later change of a body reaches the journal."""

    seq: int
    kind: str
    at: float
    text: bytes

    def record(self) -> Record:
        return Record(self.kind, self.at, body_from(self.text), self.seq)


class MemoryJournal:
    """A :class:`~autoscaler.ports.Journal` that ends with the process. At most ``records_max`` records."""

    path = "memory"

    def __init__(self, records_max: int = RECORDS_MAX) -> None:
        self._entries: list[_Entry] = []  # by seq
        self._last_seq = 0
        self._records_max = records_max
        self._hours: dict[tuple[str, int], HourMeans] = {}
        self._reasons: Reasons = {}
        self._open = True

    async def append(self, record: Record) -> int:
        """Add one record; returns its sequence number. Raises: JournalError."""
        self._check_open()
        if not math.isfinite(record.at):
            raise JournalError(f"journal in memory: a record's time cannot be {record.at}")
        if len(self._entries) >= self._records_max:
            raise JournalError(f"journal in memory: it holds its maximum of {self._records_max} records")
        try:
            text = body_text(record.body)
        except (TypeError, ValueError, RecursionError) as error:
            raise JournalError(f"journal in memory: cannot write this {record.kind}: {error}") from error
        self._last_seq += 1
        self._entries.append(_Entry(self._last_seq, record.kind, float(record.at), text))
        return self._last_seq

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
        """Records in order of their sequence number, within the bounds given; instants are included."""
        self._check_open()
        ordered = reversed(self._entries) if newest_first else iter(self._entries)
        found: list[Record] = []
        for entry in _within(ordered, kinds, after_seq, since, until):
            if limit is not None and len(found) >= limit:
                break
            found.append(entry.record())
        return found

    async def stream(
        self,
        kinds: Sequence[str] | None = None,
        after_seq: int = 0,
        since: float | None = None,
        until: float | None = None,
    ) -> AsyncIterator[Record]:
        """The same records one by one."""
        self._check_open()
        for entry in list(_within(iter(self._entries), kinds, after_seq, since, until)):
            yield entry.record()

    async def minute_means(
        self, service: str | None = None, since: float = 0.0, until: float = math.inf
    ) -> Sequence[MinuteMean]:
        """Means of minutes whose ticks :meth:`prune` has thinned, by service and time."""
        self._check_open()
        return [
            mean
            for (name, hour), means in sorted(self._hours.items(), key=lambda item: item[0])
            if service in (None, name)
            for mean in means.means(hour, name)
            if since <= mean.at <= until
        ]

    async def prune(self, now: float) -> None:
        """Retention as of ``now``, by the same rules as the journal on disk."""
        self._check_open()
        old = now - FULL_DETAIL_S
        checkpoints = [e for e in self._entries if e.kind == "checkpoint" and e.at <= old]
        if not checkpoints:
            return
        anchor = needed_from(checkpoints[-1].seq, body_from(checkpoints[-1].text))
        thin = self._thin(old, anchor)
        last_start = max((e.seq for e in self._entries if e.kind == "start"), default=0)
        self._entries = [
            thin.get(entry.seq, entry)
            for entry in self._entries
            if entry.seq >= anchor or (entry.seq == last_start or not self._is_past(entry, thin, now))
        ]
        first_hour = hour_of(now - KEPT_S)
        self._hours = {key: means for key, means in self._hours.items() if key[1] >= first_hour}

    def _thin(self, old: float, anchor: int) -> Mapping[int, _Entry]:
        """What is left of each old tick, by number; the means and the reasons are brought up to date."""
        ticks = [e for e in self._entries if e.kind == "tick" and e.at < old and e.seq < anchor]
        left: dict[int, _Entry] = {}
        for entry in sorted(ticks, key=lambda entry: (entry.at, entry.seq)):
            body = body_from(entry.text)
            for facts in facts_of(body):
                means = self._hours.setdefault((facts.service, hour_of(entry.at)), HourMeans())
                means.add(entry.at, facts)
            rest, self._reasons = thinned(body, self._reasons)
            if rest is not None:
                left[entry.seq] = _Entry(entry.seq, THINNED_KIND, entry.at, body_text(rest))
        return left

    @staticmethod
    def _is_past(entry: _Entry, thin: Mapping[int, _Entry], now: float) -> bool:
        if entry.at >= now - FULL_DETAIL_S:
            return False
        if entry.kind == "checkpoint" or (entry.kind == "tick" and entry.seq not in thin):
            return True
        if entry.kind == "outcomes" and says_nothing(body_from(entry.text)):
            return True
        if entry.kind == "human" and still_in_force(body_from(entry.text), now):
            return False
        return entry.at < now - KEPT_S

    async def close(self) -> None:
        """Nothing to give back; a closed journal answers no more."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise JournalError("journal in memory is closed")


def _within(
    entries: Iterator[_Entry],
    kinds: Sequence[str] | None,
    after_seq: int,
    since: float | None,
    until: float | None,
) -> Iterator[_Entry]:
    first, last = (-math.inf if since is None else since), (math.inf if until is None else until)
    for entry in entries:
        if entry.seq > after_seq and first <= entry.at <= last and (kinds is None or entry.kind in kinds):
            yield entry
