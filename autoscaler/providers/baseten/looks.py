"""What one tick, or one re-read before a write, sees: as few calls as name every target."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from autoscaler.core.model import ReplicaRange
from autoscaler.ports import BadReply, NotFound, ProviderError, RateLimited, Rejected, Unauthorized
from autoscaler.providers.baseten import calls, replies
from autoscaler.providers.baseten.replies import (
    ChainDeployment,
    ChainEnvironment,
    Environment,
    Listing,
    Schedule,
    Unit,
)
from autoscaler.providers.baseten.targets import Chainlet, ModelEnvironment, OneDeployment, Target
from autoscaler.providers.http import Call, HttpApi
from autoscaler.providers.plain_text import plain_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a target showed."""

    unit: Unit
    model_id: str | None = None  # of a model's deployment, for calls about just this one
    own_bounds: ReplicaRange | None = None  # of the environment
    promotion: str | None = None
    schedules: tuple[Schedule, ...] = ()


class Looks:
    """Reads targets. Each call is made once however many targets it tells of."""

    def __init__(self, http: HttpApi) -> None:
        self._http = http

    async def at(self, targets: Sequence[Target]) -> Mapping[Target, Seen | ProviderError]:
        """What there is, for each target; one call's failure hides only what it would have told.

        Raises: ProviderError when every call failed, and not because there is no such thing.
        """
        wanted = {call: parse for target in targets for call, parse in _listing_calls(target).items()}
        found = await asyncio.gather(*(self._told(call, parse) for call, parse in wanted.items()))
        answers = dict(zip(wanted, found, strict=True))
        failures = [answer for answer in found if isinstance(answer, ProviderError)]
        if failures and len(failures) == len(found) and not _tells_of_absence(failures):
            raise _strongest(failures)
        return {target: _resolved(target, answers) for target in targets}

    async def at_one(self, target: Target) -> Seen:
        """What there is of one target. Raises: ProviderError."""
        if isinstance(target, OneDeployment):
            id_ = target.deployment_id
            unit = await self._http.call(
                calls.deployment(target.model_id, id_), lambda body: replies.parse_deployment(body, id_)
            )
            return _of_deployment(target, unit)
        if isinstance(target, ModelEnvironment):
            environment = await self._http.call(
                calls.environment(target.model_id, target.environment), replies.parse_environment
            )
            return _of_environment(target, environment)
        told = (await self.at([target]))[target]
        if isinstance(told, ProviderError):
            raise told
        return told

    async def _told(self, call: Call, parse: Callable[[Any], T]) -> T | ProviderError:
        # A value, so that the calls beside it are not left running when it fails.
        try:
            return await self._http.call(call, parse)
        except ProviderError as error:
            return error


_Answers = Mapping[Call, Any]


def _listing_calls(target: Target) -> dict[Call, Callable[[Any], Any]]:
    if isinstance(target, OneDeployment):
        return {calls.deployments(target.model_id): replies.parse_deployments}
    if isinstance(target, ModelEnvironment):
        return {calls.environments(target.model_id): replies.parse_environments}
    return {
        calls.chain_deployments(target.chain_id): replies.parse_chain_deployments,
        calls.chain_environments(target.chain_id): replies.parse_chain_environments,
    }


def _tells_of_absence(failures: Sequence[ProviderError]) -> bool:
    return any(isinstance(failure, NotFound) for failure in failures)


def _strongest(failures: Sequence[ProviderError]) -> ProviderError:
    """The failure that says most of what to do: wait the longest, check the key, else the first."""
    limited = [failure for failure in failures if isinstance(failure, RateLimited)]
    if limited:
        return max(limited, key=lambda failure: failure.retry_after_s)
    return next((failure for failure in failures if isinstance(failure, Unauthorized)), failures[0])


def _resolved(target: Target, answers: _Answers) -> Seen | ProviderError:
    told = [answers[call] for call in _listing_calls(target)]
    failed = next((answer for answer in told if isinstance(answer, ProviderError)), None)
    if failed is not None:
        return failed
    try:
        if isinstance(target, OneDeployment):
            what = f"no deployment {target.deployment_id} of model {target.model_id} for this key"
            return _of_deployment(target, _entry(told[0], target.deployment_id, what))
        if isinstance(target, ModelEnvironment):
            what = f"no environment {target.environment} of model {target.model_id} for this key"
            return _of_environment(target, _entry(told[0], target.environment, what))
        return _of_chain(target, told[0], told[1])
    except ProviderError as error:
        return error


def _entry(listing: Listing[T], key: str, what: str) -> T:
    entry = listing.entries.get(key)
    if isinstance(entry, BadReply):
        raise entry
    if entry is not None:
        return entry
    if listing.nameless:
        raise BadReply(f"{listing.nameless} entries of the list cannot be told apart; {what}")
    raise NotFound(what)


def _of_deployment(target: OneDeployment, unit: Unit) -> Seen:
    if unit.is_development:
        raise Rejected(f"deployment {unit.id} is for development: one replica always, and not ours to scale")
    return Seen(unit, target.model_id)


def _of_environment(target: ModelEnvironment, environment: Environment) -> Seen:
    current = environment.current
    if isinstance(current, BadReply):
        raise current
    if current is None:
        raise NotFound(f"nothing is deployed in environment {target.environment} of model {target.model_id}")
    return Seen(
        current, target.model_id, environment.bounds, environment.promotion, schedules=environment.schedules
    )


def _of_chain(
    target: Chainlet, deployments: Listing[ChainDeployment], environments: Listing[ChainEnvironment]
) -> Seen:
    place = f"environment {target.environment} of chain {target.chain_id}"
    environment = environments.entries.get(target.environment)
    if isinstance(environment, BadReply):
        raise environment
    promotion = environment.promotion if environment is not None else None
    if environment is not None and environment.current_id is not None:
        current = environment.current_id
        what = f"no deployment {current}, which is the current one of {place}"
    else:
        current = _only_one_in(target.environment, deployments, place)
        what = f"nothing is deployed in {place} for this key"
    deployment = _entry(deployments, current, what)
    unit = deployment.chainlets.get(target.chainlet)
    if isinstance(unit, BadReply):
        raise unit
    if unit is None:
        names = plain_text(", ".join(sorted(deployment.chainlets))) or "none"
        raise NotFound(f"no chainlet {target.chainlet} in {place}; there are {names}"[:300])
    return Seen(unit, promotion=promotion)


def _only_one_in(name: str, deployments: Listing[ChainDeployment], place: str) -> str:
    """The deployment that says it is there. Raises: NotFound, and BadReply where several do."""
    ids = [
        id_
        for id_, one in deployments.entries.items()
        if isinstance(one, ChainDeployment) and one.environment == name
    ]
    if len(ids) > 1:
        raise BadReply(f"{len(ids)} deployments in {place}, and none is told to be the current one")
    if not ids and any(isinstance(one, BadReply) for one in deployments.entries.values()):
        raise BadReply(f"a deployment of the chain cannot be read; nothing else is in {place}")
    return ids[0] if ids else ""
