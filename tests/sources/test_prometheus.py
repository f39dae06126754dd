"""The Prometheus source against a real Prometheus, and against servers that answer rubbish."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from autoscaler.clock import SystemClock
from autoscaler.core.model import Absence, Reading, Sample
from autoscaler.ports import Clock, SignalQuery
from autoscaler.sources.http import DETAIL_CHARS_MAX
from autoscaler.sources.prometheus import PrometheusSettings, PrometheusSignal, PrometheusSource, parse
from tests.servers import Prometheus, free_port, program, serving
from tests.sources.conftest import REASONS, STALE_S, SettableClock

TOKEN = "s3cr3t-t0ken"


async def read_one(
    url: str, query: str, age_query: str | None = None, clock: Clock | None = None, **settings: Any
) -> Reading:
    source = PrometheusSource("prom", PrometheusSettings(url=url, **settings), clock or SystemClock())
    try:
        asked = SignalQuery("chat", "queued", query, age_query)
        return (await source.read([asked]))["chat", "queued"]
    finally:
        await source.close()


def reason(reading: Reading | float) -> str:
    assert isinstance(reading, Absence), reading
    return reading.reason


# --- a real Prometheus --------------------------------------------------------------------------


async def test_an_aggregated_query_gives_its_value_dated_now(prometheus: Prometheus) -> None:
    before = round(time.time(), 3)
    reading = await read_one(prometheus.url, "sum(vllm:num_requests_running)")

    assert isinstance(reading, Sample)
    assert reading.value == 42
    assert before <= reading.at <= time.time()


async def test_zero_is_a_value(prometheus: Prometheus) -> None:
    reading = await read_one(prometheus.url, "sum(idle_running)")

    assert isinstance(reading, Sample)
    assert reading.value == 0


async def test_a_decimal_is_read_as_it_is_written(prometheus: Prometheus) -> None:
    reading = await read_one(prometheus.url, "exact")

    assert isinstance(reading, Sample)
    assert repr(reading.value) == "0.1"


async def test_a_scalar_is_a_value(prometheus: Prometheus) -> None:
    reading = await read_one(prometheus.url, "scalar(sum(gateway_queued))")

    assert isinstance(reading, Sample)
    assert reading.value == 8


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("gateway_queued", "several_series"),
        ("sum(no_such_metric)", "empty"),
        ("sum(idle_running) / sum(idle_running)", "nan"),
        ("sum(exact) / sum(idle_running)", "infinite"),
        ("-sum(exact) / sum(idle_running)", "infinite"),
        ("sum(idle_running) - 1", "negative"),
        ("gateway_queued[1m]", "not_a_number"),
        ('"three"', "not_a_number"),
        ("sum(gateway_queued", "error"),
        ("no_such_function(gateway_queued)", "error"),
    ],
)
async def test_what_is_not_one_number_is_absent_under_its_own_name(
    prometheus: Prometheus, query: str, expected: str
) -> None:
    assert reason(await read_one(prometheus.url, query)) == expected


async def test_several_series_say_how_many_and_what_to_do(prometheus: Prometheus) -> None:
    reading = await read_one(prometheus.url, "gateway_queued")

    assert isinstance(reading, Absence)
    assert reading.detail.startswith("2 series: aggregate in the query")


async def test_a_wrong_query_says_what_is_wrong(prometheus: Prometheus) -> None:
    reading = await read_one(prometheus.url, "sum(gateway_queued")

    assert isinstance(reading, Absence)
    assert reading.detail.startswith("bad_data: ")
    assert "parse error" in reading.detail


async def test_an_instant_query_hides_the_age_of_what_it_returns(prometheus: Prometheus) -> None:
    reading = await read_one(prometheus.url, "stale_running")

    assert isinstance(reading, Sample)
    assert time.time() - reading.at < 10  # which is why there is an age_query


async def test_the_age_query_dates_the_sample(prometheus: Prometheus) -> None:
    reading = await read_one(prometheus.url, "sum(stale_running)", "time() - min(timestamp(stale_running))")

    assert isinstance(reading, Sample)
    assert reading.value == 7
    assert STALE_S <= time.time() - reading.at < STALE_S + 120


async def test_a_fresh_series_is_dated_fresh_by_its_age_query(prometheus: Prometheus) -> None:
    reading = await read_one(
        prometheus.url,
        "sum(vllm:num_requests_running)",
        "time() - min(timestamp(vllm:num_requests_running))",
    )

    assert isinstance(reading, Sample)
    assert 0 <= time.time() - reading.at < 15


@pytest.mark.parametrize(
    ("age_query", "expected"),
    [
        ("time() - min(timestamp(no_such_metric))", "empty"),
        ("time() - timestamp(gateway_queued)", "several_series"),
        ("time() - ", "error"),
        ("0 * sum(idle_running) / 0", "nan"),
        ("vector(-60)", "negative"),
    ],
)
async def test_a_sample_of_unknown_age_is_absent_and_never_fresh(
    prometheus: Prometheus, age_query: str, expected: str
) -> None:
    reading = await read_one(prometheus.url, "sum(gateway_queued)", age_query)

    assert reason(reading) == expected
    assert isinstance(reading, Absence)
    assert reading.detail.startswith("age_query: ")


@pytest.mark.parametrize("skew_s", [-3600.0, 3600.0])
async def test_a_skewed_clock_makes_nothing_older_or_newer(prometheus: Prometheus, skew_s: float) -> None:
    clock = SettableClock()
    clock.offset_s = skew_s
    age = "time() - min(timestamp({}))"
    fresh = await read_one(prometheus.url, "idle_running", age.format("idle_running"), clock)
    stale = await read_one(prometheus.url, "stale_running", age.format("stale_running"), clock)
    undated = await read_one(prometheus.url, "idle_running", clock=clock)

    assert isinstance(fresh, Sample)
    assert isinstance(stale, Sample)
    assert isinstance(undated, Sample)
    assert 0 <= clock.now() - fresh.at < 15
    assert STALE_S <= clock.now() - stale.at < STALE_S + 120
    assert 0 <= clock.now() - undated.at < 5


async def test_one_bad_query_leaves_the_others_their_values(prometheus: Prometheus) -> None:
    source = PrometheusSource("prom", PrometheusSettings(url=prometheus.url), SystemClock())
    texts = {"queued": "sum(gateway_queued)", "running": "sum(", "idle": "idle_running", "none": None}
    readings = await source.read([SignalQuery("chat", name, text) for name, text in texts.items()])
    await source.close()

    assert {key[1]: isinstance(reading, Sample) for key, reading in readings.items()} == {
        "queued": True,
        "running": False,
        "idle": True,
        "none": False,
    }


async def test_a_closed_source_opens_nothing_again(prometheus: Prometheus) -> None:
    source = PrometheusSource("prom", PrometheusSettings(url=prometheus.url), SystemClock())
    await source.close()
    asked = SignalQuery("chat", "queued", "sum(gateway_queued)")

    assert await source.read([asked]) == {asked.key: Absence("error", "the source is closed")}


# --- what is sent -------------------------------------------------------------------------------

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/api/v1/query", handler)
    async with serving(app) as url:
        yield url


def success(*values: str, kind: str = "vector") -> str:
    result: Any = [{"metric": {}, "value": [1700000000.123, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}})


async def test_equal_expressions_are_sent_once_and_at_most_eight_at_a_time() -> None:
    sent: list[str] = []
    now, most = 0, 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        sent.append(str((await request.post())["query"]))
        await asyncio.sleep(0.01)
        now -= 1
        return web.Response(text=success("1"))

    async with answering(handler) as url:
        source = PrometheusSource("prom", PrometheusSettings(url=url), SystemClock())
        queries = [SignalQuery(f"s{i}", "queued", f"q{i % 20}", "age") for i in range(60)]
        readings = await source.read(queries)
        await source.close()

    assert all(isinstance(reading, Sample) for reading in readings.values())
    assert len(readings) == 60
    assert sorted(sent) == sorted({"age", *(f"q{i}" for i in range(20))})
    assert most == 8


@pytest.mark.parametrize(
    ("settings", "header", "expected"),
    [
        ({"bearer_token": TOKEN}, "Authorization", f"Bearer {TOKEN}"),
        (
            {"username": "me", "password": TOKEN},
            "Authorization",
            "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode(),
        ),
        ({"headers": {"X-Scope-OrgID": TOKEN}}, "X-Scope-OrgID", TOKEN),
    ],
)
async def test_credentials_are_sent_and_never_shown(
    settings: dict[str, Any], header: str, expected: str
) -> None:
    async def tattle(request: web.Request) -> web.Response:
        text = f"who is {request.headers[header]}?\n" * 5
        return web.json_response({"status": "error", "errorType": "x", "error": text}, status=401)

    async with answering(tattle) as url:
        reading = await read_one(url, "up", **settings)
        shown = repr(PrometheusSettings(url=url, **settings))

    assert isinstance(reading, Absence)
    assert reading.reason == "error"
    assert "who is" in reading.detail
    assert "\n" not in reading.detail
    assert len(reading.detail) <= DETAIL_CHARS_MAX
    for secret in (TOKEN, expected):
        assert secret not in repr(reading)
        assert secret not in shown


async def test_replies_are_asked_for_uncompressed() -> None:
    asked: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Accept-Encoding"))
        return web.Response(text=success("1"))

    async with answering(handler) as url:
        await read_one(url, "up")

    assert asked == ["identity"]


async def test_a_redirect_is_not_followed_with_the_credentials() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append("elsewhere")
        return web.Response(text=success("1"))

    async with answering(elsewhere) as other_url:

        async def handler(request: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(f"{other_url}/api/v1/query")

        async with answering(handler) as url:
            reading = await read_one(url, "up", bearer_token=TOKEN)

    assert reading == Absence("error", "HTTP 307")
    assert asked == []


# --- servers that answer rubbish ----------------------------------------------------------------


@pytest.mark.virtual_time
async def test_a_server_that_hangs_is_a_timeout_and_costs_the_others_nothing() -> None:
    async def handler(request: web.Request) -> web.Response:
        if (await request.post())["query"] == "slow":
            await asyncio.sleep(3600)
        return web.Response(text=success("4"))

    clock = SystemClock(starts_at=1_700_000_000.0)
    async with answering(handler) as url:
        source = PrometheusSource("prom", PrometheusSettings(url=url, deadline_s=5), clock)
        readings = await source.read([SignalQuery("chat", q, q) for q in ("slow", "fast")])
        await source.close()

    assert readings["chat", "slow"] == Absence("timeout", "no answer within 5 s")
    assert readings["chat", "fast"] == Sample(4, 1_700_000_000.0)
    assert clock.now() == pytest.approx(1_700_000_005.0, abs=0.1)


@pytest.mark.virtual_time
async def test_a_server_that_trickles_is_a_timeout() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        for byte in success("4").encode():
            await reply.write(bytes([byte]))
            await asyncio.sleep(1)
        return reply

    async with answering(handler) as url:
        reading = await read_one(url, "up", clock=SystemClock(starts_at=0.0))

    assert reason(reading) == "timeout"


@pytest.mark.virtual_time
async def test_waiting_for_a_free_connection_counts_against_the_deadline() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response(text=success("4"))

    clock = SystemClock(starts_at=0.0)
    async with answering(handler) as url:
        source = PrometheusSource("prom", PrometheusSettings(url=url, deadline_s=5), clock)
        readings = await source.read([SignalQuery("chat", f"s{i}", f"q{i}") for i in range(40)])
        await source.close()

    assert {reason(reading) for reading in readings.values()} == {"timeout"}
    assert clock.now() == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (web.Response(status=500, text="<html>oops</html>", content_type="text/html"), "error"),
        (web.Response(status=401, text="no"), "error"),
        (web.Response(status=200, text="<html>login</html>", content_type="text/html"), "bad_reply"),
        (web.Response(status=200, text=""), "bad_reply"),
        (web.Response(status=200, text=success("4") + "x"), "bad_reply"),
        (web.Response(status=200, body=b"[" * 200_000), "bad_reply"),
        (web.Response(status=200, text=success("4").ljust(2_000_000)), "bad_reply"),
        (web.Response(status=500, text=success("4")), "error"),
        (
            web.Response(status=200, body=b"\x1f\x8bgarbage", headers={"Content-Encoding": "gzip"}),
            "bad_reply",
        ),
    ],
)
async def test_rubbish_is_a_named_absence(reply: web.Response, expected: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    async with answering(handler) as url:
        reading = await read_one(url, "up")

    assert reason(reading) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", "error"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "bad_reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + success("4").encode(), "bad_reply"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "bad_reply"),
    ],
)
async def test_a_connection_that_ends_early_is_a_named_absence(sent: bytes, expected: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reading = await read_one(f"http://127.0.0.1:{port}", "up")

    assert reason(reading) == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", f"{'a' * 70}.invalid", "a..invalid"])
async def test_a_server_that_is_not_there_is_an_error(host: str) -> None:
    reading = await read_one(f"http://{host}:{free_port()}", "up")

    assert reason(reading) == "error"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that signs itself, and a server's context with it."""
    file, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    made += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {file}"
    command = [program("openssl", "openssl"), *made.split()]
    subprocess.run(command, check=True, capture_output=True, timeout=10)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(file, key)
    return file, tls


