"""The calls that we make of Baseten's API; their operations are the labels of a metric.

Source: PyPI ``baseten`` 0.13.1, ``client/managementapi`` and ``client/inferenceapi``.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from autoscaler.core.model import ReplicaRange
from autoscaler.providers.baseten.targets import ModelEnvironment, OneDeployment, Target
from autoscaler.providers.http import Call

MODELS: Final = Call("list-models", "GET", "/v1/models")
CHAINS: Final = Call("list-chains", "GET", "/v1/chains")
INSTANCE_TYPES: Final = Call("list-instance-types", "GET", "/v1/instance_types")
PRICES: Final = Call("list-instance-type-prices", "GET", "/v1/instance_type_prices")

STARTING: Final = "baseten_replicas_starting"


def deployments(model_id: str) -> Call:
    """All deployments of a model."""
    return Call("list-deployments", "GET", f"{_model(model_id)}/deployments")


def deployment(model_id: str, deployment_id: str) -> Call:
    """One deployment of a model."""
    return Call("get-deployment", "GET", _deployment(model_id, deployment_id))


def environments(model_id: str) -> Call:
    """All environments of a model, each with its current deployment."""
    return Call("list-environments", "GET", f"{_model(model_id)}/environments")


def environment(model_id: str, name: str) -> Call:
    """One environment of a model."""
    return Call("get-environment", "GET", f"{_model(model_id)}/environments/{quote(name, safe='')}")


def chain_deployments(chain_id: str) -> Call:
    """All deployments of a chain, each with its chainlets."""
    return Call("list-chain-deployments", "GET", f"{_chain(chain_id)}/deployments")


def chain_environments(chain_id: str) -> Call:
    """All environments of a chain: which deployment is current, and whether a promotion is under way."""
    return Call("list-chain-environments", "GET", f"{_chain(chain_id)}/environments")


def set_bounds(target: Target, bounds: ReplicaRange) -> Call:
    """These bounds and nothing else: what is left out stays, and null may clear."""
    settings: dict[str, Any] = {"min_replica": bounds.minimum, "max_replica": bounds.maximum}
    if isinstance(target, OneDeployment):
        path = f"{_deployment(target.model_id, target.deployment_id)}/autoscaling_settings"
        return Call("set-deployment-autoscaling", "PATCH", path, body=settings)
    if isinstance(target, ModelEnvironment):
        path = f"{_model(target.model_id)}/environments/{quote(target.environment, safe='')}"
        return Call("set-environment-autoscaling", "PATCH", path, body={"autoscaling_settings": settings})
    path = f"{_chain(target.chain_id)}/environments/{quote(target.environment, safe='')}"
    update = {"chainlet_name": target.chainlet, "autoscaling_settings": settings}
    return Call(
        "set-chainlet-autoscaling",
        "PATCH",
        f"{path}/chainlet_settings/autoscaling_settings",
        body={"updates": [update]},
    )


def activate(target: OneDeployment | ModelEnvironment) -> Call:
    """Deploy anew what was deactivated; 20 a minute are allowed."""
    if isinstance(target, OneDeployment):
        path = f"{_deployment(target.model_id, target.deployment_id)}/activate"
        return Call("activate-deployment", "POST", path)
    path = f"{_model(target.model_id)}/environments/{quote(target.environment, safe='')}/activate"
    return Call("activate-environment", "POST", path)


def deactivate(target: OneDeployment | ModelEnvironment) -> Call:
    """End all replicas; requests fail until it is activated. 20 a minute are allowed."""
    if isinstance(target, OneDeployment):
        path = f"{_deployment(target.model_id, target.deployment_id)}/deactivate"
        return Call("deactivate-deployment", "POST", path)
    path = f"{_model(target.model_id)}/environments/{quote(target.environment, safe='')}/deactivate"
    return Call("deactivate-environment", "POST", path)


def wake(deployment_id: str) -> Call:
    """Start a replica of what is scaled to zero; of the inference host. The answer, 202, has no body."""
    return Call("wake-deployment", "POST", f"/deployment/{quote(deployment_id, safe='')}/wake")


def starting(model_id: str, deployment_id: str) -> Call:
    """How many replicas start now."""
    query = (("mode", "CURRENT"), ("metrics", STARTING))
    return Call("get-deployment-metrics", "GET", f"{_deployment(model_id, deployment_id)}/metrics", query)


def start_ups(model_id: str, deployment_id: str, start_ms: int, end_ms: int) -> Call:
    """How long start-ups took between two instants, in milliseconds since the Unix epoch."""
    query = (("start_epoch_millis", str(start_ms)), ("end_epoch_millis", str(end_ms)))
    path = f"{_deployment(model_id, deployment_id)}/startups/summary"
    return Call("get-startup-summary", "GET", path, query)


def _model(model_id: str) -> str:
    return f"/v1/models/{quote(model_id, safe='')}"


def _deployment(model_id: str, deployment_id: str) -> str:
    return f"{_model(model_id)}/deployments/{quote(deployment_id, safe='')}"


def _chain(chain_id: str) -> str:
    return f"/v1/chains/{quote(chain_id, safe='')}"
