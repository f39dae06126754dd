"""A DeepInfra of a few lines, on 127.0.0.1: it keeps what it is told and answers what a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.core.model import Observation
from autoscaler.ports import Observed, Ref
from autoscaler.providers.deepinfra import DeepInfraSettings
from autoscaler.providers.deepinfra.adapter import DeepInfra
from tests.providers.support import Recorder, answer
from tests.servers import serving

TOKEN = "worked-example-token-not-real"
WEIGHTS_TOKEN = "hf_weights-token-not-real"
CHAT = "fkj843kjh8"
OTHER = "Zz_9-other"
REF = Ref("chat/di", {"id": CHAT})
GET_ONE = f"GET /deploy/{CHAT}"
PUT = f"PUT /deploy/{CHAT}"
STOP = f"POST /deploy/{CHAT}/stop"
START = f"POST /deploy/{CHAT}/start"
LIST = "GET /deploy/list"
STOCK = "GET /deploy/llm/gpu_availability"


def deployment(**fields: Any) -> dict[str, Any]:
    """A list entry as the vendor documents it; ``...`` leaves a field out."""
    entry: dict[str, Any] = {
        "deploy_id": CHAT,
        "model_name": "acme/qwen3-32b",
        "version": "d8b79b42",
        "task": "text-generation",
        "status": "running",
        "fail_reason": "",
        "created_at": "2026-11-01T08:00:00+00:00",
        "updated_at": "2026-11-20T08:00:00+00:00",
        "type": "llm",
        "instances": {"running": 2, "pending": 0},
        "config": {
            "gpu": "H100-80GB",
            "num_gpus": 2,
            "max_batch_size": 96,
            "weights": {"repo": "Qwen/Qwen3-32B", "revision": None, "token": WEIGHTS_TOKEN},
        },
        "settings": {"min_instances": 1, "max_instances": 4},
    }
    entry.update(fields)
    return {name: value for name, value in entry.items() if value is not ...}


def legacy(**fields: Any) -> dict[str, Any]:
    """A reference to a model that is paid per token."""
    told = {"type": "legacy", "status": "deployed", "instances": None, "config": None, "settings": None}
    return deployment(**{**told, **fields})


def gpu(name: str, usd_per_hour: Any, available: Any = True) -> dict[str, Any]:
    """A line of the price list."""
    return {"gpu_config": name, "usd_per_hour": usd_per_hour, "available": available}


class Account:
    """Its deployments, and ``answers`` by method and path that come before what it would say itself."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {CHAT: deployment()}
        self.gpus: list[Any] = []
        self.answers: dict[str, Any] = {}
        self.requests: list[tuple[str, Any]] = []
        self.tokens: set[str | None] = set()
        self.url = ""

    @property
    def calls(self) -> list[str]:
        """Method and path of all requests but those for the price list."""
        return [call for call, _ in self.requests if call != STOCK]

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET")]

    @property
    def bodies(self) -> list[Any]:
        """What was put, in order."""
        return [body for call, body in self.requests if call.startswith("PUT")]

    def shows(self, **fields: Any) -> None:
        self.entries[CHAT] = deployment(**fields)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = f"{request.method} {request.path_qs}"
        body = await request.json() if request.can_read_body else None
        self.requests.append((call, body))
        self.tokens.add(request.headers.get("Authorization"))
        told = self.answers.get(call)
        if isinstance(told, web.Response):
            return web.Response(
                body=told.body, status=told.status, headers={**told.headers, "Connection": "close"}
            )
        if callable(told):
            response = await told(request, body)
            if response is not None:
                assert isinstance(response, web.StreamResponse)
                return response
        elif told is not None:
            return answer(told)
        return self.obey(request.method, request.path.strip("/").split("/"), body)

    def obey(self, method: str, path: list[str], body: Any) -> web.Response:
        if path == ["deploy", "list"]:
            return answer(list(self.entries.values()))
        if path == ["deploy", "llm", "gpu_availability"]:
            return answer({"gpus": self.gpus})
        found = self.entries.get(path[1])
        if found is None:
            return answer({"error": "Model not found"}, 404)
        if method == "GET":
            return answer(found)
        if method == "PUT":
            found["settings"] = {"min_instances": 1, "max_instances": 1, **body["settings"]}
        elif path[2] == "stop":
            found.update(status="stopped", instances={"running": 0, "pending": 0})
        else:
            wanted = max(1, found["settings"]["min_instances"])
            found.update(status="deploying", instances={"running": 0, "pending": wanted})
        return answer({"deploy_id": found["deploy_id"]})


@asynccontextmanager
async def account() -> AsyncIterator[Account]:
    it = Account()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", it.handle)
    async with serving(app) as it.url:
        yield it


def settings(base_url: str, **more: Any) -> DeepInfraSettings:
    return DeepInfraSettings.model_validate({"api_token": TOKEN, "base_url": base_url, **more})


@asynccontextmanager
async def deepinfra(
    base_url: str, telemetry: Recorder | None = None, clock: SystemClock | None = None, **more: Any
) -> AsyncIterator[DeepInfra]:
    """The adapter, closed at the end."""
    provider = DeepInfra("di", settings(base_url, **more), clock or SystemClock(), telemetry or Recorder())
    try:
        yield provider
    finally:
        await provider.close()


def only(observed: Observed) -> Observation:
    told = observed.deployments[REF.key]
    assert isinstance(told, Observation), told
    return told