async def test_a_certificate_is_trusted_only_by_the_authority_that_is_named(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    ca_file, tls = certificate

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=success("4"))

    app = web.Application()
    app.router.add_post("/api/v1/query", handler)
    async with serving(app, tls) as url:
        unnamed = await read_one(url, "up")
        named = await read_one(url, "up", ca_file=ca_file)

    assert unnamed == Absence("error", "the server's certificate is not trusted")
    assert isinstance(named, Sample)


def test_an_unusable_ca_file_is_named_at_the_start(tmp_path: Path) -> None:
    settings = PrometheusSettings(url="https://prom", ca_file=tmp_path / "ca.pem")
    with pytest.raises(ValueError, match=r"ca_file .*/ca\.pem: not a readable PEM file"):
        PrometheusSource("prom", settings, SystemClock())


# --- the reply, any reply -----------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
number_texts = (
    st.sampled_from(
        [
            "0",
            "-0",
            "3",
            "0.1",
            "1e3",
            "NaN",
            "+Inf",
            "-Inf",
            "Inf",
            "-1",
            "1e999",
            "1_000",
            " 1",
        ]
    )
    | st.sampled_from(["", "nan", "inf", "infinity", "３", "0x10", "1,5", "true", "-1e-320", "5e-324"])
    | st.floats().map(repr)
    | st.text(max_size=4)
)
points = st.tuples(st.floats(0, 2e9) | json_values, number_texts | json_values).map(list) | json_values
series = points.map(lambda point: {"metric": {}, "value": point}) | json_values
replies = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["success", "error"]) | json_values,
        "data": st.fixed_dictionaries(
            {
                "resultType": st.sampled_from(["vector", "scalar", "matrix", "string"]) | json_values,
                "result": st.lists(series, max_size=3) | points | json_values,
            }
        )
        | json_values,
    },
    optional={"error": json_values, "errorType": json_values, "isPartial": json_values},
)


