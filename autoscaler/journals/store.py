"""The SQLite file itself, for one thread: appending, reading and thinning, without asyncio."""

from __future__ import annotations

import math
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from autoscaler.journals import codec
from autoscaler.journals.means import HourMeans, MinuteMean, hour_of
from autoscaler.ports import JournalError, Record

FRAME_USES: Final = 64
"""A new frame after this many records: near enough to resemble them, and its own size shared by many."""

FRAMES_HELD: Final = 8
SYNCED_KINDS: Final = frozenset({"human"})
"""Kinds that wait for the disk: a person who was told "paused" is paused after a power cut too."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which records are asked for; None is no bound. Instants are included, ``after_seq`` is not."""

    kinds: tuple[str, ...] | None = None
    after_seq: int = 0
    since: float | None = None
    until: float | None = None
    limit: int | None = None
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class NumberedFrame:
    """A frame as the file knows it, and how many records use it."""

    id: int
    frame: codec.Frame
    uses: int


@dataclass(slots=True)
class Kind:
    """One kind of record, as the file knows it."""

    id: int
    went_back: bool
    newest_at: float | None


class Store:
    """One open journal. Every method is one bounded piece of work and may raise sqlite3.Error.

    A transaction that fails leaves nothing behind, neither in the file nor in what is remembered here.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, version: int) -> None:
        self.path = path
        self.version = version
        self._db = connection
        self._kinds: dict[str, Kind] = {}
        self._current: dict[int, NumberedFrame] = {}  # by kind id: what the next record is written against
        self._frames: OrderedDict[int, codec.Frame] = OrderedDict()  # by id: the last few, for readers

    def close(self) -> None:
        """Give back the file."""
        self._db.close()

    # --- transactions ---------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            # What was remembered may speak of rows that are not there now.
            self._kinds.clear()
            self._current.clear()
            self._frames.clear()
            with suppress(sqlite3.Error):  # SQLite has often rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _one_view(self) -> Iterator[None]:
        # A record and its frame have to be of one moment: another process may be thinning.
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    # --- appending ------------------------------------------------------------------------------

    def append(self, record: Record) -> int:
        """Add one record. Raises: JournalError for a body that JSON cannot hold."""
        text = self._text_of(record)
        if record.kind not in SYNCED_KINDS:
            return self._insert(record.kind, record.at, text)
        self._db.execute("PRAGMA synchronous = FULL")
        try:
            return self._insert(record.kind, record.at, text)
        finally:
            self._db.execute("PRAGMA synchronous = NORMAL")

    def _text_of(self, record: Record) -> bytes:
        if not math.isfinite(record.at):
            raise JournalError(f"journal {self.path}: a record's time cannot be {record.at}")
        try:
            return codec.body_text(record.body)
        except (TypeError, ValueError, RecursionError) as error:
            raise JournalError(f"journal {self.path}: cannot write this {record.kind}: {error}") from error

    def _insert(self, kind_name: str, at: float, text: bytes) -> int:
        with self.writing() as db:
            kind = self._kind(kind_name)
            frame, blob = self._packed(kind, text)
            row = db.execute(
                "INSERT INTO records (kind, at, frame, body) VALUES (?, ?, ?, ?)", (kind.id, at, frame, blob)
            )
            if kind.newest_at is not None and at < kind.newest_at and not kind.went_back:
                self._note_went_back(kind)
            kind.newest_at = at if kind.newest_at is None else max(at, kind.newest_at)
        assert row.lastrowid is not None
        return row.lastrowid

    def _note_went_back(self, kind: Kind) -> None:
        self._db.execute("UPDATE kinds SET went_back = 1 WHERE id = ?", (kind.id,))
        kind.went_back = True

    def _kind(self, name: str) -> Kind:
        kind = self._kinds.get(name) or self._known_kind(name)
        if kind is None:
            row = self._db.execute("INSERT INTO kinds (name) VALUES (?)", (name,))
            assert row.lastrowid is not None
            kind = Kind(row.lastrowid, went_back=False, newest_at=None)
        self._kinds[name] = kind
        return kind

    def _known_kind(self, name: str) -> Kind | None:
        row = self._db.execute("SELECT id, went_back FROM kinds WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        (newest_at,) = self._db.execute("SELECT max(at) FROM records WHERE kind = ?", row[:1]).fetchone()
        # In a damaged file a time may have become a text.
        return Kind(row[0], bool(row[1]), newest_at if isinstance(newest_at, float) else None)

    def _packed(self, kind: Kind, text: bytes) -> tuple[int, bytes]:
        """Frame id and bytes for one text of this kind; a new frame where the old one has served enough."""
        frame = self._current.get(kind.id) or self._last_frame(kind)
        blob = b""
        if frame is not None and frame.uses < FRAME_USES:
            blob = codec.shrink(text, frame.frame)
        if frame is None or not blob or _unlike(blob, text, frame):
            frame = self._new_frame(text)
            blob = codec.shrink(text, frame.frame)
        self._current[kind.id] = replace(frame, uses=frame.uses + 1)
        return frame.id, blob

    def _new_frame(self, text: bytes) -> NumberedFrame:
        row = self._db.execute("INSERT INTO frames (body) VALUES (?)", (codec.shrink(text),))
        assert row.lastrowid is not None
        return NumberedFrame(row.lastrowid, codec.Frame(text), uses=0)

    def _last_frame(self, kind: Kind) -> NumberedFrame | None:
        row = self._db.execute(
            "SELECT frame FROM records WHERE kind = ? ORDER BY at DESC, seq DESC LIMIT 1", (kind.id,)
        ).fetchone()
        if row is None:
            return None
        (uses,) = self._db.execute("SELECT count(*) FROM records WHERE frame = ?", row).fetchone()
        with suppress(
            codec.DamageError
        ):  # a damaged frame serves nobody any more: the next record starts one
            return NumberedFrame(row[0], self._frame(row[0]), uses)
        return None

    # --- reading --------------------------------------------------------------------------------

    def seqs(self, bounds: Bounds) -> list[int]:
        """Sequence numbers of the records within the bounds, in the order asked for."""
        kinds = self._asked_kinds(bounds.kinds)
        with self._one_view():
            # From a number onward is a short way along the table; the whole history goes by the index.
            found = self._after(kinds, bounds) if bounds.after_seq > 0 else self._by_index(kinds, bounds)
        found.sort(reverse=bounds.newest_first)
        return found if bounds.limit is None else found[: max(0, bounds.limit)]

    def _asked_kinds(self, names: tuple[str, ...] | None) -> dict[int, bool]:
        rows = self._db.execute("SELECT id, name, went_back FROM kinds").fetchall()
        return {row[0]: bool(row[2]) for row in rows if names is None or row[1] in names}

    def _after(self, kinds: Mapping[int, bool], bounds: Bounds) -> list[int]:
        marks = ",".join("?" * len(kinds))
        rows = self._db.execute(
            "SELECT seq FROM records NOT INDEXED WHERE seq > ? AND at BETWEEN ? AND ?"  # noqa: S608
            f" AND kind IN ({marks}) ORDER BY seq {_direction(bounds)} LIMIT ?",
            (bounds.after_seq, *_span(bounds), *kinds, _limit(bounds)),
        )
        return [row[0] for row in rows]

    def _by_index(self, kinds: Mapping[int, bool], bounds: Bounds) -> list[int]:
        found: list[int] = []
        way = _direction(bounds)
        for kind, went_back in kinds.items():
            # Where time never went back, the index is in order of seq too, and a limit ends it early.
            order = f"seq {way}" if went_back else f"at {way}, seq {way}"
            rows = self._db.execute(
                "SELECT seq FROM records INDEXED BY records_kind_at"  # noqa: S608
                f" WHERE kind = ? AND at BETWEEN ? AND ? ORDER BY {order} LIMIT ?",
                (kind, *_span(bounds), _limit(bounds)),
            )
            found.extend(row[0] for row in rows)
        return found

    def fetch(self, seqs: Sequence[int], kinds: tuple[str, ...] | None = None) -> list[Record]:
        """These records, in the order given; those that retention has taken meanwhile are left out.

        Raises: JournalError for a damaged one.
        """
        marks = ",".join("?" * len(seqs))
        with self._one_view():
            rows = self._db.execute(
                "SELECT seq, name, at, frame, body FROM records JOIN kinds ON kinds.id = kind"  # noqa: S608
                f" WHERE seq IN ({marks})",
                tuple(seqs),
            ).fetchall()
            records = {row[0]: self._record(row)[0] for row in rows if kinds is None or row[1] in kinds}
        return [records[seq] for seq in seqs if seq in records]

    def fetch_sized(self, seq: int) -> tuple[Record, int]:
        """One record, and the bytes of its JSON. Raises: JournalError for a damaged one."""
        row = self._db.execute(
            "SELECT seq, name, at, frame, body FROM records JOIN kinds ON kinds.id = kind WHERE seq = ?",
            (seq,),
        ).fetchone()
        if row is None:
            raise JournalError(
                f"journal {self.path}: record {seq} is damaged: its row or its kind is missing"
            )
        return self._record(row)

    def _record(self, row: tuple[int, object, object, int, bytes]) -> tuple[Record, int]:
        seq, kind, at, frame, blob = row
        try:
            if not isinstance(at, float) or not isinstance(kind, str):
                raise codec.DamageError("its time or its kind is of another type")
            text = codec.expand(blob, self._frame(frame))
            return Record(kind=kind, at=at, body=codec.body_from(text), seq=seq), len(text)
        except (codec.DamageError, TypeError) as error:
            raise JournalError(f"journal {self.path}: record {seq} ({kind}) is damaged: {error}") from error

    def _frame(self, frame_id: int) -> codec.Frame:
        frame = self._frames.get(frame_id)
        if frame is None:
            row = self._db.execute("SELECT body FROM frames WHERE id = ?", (frame_id,)).fetchone()
            if row is None:
                raise codec.DamageError(f"frame {frame_id} is missing")
            frame = self._frames[frame_id] = codec.Frame(codec.expand(row[0]))
            if len(self._frames) > FRAMES_HELD:
                self._frames.popitem(last=False)
        else:
            self._frames.move_to_end(frame_id)
        return frame

    # --- minute means ---------------------------------------------------------------------------

    def minute_means(self, service: str | None, since: float, until: float) -> list[MinuteMean]:
        """Means of the minutes that start within the bounds, by service and time."""
        if self.version < 2:
            return []
        rows = self._db.execute(
            "SELECT hour, service, body FROM hours WHERE hour BETWEEN ? AND ?"
            " AND service = coalesce(?, service) ORDER BY service, hour",
            (_hour(since), _hour(until), service),
        )
        found: list[MinuteMean] = []
        for hour, name, body in rows:
            try:
                means = HourMeans(body).means(hour, name)
            except codec.DamageError as error:
                raise JournalError(f"journal {self.path}: {error} ({name}, hour {hour})") from error
            found.extend(mean for mean in means if since <= mean.at <= until)
        return found

    def add_means(self, hour: int, means: Mapping[str, HourMeans]) -> None:
        """Add to the minute means of one hour, by service; within a transaction."""
        for service, part in means.items():
            whole = self._hour(hour, service)
            whole.merge(part)
            self._db.execute(
                "INSERT OR REPLACE INTO hours (hour, service, body) VALUES (?, ?, ?)",
                (hour, service, whole.stored()),
            )

    def _hour(self, hour: int, service: str) -> HourMeans:
        row = self._db.execute(
            "SELECT body FROM hours WHERE hour = ? AND service = ?", (hour, service)
        ).fetchone()
        with suppress(codec.DamageError):  # a damaged hour starts anew: upkeep must not stop at it for ever
            return HourMeans(row[0] if row else None)
        return HourMeans()

    # --- what retention needs -------------------------------------------------------------------

    def newest(self, kind: str, at_most: float) -> int | None:
        """Sequence number of the last record of a kind at or before an instant."""
        found = self.seqs(Bounds(kinds=(kind,), until=at_most, limit=1, newest_first=True))
        return found[0] if found else None

    def oldest(
        self, kind: str, *, before: float, below_seq: int, after: tuple[float, int], limit: int
    ) -> list[tuple[float, int]]:
        """Time and number of a kind's oldest records, beyond the place ``after``."""
        return self._db.execute(
            "SELECT at, seq FROM records INDEXED BY records_kind_at"
            " WHERE kind = (SELECT id FROM kinds WHERE name = ?) AND at >= ? AND (at, seq) > (?, ?)"
            " AND at < ? AND seq < ? ORDER BY at, seq LIMIT ?",
            (kind, after[0], *after, before, below_seq, limit),
        ).fetchall()

    def kind_names(self) -> list[str]:
        """Every kind that was ever appended."""
        return [row[0] for row in self._db.execute("SELECT name FROM kinds ORDER BY id")]

    def put_in_place(self, old: Record, kind_name: str, body: Mapping[str, Any]) -> None:
        """Give a record another kind and body under its own number; within a transaction."""
        kind = self._kind(kind_name)
        frame, blob = self._packed(kind, codec.body_text(body))
        self._db.execute(
            "UPDATE records SET kind = ?, frame = ?, body = ? WHERE seq = ?", (kind.id, frame, blob, old.seq)
        )
        former = self._known_kind(old.kind)
        if former is not None and former.went_back and not kind.went_back:
            self._note_went_back(kind)
        kind.newest_at = old.at if kind.newest_at is None else max(old.at, kind.newest_at)

    def frames_of(self, seqs: Sequence[int]) -> set[int]:
        """The frames that these records need."""
        marks = ",".join("?" * len(seqs))
        query = f"SELECT DISTINCT frame FROM records WHERE seq IN ({marks})"  # noqa: S608
        return {row[0] for row in self._db.execute(query, tuple(seqs))}

    def delete(self, seqs: Sequence[int]) -> None:
        """Drop records; within a transaction."""
        self._db.executemany("DELETE FROM records WHERE seq = ?", [(seq,) for seq in seqs])

    def drop_unused(self, frames: set[int]) -> None:
        """Drop those of these frames that no record needs any more; within a transaction."""
        gone = {
            frame
            for frame in frames
            if self._db.execute("SELECT 1 FROM records WHERE frame = ? LIMIT 1", (frame,)).fetchone() is None
        }
        self._db.executemany("DELETE FROM frames WHERE id = ?", [(frame,) for frame in gone])
        self._current = {kind: frame for kind, frame in self._current.items() if frame.id not in gone}
        for frame_id in gone:
            self._frames.pop(frame_id, None)

    def delete_hours(self, before: float, limit: int) -> int:
        """Drop minute means of whole hours before an instant; how many rows that were."""
        with self.writing() as db:
            rows = db.execute(
                "SELECT hour, service FROM hours WHERE hour < ? ORDER BY hour LIMIT ?", (_hour(before), limit)
            ).fetchall()
            db.executemany("DELETE FROM hours WHERE hour = ? AND service = ?", rows)
        return len(rows)

    def note(self, name: str) -> str | None:
        """What upkeep wrote down under this name."""
        row = self._db.execute("SELECT body FROM upkeep WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def write_note(self, name: str, text: str) -> None:
        """Write something down for the next upkeep; within a transaction."""
        self._db.execute("INSERT OR REPLACE INTO upkeep (name, body) VALUES (?, ?)", (name, text))


def _unlike(blob: bytes, text: bytes, frame: NumberedFrame) -> bool:
    """Whether a body resembles its frame so little that another frame would serve its successors better."""
    # Not before some uses, or two bodies that alternate would each time bring a frame.
    return frame.uses >= 8 and len(text) > 512 and len(blob) * 3 > len(text)


def _direction(bounds: Bounds) -> str:
    return "DESC" if bounds.newest_first else "ASC"


def _limit(bounds: Bounds) -> int:
    return -1 if bounds.limit is None else max(0, bounds.limit)


def _span(bounds: Bounds) -> tuple[float, float]:
    since = -math.inf if bounds.since is None else bounds.since
    return since, math.inf if bounds.until is None else bounds.until


def _hour(at: float) -> int:
    # Bounds may be infinite; SQLite's integers are not.
    return hour_of(min(max(at, -1e15), 1e15))
