"""The published API over a world, request by request."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from autoscaler.clock import SystemClock
from autoscaler.emulators.control import guarded, read_body
from autoscaler.emulators.exoscale.exhibits import Exhibit, Face
from autoscaler.emulators.exoscale.operations import Operation, Operations
from autoscaler.emulators.exoscale.settings import ErrorBody, ExoscaleSettings, NextOperations
from autoscaler.emulators.exoscale.signature import refusal
from autoscaler.emulators.faces import Faces
from autoscaler.emulators.fleet import DEFAULT_FLEET, EmulatedFleet, FleetError
from autoscaler.emulators.vendor import circumstances_now
from autoscaler.ports import Clock
from autoscaler.world.plant import DeploymentSpec, DeploymentStatus, OutOfStock, World, WorldEvent
from autoscaler.world.start_up import StartUp

FAMILIES: Final = ("gpu3", "gpu3080ti", "gpua5000", "gpurtx6000pro")
PUBLIC_ID: Final = "9a7b1c52-0d4e-4b7a-8f43-5d1f6a2c3e04"  # Exoscale's own, listed and never to be scaled
API_KEY: Final = "EXOemulator0123456789abcdef"  # of an account that names none
_ENGINE_VERSION: Final = "0.28.0"
_GPU_QUOTA: Final = 64
_REPLICAS_MAX: Final = 10_000
_LIST_LACKS: Final = ("state-details", "inference-engine-version", "inference-engine-parameters")
_TITLES: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class _Refused(Exception):
    """The answer is an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


