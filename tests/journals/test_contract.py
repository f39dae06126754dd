"""What every journal promises."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import pytest

from autoscaler.ports import Journal, JournalError, Record
from tests.journals.bodies import DAY_S, T0, a_tick
from tests.journals.conftest import AnyJournal


async def appended(journal: AnyJournal, *records: tuple[str, float, dict[str, Any]]) -> list[int]:
    return [await journal.append(Record(kind, at, body)) for kind, at, body in records]


async def kinds_left(journal: AnyJournal) -> list[str]:
    return [record.kind for record in await journal.read()]


async def test_what_is_appended_is_read_back_in_order(journal: AnyJournal) -> None:
    bodies: list[dict[str, Any]] = [
        {"x": [1, 2.5, None, True, "ä\x00\ud800", -0.0, 10**30, 1e-9]},
        {},
        {"nested": {"deep": [{"a": []}]}, "1": "01", "2": "1"},
    ]
    port: Journal = journal
    seqs = [await port.append(Record("event", T0, body)) for body in bodies]

    records = await journal.read()

    assert seqs == sorted(set(seqs))
    assert [record.seq for record in records] == seqs
    assert [record.body for record in records] == bodies
    assert {record.at for record in records} == {T0}


async def test_the_filters_of_the_port_hold_together(journal: AnyJournal) -> None:
    seqs = await appended(journal, *[("tick" if i % 2 else "human", T0 + i, {"n": i}) for i in range(10)])

    def numbers(records: Any) -> list[int]:
        return [record.body["n"] for record in records]

    assert numbers(await journal.read(kinds=["tick"])) == [1, 3, 5, 7, 9]
    assert numbers(await journal.read(kinds=["tick", "human"], limit=3)) == [0, 1, 2]
    assert numbers(await journal.read(kinds=["none"])) == []
    assert numbers(await journal.read(kinds=[])) == []
    assert numbers(await journal.read(since=T0 + 3, until=T0 + 5)) == [3, 4, 5]
    assert numbers(await journal.read(after_seq=seqs[6])) == [7, 8, 9]
    assert numbers(await journal.read(after_seq=seqs[2], kinds=["human"], limit=2)) == [4, 6]
    assert numbers(await journal.read(newest_first=True, limit=2)) == [9, 8]
    assert numbers(await journal.read(after_seq=seqs[1], newest_first=True, limit=1)) == [9]
    assert numbers(await journal.read(kinds=["tick"], until=T0 + 6, newest_first=True, limit=1)) == [5]
    assert numbers(await journal.read(limit=0)) == []
    assert numbers([r async for r in journal.stream(["human"], since=T0 + 3)]) == [4, 6, 8]


async def test_a_clock_set_back_does_not_change_the_order(journal: AnyJournal) -> None:
    await appended(journal, *[("tick", T0 + at, {"at": at}) for at in (0, 100, 200, 50, 60, 300, 70)])

    assert [r.body["at"] for r in await journal.read()] == [0, 100, 200, 50, 60, 300, 70]
    assert [r.body["at"] for r in await journal.read(until=T0 + 100)] == [0, 100, 50, 60, 70]
    last = await journal.read(kinds=["tick"], until=T0 + 100, newest_first=True, limit=1)
    assert last[0].body["at"] == 70
    assert [r.body["at"] for r in await journal.read(kinds=["tick"], limit=4)] == [0, 100, 200, 50]


@pytest.mark.parametrize("body", [{"x": math.nan}, {"x": math.inf}, {"x": object()}, {"x": {1, 2}}])
async def test_a_body_that_json_cannot_hold_is_refused_and_harms_nothing(
    journal: AnyJournal, body: dict[str, Any]
) -> None:
    with pytest.raises(JournalError, match="cannot write this event"):
        await journal.append(Record("event", T0, body))
    await journal.append(Record("event", T0, {"x": 1}))

    assert [record.body for record in await journal.read()] == [{"x": 1}]


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf])
async def test_a_record_without_a_real_time_is_refused(journal: AnyJournal, at: float) -> None:
    with pytest.raises(JournalError, match="time"):
        await journal.append(Record("event", at, {}))


async def test_a_body_changed_after_appending_is_not_changed_in_the_journal(journal: AnyJournal) -> None:
    body = {"list": [1]}
    await journal.append(Record("event", T0, MappingProxyType(body)))
    body["list"].append(2)

    assert (await journal.read())[0].body == {"list": [1]}


async def test_a_closed_journal_says_so(journal: AnyJournal) -> None:
    await journal.close()
    await journal.close()

    with pytest.raises(JournalError, match="closed"):
        await journal.read()
    with pytest.raises(JournalError, match="closed"):
        await journal.append(Record("event", T0, {}))


# --- retention ----------------------------------------------------------------------------------


async def test_old_ticks_become_decisions_that_say_something_new(journal: AnyJournal) -> None:
    reasons = ["hold", "hold", "queue_depth", "hold", "hold"]
    ticks = [("tick", T0 + 15 * i, a_tick(T0 + 15 * i, reason=why)) for i, why in enumerate(reasons)]
    scaled = ("tick", T0 + 90, a_tick(T0 + 90, reason="hold", replicas_to=3))
    seqs = await appended(journal, *ticks, scaled, ("checkpoint", T0 + 100, {"m": 1}))

    await journal.prune(T0 + 101 + 7 * DAY_S)

    left = await journal.read(kinds=["decisions"])
    assert [record.seq for record in left] == [seqs[0], seqs[2], seqs[3], seqs[5]]
    assert left[-1].body["plan"]["decisions"][0]["replicas_to"] == 3
    assert "snapshot" not in left[0].body
    assert await journal.read(kinds=["tick"]) in ([], ())


async def test_thinning_in_parts_leaves_the_same_as_thinning_at_once(journal: AnyJournal) -> None:
    for i in range(40):
        at = T0 + 30 * i
        await journal.append(Record("tick", at, a_tick(at, reason="hold" if i % 10 else "cooldown")))
        await journal.append(Record("checkpoint", at, {"i": i}))
    for at in (5, 6, 7, 300, 301, 900, 5000):
        await journal.prune(T0 + at + 7 * DAY_S)

    left = [(r.at - T0) / 30 for r in await journal.read(kinds=["decisions", "tick"])]
    assert left == [0, 1, 10, 11, 20, 21, 30, 31]
    assert [m.ticks for m in await journal.minute_means()] == [2] * 20


async def test_minute_means_tell_what_was_thinned(journal: AnyJournal) -> None:
    await appended(
        journal,
        ("tick", T0, a_tick(T0, demand=10, replicas=2)),
        ("tick", T0 + 30, a_tick(T0 + 30, demand=None, replicas=4)),
        ("tick", T0 + 60, {"plan": {"services": {"chat": {"demand": 7}, "odd": None}}}),
        ("tick", T0 + 61, {"plan": "not a plan"}),
        ("tick", T0 + 62, {}),
        ("checkpoint", T0 + 100, {}),
    )
    await journal.prune(T0 + 7 * DAY_S)
    assert not await journal.minute_means()  # nothing is thinned yet

    await journal.prune(T0 + 101 + 7 * DAY_S)

    first, second = await journal.minute_means("chat")
    assert (first.at, first.ticks, first.demand) == (T0, 2, 10.0)
    assert (first.replicas_set, first.replicas_ready) == (3.0, 2.0)
    assert first.usd_per_hour == pytest.approx(3.3)
    assert (second.at, second.demand, second.replicas_set, second.usd_per_hour) == (T0 + 60, 7.0, None, None)
    assert [mean.at for mean in await journal.minute_means("chat", since=T0 + 1)] == [T0 + 60]
    assert {mean.service for mean in await journal.minute_means()} == {"chat", "odd"}


async def test_without_an_old_checkpoint_nothing_is_taken(journal: AnyJournal) -> None:
    await appended(journal, ("tick", T0, a_tick(T0)), ("human", T0, {"until": T0 + 1}))
    await journal.prune(T0 + 1000 * DAY_S)

    assert await kinds_left(journal) == ["tick", "human"]


async def test_the_last_checkpoint_and_all_after_it_stay_for_ever(journal: AnyJournal) -> None:
    await appended(
        journal,
        ("checkpoint", T0, {"n": 1}),
        ("tick", T0 + 1, a_tick(T0)),
        ("checkpoint", T0 + 2, {"n": 2}),
        ("tick", T0 + 3, a_tick(T0 + 3)),
        ("outcomes", T0 + 3, {"outcomes": []}),
        ("human", T0 + 4, {"until": T0 + 5}),
    )
    await journal.prune(T0 + 1000 * DAY_S)

    records = await journal.read()
    assert [record.kind for record in records] == ["checkpoint", "tick", "outcomes", "human"]
    assert records[0].body == {"n": 2}
    assert records[1].body == a_tick(T0 + 3)


async def test_the_tick_that_the_last_checkpoint_was_made_after_stays_whole(journal: AnyJournal) -> None:
    seqs = await appended(journal, *[("tick", T0 + i, a_tick(T0 + i)) for i in range(3)])
    await appended(
        journal, ("outcomes", T0 + 3, {"outcomes": []}), ("checkpoint", T0 + 4, {"after_seq": seqs[2]})
    )
    await journal.prune(T0 + 100 * DAY_S)

    assert await kinds_left(journal) == ["decisions", "tick", "outcomes", "checkpoint"]


async def test_each_whole_tick_keeps_a_checkpoint_before_it(journal: AnyJournal) -> None:
    for i in range(100):
        kind = "tick" if i % 10 else "checkpoint"
        await journal.append(Record(kind, T0 + i * 600, a_tick(T0) if i % 10 else {"i": i}))
    await journal.prune(T0 + 7 * DAY_S + 55 * 600)

    whole = await journal.read(kinds=["tick", "checkpoint"])
    assert whole[0].kind == "checkpoint"
    assert whole[0].body == {"i": 50}
    assert len(whole) == 50


async def test_human_acts_in_force_outlive_every_limit(journal: AnyJournal) -> None:
    now = T0 + 500 * DAY_S
    await appended(
        journal,
        ("human", T0, {"act": "over", "until": T0 + DAY_S}),
        ("human", T0, {"act": "long", "until": now + DAY_S}),
        ("human", T0, {"act": "open", "until": None}),
        ("human", T0, {"act": "no until"}),
        ("human", now - DAY_S, {"act": "recent", "until": now - 1}),
        ("checkpoint", now - 8 * DAY_S, {}),
    )
    await journal.prune(now)
    await journal.prune(now)

    assert [r.body["act"] for r in await journal.read(kinds=["human"])] == [
        "long",
        "open",
        "no until",
        "recent",
    ]


async def test_what_is_older_than_400_days_goes_but_the_last_start(journal: AnyJournal) -> None:
    now = T0 + 500 * DAY_S
    await appended(
        journal,
        ("start", T0, {"n": 1}),
        ("start", T0 + 1, {"n": 2}),
        ("event", T0 + 2, {}),
        ("outcomes", T0 + 3, {"outcomes": [{"outcome": "accepted"}]}),
        ("tick", T0 + 4, a_tick(T0)),
        ("event", now - 300 * DAY_S, {"keep": True}),
        ("outcomes", now - 300 * DAY_S, {"outcomes": []}),
        ("outcomes", now - 300 * DAY_S, {"outcomes": [{"outcome": "accepted"}]}),
        ("checkpoint", now - 8 * DAY_S, {}),
    )
    await journal.prune(now)

    left = [(record.kind, record.body) for record in await journal.read()]
    assert left == [
        ("start", {"n": 2}),
        ("event", {"keep": True}),
        ("outcomes", {"outcomes": [{"outcome": "accepted"}]}),
        ("checkpoint", {}),
    ]
    assert not await journal.minute_means()


async def test_the_history_of_prices_is_kept_for_400_days(journal: AnyJournal) -> None:
    days = [
        (day, {"prices": {"exo/h100": {"usd_per_gpu_hour": 2.0 + day / 100}}}) for day in range(0, 500, 50)
    ]
    await appended(journal, *[("prices", T0 + day * DAY_S, body) for day, body in days])
    await appended(journal, ("checkpoint", T0 + 490 * DAY_S, {"memory": {}}))

    await journal.prune(T0 + 500 * DAY_S)
    await journal.prune(T0 + 500 * DAY_S)

    left = await journal.read(kinds=["prices"])
    assert [record.body for record in left] == [body for day, body in days if day >= 100]
    yesterday = await journal.read(kinds=["prices"], until=T0 + 449 * DAY_S, newest_first=True, limit=1)
    assert [record.at for record in yesterday] == [T0 + 400 * DAY_S]


async def test_a_number_is_never_used_twice(journal: AnyJournal) -> None:
    await appended(journal, *[("event", T0, {}) for _ in range(3)], ("checkpoint", T0 + 1, {}))
    await journal.prune(T0 + 500 * DAY_S)

    assert await journal.append(Record("event", T0, {})) == 5
