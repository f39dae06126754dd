"""Which of the three things that Baseten scales a ref names."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from autoscaler.ports import Ref, Rejected
from autoscaler.providers.baseten.settings import BasetenIds


@dataclass(frozen=True, slots=True)
class OneDeployment:
    """A deployment of a model by its id; the settings are its own."""

    model_id: str
    deployment_id: str


@dataclass(frozen=True, slots=True)
class ModelEnvironment:
    """An environment of a model: its settings hold for whatever is deployed in it."""

    model_id: str
    environment: str


@dataclass(frozen=True, slots=True)
class Chainlet:
    """A chainlet by its name in an environment of a chain."""

    chain_id: str
    environment: str
    chainlet: str


Target = OneDeployment | ModelEnvironment | Chainlet


def target_of(ref: Ref) -> Target:
    """What the ref names. Raises: Rejected."""
    try:
        ids = BasetenIds.model_validate(dict(ref.ids))
    except ValidationError as error:
        raise Rejected(f"{ref.key}: {error.errors(include_url=False)[0]['msg']}") from error
    if ids.model_id is not None:
        if ids.deployment_id is not None:
            return OneDeployment(ids.model_id, ids.deployment_id)
        return ModelEnvironment(ids.model_id, ids.environment or "")
    return Chainlet(ids.chain_id or "", ids.environment or "", ids.chainlet or "")