class ExoscaleEmulator:
    """One zone of one Exoscale account over a world.

    With a ``world`` given, deployments of the fleet that are not in it yet are added.
    Raises: FleetError for an id that Exoscale would not give, OutOfStock.
    """

    kind = "exoscale"
    base_path = "/v2"
    publishes_prices = False

    def __init__(
        self,
        fleet: EmulatedFleet = DEFAULT_FLEET,
        *,
        world: World | None = None,
        clock: Clock | None = None,
        settings: ExoscaleSettings | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.world = fleet.place(world, self.clock.now())
        self.settings = settings or ExoscaleSettings()
        self.public_writes = 0  # attempts to change the entry that is not ours
        self._account = fleet.account(self.kind)
        self._api_key = self._account.api_key or API_KEY
        self._operations = Operations(fleet.seed)
        self._next: NextOperations | None = None
        self._next_left = 0
        self._exhibits: dict[str, Exhibit] = {}
        for deployment in fleet.at(self.kind):
            spec = deployment.spec()
            if not _is_uuid(spec.id):
                raise FleetError(f"deployment {spec.name!r}: id {spec.id!r} must be a UUID in lower case")
            if spec.id not in self.world.deployment_ids:
                self.world.add(spec, self.world.now)
            self._show(spec, deployment.model)
        self._show_public()
        self.world.subscribe(self._see)

    # --- what the server needs ------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The published API, as far as a scaler may want it."""
        one = "/v2/ai/deployment/{id}"
        return (
            web.get("/v2/zone", self._zones, name="zone"),
            web.get("/v2/ai/deployment", self._list, name="list"),
            web.post("/v2/ai/deployment", self._writing(self._create), name="create"),
            web.get(one, self._get, name="get"),
            web.patch(one, self._writing(self._update), name="update"),
            web.delete(one, self._writing(self._delete), name="delete"),
            web.post(f"{one}/scale", self._writing(self._scale), name="scale"),
            web.get(f"{one}/logs", self._logs, name="logs"),
            web.get("/v2/operation/{id}", self._operation, name="operation"),
            web.get("/v2/ai/instance-type", self._instance_types, name="instance-type"),
            web.get("/v2/quota", self._quotas, name="quotas"),
            web.get("/v2/quota/{entity}", self._quota, name="quota"),
        )

    def control_routes(self) -> Iterable[web.RouteDef]:
        """Settings, and operations that fail."""
        return (
            web.get("/_emulator/exoscale/settings", self._get_settings),
            web.put("/_emulator/exoscale/settings", guarded(self._put_settings)),
            web.post("/_emulator/exoscale/next-operations", guarded(self._post_next_operations)),
        )

    def refusal(self, request: web.Request, body: bytes) -> web.Response | None:
        """403 unless the request is signed; the list of zones needs no signature."""
        if request.method == "GET" and request.raw_path.partition("?")[0] == "/v2/zone":
            return None
        why = refusal(
            authorization=request.headers.get("Authorization"),
            method=request.method,
            target=request.raw_path,
            body=body,
            now=self.clock.now(),
            secrets={self._api_key: self._account.api_secret.get_secret_value()},
        )
        if why is None:
            return None
        return web.json_response({"code": "invalid_signature", "error": why}, status=403)

    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
        """An error in the shape that the settings choose."""
        title = _TITLES.get(status, "Error")
        code = title.lower().replace(" ", "_")
        match self.settings.error_body or (ErrorBody.CODE if status == 403 else ErrorBody.PROBLEM):
            case ErrorBody.ERROR:
                body: dict[str, Any] = {"error": text}
            case ErrorBody.CODE:
                body = {"code": "forbidden_operation" if status == 403 else code, "error": text}
            case ErrorBody.DEPLOYMENTS:
                body = {"deployments": [id_ for id_ in self._exhibits if id_ != PUBLIC_ID][:1]}
            case ErrorBody.PROBLEM:
                body = {"type": "about:blank", "title": title, "status": status, "detail": text}
        return web.json_response(body, status=status, headers=headers)

    def credentials(self) -> Mapping[str, str]:
        """Configuration keys and values for this account."""
        return {
            "zone": self._account.zone,
            "api_key": self._api_key,
            "api_secret": self._account.api_secret.get_secret_value(),
        }

    def ids(self, deployment_id: str) -> Mapping[str, str]:
        """Its UUID."""
        return {"id": self._exhibits[deployment_id].id}

    def facts(self, deployment_id: str) -> Mapping[str, Any] | None:
        """The word that is shown, and the operation that runs."""
        exhibit = self._exhibits.get(deployment_id)
        if exhibit is None or exhibit.now.deleted:
            return None
        operation = exhibit.pending(self.world.now)
        return {
            "name": exhibit.now.name,
            "model": exhibit.model,
            "state": exhibit.word(self.world.now),
            "operation": None if operation is None else operation.id,
        }

    def set_price(self, gpu_type: str, usd_per_gpu_hour: float) -> None:
        """Billed from now on; Exoscale publishes no prices."""
        for id_ in self.world.deployment_ids:
            if id_ in self._exhibits and self.world.spec(id_).gpu_type == gpu_type:
                self.world.set_price(id_, usd_per_gpu_hour, self.clock.now())

    def set_word(self, deployment_id: str, word: str | None, details: str) -> None:
        """Show this word, known to Exoscale or not. Raises: KeyError."""
        self._exhibits[deployment_id].change(self.world.now, word=word, details=details)

    def fail_next_operations(self, how: NextOperations) -> None:
        """The next operations end like this, and change nothing."""
        self._next, self._next_left = how, how.operations

    # --- seeing the world -----------------------------------------------------------------------

    def _show(self, spec: DeploymentSpec, model: str) -> Exhibit:
        now = self.world.now
        status = self.world.status(spec.id)
        face = Face(status, spec.name, _ENGINE_VERSION, ("--max-model-len=8192",), now)
        exhibit = Exhibit(spec.id, spec.gpu_type, spec.gpus_per_replica, model, Faces(now, face))
        self._exhibits[spec.id] = exhibit
        return exhibit

    def _show_public(self) -> None:
        now = self.world.now
        status = DeploymentStatus(4, 4, 0, 0, 0.0, 0.0, 0)
        faces = Faces(now, Face(status, "shared-qwen3-32b", _ENGINE_VERSION, (), now))
        self._exhibits[PUBLIC_ID] = Exhibit(
            PUBLIC_ID, "gpurtx6000pro", 1, "Qwen/Qwen3-32B", faces, visibility="public"
        )

    def _see(self, event: WorldEvent) -> None:
        exhibit = self._exhibits.get(event.deployment_id)
        if exhibit is None:
            return
        exhibit.change(event.at, status=event.status)
        exhibit.settle(event.at)
        if event.replica is not None:
            node = f"{exhibit.now.name}-{event.replica}"
            text = _LOG_LINES.get(event.kind, event.kind)
            exhibit.logs.append((event.at, node, text))

    def _find(self, request: web.Request, at: float) -> tuple[Exhibit, Face]:
        """The deployment that the path names. Raises: _Refused."""
        text = request.match_info["id"]
        try:
            wanted = str(uuid.UUID(text))
        except ValueError:
            raise _Refused(400, f"id is not a UUID: {text[:64]}") from None
        exhibit = self._exhibits.get(wanted)
        face = None if exhibit is None else exhibit.faces.at(at)
        if exhibit is None or face is None or face.deleted:
            raise _Refused(404, f"no deployment {wanted} in this zone")
        return exhibit, face

    # --- reads ----------------------------------------------------------------------------------

    async def _zones(self, request: web.Request) -> web.Response:
        endpoint = f"http://{request.host}{self.base_path}"
        return web.json_response({"zones": [{"name": self._account.zone, "api-endpoint": endpoint}]})

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query.get("visibility")
        if wanted not in (None, "", "private", "public"):
            return self.error(400, "visibility must be private or public")
        at = circumstances_now().as_of
        entries = []
        for exhibit in self._exhibits.values():
            face = exhibit.faces.at(at)
            if face is None or face.deleted or (wanted and exhibit.visibility != wanted):
                continue
            body = self._body(exhibit, face, at)
            entries.append({key: value for key, value in body.items() if key not in _LIST_LACKS})
        return web.json_response({"deployments": entries})

    async def _get(self, request: web.Request) -> web.Response:
        at = circumstances_now().as_of
        try:
            return web.json_response(self._body(*self._find(request, at), at))
        except _Refused as refused:
            return self.error(refused.status, refused.text)

    def _body(self, exhibit: Exhibit, face: Face, at: float) -> dict[str, Any]:
        return {
            "id": exhibit.id,
            "name": face.name,
            "state": exhibit.word(at),
            "visibility": exhibit.visibility,
            "model": {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, exhibit.model)), "name": exhibit.model},
            "replicas": face.status.replicas_set,
            "gpu-count": exhibit.gpu_count,
            "gpu-type": exhibit.gpu_type,
            "service-level": "pro",
            "deployment-url": f"https://{face.name}.inference.example/v1",
            "created-at": _instant(exhibit.faces.since),
            "updated-at": _instant(face.updated_at),
            "state-details": exhibit.details(at),
            "inference-engine-version": face.engine_version,
            "inference-engine-parameters": list(face.engine_parameters),
        }

    async def _operation(self, request: web.Request) -> web.Response:
        operation = self._operations.get(request.match_info["id"])
        if operation is None:
            return self.error(404, "no such operation")
        return web.json_response(operation.body(circumstances_now().as_of))

    async def _logs(self, request: web.Request) -> web.Response:
        at = circumstances_now().as_of
        tail, stream = request.query.get("tail", "100"), request.query.get("stream", "false")
        if not (tail.isascii() and tail.isdecimal()) or stream.lower() not in ("true", "false"):
            return self.error(400, "tail must be a whole number, stream true or false")
        try:
            exhibit, _ = self._find(request, at)
        except _Refused as refused:
            return self.error(refused.status, refused.text)
        seen = [line for line in exhibit.logs if line[0] <= at]
        wanted = seen[max(0, len(seen) - int(tail[:6])) :]
        lines = [{"time": _instant(when), "node": node, "message": text} for when, node, text in wanted]
        return web.json_response({"logs": lines})

    async def _instance_types(self, request: web.Request) -> web.Response:
        del request
        families = {*FAMILIES, *self.world.stock, *(one.gpu_type for one in self._exhibits.values())}
        entries = [
            {
                "family": family,
                "authorized": family not in self.settings.unauthorized_families
                and self.world.gpus_free(family) != 0,
            }
            for family in sorted(families)
        ]
        return web.json_response({"instance-types": entries})

    async def _quotas(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"quotas": [self._gpu_quota()]})

    async def _quota(self, request: web.Request) -> web.Response:
        if request.match_info["entity"] != "gpu":
            return self.error(404, "no such quota")
        return web.json_response(self._gpu_quota())

    def _gpu_quota(self) -> dict[str, Any]:
        used = sum(
            one.now.status.replicas_set * one.gpu_count
            for one in self._exhibits.values()
            if one.visibility == "private"
        )
        return {"resource": "gpu", "usage": used, "limit": max(_GPU_QUOTA, sum(self.world.stock.values()))}

    # --- writes ---------------------------------------------------------------------------------

    def _writing(self, write: Callable[[web.Request, bytes], Operation]) -> Handler:
        """A handler whose answer is the operation, or the error, that ``write`` comes to."""

        async def handler(request: web.Request) -> web.Response:
            body = await request.read()
            try:
                operation = write(request, body)
            except _Refused as refused:
                return self.error(refused.status, refused.text)
            except OutOfStock as shortage:
                return self.error(412, f"not enough capacity: {shortage}")
            return web.json_response(operation.body(operation.starts_at))

        return handler

    def _scale(self, request: web.Request, body: bytes) -> Operation:
        exhibit = self._changeable(request)
        replicas = _whole(_object(body), "replicas", 0, _REPLICAS_MAX)
        return self._operate(
            exhibit,
            "scale",
            lambda: self.world.set_replicas(exhibit.id, replicas, self.world.now),
        )

    def _update(self, request: web.Request, body: bytes) -> Operation:
        exhibit = self._changeable(request)
        wanted = _object(body)
        name = wanted.get("name", exhibit.now.name)
        version = wanted.get("inference-engine-version", exhibit.now.engine_version)
        parameters = wanted.get("inference-engine-parameters", list(exhibit.now.engine_parameters))
        if not (isinstance(name, str) and name and isinstance(version, str)):
            raise _Refused(400, "name and inference-engine-version must be text")
        if not isinstance(parameters, list) or not all(isinstance(one, str) for one in parameters):
            raise _Refused(400, "inference-engine-parameters must be a list of text")
        return self._operate(
            exhibit,
            "update",
            lambda: exhibit.change(
                self.world.now, name=name, engine_version=version, engine_parameters=tuple(parameters)
            ),
        )

    def _delete(self, request: web.Request, body: bytes) -> Operation:
        del body
        exhibit = self._changeable(request)

        def delete() -> None:
            self.world.remove(exhibit.id, self.world.now)
            exhibit.change(self.world.now, deleted=True)

        return self._operate(exhibit, "delete", delete)

    def _create(self, request: web.Request, body: bytes) -> Operation:
        del request
        wanted = _object(body)
        name, gpu_type, model = wanted.get("name"), wanted.get("gpu-type"), wanted.get("model")
        label = (model.get("name") or model.get("id")) if isinstance(model, dict) else None
        if not (isinstance(name, str) and name and isinstance(gpu_type, str) and isinstance(label, str)):
            raise _Refused(400, "name, gpu-type and model (with id or name) are required")
        spec = DeploymentSpec(
            id=self._operations.new_id(),
            name=name,
            gpu_type=gpu_type,
            gpus_per_replica=_whole(wanted, "gpu-count", 1, 8),
            initial_replicas=_whole(wanted, "replicas", 1, _REPLICAS_MAX),
            start_up=StartUp(180.0, 400.0),
        )
        if circumstances_now().ignore_write:
            return self._new_operation(spec.id, "create")
        self.world.add(spec, self.world.now, start=True)
        operation = self._new_operation(spec.id, "create")
        self._show(spec, label).operations.append(operation)
        return operation

    def _changeable(self, request: web.Request) -> Exhibit:
        """The deployment that the path names, if it may be changed now. Raises: _Refused."""
        exhibit, _ = self._find(request, self.world.now)
        if exhibit.visibility != "private":
            self.public_writes += 1
            raise _Refused(403, "a public deployment belongs to the shared service")
        if (operation := exhibit.pending(self.world.now)) is not None:
            raise _Refused(409, f"operation {operation.id} is still running")
        return exhibit

    def _operate(self, exhibit: Exhibit, command: str, effect: Callable[[], None]) -> Operation:
        """An accepted change, carried out unless it is to fail or to be ignored. Raises: OutOfStock."""
        if circumstances_now().ignore_write:
            return self._new_operation(exhibit.id, command)
        if self._next is not None and self._next_left > 0:
            self._next_left -= 1
            operation = self._new_operation(exhibit.id, command, self._next)
        else:
            effect()
            operation = self._new_operation(exhibit.id, command)
            exhibit.change(self.world.now, updated_at=self.world.now)
        exhibit.operations.append(operation)
        exhibit.settle(self.world.now)
        return operation

    def _new_operation(
        self, deployment_id: str, command: str, fails: NextOperations | None = None
    ) -> Operation:
        now, lasts_s = self.world.now, self.settings.operation_s
        operation = Operation(
            id=self._operations.new_id(),
            deployment_id=deployment_id,
            command=command,
            starts_at=now,
            ends_at=None if lasts_s is None else now + lasts_s,
        )
        if fails is not None:
            operation.ends_at = now + (lasts_s or 0.0)
            operation.end, operation.reason, operation.message = fails.state, fails.reason, fails.message
        self._operations.add(operation)
        return operation

    # --- switches -------------------------------------------------------------------------------

    async def _get_settings(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self.settings.model_dump(mode="json"))

    async def _put_settings(self, request: web.Request) -> web.Response:
        self.settings = await read_body(request, ExoscaleSettings)
        return await self._get_settings(request)

    async def _post_next_operations(self, request: web.Request) -> web.Response:
        self.fail_next_operations(await read_body(request, NextOperations))
        return web.json_response({})


_LOG_LINES: Final = {
    "requested": "replica requested",
    "ready": "Application startup complete.",
    "draining": "shutting down, waiting for requests to finish",
    "released": "replica released",
    "killed": "engine core died, restarting",
    "start_up_failed": "start-up failed: torch.OutOfMemoryError: CUDA out of memory",
}


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise _Refused(400, "the body is not JSON") from None
    if not isinstance(value, dict):
        raise _Refused(400, "the body is not a JSON object")
    return value


def _whole(body: Mapping[str, Any], key: str, low: int, high: int) -> int:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _Refused(400, f"{key} must be a whole number from {low} to {high}")
    return value
