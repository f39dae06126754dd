"""What the HTTP layer makes of a vendor's good and bad manners, over real sockets."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import traceback
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from autoscaler import __version__
from autoscaler.clock import SystemClock
from autoscaler.core.model import ErrorKind, exactly
from autoscaler.ports import (
    BadReply,
    Busy,
    NoCapacity,
    NotFound,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from autoscaler.providers.exoscale.signature import authorization
from autoscaler.providers.fields import object_of
from autoscaler.providers.http import Call, HttpApi, Outgoing
from tests.providers.support import (
    CHAT,
    KEY,
    OPERATION,
    REF,
    SECRET,
    Recorder,
    answer,
    deployment,
    exoscale,
    raw_server,
    settings,
    text,
    vendor,
)

GET_ONE = f"GET /v2/ai/deployment/{CHAT}"


def everything_said(error: BaseException) -> str:
    """All text by which an error could reach a log: of itself, its causes and contexts."""
    said = "".join(traceback.format_exception(error))
    link: BaseException | None = error
    while link is not None:
        said += f"{link} {link!r} {link.args!r} {vars(link)!r}"
        link = link.__cause__ or link.__context__
    return said


async def trouble(base_url: str, telemetry: Recorder | None = None, **more: Any) -> ProviderError:
    """The error of one read call."""
    async with exoscale(base_url, telemetry, **more) as provider:
        with pytest.raises(ProviderError) as caught:
            await provider.read(REF)
    said = everything_said(caught.value)
    assert SECRET not in said
    assert "signature=" not in said
    assert caught.value.__context__ is caught.value.__cause__ or caught.value.__suppress_context__
    return caught.value


# --- statuses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (405, Rejected),
        (408, Unavailable),
        (409, Busy),
        (412, NoCapacity),
        (422, Rejected),
        (429, RateLimited),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (599, Unavailable),
        (301, BadReply),
        (304, BadReply),
    ],
)
async def test_every_status_has_one_meaning(status: int, error: type[ProviderError]) -> None:
    async with vendor() as it:
        it.answers[GET_ONE] = answer({"error": "why"}, status) if status != 304 else web.Response(status=304)
        telemetry = Recorder()

        caught = await trouble(it.url, telemetry)

    assert type(caught) is error
    assert [(name, operation, kind) for name, operation, _, kind in telemetry.requests] == [
        ("exo", "get-deployment", error.kind)
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "no such deployment"}, "no such deployment"),
        (
            {"type": "about:blank", "title": "t", "status": 400, "detail": "replicas too high"},
            "replicas too high",
        ),
        ({"code": "forbidden_operation", "error": "role says no"}, "role says no"),
        ({"deployments": [CHAT]}, CHAT),
        ({"detail": [{"loc": ["x"]}], "error": "second"}, "second"),
        ({"detail": "", "title": "Bad Request"}, "Bad Request"),
        (["odd"], "odd"),
        (None, "null"),
    ],
)
async def test_the_vendors_reason_is_told_whatever_its_shape(body: Any, said: str) -> None:
    async with vendor() as it:
        it.answers[GET_ONE] = answer(body, 400)

        caught = await trouble(it.url)

    assert str(caught).startswith("get-deployment answered 400: ")
    assert said in str(caught)


async def test_an_error_page_that_is_not_json_still_means_its_status() -> None:
    async with vendor() as it:
        it.answers[GET_ONE] = text("<html>\n<b>Bad\x1b[31m Gateway</b>" + "x" * 900, 502)

        caught = await trouble(it.url)

    assert type(caught) is Unavailable
    assert "Bad [31m Gateway" in str(caught)
    assert len(str(caught)) < 240


async def test_an_error_text_without_end_still_means_its_status() -> None:
    async with vendor() as it:
        it.answers[GET_ONE] = text(b"x" * 200_000, 403)

        caught = await trouble(it.url)

    assert type(caught) is Unauthorized


async def test_a_vendor_that_echoes_our_secret_does_not_get_it_logged() -> None:
    async with vendor() as it:
        it.answers[GET_ONE] = answer({"error": f"bad secret {SECRET} of {KEY}"}, 403)

        caught = await trouble(it.url)

    assert str(caught) == "get-deployment answered 403: bad secret *** of ***"


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "17"}, {"error": "slow down"}, 17),
        ({"Retry-After": "999999"}, {}, 3600),
        ({}, {"error": "slow down"}, 30),
        ({}, {"error": "slow down", "retry_after": 37}, 37),
        ({}, {"retry_after": 1e300}, 3600),
        ({}, {"retry_after": True}, 30),
        ({"Retry-After": "later"}, {}, 30),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(
    headers: dict[str, str], body: dict[str, Any], seconds: float
) -> None:
    async with vendor() as it:
        it.answers[GET_ONE] = answer(body, 429, headers)

        caught = await trouble(it.url)

    assert isinstance(caught, RateLimited)
    assert caught.retry_after_s == seconds


# --- replies that are not what they should be ---------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"", Unavailable),
        (b"\x00\x01 nonsense\r\n\r\n", BadReply),
        (b"SSH-2.0-OpenSSH_9.2\r\n", BadReply),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Le", Unavailable),
        (HEAD + b'Content-Length: 500\r\n\r\n{"id": ', BadReply),
        (HEAD + b'Transfer-Encoding: chunked\r\n\r\n1f4\r\n{"id": ', BadReply),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n", BadReply),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", BadReply),
        (HEAD + b"Content-Length: 0\r\n\r\n", BadReply),
        (HEAD + b"Content-Length: 2\r\n\r\n{}", BadReply),
        (HEAD + b"Content-Length: 4\r\n\r\nnull", BadReply),
        (HEAD + b"X-Long: " + b"x" * 20_000 + b"\r\nContent-Length: 2\r\n\r\n{}", BadReply),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\n{cut", Unauthorized),
    ],
)
async def test_a_broken_reply_is_one_of_our_errors(reply: bytes, error: type[ProviderError]) -> None:
    async with raw_server(reply) as (url, _):
        assert type(await trouble(url)) is error


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/octet-stream", "x"])
async def test_a_reply_of_another_type_is_bad_even_if_it_would_parse(content_type: str) -> None:
    body = json.dumps(deployment()).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    async with raw_server(head.encode() + body) as (url, _):
        caught = await trouble(url)

    assert type(caught) is BadReply


async def test_a_reply_beyond_the_limit_is_not_read_to_its_end() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            while sent < 2_000:
                await response.write(b"[" * 65_536)
                sent += 1
        except ConnectionError:
            pass
        return response

    async with vendor() as it:
        it.answers[GET_ONE] = endless

        caught = await trouble(it.url, reply_bytes_max=100_000)

    assert type(caught) is BadReply
    assert "over 100000 bytes" in str(caught)
    assert sent < 2_000


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", HEAD + b'Content-Length: 500\r\n\r\n{"id": '])
async def test_a_vendor_that_hangs_costs_one_deadline(said: bytes) -> None:
    telemetry = Recorder()
    async with raw_server(said, hang=True) as (url, _):
        caught = await trouble(url, telemetry, deadline_s=0.1)

    assert type(caught) is Unavailable
    assert isinstance(caught.__cause__, TimeoutError)
    assert "within 0.1 s" in str(caught)
    assert telemetry.requests[0][3] is ErrorKind.UNAVAILABLE
    assert telemetry.requests[0][2] < 2


@pytest.mark.virtual_time
async def test_the_deadline_is_the_clocks() -> None:
    clock = SystemClock(starts_at=1795219200.0)
    async with raw_server(b"", hang=True) as (url, _), exoscale(url, clock=clock) as provider:
        began = clock.monotonic()
        with pytest.raises(Unavailable):
            await provider.read(REF)

    assert clock.monotonic() - began == pytest.approx(10.0, abs=0.01)


async def test_nobody_there_is_unavailable() -> None:
    async with raw_server(b"") as (url, _):
        pass

    caught = await trouble(url)

    assert type(caught) is Unavailable
    assert "no connection to 127.0.0.1" in str(caught)


async def test_plain_text_where_tls_is_expected_is_unavailable() -> None:
    async with vendor() as it:
        caught = await trouble(it.url.replace("http:", "https:"))

    assert type(caught) is Unavailable


async def test_who_gives_up_waiting_is_counted_as_slow_not_as_success() -> None:
    telemetry = Recorder()
    async with raw_server(b"", hang=True) as (url, _), exoscale(url, telemetry) as provider:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await provider.read(REF)

    assert [kind for *_, kind in telemetry.requests] == [ErrorKind.UNAVAILABLE]


async def test_a_closed_provider_is_unavailable() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        await provider.close()
        with pytest.raises(Unavailable):
            await provider.read(REF)


# --- what is sent -------------------------------------------------------------------------------


async def test_a_redirect_is_not_followed_and_credentials_go_nowhere_else() -> None:
    async with vendor() as elsewhere, vendor() as it:
        it.answers[GET_ONE] = answer({}, 302, {"Location": f"{elsewhere.url}/ai/deployment/{CHAT}"})

        caught = await trouble(it.url)

    assert type(caught) is BadReply
    assert "redirect" in str(caught)
    assert elsewhere.requests == []


def _expires(header: str) -> int:
    return int(header.split("expires=")[1].split(",")[0])


async def test_the_bytes_on_the_wire_are_the_bytes_that_were_signed() -> None:
    clock = SystemClock(starts_at=1795219200.0)
    async with vendor() as it, exoscale(it.url, clock=clock) as provider:
        it.deployments(deployment())
        it.answers[f"POST /v2/ai/deployment/{CHAT}/scale"] = {"id": OPERATION, "state": "pending"}
        await provider.observe([REF])
        await provider.set_replicas(REF, exactly(3))
        requests = it.requests

    listed = next(request for request in requests if "visibility" in request[1])
    scaled = requests[-1]
    assert listed[1] == "/v2/ai/deployment?visibility=private"
    assert scaled[:2] == ("POST", f"/v2/ai/deployment/{CHAT}/scale")
    assert scaled[3] == b'{"replicas": 3}'
    for method, path, headers, body in (listed, scaled):
        header = headers["Authorization"]
        assert 1795219200 + 590 <= _expires(header) <= 1795219200 + 610
        query = [("visibility", "private")] if "?" in path else []
        assert header == authorization(KEY, SECRET, method, path.split("?")[0], query, body, _expires(header))
        assert headers["User-Agent"] == f"autoscaler/{__version__}"
        assert headers["Accept"] == "application/json"
    assert scaled[2]["Content-Type"] == "application/json"


async def test_an_encoded_path_and_odd_arguments_arrive_as_they_were_signed() -> None:
    signed: list[Outgoing] = []

    def authorize(call: Outgoing) -> dict[str, str]:
        signed.append(call)
        return {"Authorization": "Bearer x"}

    async with vendor() as it:
        api = HttpApi("any", settings(it.url), it.url, authorize, SystemClock(), Recorder())
        arguments = (("b", "x y/ü+&"), ("a", ""), ("b", "~2"))
        with pytest.raises(NotFound):
            await api.call(Call("odd", "GET", "/a%2Fb%7Ec/", arguments), object_of)
        await api.close()

    assert it.requests[0][1] == "/v2/a%2Fb%7Ec/?b=x%20y%2F%C3%BC%2B%26&a=&b=~2"
    assert signed == [Outgoing("GET", "/v2/a%2Fb%7Ec/", arguments, b"")]


async def test_an_empty_success_is_null_for_who_expects_nothing() -> None:
    async with vendor() as it:
        it.answers["POST /v2/wake"] = web.Response(status=202)
        api = HttpApi("any", settings(it.url), it.url, lambda _: {}, SystemClock(), Recorder())

        assert await api.call(Call("wake", "POST", "/wake"), lambda body: body) is None
        await api.close()


async def test_calls_share_their_connections_up_to_the_limit() -> None:
    open_now = most = 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        return answer(deployment())

    async with vendor() as it, exoscale(it.url, connections_max=2) as provider:
        it.answers[GET_ONE] = slow
        await asyncio.gather(*(provider.read(REF) for _ in range(8)))

    assert most == 2


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    file = tmp_path / "ca.pem"
    wanted = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=test"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(file) + ".crt"]
    subprocess.run([openssl, "req", "-x509", *wanted.split(), *names], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


async def test_a_ca_file_is_trusted_and_without_it_nothing_is_sent(
    certificate: Path,
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with vendor(context) as it:
        it.answers[GET_ONE] = deployment()

        caught = await trouble(it.url)
        assert it.requests == []
        async with exoscale(it.url, ca_file=str(certificate)) as provider:
            assert (await provider.read(REF)).replicas == (2, 2)

    assert type(caught) is Unavailable
    assert "no trusted TLS connection to 127.0.0.1" in str(caught)


# --- proxies ------------------------------------------------------------------------------------

PROXIED = "http://api.example.test/v2"


async def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(HEAD + b"Content-Length: 2\r\n\r\n{}") as (url, asked):
        monkeypatch.setenv("http_proxy", url.removesuffix("/v2").replace("//", "//user:proxy-password@"))
        await trouble(PROXIED, allow_http=True)

    assert asked[0].startswith(f"GET {PROXIED}/ai/deployment/{CHAT} ".encode())
    assert b"Proxy-Authorization: Basic " in asked[0]


async def test_a_tunnel_through_the_proxy_shows_it_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n") as (url, asked):
        monkeypatch.setenv("https_proxy", url.removesuffix("/v2").replace("//", "//user:proxy-password@"))

        caught = await trouble(PROXIED.replace("http:", "https:"))

    assert str(caught) == "get-deployment: the proxy answered 407"
    assert asked[0].startswith(b"CONNECT api.example.test:443 ")
    assert b"Proxy-Authorization: Basic " in asked[0]
    assert b"EXO2" not in asked[0]


async def test_a_proxys_password_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(b"") as (url, _):
        pass
    monkeypatch.setenv("http_proxy", url.removesuffix("/v2").replace("//", "//user:proxy-password@"))

    caught = await trouble(PROXIED, allow_http=True)

    assert type(caught) is Unavailable
    assert "proxy-password" not in everything_said(caught)


async def test_a_loopback_address_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    async with vendor() as it, exoscale(it.url) as provider:
        it.answers[GET_ONE] = answer(deployment())

        assert (await provider.read(REF)).replicas == (2, 2)


async def test_a_netrc_entry_does_not_collide_with_our_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with vendor() as it, exoscale(it.url) as provider:
        it.answers[GET_ONE] = answer(deployment())

        assert (await provider.read(REF)).replicas == (2, 2)


async def test_a_vendor_that_echoes_our_secret_on_a_page_does_not_get_it_logged() -> None:
    async with vendor() as it:
        it.answers[GET_ONE] = text(f"<html>bad secret {SECRET} of {KEY}</html>".encode(), 403)

        caught = await trouble(it.url)

    assert type(caught) is Unauthorized
    assert SECRET not in str(caught)
    assert KEY not in str(caught)


async def test_a_vendor_that_echoes_our_secret_anywhere_in_its_json_does_not_get_it_logged() -> None:
    async with vendor() as it:
        it.answers[GET_ONE] = answer({"errors": [{"text": f"bad secret {SECRET} of {KEY}"}]}, 403)

        caught = await trouble(it.url)

    assert "bad secret *** of ***" in str(caught)


@pytest.mark.virtual_time
async def test_after_a_rate_limit_nothing_of_its_kind_is_sent_until_the_time_that_it_named() -> None:
    async with vendor() as it, exoscale(it.url, clock=(clock := SystemClock())) as provider:
        it.answers[GET_ONE] = deployment()
        await provider.read(REF)
        it.answers[GET_ONE] = answer({"error": "slow down"}, 429, {"Retry-After": "60"})
        with pytest.raises(RateLimited):
            await provider.read(REF)
        it.answers[GET_ONE] = deployment()

        await clock.sleep(59.0)
        with pytest.raises(RateLimited, match="is not sent"):
            await provider.read(REF)
        it.answers[f"POST /v2/ai/deployment/{CHAT}/scale"] = {"id": OPERATION, "state": "pending"}
        await provider.set_replicas(REF, exactly(3))  # A limit of reads stops no write.
        await clock.sleep(2.0)
        await provider.read(REF)

    assert len(it.seen("GET /v2/ai/deployment/")) == 3


async def test_a_signature_is_good_for_ten_minutes() -> None:
    async with vendor() as it, exoscale(it.url, clock=(clock := SystemClock())) as provider:
        it.answers[GET_ONE] = deployment()
        await provider.read(REF)

    signed = next(headers["Authorization"] for method, _, headers, _ in it.requests if method == "GET")
    expires = int(signed.partition("expires=")[2].partition(",")[0])
    assert 590 <= expires - clock.now() <= 600
