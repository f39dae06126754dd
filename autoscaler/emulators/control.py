"""``/_emulator/...``: the switches over HTTP, for tests in another process and for a person with curl."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar, runtime_checkable

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoscaler.emulators.faults import FAULTS_MAX, Fault, Faults
from autoscaler.emulators.load import Loads, Script
from autoscaler.emulators.middlewares import CONTROL_PREFIX
from autoscaler.emulators.request_log import RequestLog
from autoscaler.emulators.vendor import VendorEmulator
from autoscaler.world.plant import OutOfStock, UnknownDeployment

Body = TypeVar("Body", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _FaultList(_Strict):
    faults: tuple[Fault, ...] = Field(max_length=FAULTS_MAX)


class _Count(_Strict):
    replicas: int = Field(ge=0, le=10_000)


class _Kill(_Strict):
    replicas: int = Field(default=1, ge=1, le=10_000)


class _Word(_Strict):
    word: str | None = Field(max_length=100)
    details: str = Field(default="", max_length=10_000)


class _StartUps(_Strict):
    fail_next: int = Field(ge=0, le=10_000)


class _Stock(_Strict):
    gpu_type: str = Field(min_length=1, max_length=100)
    gpus: int | None = Field(ge=0)


class _Load(_Strict):
    running: float = Field(default=0.0, ge=0, le=1e9, allow_inf_nan=False)
    waiting: float = Field(default=0.0, ge=0, le=1e9, allow_inf_nan=False)
    requests_per_s: float = Field(default=0.0, ge=0, le=1e9, allow_inf_nan=False)
    service_s: float = Field(default=0.0, ge=0, le=1e6, allow_inf_nan=False)


@runtime_checkable
class _CarriesLoad(Protocol):
    """A vendor that looks at demand itself."""

    loads: Loads


class Control:
    """The switches of one emulator. Errors are ``{"error": "..."}`` with 400, 404 or 412."""

    def __init__(self, vendor: VendorEmulator, faults: Faults, requests: RequestLog) -> None:
        self._vendor = vendor
        self._faults = faults
        self._requests = requests

    def routes(self) -> Iterable[web.RouteDef]:
        """All switches that vendors have in common."""
        one = CONTROL_PREFIX + "/deployments/{id}"
        carries_load = isinstance(self._vendor, _CarriesLoad)
        own = (web.post(f"{one}/load", guarded(self._load)),) if carries_load else ()
        return (
            *own,
            web.get(f"{CONTROL_PREFIX}/faults", self._get_faults),
            web.put(f"{CONTROL_PREFIX}/faults", guarded(self._put_faults)),
            web.delete(f"{CONTROL_PREFIX}/faults", self._delete_faults),
            web.get(f"{CONTROL_PREFIX}/world", self._world),
            web.get(f"{CONTROL_PREFIX}/requests", self._get_requests),
            web.delete(f"{CONTROL_PREFIX}/requests", self._delete_requests),
            web.post(f"{CONTROL_PREFIX}/stock", guarded(self._stock)),
            web.post(f"{one}/replicas", guarded(self._replicas)),
            web.post(f"{one}/kill", guarded(self._kill)),
            web.post(f"{one}/state", guarded(self._state)),
            web.post(f"{one}/start-ups", guarded(self._start_ups)),
        )

    async def _get_faults(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"faults": [fault.model_dump(mode="json") for fault in self._faults.active]})

    async def _put_faults(self, request: web.Request) -> web.Response:
        self._faults.set((await read_body(request, _FaultList)).faults)
        return await self._get_faults(request)

    async def _delete_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return await self._get_faults(request)

    async def _world(self, request: web.Request) -> web.Response:
        del request
        world = self._vendor.world
        world.advance(self._vendor.clock.now())
        return web.json_response(
            {
                "now": world.now,
                "billed_usd": world.billed_usd(),
                "stock": {
                    gpu_type: {"gpus": gpus, "free": world.gpus_free(gpu_type)}
                    for gpu_type, gpus in world.stock.items()
                },
                "deployments": [
                    entry for id_ in world.deployment_ids if (entry := self._deployment(id_)) is not None
                ],
            }
        )

    def _deployment(self, deployment_id: str) -> dict[str, Any] | None:
        facts = self._vendor.facts(deployment_id)
        if facts is None:
            return None
        spec, status = self._vendor.world.spec(deployment_id), self._vendor.world.status(deployment_id)
        return {
            "id": deployment_id,
            "gpu_type": spec.gpu_type,
            "gpus_per_replica": spec.gpus_per_replica,
            "replicas_set": status.replicas_set,
            "ready": status.ready,
            "starting": status.starting,
            "draining": status.draining,
            "billed_replica_s": status.billed_replica_s,
            "billed_usd": status.billed_usd,
            **facts,
        }

    async def _get_requests(self, request: web.Request) -> web.Response:
        del request
        recent = [
            {"at": one.at, "method": one.method, "path": one.path, "kind": one.kind, "status": one.status}
            for one in list(self._requests.recent)[-1000:]
        ]
        counts, writes = self._requests.counts, self._requests.writes
        return web.json_response({"counts": counts, "writes": writes, "recent": recent})

    async def _delete_requests(self, request: web.Request) -> web.Response:
        self._requests.clear()
        return await self._get_requests(request)

    async def _stock(self, request: web.Request) -> web.Response:
        wanted = await read_body(request, _Stock)
        self._vendor.world.advance(self._vendor.clock.now())
        self._vendor.world.set_stock(wanted.gpu_type, wanted.gpus)
        return await self._world(request)

    async def _replicas(self, request: web.Request) -> web.Response:
        """By hand, past the vendor's API: no operation, no signature, as if in the vendor's console."""
        wanted = await read_body(request, _Count)
        self._vendor.world.set_replicas(self._id(request), wanted.replicas, self._vendor.clock.now())
        return await self._world(request)

    async def _load(self, request: web.Request) -> web.Response:
        """Demand as told, instead of traffic; figures that are left out are zero."""
        wanted = await read_body(request, _Load)
        deployment_id = self._id(request)
        assert isinstance(self._vendor, _CarriesLoad)
        self._vendor.world.advance(self._vendor.clock.now())
        script = Script(wanted.running, wanted.waiting, wanted.requests_per_s, wanted.service_s)
        self._vendor.loads.lay_down(deployment_id, script)
        return await self._world(request)

    async def _kill(self, request: web.Request) -> web.Response:
        wanted = await read_body(request, _Kill)
        for _ in range(wanted.replicas):
            if not self._vendor.world.kill_replica(self._id(request), self._vendor.clock.now()):
                break
        return await self._world(request)

    async def _state(self, request: web.Request) -> web.Response:
        wanted = await read_body(request, _Word)
        deployment_id = self._id(request)
        self._vendor.world.advance(self._vendor.clock.now())
        self._vendor.set_word(deployment_id, wanted.word, wanted.details)
        return await self._world(request)

    async def _start_ups(self, request: web.Request) -> web.Response:
        wanted = await read_body(request, _StartUps)
        self._vendor.world.start_up_fails(self._id(request), wanted.fail_next, self._vendor.clock.now())
        return await self._world(request)

    def _id(self, request: web.Request) -> str:
        """The id in the path, if it is one of this vendor's deployments. Raises: UnknownDeployment."""
        deployment_id = request.match_info["id"]
        known = deployment_id in self._vendor.world.deployment_ids
        if not known or self._vendor.facts(deployment_id) is None:
            raise UnknownDeployment(deployment_id)
        return deployment_id


async def read_body(request: web.Request, model: type[Body]) -> Body:
    """What was sent. Raises: ValidationError, which ``guarded`` answers with 400."""
    return model.model_validate_json(await request.read())


def guarded(handler: Handler) -> Handler:
    """A switch whose refusals are ``{"error": "..."}`` with 400, 404 or 412."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        except UnknownDeployment as error:
            return web.json_response({"error": f"no deployment {error}"}, status=404)
        except OutOfStock as error:
            return web.json_response({"error": str(error)}, status=412)

    return guarded
