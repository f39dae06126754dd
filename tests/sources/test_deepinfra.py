"""The source of kind ``deepinfra`` over real HTTP: what statistics say, and when they say nothing."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autoscaler.clock import SystemClock
from autoscaler.core.model import Absence, Reading, Sample
from autoscaler.ports import Clock, SignalQuery
from autoscaler.sources.deepinfra import DeepInfraSettings, DeepInfraSignal, DeepInfraSource, figures
from tests.servers import free_port, serving
from tests.sources.conftest import REASONS, SettableClock

TOKEN = "d33pinfra-t0ken"
EPOCH = 1_800_000_000.0
IN_FLIGHT = 'in_flight{deploy_id="fkj843kjh8"}'
STATS = {
    "requests": 600,
    "total_time": 2400,
    "total_tokens": 300_000,
    "input_tokens": 100_000,
    "output_tokens": 200_000,
    "total_amount": 12,
    "avg_time": 4000.0,
    "avg95_time": 9000.0,
    "errors": 7,
}


@dataclass
class Vendor:
    """What it was asked, how many calls were open at once, and how it answers."""

    clock: Clock
    asked_for: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    replies: deque[Callable[[], web.Response]] = field(default_factory=deque)
    takes_s: float = 0.0
    slow: frozenset[str] = frozenset()
    open_now: int = 0
    open_max: int = 0
    url: str = ""

    async def stats(self, request: web.Request) -> web.Response:
        self.asked_for.append(request.path_qs)
        self.headers.append(dict(request.headers))
        self.open_now += 1
        self.open_max = max(self.open_max, self.open_now)
        await self.clock.sleep(60 if request.match_info["id"] in self.slow else self.takes_s)
        self.open_now -= 1
        return self.replies.popleft()() if self.replies else web.json_response(STATS)


@asynccontextmanager
async def vendor(clock: Clock) -> AsyncIterator[Vendor]:
    one = Vendor(clock)
    app = web.Application()
    app.router.add_get("/deploy/{id}/stats", one.stats)
    async with serving(app) as one.url:
        yield one


@asynccontextmanager
async def source_at(url: str, clock: Clock, **keys: Any) -> AsyncIterator[DeepInfraSource]:
    table = {"api_token": TOKEN, "base_url": url, **keys}
    source = DeepInfraSource("di", DeepInfraSettings.model_validate(table), clock)
    try:
        yield source
    finally:
        await source.close()


async def read(source: DeepInfraSource, query: str = IN_FLIGHT, max_age_s: float = 240.0) -> Reading:
    asked = SignalQuery("chat", "running", query, max_age_s=max_age_s)
    return (await source.read([asked]))[asked.key]


def answered(status: int, body: Any = None, **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(status=status, text=json.dumps(body), headers=headers)


def virtual() -> SystemClock:
    return SystemClock(starts_at=EPOCH)


# --- what the numbers mean ----------------------------------------------------------------------


@pytest.mark.virtual_time
@pytest.mark.parametrize(("name", "value"), [("in_flight", 8.0), ("requests_per_s", 2.0), ("errors", 7.0)])
async def test_a_figure_is_dated_by_the_middle_of_its_window(name: str, value: float) -> None:
    clock = virtual()
    async with vendor(clock) as di, source_at(di.url, clock) as source:
        reading = await read(source, f'{name}{{deploy_id="fkj843kjh8"}}')

    assert reading == Sample(value, EPOCH - 150)  # 600 requests of 4 s in 300 s are 8 at once
    assert di.asked_for == ["/deploy/fkj843kjh8/stats?from=now-300s"]
    assert di.headers[0]["Authorization"] == f"Bearer {TOKEN}"


async def test_another_window_is_asked_for_and_divided_by(clock: SettableClock) -> None:
    async with vendor(clock) as di, source_at(di.url, clock, window_s=60) as source:
        reading = await read(source)

    assert isinstance(reading, Sample)
    assert reading.value == 40
    assert di.asked_for == ["/deploy/fkj843kjh8/stats?from=now-60s"]


@pytest.mark.parametrize("avg_time", [0, 0.0, None, "absent"])
async def test_no_requests_are_a_zero_whatever_their_mean_time(clock: SettableClock, avg_time: Any) -> None:
    body = {**STATS, "requests": 0, "avg_time": avg_time}
    if avg_time == "absent":
        del body["avg_time"]
    async with vendor(clock) as di, source_at(di.url, clock) as source:
        di.replies.append(answered(200, body))
        reading = await read(source)

    assert isinstance(reading, Sample)
    assert reading.value == 0


async def test_a_window_that_a_signal_cannot_hold_is_told_and_not_just_stale(clock: SettableClock) -> None:
    async with vendor(clock) as di, source_at(di.url, clock) as source:
        reading = await read(source, max_age_s=60)

    expected = "max_age_s is 60: an average over window_s = 300 is 150 s old when it is read"
    assert reading == Absence("error", expected)


@given(
    st.binary(max_size=40)
    | st.dictionaries(
        st.sampled_from(["requests", "avg_time", "errors"]),
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3) | st.just(10**400),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_reply_is_a_number_of_at_least_zero_or_a_named_absence(body: bytes) -> None:
    found = figures(body, 300, EPOCH)
    readings = [found] if isinstance(found, Absence) else list(found.values())

    for reading in readings:
        if isinstance(reading, Absence):
            assert reading.reason in REASONS
            assert reading.detail
        else:
            assert reading.value >= 0
            assert reading.is_usable


@given(st.integers(1, 10**6), st.floats(0, 1e6), st.integers(10, 86_400))
def test_the_estimate_is_littles_law(requests: int, avg_ms: float, window_s: int) -> None:
    found = figures(
        json.dumps({"requests": requests, "avg_time": avg_ms, "errors": 0}).encode(), window_s, EPOCH
    )

    assert not isinstance(found, Absence)
    sample = found["in_flight"]
    assert isinstance(sample, Sample)
    assert sample.value == pytest.approx(requests * avg_ms / 1000 / window_s)


# --- calls --------------------------------------------------------------------------------------


async def test_one_call_answers_all_that_is_asked_of_a_deployment(clock: SettableClock) -> None:
    queries = [
        SignalQuery(f"s{n}", name, f'{name}{{deploy_id="d{n % 2}"}}', max_age_s=240)
        for n in range(10)
        for name in ("in_flight", "requests_per_s", "errors")
    ]
    async with vendor(clock) as di, source_at(di.url, clock) as source:
        readings = await source.read(queries)

    assert sorted(di.asked_for) == ["/deploy/d0/stats?from=now-300s", "/deploy/d1/stats?from=now-300s"]
    assert all(isinstance(one, Sample) for one in readings.values())


@pytest.mark.virtual_time
async def test_no_more_than_eight_calls_are_open_at_once() -> None:
    clock = virtual()
    queries = [SignalQuery(f"s{n}", "a", f'in_flight{{deploy_id="d{n}"}}', max_age_s=240) for n in range(50)]
    async with vendor(clock) as di, source_at(di.url, clock) as source:
        di.takes_s = 0.5
        readings = await source.read(queries)

    assert di.open_max == 8
    assert sum(isinstance(one, Sample) for one in readings.values()) == 50


@pytest.mark.virtual_time
async def test_one_slow_deployment_costs_no_other_its_value() -> None:
    clock = virtual()
    queries = [SignalQuery(f"s{n}", "a", f'in_flight{{deploy_id="d{n}"}}', max_age_s=240) for n in range(4)]
    async with vendor(clock) as di, source_at(di.url, clock) as source:
        di.slow = frozenset({"d2"})
        readings = dict(await source.read(queries))
        took_s = clock.now() - EPOCH

    assert took_s == pytest.approx(5)
    assert readings.pop(("s2", "a")) == Absence("timeout", "no answer within 5 s")
    assert all(isinstance(one, Sample) for one in readings.values())


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answered(410, {"error": "gone"}), "HTTP 410: it has been deleted"),
        (answered(404, {"error": "Model not found"}), "HTTP 404: not found"),
        (answered(401, {"error": TOKEN}), "HTTP 401: the credential is not accepted"),
        (answered(422, {"detail": [{"msg": "wrong"}]}), "HTTP 422"),
        (answered(500), "HTTP 500"),
        (answered(200, []), "the reply is not a deployment's statistics"),
        (answered(200, {}), "the reply has no requests"),
        (answered(200, {"requests": 1}), "the reply has no avg_time"),
        (answered(200, {"requests": True}), "requests: bool is not a number"),
        (answered(200, {"requests": 1, "avg_time": -1}), "avg_time: -1 is below zero"),
    ],
)
async def test_what_is_no_figure_is_a_named_absence_and_never_zero(
    clock: SettableClock, reply: Callable[[], web.Response], expected: str
) -> None:
    async with vendor(clock) as di, source_at(di.url, clock) as source:
        di.replies.append(reply)
        reading = await read(source)

    assert isinstance(reading, Absence)
    assert reading.reason in REASONS
    assert reading.detail == expected


@pytest.mark.virtual_time
async def test_nobody_is_asked_before_the_time_that_the_vendor_asks_for() -> None:
    clock = virtual()
    async with vendor(clock) as di, source_at(di.url, clock) as source:
        di.replies.append(answered(429, {"error": "slow down"}, **{"Retry-After": "45"}))
        first = await read(source)
        await clock.sleep(40)
        second = await read(source)
        await clock.sleep(10)
        third = await read(source)

    assert first == Absence("error", "HTTP 429, asked too often: asked again in 45 s")
    assert second == Absence("error", "HTTP 429, asked too often: asked again in 5 s")
    assert isinstance(third, Sample)
    assert len(di.asked_for) == 2


async def test_a_token_is_in_no_absence_and_no_repr(clock: SettableClock) -> None:
    settings = DeepInfraSettings.model_validate({"api_token": TOKEN})
    async with source_at(f"http://127.0.0.1:{free_port()}", clock) as source:
        reading = await read(source)

    assert isinstance(reading, Absence)
    assert TOKEN not in repr(reading) + repr(settings) + repr(source)


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("queued", "asks for queued; allowed are in_flight, requests_per_s, errors"),
        ("in_flight", "needs to know of what"),
        ('in_flight{id="x"}', "needs to know of what"),
        ('in_flight{deploy_id="x", a="b"}', "needs to know of what"),
        ('in_flight{deploy_id="../../v1/me"}', "is no id"),
        ('in_flight{deploy_id=~"x"}', "allowed is = alone"),
        ('sum(in_flight{deploy_id="x"})', "no functions"),
    ],
)
def test_a_query_that_cannot_be_asked_is_an_error_of_the_configuration(query: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        DeepInfraSignal(query=query)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"window_s": 9}, "greater than or equal to 10"),
        ({"window_s": 300.5}, "valid integer"),
        ({"base_url": "http://api.example"}, "would send credentials in clear"),
        ({"base_url": "https://api.example?x=y"}, "without credentials, query or fragment"),
        ({"api_token": "two words"}, "has characters that no key has"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        DeepInfraSettings.model_validate({"api_token": TOKEN, **keys})
