"""The published API over a world, request by request."""

from __future__ import annotations

import hmac
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ValidationError

from autoscaler.clock import SystemClock
from autoscaler.emulators.deepinfra import queries
from autoscaler.emulators.deepinfra.bodies import Create, ScaleSettings, Update
from autoscaler.emulators.deepinfra.catalogue import GPUS, Prices, configuration
from autoscaler.emulators.deepinfra.exhibits import Exhibit, Face, Made, Stage, legacy_body
from autoscaler.emulators.deepinfra.managed import Managed
from autoscaler.emulators.deepinfra.options import INSTANCES_MAX, start_of
from autoscaler.emulators.deepinfra.refusals import Refused, refused, unfit
from autoscaler.emulators.deepinfra.settings import DeepInfraSettings
from autoscaler.emulators.deepinfra.statistics import NOTHING, Figures, figures, stats, stats_by_kind
from autoscaler.emulators.deepinfra.switches import Switches
from autoscaler.emulators.faces import Faces
from autoscaler.emulators.fleet import DEFAULT_FLEET, EmulatedDeployment, EmulatedFleet, FleetError
from autoscaler.emulators.load import Loads
from autoscaler.emulators.vendor import circumstances_now
from autoscaler.ports import Clock
from autoscaler.world.chance import stream
from autoscaler.world.plant import DeploymentSpec, World, WorldEvent
from autoscaler.world.start_up import StartUp

API_TOKEN: Final = "di-emulator-not-real"  # noqa: S105 - of an account that names none; it opens nothing
ACCOUNT: Final = "emulated"  # the account's display name, before the model's
LEGACY_ID: Final = "lgcy4qw8b2"  # paid per token, listed beside the dedicated ones
_LEGACY_MODEL: Final = "Qwen/Qwen3-8B"
_DEPLOYMENTS_MAX: Final = 1000
_DELETED_KEPT: Final = 100
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"

Schema = TypeVar("Schema", bound=BaseModel)


