"""What becomes of a Prometheus server's answers, on machines without one too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.core.model import Absence, Reading, Sample
from autoscaler.ports import SignalQuery
from autoscaler.sources.prometheus import PrometheusSettings, PrometheusSource, parse
from tests.servers import serving


def vector(*values: str) -> dict[str, Any]:
    """A reply with these series."""
    result = [{"metric": {"pod": str(i)}, "value": [0, value]} for i, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def made_of(reply: dict[str, Any], status: int = 200) -> float | str:
    """The number, or the word of the absence."""
    outcome = parse(status, json.dumps(reply).encode())
    return outcome.reason if isinstance(outcome, Absence) else outcome


@pytest.mark.parametrize(
    ("reply", "status", "expected"),
    [
        (vector("3"), 200, 3.0),
        (vector(), 200, "empty"),
        (vector("3", "5"), 200, "several_series"),
        (vector("NaN"), 200, "nan"),
        (vector("+Inf"), 200, "infinite"),
        (vector("3"), 503, "error"),
        (vector("3"), 302, "error"),
        ({**vector("3"), "isPartial": True}, 200, "error"),
    ],
)
def test_an_answer_is_one_number_or_a_named_absence(
    reply: dict[str, Any], status: int, expected: float | str
) -> None:
    assert made_of(reply, status) == expected


async def read_with_age(age: dict[str, Any]) -> tuple[Reading, float]:
    """A value of 7 whose age query gets this answer; and the instant after it was read."""

    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        return web.json_response(age if form["query"] == "age" else vector("7"))

    app = web.Application()
    app.router.add_post("/api/v1/query", handler)
    clock = SystemClock()
    async with serving(app) as url:
        source = PrometheusSource("prom", PrometheusSettings(url=url), clock)
        readings = await source.read([SignalQuery("chat", "queued", "value", "age")])
        await source.close()
    return readings["chat", "queued"], clock.now()


async def test_an_age_query_dates_the_sample_in_seconds() -> None:
    reading, now = await read_with_age(vector("100"))

    assert isinstance(reading, Sample)
    assert reading.value == 7
    assert 100 <= now - reading.at < 115


@pytest.mark.parametrize(("age", "reason"), [(vector(), "empty"), (vector("NaN"), "nan")])
async def test_a_sample_whose_age_is_not_known_is_absent(age: dict[str, Any], reason: str) -> None:
    reading, _ = await read_with_age(age)

    assert isinstance(reading, Absence)
    assert reading.reason == reason
