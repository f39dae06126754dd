"""The inference side: wake, the asynchronous queue's length, and requests that are held until a replica
serves.

Baseten gives every model and chain a host of its own. Here the same is told by the ``Host`` header
(``model-abcd1234.api.baseten.co``, also with ``-ENVIRONMENT``), by a first segment of the path
(``/model-abcd1234/...``), or by a deployment's id alone. Source: PyPI ``baseten`` 0.13.1 (inferenceapi).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from autoscaler.emulators.baseten.estate import PRODUCTION, Chain, Estate, Model
from autoscaler.emulators.baseten.exhibits import Stage
from autoscaler.emulators.baseten.managed import Managed
from autoscaler.emulators.baseten.refusals import Refused, error_reply
from autoscaler.emulators.baseten.settings import BasetenSettings
from autoscaler.emulators.vendor import circumstances_now
from autoscaler.ports import Clock

NAMES: Final = frozenset({"wake", "queue-status", "predict", "run-remote"})
_LOOK_EVERY_S: Final = 1.0
_WORDS: Final = ("deployment", "production", "development", "environments")


@dataclass(frozen=True, slots=True)
class _Target:
    """What a request is for: whose host it came to, and which deployment it names there."""

    model: Model | None = None
    chain: Chain | None = None
    deployment_id: str | None = None
    environment: str | None = None
    is_development: bool = False


class Inference:
    """The handlers, over one organisation."""

    def __init__(self, estate: Estate, clock: Clock, settings: Callable[[], BasetenSettings]) -> None:
        self._estate = estate
        self._clock = clock
        self._settings = settings

    def routes(self) -> Iterable[web.RouteDef]:
        """Each call, after ``/deployment/ID/``, ``/production/`` and so on, or after a host and those."""
        place = "/{place:(?:.*/)?}"
        return (
            web.post(f"{place}wake", self._answering(self._wake), name="wake"),
            web.get(f"{place}async_queue_status", self._answering(self._queue), name="queue-status"),
            web.post(f"{place}predict", self._answering(self._predict), name="predict"),
            web.post(f"{place}run_remote", self._answering(self._run), name="run-remote"),
        )

    def _answering(self, answer: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            try:
                return await answer(request)
            except Refused as refused:
                return error_reply(refused.status, refused.text, refused.code)

        return handler

    # --- calls ----------------------------------------------------------------------------------

    async def _wake(self, request: web.Request) -> web.Response:
        managed = self._deployment(request)
        _check_runs(managed)
        if not circumstances_now().ignore_write:
            managed.wake()
        return web.Response(status=202)

    async def _queue(self, request: web.Request) -> web.Response:
        managed = self._deployment(request)
        return web.json_response(
            {
                "model_id": managed.exhibit.model_id,
                "deployment_id": managed.exhibit.id,
                "num_queued_requests": managed.async_queued,
                "num_in_progress_requests": managed.async_running,
            }
        )

    async def _predict(self, request: web.Request) -> web.Response:
        await self._hold([self._deployment(request)])
        return web.json_response({"output": "emulated"})

    async def _run(self, request: web.Request) -> web.Response:
        await self._hold(self._chainlets(request))
        return web.json_response({"output": "emulated"})

    async def _hold(self, several: Sequence[Managed]) -> None:
        """Wake them all, and wait until each has a replica that serves. Raises: Refused."""
        until = self._clock.now() + self._settings().predict_timeout_s
        while True:
            for managed in several:
                _check_runs(managed)
                managed.wake()
            if all(managed.exhibit.now.status.ready for managed in several):
                return
            if self._clock.now() >= until:
                raise Refused(504, "no replica became ready in time", "timeout")
            await self._clock.sleep(_LOOK_EVERY_S)
            self._estate.world.advance(self._clock.now())

    # --- whom they are for ----------------------------------------------------------------------

    def _target(self, request: web.Request) -> _Target:
        segments = [one for one in request.match_info["place"].split("/") if one]
        in_path = bool(segments) and segments[0] not in _WORDS
        said = segments.pop(0) if in_path else request.host.partition(".")[0]
        target = self._host(said)
        if in_path and target == _Target():
            raise Refused(404, f"no model or chain {said[:64]!r}", "model_does_not_exist")
        match segments:
            case []:
                return target
            case ["production"]:
                return replace(target, environment=PRODUCTION)
            case ["development"]:
                return replace(target, is_development=True)
            case ["environments", name]:
                return replace(target, environment=name)
            case ["deployment", id_]:
                return replace(target, deployment_id=id_)
        raise Refused(404, "no such path", "client_error")

    def _host(self, said: str) -> _Target:
        for model in self._estate.models.values():
            if (rest := _after(said, f"model-{model.id}")) is not None:
                return _Target(model=model, environment=rest or None)
        for chain in self._estate.chains.values():
            if (rest := _after(said, f"chain-{chain.id}")) is not None:
                return _Target(chain=chain, environment=rest or None)
        return _Target()

    def _deployment(self, request: web.Request) -> Managed:
        target = self._target(request)
        models = list(self._estate.models.values()) if target.model is None else [target.model]
        if target.chain is not None:
            raise Refused(404, "a chain is called by run_remote", "model_does_not_exist")
        if target.deployment_id is None and len(models) != 1:
            raise Refused(404, "the host names no model", "model_does_not_exist")
        found = [one for model in models if (one := _in_model(model, target)) is not None]
        if not found:
            raise Refused(404, "no such deployment or environment", "model_does_not_exist")
        return found[0]

    def _chainlets(self, request: web.Request) -> Sequence[Managed]:
        target = self._target(request)
        chains = list(self._estate.chains.values()) if target.chain is None else [target.chain]
        if target.model is not None or len(chains) != 1:
            raise Refused(404, "the host names no chain", "model_does_not_exist")
        if target.deployment_id is not None:
            found = chains[0].deployments.get(target.deployment_id)
        else:
            found = chains[0].at(target.environment or PRODUCTION)
        if found is None:
            raise Refused(404, "no such deployment or environment", "model_does_not_exist")
        return tuple(found.chainlets.values())


def _after(said: str, start: str) -> str | None:
    """What follows the start and a hyphen, empty where nothing does; None: it does not start so."""
    if said == start:
        return ""
    return said[len(start) + 1 :] if said.startswith(f"{start}-") else None


def _in_model(model: Model, target: _Target) -> Managed | None:
    if target.deployment_id is not None:
        return model.deployments.get(target.deployment_id)
    if target.is_development:
        return model.development
    environment = model.environments.get(target.environment or "")
    return None if environment is None else environment.now.current


def _check_runs(managed: Managed) -> None:
    if managed.exhibit.now.stage in (Stage.STOPPING, Stage.STOPPED):
        raise Refused(400, "the deployment is inactive: activate it first", "model_unavailable")