class DeepInfraEmulator:
    """One DeepInfra account over a world.

    With a ``world`` given, deployments of the fleet that are not in it yet are added. A GPU type costs
    what the fleet's deployments of it say, else the list price; the world bills the same.
    Raises: FleetError, OutOfStock.
    """

    kind = "deepinfra"
    base_path = ""
    publishes_prices = True

    def __init__(
        self,
        fleet: EmulatedFleet = DEFAULT_FLEET,
        *,
        world: World | None = None,
        clock: Clock | None = None,
        settings: DeepInfraSettings | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.world = fleet.place(world, self.clock.now())
        self.loads = Loads(self.world)
        self.settings = settings or DeepInfraSettings()
        self.legacy_writes = 0  # attempts to change the entry that is not dedicated
        self._token = fleet.account(self.kind).api_key or API_TOKEN
        self._ids = stream(fleet.seed, "deepinfra", "ids")
        self._numbers = itertools.count(1)
        self._ours: dict[str, Managed] = {}
        self._deleted: deque[str] = deque()
        self._born_at = self.world.now
        self._prices: Faces[Prices] = Faces(self.world.now, _prices_of(fleet.at(self.kind)))
        self.world.subscribe(self._see)
        for deployment in fleet.at(self.kind):
            self._show(deployment)
        self._bill()

    # --- what the server needs ------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The published API, as far as a scaler or a person may want it."""
        one = "/deploy/{deploy_id}"
        return (
            web.get("/deploy/list", _answering(self._list), name="list"),
            web.get("/deploy/list/", _answering(self._list), name="list-old"),
            web.get("/deploy/stats", _answering(self._all_stats), name="all-stats"),
            web.get("/deploy/llm/gpu_availability", _answering(self._availability), name="gpu-availability"),
            web.get("/deploy/llm/suggest_name", _answering(self._suggest_name), name="suggest-name"),
            web.post("/deploy/llm", self._writing(self._create), name="create"),
            web.get(one, _answering(self._get), name="get"),
            web.put(one, self._writing(self._update), name="update"),
            web.delete(one, self._writing(self._delete), name="delete"),
            web.post(f"{one}/stop", self._writing(self._stop), name="stop"),
            web.post(f"{one}/start", self._writing(self._start), name="start"),
            web.get(f"{one}/stats", _answering(self._stats), name="stats"),
            web.get(f"{one}/stats2", _answering(self._stats_by_kind), name="stats2"),
            web.get("/v1/me/gpu_limit", _answering(self._gpu_limit), name="gpu-limit"),
            web.get("/v1/me/rate_limit", _answering(self._rate_limit), name="rate-limit"),
            web.get("/v1/deployment_logs/query", _answering(self._logs), name="logs"),
            web.get("/payment/usage/rent", _answering(self._rent), name="rent"),
        )

    def control_routes(self) -> Iterable[web.RouteDef]:
        """Settings and prices."""
        return Switches(self).routes()

    def refusal(self, request: web.Request, body: bytes) -> web.Response | None:
        """401 unless the token is in one of the three headers that take it."""
        del body
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        told = (
            bearer.strip() if scheme.lower() == "bearer" else "",
            request.headers.get("x-api-key", ""),
            request.headers.get("xi-api-key", ""),
        )
        if any(hmac.compare_digest(one.encode(), self._token.encode()) for one in told):
            return None
        return self.error(self.settings.refusal_status, "Authentication failed")

    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
        """``{"error": ...}``."""
        return web.json_response({"error": text}, status=status, headers=headers)

    def credentials(self) -> Mapping[str, str]:
        """Configuration keys and values for this account."""
        return {"api_token": self._token}

    def ids(self, deployment_id: str) -> Mapping[str, str]:
        """Its deploy_id."""
        return {"id": self._ours[deployment_id].id}

    def facts(self, deployment_id: str) -> Mapping[str, Any] | None:
        """The status that is shown, the bounds, and what waits for stock."""
        managed = self._ours.get(deployment_id)
        if managed is None or managed.deleted:
            return None
        made, face = managed.exhibit.made, managed.exhibit.now
        return {
            "name": made.model_name,
            "model": made.model,
            "state": face.shown_word,
            "bounds": list(face.bounds),
            "pending": face.pending,
        }

    def set_price(self, gpu_type: str, usd_per_gpu_hour: float) -> None:
        """Another price from now on, in every configuration of the type; one that is new is listed too."""
        self._price(self._prices.now.with_gpu(gpu_type, usd_per_gpu_hour))

    def set_configuration_price(self, gpu_config: str, usd_per_hour: float) -> None:
        """Another price from now on of one configuration alone, such as ``8xB200-180GB``, all its GPUs."""
        self._price(self._prices.now.with_configuration(gpu_config, usd_per_hour))

    def use(self, settings: DeepInfraSettings) -> None:
        """Behave like this from now on."""
        self.settings = settings
        for managed in self._ours.values():
            managed.use(settings)

    def set_word(self, deployment_id: str, word: str | None, details: str) -> None:
        """Show this word and ``fail_reason``, known to DeepInfra or not. Raises: KeyError."""
        self._ours[deployment_id].exhibit.change(self.world.now, word=word, details=details)

    # --- seeing the world -----------------------------------------------------------------------

    def _show(self, one: EmulatedDeployment) -> None:
        bounds, stopped = start_of(one)
        spec = one.spec()
        if spec.id not in self.world.deployment_ids:
            self.world.add(spec, self.world.now)
        made = Made(
            id=spec.id,
            model_name=f"{ACCOUNT}/{one.name}",
            model=one.model,
            gpu=spec.gpu_type,
            gpus=spec.gpus_per_replica,
            max_batch_size=spec.concurrency,
            weights={"repo": one.model, "revision": None, "token": None},
        )
        self._manage(made, bounds, Stage.STOPPED if stopped else Stage.LIVE)

    def _manage(self, made: Made, bounds: tuple[int, int], stage: Stage) -> Managed:
        managed = Managed(self.world, self.loads, made, bounds, self.settings, stage=stage)
        self._ours[made.id] = managed
        return managed

    def _see(self, event: WorldEvent) -> None:
        managed = self._ours.get(event.deployment_id)
        if managed is not None:
            managed.see(event)

    def _price(self, prices: Prices) -> None:
        self.world.advance(self.clock.now())
        self._prices.show(self.world.now, prices)
        self._bill()

    def _bill(self) -> None:
        for managed in self._ours.values():
            if managed.deleted:
                continue
            made = managed.exhibit.made
            usd_per_hour = self._prices.now.of(made.gpus, made.gpu)
            if usd_per_hour is not None:
                self.world.set_price(made.id, usd_per_hour / made.gpus, self.world.now)

    # --- reads ----------------------------------------------------------------------------------

    def _seen(self, id_: str, at: float) -> tuple[Managed, Face]:
        """The dedicated deployment, and what it shows at this instant. Raises: Refused (404)."""
        managed = self._ours.get(id_)
        face = None if managed is None else managed.exhibit.faces.at(at)
        if managed is None or face is None:
            raise refused(404, "Model not found")
        if face.stage is Stage.DELETED and not self.settings.keeps_deleted:
            raise refused(404, "Model not found")
        return managed, face

    def _list(self, request: web.Request) -> object:
        wanted, at = queries.statuses(request), circumstances_now().as_of
        bodies = [self._legacy()]
        for id_ in self._ours:
            try:
                managed, face = self._seen(id_, at)
            except Refused:
                continue
            bodies.append(managed.exhibit.body(face))
        return [body for body in bodies if wanted is None or body["status"] in wanted]

    def _get(self, request: web.Request) -> object:
        id_ = request.match_info["deploy_id"]
        if id_ == LEGACY_ID:
            return self._legacy()
        managed, face = self._seen(id_, circumstances_now().as_of)
        return managed.exhibit.body(face)

    def _legacy(self) -> dict[str, Any]:
        return legacy_body(LEGACY_ID, _LEGACY_MODEL, self._born_at)

    def _availability(self, request: web.Request) -> object:
        in_use = [(one.exhibit.made.gpus, one.exhibit.made.gpu) for one in self._ours.values()]
        prices = self._prices.at(circumstances_now().as_of) or self._prices.now
        rows = [
            {
                "gpu_config": configuration(gpus, gpu),
                "usd_per_hour": round(usd, 6),
                "available": self._available(gpus, gpu),
                "recommended": False,
            }
            for gpus, gpu, usd in prices.offered(in_use)
        ]
        if request.query.get("base_model") or request.query.get("source"):
            for row in sorted((row for row in rows if row["available"]), key=_usd)[:1]:
                row["recommended"] = True
        return {"gpus": rows}

    def _available(self, gpus: int, gpu: str) -> bool:
        free = self.world.gpus_free(gpu)
        return self.settings.available.get(configuration(gpus, gpu), free is None or free >= gpus)

    def _suggest_name(self, request: web.Request) -> object:
        told = queries.required(request, "model_name")
        name = f"{ACCOUNT}/{told.rpartition('/')[2][:150] or 'model'}"
        taken = self._names()
        names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        return {"model_name": next(one for one in names if one not in taken)}

    def _names(self) -> set[str]:
        return {one.exhibit.made.model_name for one in self._ours.values() if not one.deleted}

    def _gpu_limit(self, request: web.Request) -> object:
        del request
        return {"limits": dict.fromkeys(GPUS, self.settings.gpus_max), "pending_requests": None}

    def _rate_limit(self, request: web.Request) -> object:
        del request
        return {"rate_limit": 200, "tpm_rate_limit": 2_000_000}

    def _logs(self, request: web.Request) -> object:
        id_ = queries.required(request, "deploy_id")
        now = circumstances_now().as_of
        window, limit = queries.log_window(request, now), queries.log_limit(request)
        pod_wanted = request.query.get("pod_name")
        managed, _ = self._seen(id_, now)
        found = [
            (at, pod, line)
            for at, pod, line in managed.exhibit.logs
            if window.begin <= at <= min(window.end, now) and pod_wanted in (None, pod)
        ]
        entries: dict[str, list[list[str]]] = {}
        for at, pod, line in found[-limit:]:
            entries.setdefault(pod, []).append([f"{at:.3f}", line])
        return {"entries": entries}

    # --- statistics -----------------------------------------------------------------------------

    def _stats(self, request: web.Request) -> object:
        return stats(self._figures(request), self.settings)

    def _stats_by_kind(self, request: web.Request) -> object:
        return stats_by_kind(self._figures(request), self.settings)

    def _figures(self, request: web.Request) -> Figures:
        id_, at = request.match_info["deploy_id"], circumstances_now().as_of
        window = queries.window(request, at)
        if id_ == LEGACY_ID:
            return NOTHING
        managed = self._ours.get(id_)
        if managed is None or managed.exhibit.faces.at(at) is None:
            raise refused(404, "Model not found")
        if managed.deleted:
            raise refused(410, "Model was deleted")
        return self._done(managed, window, at)

    def _done(self, managed: Managed, window: queries.Window, at: float) -> Figures:
        newest = at - self.settings.statistics_delay_s
        return figures(managed.history, window.begin, min(window.end, newest))

    def _all_stats(self, request: web.Request) -> object:
        at = circumstances_now().as_of
        window = queries.window(request, at)
        return [
            {
                "model_name": managed.exhibit.made.model_name,
                "requests": self._done(managed, window, at).requests,
            }
            for managed in self._ours.values()
            if not managed.deleted
        ]

    def _rent(self, request: web.Request) -> object:
        at = circumstances_now().as_of
        window = queries.rent_window(request, at)
        durations = {id_: self._rent_s(managed, window, at) for id_, managed in self._ours.items()}
        return {"id_to_duration": {id_: seconds for id_, seconds in durations.items() if seconds > 0}}

    def _rent_s(self, managed: Managed, window: queries.Window, at: float) -> int:
        before = managed.history.until(window.begin)
        after = managed.history.until(max(window.begin, min(window.end, at)))
        seconds = after.instance_s - before.instance_s
        if self.settings.rent_goes_on_while_stopped:
            seconds += after.reserved_s - before.reserved_s
        return round(seconds)

    # --- writes ---------------------------------------------------------------------------------

    def _writing(self, write: Callable[[web.Request, bytes], object]) -> Handler:
        """A handler whose answer is what ``write`` comes to."""

        async def handler(request: web.Request) -> web.Response:
            body = await request.read()
            try:
                return web.json_response(write(request, body))
            except Refused as error:
                return error.response()

        return handler

    def _update(self, request: web.Request, body: bytes) -> object:
        managed = self._changeable(request)
        wanted = _read(Update, body)
        bounds = self._bounds(wanted.settings)
        told = wanted.model_fields_set
        if not circumstances_now().ignore_write:
            managed.bound(bounds)
            if "standard_args" in told:
                managed.exhibit.change(self.world.now, standard_args=wanted.standard_args)
            if "extra_args" in told:
                managed.exhibit.change(self.world.now, extra_args=_frozen(wanted.extra_args))
        return {"deploy_id": managed.id}

    def _stop(self, request: web.Request, body: bytes) -> object:
        del body
        managed = self._changeable(request)
        if managed.stopped and self.settings.refuses_repeats:
            raise refused(400, "Model is already stopped")
        if not managed.stopped and not circumstances_now().ignore_write:
            managed.stop()
        return {"deploy_id": managed.id}

    def _start(self, request: web.Request, body: bytes) -> object:
        del body
        managed = self._changeable(request)
        if not managed.stopped and self.settings.refuses_repeats:
            raise refused(400, "Model is not stopped")
        if managed.stopped and not circumstances_now().ignore_write:
            managed.start()
        return {"deploy_id": managed.id}

    def _delete(self, request: web.Request, body: bytes) -> object:
        del body
        managed = self._changeable(request)
        if not circumstances_now().ignore_write:
            managed.delete()
            self._deleted.append(managed.id)
            if len(self._deleted) > _DELETED_KEPT:
                del self._ours[self._deleted.popleft()]
        return {"deploy_id": managed.id}

    def _create(self, request: web.Request, body: bytes) -> object:
        del request
        try:
            wanted = _read(Create, body)
        except Refused as error:  # By the page of this call 422 has the body of the other errors.
            first = error.body["detail"][0]
            raise refused(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if not self.settings.has_funds:
            raise refused(402, "Not enough funds: add a payment method or top up")
        if wanted.model_name in self._names():
            raise refused(409, f"Model {wanted.model_name} exists already")
        if len(self._names()) >= _DEPLOYMENTS_MAX:
            raise refused(422, f"at most {_DEPLOYMENTS_MAX} deployments")
        bounds = self._bounds(wanted.settings or ScaleSettings())
        made = self._made(wanted)
        args = {"standard_args": wanted.standard_args, "extra_args": _frozen(wanted.extra_args)}
        if circumstances_now().ignore_write:
            now = self.world.now
            face = Face(bounds, now, Stage.INITIALIZING, **args)  # type: ignore[arg-type]
            return Exhibit(made, Faces(now, face)).body(face)
        self._add(made)
        managed = self._manage(made, bounds, Stage.INITIALIZING)
        managed.exhibit.change(self.world.now, **args)
        managed.begin(self.settings)
        self._bill()
        return managed.exhibit.body(managed.exhibit.now)

    def _made(self, wanted: Create) -> Made:
        repo = wanted.hf.repo if wanted.hf is not None else wanted.base_model
        return Made(
            id="".join(self._ids.choices(_LETTERS, k=10)),
            model_name=wanted.model_name,
            model=repo or wanted.container_image or wanted.model_name,
            gpu=wanted.gpu,
            gpus=wanted.num_gpus,
            max_batch_size=wanted.max_batch_size,
            weights=None if wanted.hf is None else wanted.hf.model_dump(),
        )

    def _add(self, made: Made) -> None:
        spec = DeploymentSpec(
            id=made.id,
            name=made.model_name,
            gpu_type=made.gpu,
            gpus_per_replica=made.gpus,
            concurrency=made.max_batch_size,
            start_up=StartUp(180.0, 400.0),
        )
        self.world.add(spec, self.world.now)

    def _changeable(self, request: web.Request) -> Managed:
        """The dedicated deployment that the path names. Raises: Refused (400 for legacy, 404)."""
        id_ = request.match_info["deploy_id"]
        if id_ == LEGACY_ID:
            self.legacy_writes += 1
            raise refused(400, "Not a dedicated deployment")
        managed, face = self._seen(id_, self.world.now)
        if face.stage is Stage.DELETED:
            raise refused(404, "Model not found")
        return managed

    def _bounds(self, asked: ScaleSettings) -> tuple[int, int]:
        """What may be set. Raises: Refused (400)."""
        low, high = asked.min_instances, asked.max_instances
        if not 0 <= low <= high <= INSTANCES_MAX:
            raise refused(400, f"min_instances {low} and max_instances {high} are no bounds")
        if high == 0 and not self.settings.accepts_maximum_zero:
            raise refused(400, "max_instances must be at least 1")
        if low == 0 < high and not self.settings.accepts_minimum_zero:
            raise refused(400, "min_instances must be at least 1")
        return low, high


def _answering(read: Callable[[web.Request], object]) -> Handler:
    """A handler whose answer is what ``read`` comes to."""

    async def handler(request: web.Request) -> web.Response:
        try:
            return web.json_response(read(request))
        except Refused as error:
            return error.response()

    return handler


def _read(schema: type[Schema], body: bytes) -> Schema:
    """What was sent. Raises: Refused (422)."""
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        raise unfit(error) from error


def _frozen(args: list[str] | None) -> tuple[str, ...] | None:
    return None if args is None else tuple(args)


def _usd(row: Mapping[str, Any]) -> float:
    usd: float = row["usd_per_hour"]
    return usd


def _prices_of(deployments: Iterable[EmulatedDeployment]) -> Prices:
    """The list, and what the fleet says of its types. Raises: FleetError for two prices of one type."""
    told: dict[str, float] = {}
    for one in deployments:
        if "usd_per_gpu_hour" not in one.model_fields_set:
            continue
        if told.setdefault(one.gpu_type, one.usd_per_gpu_hour) != one.usd_per_gpu_hour:
            raise FleetError(
                f"deployment {one.name!r}: usd_per_gpu_hour {one.usd_per_gpu_hour:g}, but another of type "
                f"{one.gpu_type!r} has {told[one.gpu_type]:g}; DeepInfra has one price for a type"
            )
    prices = Prices()
    for gpu, usd_per_gpu_hour in told.items():
        prices = prices.with_gpu(gpu, usd_per_gpu_hour)
    return prices
