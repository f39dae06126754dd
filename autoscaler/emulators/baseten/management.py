"""The management API, ``/v1/...``: models, deployments, environments, chains, prices, spend.

Source: PyPI ``baseten`` 0.13.1 (managementapi); docs.baseten.co, reference/management-api.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from autoscaler.emulators.baseten.autoscaling import Autoscaling, changes_in
from autoscaler.emulators.baseten.billing import Billing
from autoscaler.emulators.baseten.bodies import (
    chain_body,
    chain_deployment_body,
    chain_environment_body,
    chain_environment_entry,
    deployment_body,
    environment_body,
    model_body,
)
from autoscaler.emulators.baseten.environments import Environment, EnvironmentFace, backpressure_in
from autoscaler.emulators.baseten.estate import PRODUCTION, Chain, ChainDeployment, Estate, Model
from autoscaler.emulators.baseten.managed import Answer, Managed
from autoscaler.emulators.baseten.refusals import Refused, error_reply
from autoscaler.emulators.vendor import circumstances_now

Body = dict[str, Any]
_WORKSPACE: Final = "emulator"
_MESSAGES: Final = {
    Answer.ACCEPTED: "Autoscaling settings update accepted",
    Answer.QUEUED: "Autoscaling settings update queued behind one that is being applied",
    Answer.UNCHANGED: "Autoscaling settings are unchanged",
}
DEVELOPMENT: Final = "development"
_UPDATES_MAX: Final = 100


class Management:
    """The handlers, over one organisation."""

    def __init__(self, estate: Estate, billing: Billing) -> None:
        self._estate = estate
        self._billing = billing

    def routes(self) -> Iterable[web.RouteDef]:
        """All but what is measured: metrics, start-ups, logs."""
        model = "/v1/models/{model_id}"
        one, environment = f"{model}/deployments/{{deployment_id}}", f"{model}/environments/{{environment}}"
        chain = "/v1/chains/{chain_id}"
        chained, steered = f"{chain}/deployments/{{deployment_id}}", f"{chain}/environments/{{environment}}"
        return (
            web.get("/v1/models", replying(self._models), name="models"),
            web.get(model, replying(self._model), name="model"),
            web.get(f"{model}/deployments", replying(self._deployments), name="deployments"),
            web.get(one, replying(self._deployment), name="deployment"),
            web.patch(f"{one}/autoscaling_settings", replying(self._scale), name="scale"),
            web.patch(
                f"{one}/request_backpressure_settings", replying(self._backpressure), name="backpressure"
            ),
            web.post(f"{one}/activate", replying(self._activate), name="activate"),
            web.post(f"{one}/deactivate", replying(self._deactivate), name="deactivate"),
            web.delete(f"{one}/replicas/{{replica}}", replying(self._end_replica), name="end-replica"),
            web.get(f"{model}/environments", replying(self._environments), name="environments"),
            web.get(environment, replying(self._environment), name="environment"),
            web.patch(environment, replying(self._update_environment), name="update-environment"),
            web.post(f"{environment}/activate", replying(self._activate), name="activate-environment"),
            web.post(f"{environment}/deactivate", replying(self._deactivate), name="deactivate-environment"),
            web.get("/v1/chains", replying(self._chains), name="chains"),
            web.get(chain, replying(self._chain), name="chain"),
            web.get(f"{chain}/deployments", replying(self._chain_deployments), name="chain-deployments"),
            web.get(chained, replying(self._chain_deployment), name="chain-deployment"),
            web.post(f"{chained}/deactivate", replying(self._deactivate_chain), name="deactivate-chain"),
            web.get(f"{chain}/environments", replying(self._chain_environments), name="chain-environments"),
            web.get(steered, replying(self._chain_environment), name="chain-environment"),
            web.patch(
                f"{steered}/chainlet_settings/autoscaling_settings",
                replying(self._scale_chainlets),
                name="scale-chainlets",
            ),
            web.get("/v1/instance_types", replying(self._instance_types), name="instance-types"),
            web.get("/v1/instance_type_prices", replying(self._prices), name="prices"),
            web.get("/v1/regions", replying(self._regions), name="regions"),
            web.get("/v1/users/me", replying(self._me), name="me"),
            web.get("/v1/billing/usage_summary", replying(self._usage), name="usage"),
        )

    # --- models and deployments -----------------------------------------------------------------

    async def _models(self, request: web.Request) -> Body:
        at, name = circumstances_now().as_of, request.query.get("name")
        found = [model for model in self._estate.models.values() if name in (None, model.name)]
        return {"models": [model_body(model, at) for model in found]}

    async def _model(self, request: web.Request) -> Body:
        return model_body(find_model(self._estate, request), circumstances_now().as_of)

    async def _deployments(self, request: web.Request) -> Body:
        at, name = circumstances_now().as_of, request.query.get("name")
        shown = [
            deployment_body(managed, at)
            for managed in find_model(self._estate, request).deployments.values()
            if name in (None, managed.exhibit.name) and managed.exhibit.face(at) is not None
        ]
        return {"deployments": shown}

    async def _deployment(self, request: web.Request) -> Body:
        return deployment_body(find_deployment(self._estate, request), circumstances_now().as_of)

    async def _scale(self, request: web.Request) -> Body:
        managed = find_deployment(self._estate, request)
        asked = _asked(managed, await sent_by(request))
        return _told(Answer.ACCEPTED if circumstances_now().ignore_write else managed.write(asked))

    async def _backpressure(self, request: web.Request) -> Body:
        managed = find_deployment(self._estate, request)
        policy = backpressure_in(await sent_by(request))
        if not circumstances_now().ignore_write:
            managed.exhibit.change(self._estate.world.now, backpressure=policy)
        return {"policy": policy}

    async def _activate(self, request: web.Request) -> Body:
        managed = self._addressed(request)
        return _done(circumstances_now().ignore_write or managed.activate())

    async def _deactivate(self, request: web.Request) -> Body:
        managed = self._addressed(request)
        return _done(circumstances_now().ignore_write or managed.deactivate())

    def _addressed(self, request: web.Request) -> Managed:
        if "environment" in request.match_info:
            return find_environment(self._estate, request).now.current
        return find_deployment(self._estate, request)

    async def _end_replica(self, request: web.Request) -> Body:
        managed = find_deployment(self._estate, request)
        replica = request.match_info["replica"]
        if replica not in managed.start_ups.ready:
            raise Refused(404, f"no active replica {replica[:64]!r}")
        if not circumstances_now().ignore_write:
            self._estate.world.kill_replica(managed.id, self._estate.world.now)
        return {"success": True}

    # --- environments ---------------------------------------------------------------------------

    async def _environments(self, request: web.Request) -> Body:
        at = circumstances_now().as_of
        shown = [
            environment_body(environment, face, at)
            for environment in find_model(self._estate, request).environments.values()
            if (face := environment.face(at)) is not None
        ]
        return {"environments": shown}

    async def _environment(self, request: web.Request) -> Body:
        at = circumstances_now().as_of
        environment = find_environment(self._estate, request)
        return environment_body(environment, _face(environment, at), at)

    async def _update_environment(self, request: web.Request) -> Body:
        environment = find_environment(self._estate, request)
        sent = await sent_by(request)
        environment.check(sent)
        answer = Answer.ACCEPTED if circumstances_now().ignore_write else environment.update(sent)
        now = self._estate.world.now
        return {"environment": environment_body(environment, environment.now, now), **_told(answer)}

    # --- chains ---------------------------------------------------------------------------------

    async def _chains(self, request: web.Request) -> Body:
        del request
        return {"chains": [chain_body(chain) for chain in self._estate.chains.values()]}

    async def _chain(self, request: web.Request) -> Body:
        return chain_body(self._find_chain(request))

    async def _chain_deployments(self, request: web.Request) -> Body:
        chain, at = self._find_chain(request), circumstances_now().as_of
        shown = [chain_deployment_body(chain, one, at) for one in chain.deployments.values()]
        return {"deployments": shown}

    async def _chain_deployment(self, request: web.Request) -> Body:
        chain, at = self._find_chain(request), circumstances_now().as_of
        return chain_deployment_body(chain, _find_chain_deployment(chain, request), at)

    async def _deactivate_chain(self, request: web.Request) -> Body:
        deployment = _find_chain_deployment(self._find_chain(request), request)
        if circumstances_now().ignore_write:
            return _done(True)
        acted = [managed.deactivate() for managed in deployment.chainlets.values()]
        return _done(any(acted))

    async def _chain_environments(self, request: web.Request) -> Body:
        chain, at = self._find_chain(request), circumstances_now().as_of
        shown = [
            chain_environment_entry(chain, one, at)
            for one in chain.deployments.values()
            if one.environment is not None
        ]
        return {"environments": shown}

    async def _chain_environment(self, request: web.Request) -> Body:
        chain, at = self._find_chain(request), circumstances_now().as_of
        return chain_environment_body(chain, _current(chain, request), at)

    async def _scale_chainlets(self, request: web.Request) -> Body:
        deployment = _current(self._find_chain(request), request)
        writes = [_chainlet_write(deployment, one) for one in _updates(await sent_by(request))]
        if circumstances_now().ignore_write:
            return _told(Answer.ACCEPTED)
        answers = [managed.write(asked) for managed, asked in writes]
        whole = (word for word in (Answer.QUEUED, Answer.ACCEPTED) if word in answers)
        return _told(next(whole, Answer.UNCHANGED))

    def _find_chain(self, request: web.Request) -> Chain:
        chain_id = request.match_info["chain_id"]
        chain = self._estate.chains.get(chain_id)
        if chain is None:
            raise Refused(404, f"no chain {chain_id[:64]!r}")
        return chain

    # --- the organisation -----------------------------------------------------------------------

    async def _instance_types(self, request: web.Request) -> Body:
        del request
        return {"instance_types": [one.body() for one in self._estate.catalogue.types]}

    async def _prices(self, request: web.Request) -> Body:
        del request
        prices = self._estate.prices(circumstances_now().as_of)
        rows = [
            {"instance_type": one.body(), "price": prices[one.name]} for one in self._estate.catalogue.types
        ]
        return {"instance_types": rows}

    async def _regions(self, request: web.Request) -> Body:
        del request
        return {"regions": []}

    async def _me(self, request: web.Request) -> Body:
        del request
        return {"user_id": "emulator", "email": None, "name": None, "workspace_name": _WORKSPACE}

    async def _usage(self, request: web.Request) -> Body:
        return self._billing.summary(request.query)


# --- what is asked --------------------------------------------------------------------------------


def replying(answer: Callable[[web.Request], Awaitable[Body]]) -> Handler:
    """A handler whose reply is the JSON, or the error, that ``answer`` comes to."""

    async def handler(request: web.Request) -> web.Response:
        try:
            return web.json_response(await answer(request))
        except Refused as refused:
            return error_reply(refused.status, refused.text, refused.code)

    return handler


async def sent_by(request: web.Request) -> Any:
    """The JSON in the request. Raises: Refused."""
    try:
        return json.loads(await request.read())
    except ValueError:
        raise Refused(400, "the body is not JSON") from None


def find_model(estate: Estate, request: web.Request) -> Model:
    """The model that the path names. Raises: Refused."""
    model_id = request.match_info["model_id"]
    model = estate.models.get(model_id)
    if model is None:
        raise Refused(404, f"no model {model_id[:64]!r}")
    return model


def find_deployment(estate: Estate, request: web.Request) -> Managed:
    """The deployment that the path names, ``production`` and ``development`` included. Raises: Refused."""
    model, wanted = find_model(estate, request), request.match_info["deployment_id"]
    if wanted == PRODUCTION and PRODUCTION in model.environments:
        return model.environments[PRODUCTION].now.current
    found = model.development if wanted == DEVELOPMENT else model.deployments.get(wanted)
    if found is None or found.exhibit.face(circumstances_now().as_of) is None:
        raise Refused(404, f"model {model.id!r} has no deployment {wanted[:64]!r}")
    return found


def find_environment(estate: Estate, request: web.Request) -> Environment:
    """The environment that the path names. Raises: Refused."""
    model, wanted = find_model(estate, request), request.match_info["environment"]
    if wanted not in model.environments:
        raise Refused(404, f"model {model.id!r} has no environment {wanted[:64]!r}")
    return model.environments[wanted]


def _face(environment: Environment, at: float) -> EnvironmentFace:
    face = environment.face(at)
    if face is None:
        raise Refused(404, f"no environment {environment.name!r} yet")
    return face


def _find_chain_deployment(chain: Chain, request: web.Request) -> ChainDeployment:
    wanted = request.match_info["deployment_id"]
    if wanted not in chain.deployments:
        raise Refused(404, f"chain {chain.id!r} has no deployment {wanted[:64]!r}")
    return chain.deployments[wanted]


def _current(chain: Chain, request: web.Request) -> ChainDeployment:
    wanted = request.match_info["environment"]
    deployment = chain.at(wanted)
    if deployment is None:
        raise Refused(404, f"chain {chain.id!r} has no environment {wanted[:64]!r}")
    return deployment


def _asked(managed: Managed, sent: Any) -> Autoscaling:
    if not managed.exhibit.now.deployed:
        raise Refused(400, "the deployment has not finished deploying")
    asked = managed.wanted.with_changes(changes_in(sent))
    if managed.exhibit.is_development and asked.max_replica > 1:
        raise Refused(400, "a development deployment has at most one replica")
    return asked


def _updates(sent: Any) -> Sequence[Any]:
    updates = sent.get("updates") if isinstance(sent, dict) else None
    if not isinstance(updates, list) or not 1 <= len(updates) <= _UPDATES_MAX:
        raise Refused(400, f"updates must be a list of 1 to {_UPDATES_MAX} entries")
    return updates


def _chainlet_write(deployment: ChainDeployment, update: Any) -> tuple[Managed, Autoscaling]:
    if not isinstance(update, dict) or set(update) != {"chainlet_name", "autoscaling_settings"}:
        raise Refused(400, "an update has the fields chainlet_name and autoscaling_settings")
    name = update["chainlet_name"]
    managed = deployment.chainlets.get(name) if isinstance(name, str) else None
    if managed is None:
        raise Refused(400, f"no chainlet {str(name)[:64]!r}; there is {', '.join(deployment.chainlets)}")
    return managed, _asked(managed, update["autoscaling_settings"])


# --- what is answered -----------------------------------------------------------------------------


def _told(answer: Answer) -> Body:
    return {"status": str(answer), "message": _MESSAGES[answer]}


def _done(acted: bool) -> Body:
    return {"success": True, "no_op": not acted}
