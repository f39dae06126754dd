"""Any history of appends, prunes and reopenings reads back as the journal in memory does."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.journals import MemoryJournal, SqliteJournal
from autoscaler.ports import Record
from tests.journals.bodies import DAY_S, T0, a_tick

REASONS = st.sampled_from(["hold", "hold", "queue_depth", "cooldown"])
ACTS = st.one_of(
    st.tuples(st.just("tick"), REASONS, st.integers(0, 5)),
    st.tuples(st.just("checkpoint"), st.lists(st.integers(0, 9999), max_size=40)),
    st.tuples(st.just("human"), st.sampled_from([None, 0, 30 * DAY_S, 900 * DAY_S])),
    st.tuples(st.just("outcomes"), st.lists(st.sampled_from(["accepted", "stale"]), max_size=2)),
    st.tuples(st.sampled_from(["start", "event"]), st.text(max_size=5)),
    st.tuples(st.just("prune")),
    st.tuples(st.just("reopen")),
    st.tuples(st.just("many"), st.integers(1, 90)),
)
HISTORIES = st.lists(
    st.tuples(ACTS, st.sampled_from([15.0, 15.0, DAY_S, 8 * DAY_S, 100 * DAY_S])), max_size=25
)


def records_of(act: Any, at: float) -> list[Record]:
    kind = act[0]
    if kind == "tick":
        return [Record(kind, at, a_tick(at, demand=act[2], reason=act[1]))]
    if kind == "many":
        return [Record("tick", at + i, a_tick(at + i, demand=i % 7)) for i in range(act[1])]
    if kind == "human":
        return [Record(kind, at, {"until": None if act[1] is None else at + act[1]})]
    return [Record(kind, at, {kind: act[1]})]


async def same_in_both(history: list[tuple[Any, float]], path: Path) -> None:
    disk, memory = await SqliteJournal.open(path), MemoryJournal()
    now = T0
    for act, pause in history:
        now += pause
        if act[0] == "prune":
            await disk.prune(now)
            await memory.prune(now)
        elif act[0] == "reopen":
            await disk.close()
            disk = await SqliteJournal.open(path)
        else:
            for record in records_of(act, now):
                assert await disk.append(record) == await memory.append(record)
    assert await disk.read() == await memory.read()
    assert await disk.minute_means() == await memory.minute_means()
    for kind in ("tick", "checkpoint", "decisions"):
        bounds: dict[str, Any] = {"kinds": [kind], "until": now - 10, "limit": 2, "newest_first": True}
        assert await disk.read(**bounds) == await memory.read(**bounds)
    assert await disk.read(after_seq=3, kinds=["tick", "human"]) == await memory.read(
        after_seq=3, kinds=["tick", "human"]
    )
    await disk.close()


@settings(max_examples=40, deadline=None)
@given(HISTORIES)
def test_any_history_reads_back_as_from_memory(history: list[tuple[Any, float]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(same_in_both(history, Path(directory) / "journal.db"))
