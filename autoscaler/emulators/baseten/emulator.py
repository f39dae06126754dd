"""The published API over a world: the handlers, the door, the limits, and this vendor's own switches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field

from autoscaler.clock import SystemClock
from autoscaler.emulators.baseten.billing import Billing
from autoscaler.emulators.baseten.environments import Environment
from autoscaler.emulators.baseten.estate import Estate
from autoscaler.emulators.baseten.export import CONTENT_TYPE, exposition
from autoscaler.emulators.baseten.inference import NAMES, Inference
from autoscaler.emulators.baseten.limits import Limits
from autoscaler.emulators.baseten.managed import Managed
from autoscaler.emulators.baseten.management import Management
from autoscaler.emulators.baseten.measured import Measured
from autoscaler.emulators.baseten.metrics import SAMPLE_EVERY_S, Measurements
from autoscaler.emulators.baseten.refusals import Refused, error_reply
from autoscaler.emulators.baseten.settings import BasetenSettings
from autoscaler.emulators.control import guarded, read_body
from autoscaler.emulators.fleet import DEFAULT_FLEET, EmulatedFleet
from autoscaler.emulators.load import Loads
from autoscaler.emulators.vendor import circumstances_now
from autoscaler.ports import Clock
from autoscaler.world.plant import UnknownDeployment, World

API_KEY: Final = "bt-emulator-0123456789"  # of an account that names none
_SWITCHES: Final = "/_emulator/baseten"
_ACTIVATIONS: Final = frozenset(
    {"activate", "deactivate", "activate-environment", "deactivate-environment", "deactivate-chain"}
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Price(_Strict):
    instance_type: str = Field(min_length=1, max_length=100)
    usd_per_minute: float = Field(ge=0, allow_inf_nan=False)


class _Queue(_Strict):
    queued: int = Field(default=0, ge=0, le=1_000_000)
    in_progress: int = Field(default=0, ge=0, le=1_000_000)


class _Promotion(_Strict):
    deployment_id: str | None = None
    lasts_s: float = Field(default=300.0, ge=0, le=86400)


class BasetenEmulator:
    """One Baseten organisation over a world.

    With a ``world`` given, deployments of the fleet that are not in it yet are added.
    Raises: FleetError for options that contradict themselves or each other, OutOfStock.
    """

    kind = "baseten"
    base_path = ""
    publishes_prices = True

    def __init__(
        self,
        fleet: EmulatedFleet = DEFAULT_FLEET,
        *,
        world: World | None = None,
        clock: Clock | None = None,
        settings: BasetenSettings | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.world = fleet.place(world, self.clock.now())
        self.settings = settings or BasetenSettings()
        self._api_key = fleet.account(self.kind).api_key or API_KEY
        self._url: str | None = None
        self._limits = Limits()
        self.estate = Estate(fleet, self.kind, self.world, lambda: self.settings)
        self._billing = Billing(self.estate)
        self._measurements = Measurements(self.estate.loads)
        self._management = Management(self.estate, self._billing)
        self._measured = Measured(self.estate, self._measurements)
        self._inference = Inference(self.estate, self.clock, lambda: self.settings)
        self._look(self.world.now)

    @property
    def loads(self) -> Loads:
        """What the deployments carry."""
        return self.estate.loads

    def _look(self, at: float) -> None:
        """Every full half minute: bills are read, schedules' windows begin and end, all is sampled."""
        self._billing.read()
        for environment in self.estate.environments:
            environment.look()
        self._measurements.keep(self.estate.everything)
        self.world.call_at((at // SAMPLE_EVERY_S + 1) * SAMPLE_EVERY_S, self._look)

    # --- what the server needs ------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The published API: management, inference and metrics export, which Baseten has on three hosts."""
        return (
            *self._management.routes(),
            *self._measured.routes(),
            web.get("/metrics", self._export, name="export"),
            *self._inference.routes(),
        )

    def refusal(self, request: web.Request, body: bytes) -> web.Response | None:
        """401 without the key, by either scheme; 429 beyond the limits."""
        del body
        name = request.match_info.route.name or "unknown"
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in ("api-key", "bearer") or key.strip() != self._api_key:
            return error_reply(401, "invalid API key", "unauthorized" if name in NAMES else None)
        calls, period_s = self._limit(name)
        wait_s = self._limits.wait_s(name, calls, period_s, self.clock.now())
        if wait_s is None:
            return None
        code = "rate_limited" if name in NAMES else None
        return error_reply(429, "", code, {"Retry-After": str(wait_s)})

    def _limit(self, name: str) -> tuple[int | None, float]:
        if name in _ACTIVATIONS:
            return self.settings.activations_per_minute, 60.0
        if name == "export":
            return self.settings.exports_per_minute, 60.0
        return self.settings.requests_per_s, 1.0

    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
        """``{"error": ...}``, with ``retry_after`` in seconds for 429."""
        return error_reply(status, text, headers=headers)

    def served_at(self, url: str) -> None:
        """The server's address: its credentials point the inference and metrics hosts there too."""
        self._url = url

    def credentials(self) -> Mapping[str, str]:
        """The key; once served also where models are woken and metrics are exported."""
        keys = {"api_key": self._api_key}
        if self._url is not None:
            keys["inference_base_url"] = f"{self._url}/model-{{model_id}}"
            keys["metrics_base_url"] = self._url
        return keys

    def ids(self, deployment_id: str) -> Mapping[str, str]:
        """By chain, environment and chainlet; by model and environment; else by model and deployment."""
        options, exhibit = self.estate.shape(deployment_id), self._known(deployment_id).exhibit
        if exhibit.chain_id is not None:
            placed = {} if options.environment is None else {"environment": options.environment}
            return {"chain_id": exhibit.chain_id, **placed, "chainlet": str(exhibit.chainlet)}
        if options.environment is not None and options.deployment_id is None:
            return {"model_id": str(exhibit.model_id), "environment": options.environment}
        return {"model_id": str(exhibit.model_id), "deployment_id": exhibit.id}

    def facts(self, deployment_id: str) -> Mapping[str, Any] | None:
        """Its ids, the status that is shown, and the settings that are applied and asked for."""
        managed = self.estate.find(deployment_id)
        if managed is None:
            return None
        face = managed.exhibit.now
        return {
            "name": managed.exhibit.name,
            "state": face.shown_word,
            "ids": dict(self.ids(deployment_id)),
            "environment": face.environment,
            "applied": list(face.settings.bounds),
            "asked": list(managed.wanted.bounds),
            "pending": face.pending,
        }

    def set_price(self, gpu_type: str, usd_per_gpu_hour: float) -> None:
        """Every instance type with this GPU costs so much per GPU from now on: published and billed."""
        self.world.advance(self.clock.now())
        for kind in self.estate.catalogue.types:
            if kind.gpu_type == gpu_type:
                self.estate.set_price(kind.name, usd_per_gpu_hour * kind.gpu_count / 60)

    def set_instance_type_price(self, instance_type: str, usd_per_minute: float) -> None:
        """Another price of one replica from now on: published and billed. Raises: KeyError."""
        self.world.advance(self.clock.now())
        self.estate.set_price(instance_type, usd_per_minute)

    def set_word(self, deployment_id: str, word: str | None, details: str) -> None:
        """Show this status, known to Baseten or not. Raises: KeyError."""
        self._known(deployment_id).exhibit.change(self.world.now, word=word, details=details)

    async def _export(self, request: web.Request) -> web.Response:
        del request
        text = exposition(self.estate, self._measurements, circumstances_now().as_of)
        return web.Response(text=text, content_type=CONTENT_TYPE, charset="utf-8")

    def _known(self, deployment_id: str) -> Managed:
        managed = self.estate.find(deployment_id)
        if managed is None:
            raise KeyError(deployment_id)
        return managed

    # --- switches -------------------------------------------------------------------------------

    def redeploy(self, deployment_id: str) -> None:
        """Build it anew; it shows no settings until a replica serves. Raises: KeyError."""
        self.world.advance(self.clock.now())
        self._known(deployment_id).redeploy()

    def promote(
        self, model_id: str, environment: str, *, deployment_id: str | None = None, lasts_s: float = 300.0
    ) -> str:
        """Begin a promotion to the environment, of this deployment (Baseten's id) or of a new one; the
        world's id of it. Raises: KeyError, Refused (in progress already), OutOfStock."""
        self.world.advance(self.clock.now())
        found = self._environment(model_id, environment)
        return self.estate.promote(found, lasts_s, deployment_id).id

    def set_async_queue(self, deployment_id: str, queued: int, in_progress: int = 0) -> None:
        """So many asynchronous requests wait and run from now on. Raises: KeyError."""
        managed = self._known(deployment_id)
        managed.async_queued, managed.async_running = queued, in_progress

    def _environment(self, model_id: str, environment: str) -> Environment:
        return self.estate.models[model_id].environments[environment]

    def control_routes(self) -> Iterable[web.RouteDef]:
        """Settings, prices, load, builds, promotions and asynchronous queues."""
        one = f"{_SWITCHES}/deployments/{{id}}"
        return (
            web.get(f"{_SWITCHES}/settings", self._get_settings),
            web.put(f"{_SWITCHES}/settings", guarded(self._put_settings)),
            web.post(f"{_SWITCHES}/prices", _found(self._post_price)),
            web.post(f"{one}/redeploy", _found(self._post_redeploy)),
            web.post(f"{one}/async-queue", _found(self._post_queue)),
            web.post(
                f"{_SWITCHES}/models/{{model_id}}/environments/{{environment}}/promotion",
                _found(self._post_promotion),
            ),
        )

    async def _get_settings(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self.settings.model_dump(mode="json"))

    async def _put_settings(self, request: web.Request) -> web.Response:
        self.settings = await read_body(request, BasetenSettings)
        return await self._get_settings(request)

    async def _post_price(self, request: web.Request) -> web.Response:
        wanted = await read_body(request, _Price)
        self.set_instance_type_price(wanted.instance_type, wanted.usd_per_minute)
        return web.json_response({})

    async def _post_redeploy(self, request: web.Request) -> web.Response:
        self.redeploy(request.match_info["id"])
        return web.json_response({})

    async def _post_queue(self, request: web.Request) -> web.Response:
        wanted = await read_body(request, _Queue)
        self.set_async_queue(request.match_info["id"], wanted.queued, wanted.in_progress)
        return web.json_response({})

    async def _post_promotion(self, request: web.Request) -> web.Response:
        wanted = await read_body(request, _Promotion)
        candidate = self.promote(
            request.match_info["model_id"],
            request.match_info["environment"],
            deployment_id=wanted.deployment_id,
            lasts_s=wanted.lasts_s,
        )
        return web.json_response({"id": candidate})


def _found(handler: Handler) -> Handler:
    """A switch that names something unknown is 404; one that cannot be turned now is 400."""

    async def found(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except KeyError as error:
            raise UnknownDeployment(str(error.args[0])) from error
        except Refused as refused:
            return web.json_response({"error": refused.text}, status=refused.status)

    return guarded(found)
