"""Retention on the SQLite journal, in pieces so small that a tick never waits for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from autoscaler.journals.codec import body_text
from autoscaler.journals.means import HourMeans, hour_of
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
from autoscaler.journals.store import Store
from autoscaler.ports import JournalError, Record

PIECE_BYTES: Final = 192 * 1024
"""JSON that one piece reads, some 10 ms of work; always at least one record."""

PIECE_RECORDS: Final = 128
START: Final = (float("-inf"), 0)
REASONS_NOTE: Final = "reasons"
COUNTED_NOTE: Final = "counted"
OUTCOMES_NOTE: Final = "outcomes"


class Upkeep:
    """One run of retention as of ``now``. Call ``piece`` until it says that nothing is left.

    Whole ticks and checkpoints stay from the newest checkpoint that is older than ``FULL_DETAIL_S``
    onward, so that each tick in full detail can be replayed from a checkpoint before it, and memory is
    never lost. Without a checkpoint that old nothing is taken away.
    """

    def __init__(self, store: Store, now: float) -> None:
        self._store = store
        self._now = now
        self._places: dict[str, tuple[float, int]] = {}  # by kind: how far this run has come
        self._anchor: int | None = None  # the first record that has to stay as it is
        self._hour: int | None = None  # whose means are being counted
        self._means: dict[str, HourMeans] = {}
        self._work: list[Callable[[int], bool]] = [
            self._count_means,
            self._thin_ticks,
            self._drop_checkpoints,
            self._drop_silent_outcomes,
            self._drop_old_means,
            self._drop_old_records,
        ]

    def piece(self) -> bool:
        """Do one piece; False when all is done. Raises: sqlite3.Error, JournalError."""
        if self._anchor is None:
            checkpoint = self._store.newest("checkpoint", self._now - FULL_DETAIL_S)
            if checkpoint is None:
                return False
            self._anchor = self._first_needed(checkpoint)
        anchor = self._anchor
        while self._work:
            if self._work[0](anchor):
                return True
            self._work.pop(0)
            self._places.clear()
        return False

    def _first_needed(self, checkpoint: int) -> int:
        with suppress(JournalError):  # a damaged checkpoint still says by its number what came before it
            return needed_from(checkpoint, self._store.fetch([checkpoint])[0].body)
        return checkpoint

    def _next(self, kind: str, before: float, anchor: int) -> list[tuple[float, int]]:
        after = self._places.get(kind, START)
        return self._store.oldest(kind, before=before, below_seq=anchor, after=after, limit=PIECE_RECORDS)

    def _read(self, places: Sequence[tuple[float, int]], kind: str) -> list[Record]:
        """As many of these records as one piece may hold; a damaged one is passed over and stays."""
        records: list[Record] = []
        read_bytes = 0
        for place in places:
            self._places[kind] = place
            with suppress(JournalError):
                record, json_bytes = self._store.fetch_sized(place[1])
                records.append(record)
                read_bytes += json_bytes
            if read_bytes >= PIECE_BYTES:
                break
        return records

    def _count_means(self, anchor: int) -> bool:
        """Minute means of ticks that are to be thinned, an hour at a time.

        The hour's means and the note of how far they go are written as one, before any of its ticks is
        thinned: whatever ends the process, each tick is counted once.
        """
        if "tick" not in self._places:
            self._places["tick"] = self._noted_place(COUNTED_NOTE)
        counted = self._places["tick"]
        places = self._next("tick", self._now - FULL_DETAIL_S, anchor)
        hour = hour_of(places[0][0]) if places else None
        if self._hour is not None and self._hour != hour:
            with self._store.writing():
                self._store.add_means(self._hour, self._means)
                self._store.write_note(COUNTED_NOTE, json.dumps(counted))
            self._hour, self._means = None, {}
            return True
        if hour is None:
            return False
        self._hour = hour
        for tick in self._read([place for place in places if hour_of(place[0]) == hour], "tick"):
            for facts in facts_of(tick.body):
                self._means.setdefault(facts.service, HourMeans()).add(tick.at, facts)
        return True

    def _thin_ticks(self, anchor: int) -> bool:
        places = self._next("tick", self._now - FULL_DETAIL_S, anchor)
        if not places:
            return False
        ticks = self._read(places, "tick")
        store = self._store
        with store.writing():
            frames = store.frames_of([tick.seq for tick in ticks])
            reasons = self._noted_reasons()
            for tick in ticks:
                rest, reasons = thinned(tick.body, reasons)
                if rest is None:
                    store.delete([tick.seq])
                else:
                    store.put_in_place(tick, THINNED_KIND, rest)
            store.write_note(REASONS_NOTE, body_text(reasons).decode("ascii"))
            store.drop_unused(frames)
        return True

    def _noted_place(self, name: str) -> tuple[float, int]:
        # Without the note all is looked at once more.
        with suppress(ValueError, TypeError):
            at, seq = json.loads(self._store.note(name) or "null")
            return float(at), int(seq)
        return START

    def _noted_reasons(self) -> Reasons:
        # Without the note, or with a damaged one, the next tick's decisions are all kept: no loss.
        with suppress(ValueError):
            reasons = json.loads(self._store.note(REASONS_NOTE) or "{}")
            if isinstance(reasons, dict):
                return reasons
        return {}

    def _drop(self, seqs: Sequence[int]) -> None:
        frames = self._store.frames_of(seqs)
        self._store.delete(seqs)
        self._store.drop_unused(frames)

    def _drop_checkpoints(self, anchor: int) -> bool:
        places = self._next("checkpoint", self._now - FULL_DETAIL_S, anchor)
        if places:
            with self._store.writing():
                self._drop([seq for _, seq in places])
        return bool(places)

    def _drop_silent_outcomes(self, anchor: int) -> bool:
        """Outcomes that tell of no write; a note says up to where earlier runs have looked."""
        if "outcomes" not in self._places:
            self._places["outcomes"] = self._noted_place(OUTCOMES_NOTE)
        places = self._next("outcomes", self._now - FULL_DETAIL_S, anchor)
        if not places:
            return False
        silent = [record.seq for record in self._read(places, "outcomes") if says_nothing(record.body)]
        with self._store.writing():
            self._drop(silent)
            self._store.write_note(OUTCOMES_NOTE, json.dumps(self._places["outcomes"]))
        return True

    def _drop_old_means(self, _anchor: int) -> bool:
        return self._store.delete_hours(self._now - KEPT_S, PIECE_RECORDS) > 0

    def _drop_old_records(self, anchor: int) -> bool:
        for kind in self._store.kind_names():
            places = self._next(kind, self._now - KEPT_S, anchor)
            if places:
                gone = self._past_use(kind, places)
                with self._store.writing():
                    self._drop(gone)
                return True
        return False

    def _past_use(self, kind: str, places: Sequence[tuple[float, int]]) -> list[int]:
        if kind == "human":
            acts = self._read(places, kind)
            return [act.seq for act in acts if not still_in_force(act.body, self._now)]
        self._places[kind] = places[-1]
        if kind == "start":
            last = self._store.newest(kind, sys.float_info.max)
            return [seq for _, seq in places if seq != last]
        return [seq for _, seq in places]
