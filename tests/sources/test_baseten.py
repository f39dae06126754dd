"""The source of kind ``baseten`` over real HTTP: one scrape for all, honest ages, queues by themselves."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autoscaler.clock import SystemClock
from autoscaler.core.model import Absence, Reading, Sample
from autoscaler.ports import Clock, SignalQuery
from autoscaler.sources.baseten import BasetenSettings, BasetenSignal, BasetenSource, queue_status
from autoscaler.sources.http import Reply
from autoscaler.sources.patience import wait_s
from tests.servers import free_port, serving
from tests.sources.conftest import REASONS, SettableClock

KEY = "b4s3t3n-k3y"
EPOCH = 1_800_000_000.0
METRIC = 'baseten_concurrent_requests{deployment_id="wxyz789"}'


@dataclass
class Vendor:
    """What the vendor has, what it was asked and when, and how it answers."""

    clock: Clock
    value: float = 3
    scraped_at: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    queued_at: list[float] = field(default_factory=list)
    replies: deque[Callable[[], web.Response]] = field(default_factory=deque)
    takes_s: float = 0.0
    url: str = ""

    async def export(self, request: web.Request) -> web.Response:
        self.scraped_at.append(self.clock.monotonic())
        self.headers.append(dict(request.headers))
        await self.clock.sleep(self.takes_s)
        if self.replies:
            return self.replies.popleft()()
        labels = 'model_id="m",deployment_id="wxyz789"'
        return web.Response(text=f"baseten_concurrent_requests{{{labels}}} {self.value}\n")

    async def queue(self, request: web.Request) -> web.Response:
        self.asked_for.append(request.path)
        self.queued_at.append(self.clock.monotonic())
        self.headers.append(dict(request.headers))
        if self.replies:
            return self.replies.popleft()()
        return web.json_response(
            {"model_id": "m", "deployment_id": "d", "num_queued_requests": 12, "num_in_progress_requests": 3}
        )


@asynccontextmanager
async def vendor(clock: Clock) -> AsyncIterator[Vendor]:
    one = Vendor(clock)
    app = web.Application()
    app.router.add_get("/metrics", one.export)
    app.router.add_get("/{model}/{place}/{id}/async_queue_status", one.queue)
    async with serving(app) as one.url:
        yield one


@asynccontextmanager
async def source_at(url: str, clock: Clock, **keys: Any) -> AsyncIterator[BasetenSource]:
    table = {"api_key": KEY, "metrics_base_url": url, "inference_base_url": url + "/model-{model_id}", **keys}
    source = BasetenSource("bt", BasetenSettings.model_validate(table), clock)
    try:
        yield source
    finally:
        await source.close()


async def read(source: BasetenSource, query: str = METRIC, max_age_s: float = 60.0) -> Reading:
    asked = SignalQuery("chat", "running", query, max_age_s=max_age_s)
    return (await source.read([asked]))[asked.key]


def refused(status: int, body: Any = None, **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(status=status, text=json.dumps(body), headers=headers)


def virtual() -> SystemClock:
    return SystemClock(starts_at=EPOCH)


# --- one scrape for all -------------------------------------------------------------------------


async def test_one_scrape_answers_all_signals_of_all_services(clock: SettableClock) -> None:
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        asked = [SignalQuery(f"service-{n}", "running", METRIC) for n in range(500)]
        readings = await source.read(asked)

    assert len(readings) == 500
    assert all(isinstance(one, Sample) and one.value == 3 for one in readings.values())
    assert len(bt.scraped_at) == 1
    assert bt.headers[0]["Authorization"] == f"Api-Key {KEY}"


@pytest.mark.virtual_time
@pytest.mark.parametrize(("interval_s", "takes_s"), [(10, 0.0), (10, 0.7), (10, 4.0), (15, 0.2), (60, 0.0)])
async def test_no_minute_ever_has_more_than_six_scrapes(interval_s: float, takes_s: float) -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock, scrape_interval_s=interval_s) as source:
        bt.takes_s = takes_s

        async def ticks(service: str, first_s: float) -> None:
            await clock.sleep(first_s)
            for _ in range(720 if takes_s == 0.0 else 120):
                await read(source)
                await clock.sleep(5)

        await asyncio.gather(*(ticks(f"service-{n}", n * 0.4) for n in range(4)))

    at = bt.scraped_at
    assert len(at) >= 10
    assert all(later - earlier >= 10 for earlier, later in pairwise(at))
    assert all(later - earlier >= 60 for earlier, later in zip(at, at[6:], strict=False))


@pytest.mark.virtual_time
async def test_a_tick_that_comes_a_moment_early_scrapes_all_the_same() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        for _ in range(20):
            await read(source)
            await clock.sleep(14.99)

    assert len(bt.scraped_at) == 20


@pytest.mark.virtual_time
async def test_readers_at_the_same_moment_share_the_scrape_that_is_under_way() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        bt.takes_s = 2.0
        readings = await asyncio.gather(*(read(source) for _ in range(10)))

    assert len(bt.scraped_at) == 1
    assert len(set(readings)) == 1


@pytest.mark.virtual_time
async def test_a_reader_that_gives_up_leaves_the_source_usable_and_the_limit_kept() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        bt.takes_s = 3.0
        with pytest.raises(TimeoutError):
            async with clock.deadline(1.0):
                await read(source)
        bt.takes_s = 0.0
        at_once = await read(source)
        await clock.sleep(15)
        later = await read(source)

    assert isinstance(at_once, Absence)
    assert isinstance(later, Sample)
    assert len(bt.scraped_at) == 2


# --- ages ---------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_a_value_is_as_old_as_it_may_be_and_ages_until_the_next_scrape() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        ages = []
        for _ in range(7):
            reading = await read(source)
            assert isinstance(reading, Sample)
            ages.append(round(clock.now() - reading.at, 2))
            await clock.sleep(5)

    assert ages == [30, 35, 40, 30, 35, 40, 30]
    assert len(bt.scraped_at) == 3


@pytest.mark.virtual_time
async def test_a_failing_scrape_makes_nothing_fresh_and_nothing_zero() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        first = await read(source)
        bt.replies.extend([refused(503)] * 10)
        seen = []
        for _ in range(5):
            await clock.sleep(15)
            seen.append(await read(source))

    assert seen[:2] == [first, first]  # as old as it is: 45 and 60 s
    assert seen[2:] == [Absence("error", "HTTP 503")] * 3  # rather than a value that nobody may use


@pytest.mark.virtual_time
async def test_a_value_older_than_a_signal_allows_is_kept_where_nothing_is_wrong() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock, scrape_interval_s=60) as source:
        await read(source)
        await clock.sleep(45)
        reading = await read(source)

    assert isinstance(reading, Sample)
    assert clock.now() - reading.at == pytest.approx(75)  # the core calls it stale, and says how old
    assert len(bt.scraped_at) == 1


@pytest.mark.virtual_time
async def test_a_series_that_is_gone_is_absent_at_once_and_never_its_last_value() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        await read(source)
        bt.replies.append(lambda: web.Response(text="baseten_replicas_active 0\n"))
        await clock.sleep(15)
        reading = await read(source)

    assert isinstance(reading, Absence)
    assert reading.reason == "empty"


@pytest.mark.virtual_time
async def test_an_export_that_is_cut_off_does_not_count_as_a_scrape() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        bt.replies.append(lambda: web.Response(text=f"{METRIC} 12"))  # of 123
        first = await read(source)
        await clock.sleep(15)
        second = await read(source)

    assert first == Absence("bad_reply", "the export is cut off: its last line has no end")
    assert isinstance(second, Sample)


# --- being asked to wait ------------------------------------------------------------------------


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("refusal", "wait_s"),
    [
        (refused(429, {"error": "Rate limit exceeded.", "retry_after": 37}), 37),
        (refused(429, {}, **{"Retry-After": "100"}), 100),
        (refused(429, {"retry_after": 5}, **{"Retry-After": "70"}), 70),
        (refused(429, "what?"), 30),
        (refused(429, {"retry_after": 1e300}), 3600),
        (refused(429, {"retry_after": -5}), 10),  # never sooner than 10 s after the last one
    ],
)
async def test_nothing_is_scraped_before_the_time_that_the_vendor_asks_for(
    refusal: Callable[[], web.Response], wait_s: float
) -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock, scrape_interval_s=10) as source:
        bt.replies.append(refusal)
        first = await read(source)
        while len(bt.scraped_at) < 2:
            await clock.sleep(1)
            last = await read(source)

    assert isinstance(first, Absence)
    assert first.reason == "error"
    assert "HTTP 429" in first.detail
    assert isinstance(last, Sample)
    assert wait_s <= bt.scraped_at[1] - bt.scraped_at[0] <= wait_s + 2


@given(
    st.text(max_size=30) | st.none(),
    st.binary(max_size=40) | st.integers().map(lambda n: b'{"retry_after": %d}' % n),
)
def test_any_answer_to_how_long_is_between_a_second_and_an_hour(header: str | None, body: bytes) -> None:
    assert 1 <= wait_s(Reply(429, body, header), EPOCH) <= 3600


def test_a_date_to_wait_for_is_a_time_from_now() -> None:
    assert wait_s(Reply(429, b"", "Fri, 15 Jan 2027 08:02:00 GMT"), EPOCH) == 120


# --- trouble ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused(401, {"error": KEY}), "HTTP 401: the credential is not accepted"),
        (refused(403), "HTTP 403: the credential may not do this"),
        (refused(302, None, Location="http://127.0.0.1:1/"), "HTTP 302"),
        (lambda: web.Response(text="<html>Sign in</html>\n"), "the reply is not in Prometheus' text format"),
        (lambda: web.Response(body=b"\xff\n"), "not UTF-8 text"),
        (lambda: web.Response(text="# " + "x" * 5000 + "\n"), "the reply is longer than 4096 bytes"),
    ],
)
async def test_what_is_no_export_is_a_named_absence(
    clock: SettableClock, reply: Callable[[], web.Response], expected: str
) -> None:
    async with vendor(clock) as bt, source_at(bt.url, clock, reply_bytes_max=4096) as source:
        bt.replies.append(reply)
        reading = await read(source)

    assert isinstance(reading, Absence)
    assert reading.reason in REASONS
    assert reading.detail == expected


async def test_a_key_is_in_no_absence_and_no_repr(clock: SettableClock) -> None:
    settings = BasetenSettings.model_validate({"api_key": KEY})
    async with source_at(f"http://127.0.0.1:{free_port()}", clock) as source:
        reading = await read(source)

    assert KEY not in repr(reading) + repr(settings) + repr(source)


@pytest.mark.virtual_time
async def test_a_slow_export_costs_no_queue_its_value() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock, deadline_s=2) as source:
        bt.takes_s = 60
        queries = [SignalQuery("a", "running", METRIC), SignalQuery("a", "queued", QUEUE)]
        readings = await source.read(queries)

    assert readings["a", "running"] == Absence("timeout", "no answer within 2 s")
    assert readings["a", "queued"] == Sample(12, EPOCH)


# --- queues -------------------------------------------------------------------------------------

QUEUE = 'async_queue{model_id="m", deployment_id="d"}'


async def test_both_figures_of_a_queue_come_from_one_call_and_are_of_now(clock: SettableClock) -> None:
    queries = [
        SignalQuery("a", "queued", QUEUE),
        SignalQuery("a", "running", QUEUE.replace("queue", "in_progress")),
        SignalQuery("b", "queued", 'async_queue{model_id="m2", environment="production"}'),
    ]
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        before = clock.now()
        readings = await source.read(queries)

    values = {key: one.value for key, one in readings.items() if isinstance(one, Sample) and one.at >= before}
    assert values == {("a", "queued"): 12, ("a", "running"): 3, ("b", "queued"): 12}
    assert sorted(bt.asked_for) == [
        "/model-m/deployment/d/async_queue_status",
        "/model-m2/environments/production/async_queue_status",
    ]
    assert bt.scraped_at == []
    assert {one["Authorization"] for one in bt.headers} == {f"Api-Key {KEY}"}


@pytest.mark.virtual_time
async def test_no_second_has_more_than_twenty_calls_for_queues() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        many = [SignalQuery(f"s{n}", "queued", QUEUE.replace('"m"', f'"m{n}"')) for n in range(120)]
        readings = await source.read(many)

    at = bt.queued_at
    assert all(later - earlier >= 0.999 for earlier, later in zip(at, at[20:], strict=False))
    assert 95 <= len(at) <= 101  # what 5 s have room for
    late = {one.reason for one in readings.values() if isinstance(one, Absence)}
    assert late == {"timeout"}
    assert len(readings) == 120


@pytest.mark.virtual_time
async def test_queues_are_left_alone_while_the_vendor_asks_for_it() -> None:
    clock = virtual()
    async with vendor(clock) as bt, source_at(bt.url, clock) as source:
        bt.replies.append(refused(429, {"retry_after": 20}))
        first, second = await read(source, QUEUE), await read(source, QUEUE)
        await clock.sleep(20.5)
        third = await read(source, QUEUE)

    assert isinstance(first, Absence)
    assert second == first
    assert isinstance(third, Sample)
    assert len(bt.asked_for) == 2


@given(
    st.binary(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
        lambda inner: st.dictionaries(st.sampled_from(["num_queued_requests", "x"]), inner, max_size=2),
        max_leaves=4,
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_status_of_a_queue_is_a_number_or_a_named_absence(body: bytes) -> None:
    status = queue_status(body, EPOCH)
    readings = [status] if isinstance(status, Absence) else list(status.values())

    for reading in readings:
        assert isinstance(reading, Sample | Absence)
        if isinstance(reading, Absence):
            assert reading.reason in REASONS
        else:
            assert reading.value >= 0


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(x)", "no functions"),
        ('x{a=~"b"}', "allowed is = alone"),
        ("async_queue", "needs to know which queue"),
        ('async_queue{model_id="m"}', "needs to know which queue"),
        ('async_queue{deployment_id="d"}', "needs to know which queue"),
        ('async_queue{model_id="m", deployment_id="d", environment="e"}', "needs to know which queue"),
        ('async_queue{model_id="m", deployment_id="d", x="y"}', "needs to know which queue"),
        ('async_queue{model_id="evil.example/", deployment_id="d"}', "is no id"),
        ('async_in_progress{model_id="m", deployment_id="../d"}', "is no id"),
    ],
)
def test_a_query_that_cannot_be_asked_is_an_error_of_the_configuration(query: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        BasetenSignal(query=query)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"scrape_interval_s": 9.9}, "greater than or equal to 10"),
        ({"metrics_base_url": "app.baseten.co"}, "must be http://"),
        ({"metrics_base_url": "https://u:p@app.baseten.co"}, "without credentials"),
        (
            {"metrics_base_url": "http://metrics.example"},
            "metrics_base_url of http:// to metrics.example would",
        ),
        ({"inference_base_url": "http://model-{model_id}.example"}, "inference_base_url of http://"),
        ({"inference_base_url": "https://{environment}.example"}, "other braces"),
        ({"api_key": "two words"}, "has characters that no key has"),
        ({"api_key": ""}, "is empty"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        BasetenSettings.model_validate({"api_key": KEY, **keys})


def test_addresses_in_clear_are_allowed_to_this_machine_and_where_told() -> None:
    for keys in (
        {"metrics_base_url": "http://127.0.0.1:8083"},
        {"inference_base_url": "http://[::1]:8083/model-{model_id}"},
        {"metrics_base_url": "http://metrics.example/", "allow_http": True},
    ):
        BasetenSettings.model_validate({"api_key": KEY, **keys})