def the_only_number(reply: Any) -> Decimal | None:
    """An independent reading: the number that a person would accept, or None."""
    match reply:
        case {"status": "success", "data": {"resultType": "vector", "result": [{"value": [_, str(text)]}]}}:
            pass
        case {"status": "success", "data": {"resultType": "scalar", "result": [_, str(text)]}}:
            pass
        case _:
            return None
    if reply.get("isPartial") is True or not text.isascii() or "_" in text or text != text.strip():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and math.isfinite(float(number)) else None


@given(replies | json_values)
def test_only_one_finite_number_is_ever_read_from_a_reply(reply: Any) -> None:
    try:
        body = json.dumps(reply, allow_nan=False).encode()
    except ValueError:  # NaN is no JSON: then nothing may be read at all
        assert isinstance(parse(200, json.dumps(reply).encode()), Absence)
        return
    outcome, expected = parse(200, body), the_only_number(reply)

    if expected is None:
        assert isinstance(outcome, Absence)
        assert outcome.reason in REASONS
    else:
        assert outcome == float(expected)


@given(number_texts)
@example("1_000")
@example(" 1")
@example("３")
@example("infinity")
@example("1e999")
@example("-0")
def test_only_a_plain_decimal_is_a_number(text: str) -> None:
    outcome, expected = parse(200, success(text).encode()), the_only_number(json.loads(success(text)))

    assert (None if isinstance(outcome, Absence) else outcome) == (
        None if expected is None else float(expected)
    )


