"""Prices: what is known of them, what the journal holds of it, and that neither gets in the way of a tick."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.memory import Memory
from autoscaler.core.model import Price
from autoscaler.daemon.prices import (
    HELD_S,
    KEYS_MAX,
    KIND,
    Catalogue,
    PriceBook,
    body_of,
    catalogue_of,
    held_at,
    last_record,
    recalled,
)
from autoscaler.daemon.recall import recall
from autoscaler.journals import MemoryJournal
from autoscaler.journals.codec import body_text
from autoscaler.ports import JournalError, Record, Unavailable
from tests.core.fleets import a_fleet
from tests.daemon.mortal import Killed, Life, make_mortal
from tests.daemon.rig import START, Rig, a_rig

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
DAY = 86_400.0


class Priced:
    """An account whose vendor publishes prices: what a test says, or None for no answer."""

    def __init__(self, rig: Rig, inner: Any) -> None:
        self._rig = rig
        self._inner = inner
        self.usd: Mapping[str, float | Price] | None = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def prices(self) -> Mapping[str, Price]:
        if self.usd is None:
            raise Unavailable("GET /prices")
        now = self._rig.clock.now()
        return {
            key: replace(one, at=now) if isinstance(one, Price) else Price(one, now)
            for key, one in self.usd.items()
        }


def priced(rig: Rig, *, fixed: Mapping[str, float] | None = None) -> Priced:
    """The account ``exo`` publishes prices from now on; the configuration has these."""
    ticker = rig.daemon.ticker
    vendor: Any = Priced(rig, ticker.setup.providers["exo"])
    ticker.reconfigure(
        replace(
            ticker.setup,
            fleet=replace(ticker.setup.fleet, fixed_prices=fixed or {}),
            providers={**ticker.setup.providers, "exo": vendor},
        )
    )
    found: Priced = vendor
    return found


async def refreshed(rig: Rig, after_s: float = 300.0) -> None:
    """A tick in which vendors are asked for their prices again."""
    await rig.clock.sleep(after_s)
    await rig.tick()


async def records(rig: Rig) -> list[Record]:
    assert rig.running is not None
    return list(await rig.running.journal.read(kinds=[KIND]))


async def told(rig: Rig) -> Mapping[str, Any]:
    """What ``GET /v1/prices`` answers, by provider and key."""
    body = json.loads(await rig.get("/v1/prices"))
    return {f"{row['provider']}/{row['key']}": row for row in body["prices"]}


# --- the journal ----------------------------------------------------------------------------------


async def test_a_price_that_appears_changes_or_goes_is_journalled_once(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        await rig.tick()
        assert await records(rig) == [], "no price, no record"
        listings: tuple[Mapping[str, float | Price], ...] = (
            {"gpua5000": 1.1, "h100": 2.4},
            {"gpua5000": 1.1, "h100": 2.4},
            {"gpua5000": 1.2, "h100": 2.4},
            {"gpua5000": 1.2, "h100": Price(2.4, 0, available=True)},
            {"gpua5000": 1.2, "h100": Price(2.4, 0, available=False)},
            {"gpua5000": 1.2},
            {"gpua5000": 1.2},
        )
        for vendor.usd in listings:
            await refreshed(rig)
        bodies = [record.body["prices"] for record in await records(rig)]
    assert [sorted(body) for body in bodies] == [["exo/gpua5000", "exo/h100"]] * 4 + [["exo/gpua5000"]]
    assert [body["exo/gpua5000"]["usd_per_gpu_hour"] for body in bodies] == [1.1, 1.2, 1.2, 1.2, 1.2]
    assert [body["exo/h100"].get("available") for body in bodies[:4]] == [None, None, True, False]


async def test_prices_that_stay_are_journalled_once_a_day(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        vendor.usd = {"h100": 2.4}
        for _ in range(24 * 3):
            await refreshed(rig, HOUR)
        at = [record.at for record in await records(rig)]
    assert len(at) == 3
    assert [later - earlier for earlier, later in pairwise(at)] == pytest.approx([DAY, DAY], abs=2 * HOUR)


async def test_a_price_of_the_configuration_is_journalled_too(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        await rig.tick()
        (record,) = await records(rig)
        assert record.body["prices"]["exo/gpua5000"] == {"usd_per_gpu_hour": 1.1, "source": "configuration"}
        assert record.at == rig.reports[-1].at


async def test_an_unanswered_question_and_an_empty_answer_take_no_price_away(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        for usd in ({"h100": 2.4}, None, {}):
            vendor.usd = usd
            await refreshed(rig)
        assert len(await records(rig)) == 1
        assert (await told(rig))["exo/h100"]["age_s"] == pytest.approx(600, abs=5)


async def test_a_restart_goes_on_with_the_last_known_prices(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        priced(rig).usd = {"gpua5000": 1.3, "h100": Price(2.4, 0, "h100", 2, True)}
        await rig.run(30)
        before = await told(rig)
        memory = rig.daemon.ticker.state.memory
        await rig.stop()
        await rig.start()
        assert rig.daemon.ticker.state.memory == memory
        priced(rig).usd = None
        await rig.tick()
        after = await told(rig)
        assert (await rig.metrics())[
            'autoscaler_gpu_price_usd_per_hour{gpu_type="h100",provider="exo"}'
        ] == 2.4
        assert len(await records(rig)) == 1
    assert {key: (row["usd_per_gpu_hour"], row["gpus"], row["available"]) for key, row in after.items()} == {
        "exo/gpua5000": (1.3, 1, None),
        "exo/h100": (2.4, 2, True),
    }
    assert after["exo/h100"]["at"] == before["exo/h100"]["at"]


class Fails:
    """A journal that cannot take one kind of record, or not be read for it."""

    def __init__(self, inner: Any, *, append: bool = True) -> None:
        self._inner = inner
        self.append_fails = append
        self.read_fails = not append

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def append(self, record: Record) -> int:
        if record.kind == KIND and self.append_fails:
            raise JournalError("journal j.db: cannot append to it: database or disk is full")
        seq: int = await self._inner.append(record)
        return seq

    async def read(self, **bounds: Any) -> Any:
        if self.read_fails and bounds.get("kinds") == (KIND,):
            raise JournalError("the prices 7 of the journal is damaged")
        return await self._inner.read(**bounds)


async def test_prices_that_cannot_be_journalled_hold_nothing_back_and_are_told_later(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        journal = rig.daemon.ticker._journal = Fails(rig.daemon.ticker._journal)
        vendor.usd = {"gpua5000": 1.3}
        rig.demand(running=60)
        await rig.run(30)
        assert rig.replicas() == 5
        assert (await rig.metrics())["autoscaler_journal_errors_total"] >= 1
        assert await records(rig) == []
        journal.append_fails = False
        await rig.tick()
        (record,) = await records(rig)
    assert record.body["prices"]["exo/gpua5000"]["usd_per_gpu_hour"] == 1.3


async def test_a_death_between_a_tick_and_its_prices_loses_none(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        vendor.usd = {"gpua5000": 1.3, "h100": 2.4}
        await refreshed(rig)
        rig.daemon.ticker._journal = Fails(rig.daemon.ticker._journal)
        vendor.usd = {"gpua5000": 1.4, "h100": 2.4, "l4": 0.5}
        await refreshed(rig)
        await rig.stop()
        await rig.start()
        priced(rig).usd = None
        await rig.tick()
        first, second = await records(rig)
    assert catalogue_of(first)["exo/gpua5000"].usd_per_gpu_hour == 1.3
    assert {key: one.usd_per_gpu_hour for key, one in catalogue_of(second).items()} == {
        "exo/gpua5000": 1.4,
        "exo/h100": 2.4,
        "exo/l4": 0.5,
    }


async def test_a_damaged_record_of_prices_ends_no_tick(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_rig(tmp_path) as rig:
        assert rig.running is not None
        await rig.running.journal.append(Record(KIND, START - 60, {"prices": {"exo/h100": {"at": "now"}}}))
        rig.demand(running=60)
        await rig.tick()
        assert rig.replicas() == 5
        assert "the last prices of the journal cannot be read" in capsys.readouterr().out
        assert len(await records(rig)) == 2
        rig.daemon.ticker._prices = None
        rig.daemon.ticker._journal = Fails(rig.daemon.ticker._journal, append=False)
        await rig.tick()
        assert len(await records(rig)) == 3, "what is known is told anew"


async def test_memory_is_folded_as_if_there_were_no_records_of_prices(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        for step in range(6):
            vendor.usd = {"gpua5000": 1.0 + step / 10, f"gpu{step}": 2.0}
            await refreshed(rig)
        assert rig.running is not None
        found = await recall(rig.running.journal, rig.daemon.ticker.setup.fleet)
        assert found.memory == rig.daemon.ticker.state.memory
        assert set(found.memory.prices) == {"exo/gpua5000", *(f"exo/gpu{step}" for step in range(6))}


# --- what people and programs see -----------------------------------------------------------------


async def test_the_change_since_yesterday_is_that_since_24_hours_ago(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        vendor.usd = {"h100": 2.0, "free": 0.0}
        await refreshed(rig)
        assert (await told(rig))["exo/h100"]["change_percent"] is None
        vendor.usd = {"h100": 2.5, "l4": 0.5, "free": 0.1}
        await refreshed(rig, 20 * HOUR)
        await refreshed(rig, 3 * HOUR)
        assert (await told(rig))["exo/h100"]["change_percent"] is None, "23 hours are no day"
        await refreshed(rig, 2 * HOUR)
        rows = await told(rig)
        assert rows["exo/h100"]["change_percent"] == 25.0
        assert rows["exo/l4"]["change_percent"] is None, "there was none"
        assert rows["exo/free"]["change_percent"] is None, "for free has no percent"
        await refreshed(rig, 20 * HOUR)
        assert (await told(rig))["exo/h100"]["change_percent"] == 0.0


async def test_what_held_while_nobody_watched_is_not_known(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        vendor.usd = {"h100": 2.0}
        await refreshed(rig)
        await refreshed(rig, 4 * DAY)
        assert (await told(rig))["exo/h100"]["change_percent"] is None


async def test_prices_say_who_pays_them_and_come_cheapest_first(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig, fixed={"other/gpu3080ti": 0.9})
        vendor.usd = {"gpua5000": 1.1, "h100": 2.4, "2xh100": Price(2.2, 0, "h100", 2, False), "b": 0.9}
        await rig.tick()
        body = json.loads(await rig.get("/v1/prices"))
    rows = [(row["provider"], row["key"], row["usd_per_gpu_hour"]) for row in body["prices"]]
    assert rows == [
        ("exo", "b", 0.9),
        ("other", "gpu3080ti", 0.9),
        ("exo", "gpua5000", 1.1),
        ("exo", "2xh100", 2.2),
        ("exo", "h100", 2.4),
    ]
    _, fixed, used, whole, _ = body["prices"]
    assert used["deployments"] == ["chat/a"]
    assert (used["gpus"], used["usd_per_replica_hour"], used["source"]) == (1, 1.1, "vendor")
    assert (fixed["source"], fixed["at"], fixed["age_s"], fixed["stale"]) == (
        "configuration",
        None,
        None,
        False,
    )
    assert (whole["gpu_type"], whole["configuration"], whole["gpus"]) == ("h100", "2xh100", 2)
    assert (whole["usd_per_replica_hour"], whole["available"], whole["deployments"]) == (4.4, False, [])
    assert body["unpriced"] == []
    assert body["at"] <= body["now"]


async def test_a_price_of_the_configuration_wins_and_says_so(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig, fixed={"exo/gpua5000": 0.7})
        vendor.usd = {"gpua5000": Price(1.1, 0, available=True)}
        await rig.tick()
        row = (await told(rig))["exo/gpua5000"]
        assert (row["usd_per_gpu_hour"], row["source"], row["available"]) == (0.7, "configuration", True)
        metrics = await rig.metrics()
        assert metrics['autoscaler_gpu_price_usd_per_hour{gpu_type="gpua5000",provider="exo"}'] == 0.7


async def test_a_price_in_use_that_the_vendor_names_no_more_stays_and_ages(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        vendor.usd = {"gpua5000": 1.1, "h100": 2.4}
        await refreshed(rig)
        vendor.usd = {"l4": 0.5}
        await refreshed(rig)
        await refreshed(rig, HOUR)
        rows = await told(rig)
        assert set(rows) == {"exo/gpua5000", "exo/l4"}
        assert (rows["exo/gpua5000"]["listed"], rows["exo/gpua5000"]["stale"]) == (False, True)
        assert rows["exo/l4"]["listed"] is True
        last = (await records(rig))[-1]
    assert last.body["prices"]["exo/gpua5000"]["listed"] is False


async def test_a_price_is_old_by_the_policy_of_the_service_that_pays_it(tmp_path: Path) -> None:
    policy = 'kind = "gpu_price"\nprice_max_age_s = 600\n'
    async with a_rig(tmp_path, policies={"gpu-price": policy}) as rig:
        rig.write(rig.text.replace('["queue-depth"]', '["queue-depth", "gpu-price"]'))
        assert await rig.daemon.reload()
        await rig.idle()
        vendor = priced(rig)
        vendor.usd = {"gpua5000": 1.1, "h100": 2.4}
        await refreshed(rig)
        vendor.usd = None
        await rig.run(601)
        rows = await told(rig)
    assert (rows["exo/gpua5000"]["stale"], rows["exo/h100"]["stale"]) == (True, False)


async def test_a_deployment_without_a_price_is_named(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        priced(rig)
        await rig.tick()
        body = json.loads(await rig.get("/v1/prices"))
    assert body["prices"] == []
    assert body["unpriced"] == [{"deployment": "chat/a", "provider": "exo", "gpu_type": "gpua5000"}]


async def test_prices_of_a_provider_that_has_left_the_configuration_are_gone(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        vendor = priced(rig)
        vendor.usd = {"gpua5000": 1.1}
        await rig.tick()
        ticker = rig.daemon.ticker
        ticker.reconfigure(replace(ticker.setup, providers={}, refs={}))
        await rig.tick()
        assert ticker.catalogue == {}


# --- the catalogue alone --------------------------------------------------------------------------


def book_of(walk: list[dict[str, Price]]) -> PriceBook:
    book = PriceBook()
    for prices in walk:
        book = book.after(prices, Memory(), a_fleet(fixed_prices={}), {"exo", "di"})
    return book


def test_the_same_prices_make_the_same_bytes_in_any_order() -> None:
    prices = {f"exo/gpu{n}": Price(n / 7, START + n, "h100", n, n % 2 == 0) for n in range(9)}
    backwards = dict(reversed(prices.items()))
    assert body_text(body_of(book_of([prices]).vendors)) == body_text(body_of(book_of([backwards]).vendors))


def test_a_record_reads_back_as_it_was() -> None:
    prices = {"exo/a": Price(1.25, START, "h100", 2, False), "di/b": Price(0.0, START)}
    whole = book_of([prices]).catalogue(a_fleet(fixed_prices={"di/b": 0.5, "di/c": 1.0}))
    record = Record(KIND, START, json.loads(body_text(body_of(whole))))
    assert catalogue_of(record) == whole


@pytest.mark.parametrize("usd", [math.nan, -1.0, math.inf, 1e12])
def test_what_cannot_be_a_price_is_none(usd: float) -> None:
    assert book_of([{"exo/a": Price(usd, START)}]).vendors == {}


def test_a_vendor_that_names_too_many_is_cut_and_what_is_used_is_kept() -> None:
    book = book_of([{f"exo/gpu{n:05d}": Price(1.0, START) for n in range(KEYS_MAX + 50)}])
    assert len(book.vendors) == KEYS_MAX


KEYS = ["exo/a", "exo/b", "di/a"]
listings = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([0.5, 1.0, 2.0]), max_size=3)
walks = st.lists(st.tuples(st.sampled_from([300.0, HOUR, 12 * HOUR, DAY, 3 * DAY]), listings), max_size=15)


@settings(max_examples=60, deadline=None)
@given(walks, st.booleans())
async def test_the_journal_tells_what_held_at_any_instant_that_was_watched(
    walk: list[tuple[float, dict[str, float]]], restarts: bool
) -> None:
    journal, book, memory, fleet = MemoryJournal(), PriceBook(), Memory(), a_fleet(fixed_prices={})
    truth: list[tuple[float, Catalogue]] = []
    at = START
    for after_s, usd in walk:
        at += after_s
        told = {key: Price(price, at) for key, price in usd.items()}
        if restarts:
            book = recalled(await last_record(journal), memory)
        memory = replace(memory, prices={**memory.prices, **told})
        book = book.after(told, memory, fleet, {"exo", "di"})
        catalogue = book.catalogue(fleet)
        if book.is_news(catalogue, at):
            await journal.append(Record(KIND, at, body_of(catalogue)))
            book = replace(book, told=catalogue, told_at=at)
        truth.append((at, catalogue))
    for index, (at, catalogue) in enumerate(truth):
        known = await held_at(journal, at) or {}
        assert {key: one.usd_per_gpu_hour for key, one in known.items()} == {
            key: one.usd_per_gpu_hour for key, one in catalogue.items()
        }
        if index + 1 < len(truth) and truth[index + 1][0] - at > HELD_S + DAY:
            assert await held_at(journal, truth[index + 1][0] - 1) is None


async def _three_listings(folder: Path, life: Life) -> tuple[list[dict[str, float]], Memory, int]:
    """Prices change at every tick, the daemon dies once: what the journal tells of them, and the memory."""
    listings = [{"gpua5000": 1.1}, {"gpua5000": 1.2, "h100": 2.4}, {"gpua5000": 1.2}]
    async with a_rig(folder) as rig:
        for usd in listings:
            priced(rig).usd = usd
            make_mortal(rig.daemon, life)
            rig.demand(running=20)
            await rig.clock.sleep(300)
            try:
                await rig.daemon.tick()
            except Killed:
                await rig.stop()
                await rig.start()
                priced(rig).usd = usd
                await rig.tick()
        assert rig.running is not None
        found = await recall(rig.running.journal, rig.daemon.ticker.setup.fleet)
        assert found.memory == rig.daemon.ticker.state.memory
        history = [
            {key: one.usd_per_gpu_hour for key, one in catalogue_of(record).items() if "exo" in key}
            for record in await records(rig)
        ]
        return history, found.memory, life.calls


@pytest.mark.parametrize("after_effect", [False, True], ids=["before its effect", "after its effect"])
async def test_death_at_any_call_loses_no_price(tmp_path: Path, after_effect: bool) -> None:
    (tmp_path / "whole").mkdir()
    whole, memory, calls = await _three_listings(tmp_path / "whole", Life())
    assert whole == [{"exo/gpua5000": 1.1}, {"exo/gpua5000": 1.2, "exo/h100": 2.4}, {"exo/gpua5000": 1.2}]
    assert calls > 10
    for dies_at in range(1, calls + 1):
        folder = tmp_path / str(dies_at)
        folder.mkdir()
        history, after, _ = await _three_listings(folder, Life(dies_at, after_effect))
        assert history == whole, f"death at call {dies_at}"
        assert after.prices.keys() == memory.prices.keys()
