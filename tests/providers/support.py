"""Real servers on 127.0.0.1 that answer what a test tells them, and a telemetry that remembers."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.core.model import ErrorKind
from autoscaler.ports import Ref
from autoscaler.providers.exoscale import ExoscaleSettings
from autoscaler.providers.exoscale.adapter import Exoscale
from tests.servers import serving

KEY = "EXO0123456789abcdef01234567"
SECRET = "worked-example-secret-not-real"
CHAT = "3c1f5d0e-8a6b-4f2d-9b1e-2a7c4d5e6f70"
OTHER = "11111111-2222-4333-8444-555555555555"
OPERATION = "0b9b2c5e-7a41-4b0e-8a53-5f3a8f3c9d10"
REF = Ref("chat/exo", {"id": CHAT})


@dataclass
class Recorder:
    """A Telemetry that keeps what it is told."""

    requests: list[tuple[str, str, float, ErrorKind | None]] = field(default_factory=list)
    words: list[tuple[str, str, str]] = field(default_factory=list)
    sights: list[tuple[str, str, str]] = field(default_factory=list)

    def request(self, provider: str, operation: str, duration_s: float, error: ErrorKind | None) -> None:
        self.requests.append((provider, operation, duration_s, error))

    def unknown_word(self, provider: str, word: str, where: str) -> None:
        self.words.append((provider, word, where))

    def first_sight(self, provider: str, fact: str, seen: str) -> None:
        self.sights.append((provider, fact, seen))


def deployment(**fields: Any) -> dict[str, Any]:
    """A list entry as the vendor documents it; names with ``_`` for ``-``."""
    entry = {
        "id": CHAT,
        "name": "chat",
        "state": "ready",
        "visibility": "private",
        "model": {"id": "8f0e6f6c-58f5-4f0a-9d0c-0c5b7f0b1f11", "name": "Qwen/Qwen3-8B"},
        "replicas": 2,
        "gpu-count": 1,
        "gpu-type": "gpua5000",
        "service-level": "pro",
        "deployment-url": "https://chat.example.com/v1",
        "created-at": "2026-11-20T09:00:00Z",
        "updated-at": "2026-11-20T10:00:00Z",
    }
    entry.update({name.replace("_", "-"): value for name, value in fields.items()})
    return {name: value for name, value in entry.items() if value is not ...}


Answer = web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=json.dumps(body).encode(), status=status, headers=headers, content_type="application/json"
    )


def text(body: str | bytes, status: int = 200, content_type: str = "text/html") -> web.Response:
    """Any other answer."""
    return web.Response(
        body=body.encode() if isinstance(body, str) else body, status=status, content_type=content_type
    )


class Vendor:
    """Answers by method and path; keeps the requests. What was not told is a 404."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"GET /v2/ai/instance-type": {"instance-types": []}}
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.url = ""

    def deployments(self, *entries: Any) -> None:
        self.answers["GET /v2/ai/deployment"] = {"deployments": list(entries)}

    def seen(self, start: str) -> list[str]:
        return [line for line in (f"{m} {p}" for m, p, _, _ in self.requests) if line.startswith(start)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        told = self.answers.get(f"{request.method} {request.path}", answer({"error": "no such thing"}, 404))
        if isinstance(told, web.Response):
            return web.Response(
                body=told.body, status=told.status, headers={**told.headers, "Connection": "close"}
            )
        if callable(told):
            response = await told(request)
            assert isinstance(response, web.StreamResponse)
            return response
        return answer(told)


@asynccontextmanager
async def vendor(tls: ssl.SSLContext | None = None) -> AsyncIterator[Vendor]:
    it = Vendor()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", it.handle)
    async with serving(app, tls) as address:
        it.url = f"{address}/v2"
        yield it


@asynccontextmanager
async def raw_server(reply: bytes, *, hang: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Says these bytes to whoever connects, whatever they asked, and ends the connection (or hangs)."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(reply)
            await writer.drain()
            if hang:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            asked.append(b"")
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2", asked
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)


def settings(base_url: str, **more: Any) -> ExoscaleSettings:
    return ExoscaleSettings.model_validate(
        {"zone": "at-vie-2", "api_key": KEY, "api_secret": SECRET, "base_url": base_url, **more}
    )


@asynccontextmanager
async def exoscale(
    base_url: str, telemetry: Recorder | None = None, clock: SystemClock | None = None, **more: Any
) -> AsyncIterator[Exoscale]:
    """The adapter, closed at the end."""
    provider = Exoscale("exo", settings(base_url, **more), clock or SystemClock(), telemetry or Recorder())
    try:
        yield provider
    finally:
        await provider.close()