@given(st.binary(max_size=60), st.integers(100, 599))
def test_any_bytes_at_all_are_an_absence(body: bytes, status: int) -> None:
    outcome = parse(status, body)

    assert isinstance(outcome, Absence)
    assert outcome.reason in REASONS


@given(st.integers(0, 80), st.binary(max_size=3))
def test_a_reply_that_was_cut_off_or_overwritten_is_never_a_wrong_number(cut: int, junk: bytes) -> None:
    outcome = parse(200, success("42").encode()[:cut] + junk)

    assert outcome == 42 or isinstance(outcome, Absence)


def test_a_reply_from_a_part_of_the_data_is_absent() -> None:
    body = json.dumps({**json.loads(success("4")), "isPartial": True}).encode()

    assert reason(parse(200, body)) == "error"


def test_a_native_histogram_is_not_a_number() -> None:
    series = {"metric": {}, "histogram": [1700000000, {"count": "4", "sum": "4"}]}
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [series]}}).encode()

    assert reason(parse(200, body)) == "not_a_number"


def test_warnings_do_not_hide_a_value() -> None:
    body = json.dumps({**json.loads(success("4")), "warnings": ["PromQL info: ..."]}).encode()

    assert parse(200, body) == 4


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "prom:9090"},
        {"url": "ftp://prom"},
        {"url": "http://"},
        {"url": f"http://me:{TOKEN}@prom"},
        {"url": "http://prom/?tenant=x"},
        {"url": "http://prom:99999"},
        {"url": "http://prom", "password": TOKEN},
        {"url": "http://prom", "bearer_token": TOKEN, "username": "me"},
        {"url": "http://prom", "bearer_token": TOKEN, "headers": {"authorization": TOKEN}},
        {"url": "http://prom", "bearer_token": f"{TOKEN}\n"},
        {"url": "http://prom", "headers": {"X-Tenant": f"{TOKEN}\r\nX-Other: 1"}},
        {"url": "http://prom", "headers": {"X Tenant": TOKEN}},
        {"url": "http://prom", "deadline_s": 0},
        {"url": "http://prom", "deadline_s": float("nan")},
        {"url": "http://prom", "timeout": 5},
    ],
)
def test_wrong_settings_are_refused_without_showing_a_secret(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        PrometheusSettings.model_validate(settings)

    assert TOKEN not in str(caught.value)


def test_the_url_may_have_a_path_and_a_slash_at_its_end() -> None:
    assert PrometheusSettings(url="https://mimir/prometheus/").url == "https://mimir/prometheus"


def test_secrets_are_masked_in_settings() -> None:
    settings = PrometheusSettings(url="http://prom", headers={"X-Tenant": SecretStr(TOKEN)})

    assert TOKEN not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("text", ["", "  ", "rate(x[$__rate_interval])", "sum(x{model='${model}'})"])
def test_a_blank_query_and_one_from_a_dashboard_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        PrometheusSignal(query=text)


def test_an_end_of_string_anchor_is_no_dashboard_variable() -> None:
    assert PrometheusSignal(query='sum(x{pod=~"a$"})').query == 'sum(x{pod=~"a$"})'
