"""The whole ticks of a journal, one after the other, few in memory at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from autoscaler.core.model import Decision, Observation, ReplicaRange, Snapshot, key_of
from autoscaler.daemon.recall import plan_of, snapshot_of
from autoscaler.journals import open_journal
from autoscaler.ports import Record

PAGE: Final = 64


@dataclass(frozen=True, slots=True)
class RecordedTick:
    """One tick as it was journalled. ``writes`` are the ranges that were about to be sent, by key."""

    record: Record
    snapshot: Snapshot
    decisions: tuple[Decision, ...]
    writes: Mapping[str, ReplicaRange]

    @property
    def at(self) -> float:
        """Its instant, epoch seconds."""
        return self.snapshot.at


def recorded_ticks(
    path: Path, since: float | None = None, until: float | None = None
) -> Iterator[RecordedTick]:
    """Ticks that still have their snapshots, from ``since`` to ``until``, both included.

    Holds the journal open for reading until the last one was taken. Raises: JournalError.
    """
    with asyncio.Runner() as runner:
        journal = runner.run(open_journal(f"sqlite:{path}", read_only=True))
        try:
            after = 0
            while True:
                page = runner.run(
                    journal.read(kinds=("tick",), after_seq=after, since=since, until=until, limit=PAGE)
                )
                for record in page:
                    after = record.seq
                    if "snapshot" in record.body:
                        yield _tick(record)
                if len(page) < PAGE:
                    return
        finally:
            runner.run(journal.close())


def _tick(record: Record) -> RecordedTick:
    decisions = plan_of(record).decisions
    sent = _sent(record.body)
    writes = {
        key: one.range_to
        for one in decisions
        if (key := key_of(one.service, one.deployment)) in sent and one.range_to is not None
    }
    return RecordedTick(record, snapshot_of(record), decisions, writes)


def _sent(body: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(body.get("writes") or ())


def replicas_of(observation: Observation | None) -> int | None:
    """What was set, as one count: where the vendor moves it inside a range, what runs; None: not read."""
    if observation is None or observation.replicas is None:
        return None
    if observation.replicas.is_exact or observation.ready is None:
        return observation.replicas.minimum
    return observation.ready + (observation.starting or 0)
