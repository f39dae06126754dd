"""A tiny vendor for the example of docs/providers/writing-a-provider.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

TOKEN = "acme-token-not-real"


class AcmeServer:
    """Bounds that apply at once; ``trouble`` is what goes wrong with every call."""

    def __init__(self) -> None:
        self.url = ""
        self.trouble: str | None = None
        self.calls = 0
        self.writes = 0
        self.deployments: dict[str, dict[str, Any]] = {
            id_: {"id": id_, "state": "running", "min": 2, "max": 2, "running": 2, "gpu": "h100"}
            for id_ in ("chat", "other")
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls += 1
        self.writes += request.method != "GET"
        if self.trouble is not None:
            return await self._spoil()
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "bad token"}, status=401)
        path = request.path.removeprefix("/v1/").split("/")
        if path == ["prices"]:
            return web.json_response({"prices": [{"gpu": "h100", "usd_per_minute": 0.1}]})
        if path == ["deployments"]:
            return web.json_response({"deployments": list(self.deployments.values())})
        found = self.deployments.get(path[1])
        if found is None:
            return web.json_response({"error": "unknown"}, status=404)
        if request.method == "PUT":
            body = await request.json()
            found.update(min=body["min"], max=body["max"])
            found["running"] = min(max(found["running"], body["min"]), body["max"])
        return web.json_response(found)

    async def _spoil(self) -> web.StreamResponse:
        body = json.dumps({"deployments": list(self.deployments.values())}).encode()
        match self.trouble:
            case "server_error":
                return web.json_response({"error": "down"}, status=503)
            case "rate_limited":
                return web.json_response({"error": "slow"}, status=429, headers={"Retry-After": "17"})
            case "hang":
                await asyncio.sleep(3600)
            case "truncated":
                return web.Response(body=body[: len(body) // 2], content_type="application/json")
            case "garbage":
                return web.Response(body=b"\xff\xfe<html>", content_type="text/html")
        return web.Response(body=b" " * 8_000_000 + body, content_type="application/json")


@asynccontextmanager
async def acme_server() -> AsyncIterator[AcmeServer]:
    it = AcmeServer()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", it.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield it
    finally:
        await runner.cleanup()
