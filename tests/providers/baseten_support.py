"""Baseten's bodies as its pages show them, and the adapter over a server that answers what it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.core.model import Observation
from autoscaler.ports import Observed, Ref
from autoscaler.providers.baseten import BasetenSettings
from autoscaler.providers.baseten.adapter import Baseten
from tests.providers.support import Recorder, Vendor
from tests.servers import serving

KEY: Final = "worked-example-key-not-real"
MODEL: Final = "abcd1234"
DEPLOYMENT: Final = "wxyz789"
CHAIN: Final = "chain1"

ONE: Final = Ref("chat/one", {"model_id": MODEL, "deployment_id": DEPLOYMENT})
LIVE: Final = Ref("chat/live", {"model_id": MODEL, "environment": "production"})
LLM: Final = Ref("chat/llm", {"chain_id": CHAIN, "environment": "production", "chainlet": "Llm"})
RAG: Final = Ref("rag/rag", {"chain_id": CHAIN, "environment": "production", "chainlet": "Retriever"})

MODELS: Final = f"/v1/models/{MODEL}"
CHAINS: Final = f"/v1/chains/{CHAIN}"

H100: Final = {
    "id": "it1",
    "name": "H100",
    "memory_limit_mib": 120832,
    "millicpu_limit": 16000,
    "gpu_count": 1,
    "gpu_type": "H100",
    "gpu_memory_limit_mib": 81920,
}
TWO_H100: Final = {**H100, "id": "it2", "name": "H100:2x32x480", "gpu_count": 2}
CPU: Final = {
    **H100,
    "id": "it3",
    "name": "1x2",
    "gpu_count": 0,
    "gpu_type": None,
    "gpu_memory_limit_mib": None,
}


def bounds(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {
        "min_replica": low,
        "max_replica": high,
        "autoscaling_window": 60,
        "scale_down_delay": 900,
        "concurrency_target": 32,
        "target_utilization_percentage": 70,
        "target_in_flight_tokens": None,
        "max_scale_down_rate": None,
        **more,
    }


def deployment(**fields: Any) -> dict[str, Any]:
    """A deployment of a model; a field of ``...`` is left out."""
    body = {
        "id": DEPLOYMENT,
        "created_at": "2026-11-01T08:00:00Z",
        "name": "deployment-3",
        "model_id": MODEL,
        "is_production": False,
        "is_development": False,
        "status": "ACTIVE",
        "active_replica_count": 2,
        "autoscaling_settings": bounds(2, 2),
        "instance_type_name": "H100",
        "environment": None,
        "labels": None,
        "region": None,
        "request_backpressure_settings": {"policy": None},
        **fields,
    }
    return {name: value for name, value in body.items() if value is not ...}


def environment(**fields: Any) -> dict[str, Any]:
    """An environment of a model, with its current deployment."""
    body = {
        "name": "production",
        "created_at": "2026-11-01T08:00:00Z",
        "model_id": MODEL,
        "current_deployment": deployment(environment="production", is_production=True),
        "candidate_deployment": None,
        "in_progress_promotion": None,
        "autoscaling_settings": bounds(2, 2),
        "promotion_settings": {},
        "instance_type": H100,
        "request_backpressure_settings": {"policy": None},
        "autoscaling_schedules": None,
        **fields,
    }
    return {name: value for name, value in body.items() if value is not ...}


def chainlet(name: str, **fields: Any) -> dict[str, Any]:
    """A chainlet of a chain's deployment."""
    return {
        "id": f"cl-{name}",
        "name": name,
        "autoscaling_settings": bounds(2, 2),
        "instance_type_name": "H100",
        "active_replica_count": 2,
        "status": "ACTIVE",
        **fields,
    }


def chain_deployment(id_: str, name: str | None, *chainlets: dict[str, Any]) -> dict[str, Any]:
    """A deployment of a chain."""
    return {
        "id": id_,
        "created_at": "2026-11-01T08:00:00Z",
        "chain_id": CHAIN,
        "environment": name,
        "chainlets": list(chainlets),
        "status": "ACTIVE",
    }


def chain_environment(current: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """An environment of a chain."""
    return {
        "name": "production",
        "created_at": "2026-11-01T08:00:00Z",
        "chain_id": CHAIN,
        "promotion_settings": {},
        "chainlet_settings": [],
        "current_deployment": current,
        "candidate_deployment": None,
        "in_progress_promotion": None,
        **fields,
    }


class Server(Vendor):
    """Tells a small workspace; every part can be told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = {"GET /v1/instance_types": {"instance_types": [H100, TWO_H100, CPU]}}
        self.deployments_are(deployment())
        self.environments_are(environment())
        self.chain_is(chainlet("Llm"), chainlet("Retriever", autoscaling_settings=bounds(1, 1)))
        accepted = {"status": "ACCEPTED", "message": "ok"}
        self.answers[f"PATCH {MODELS}/deployments/{DEPLOYMENT}/autoscaling_settings"] = accepted
        self.answers[f"PATCH {MODELS}/environments/production"] = {"environment": environment(), **accepted}
        self.answers[f"PATCH {CHAINS}/environments/production/chainlet_settings/autoscaling_settings"] = (
            accepted
        )

    def deployments_are(self, *bodies: dict[str, Any]) -> None:
        self.answers[f"GET {MODELS}/deployments"] = {"deployments": list(bodies)}
        for body in bodies:
            self.answers[f"GET {MODELS}/deployments/{body.get('id')}"] = body

    def environments_are(self, *bodies: dict[str, Any]) -> None:
        self.answers[f"GET {MODELS}/environments"] = {"environments": list(bodies)}
        for body in bodies:
            self.answers[f"GET {MODELS}/environments/{body.get('name')}"] = body

    def chain_is(self, *chainlets: dict[str, Any], **environment_fields: Any) -> None:
        current = chain_deployment("cd1", "production", *chainlets)
        self.answers[f"GET {CHAINS}/deployments"] = {"deployments": [current]}
        told = chain_environment(current, **environment_fields)
        self.answers[f"GET {CHAINS}/environments"] = {"environments": [told]}

    def sent(self, start: str) -> list[Any]:
        """Bodies of the requests whose line starts so."""
        return [
            json.loads(body) if body else None
            for method, path, _, body in self.requests
            if f"{method} {path}".startswith(start)
        ]

    @property
    def lines(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.requests]


@asynccontextmanager
async def workspace() -> AsyncIterator[Server]:
    """A server of a small workspace."""
    it = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", it.handle)
    async with serving(app) as address:
        it.url = address
        yield it


def settings(base_url: str, **more: Any) -> BasetenSettings:
    return BasetenSettings.model_validate(
        {"api_key": KEY, "base_url": base_url, "inference_base_url": base_url, **more}
    )


@asynccontextmanager
async def baseten(
    server: Server, telemetry: Recorder | None = None, clock: SystemClock | None = None, **more: Any
) -> AsyncIterator[Baseten]:
    """The adapter, closed at the end."""
    provider = Baseten("bt", settings(server.url, **more), clock or SystemClock(), telemetry or Recorder())
    try:
        yield provider
    finally:
        await provider.close()


def fact(observed: Observed, ref: Ref) -> Observation:
    told = observed.deployments[ref.key]
    assert isinstance(told, Observation), told
    return told


async def look(provider: Baseten, ref: Ref = ONE) -> Observation:
    return fact(await provider.observe([ref]), ref)
