"""The calls that we make of DeepInfra's API; their operations are the labels of a metric.

Source: docs.deepinfra.com, pages of ``/deploy``, and the OpenAPI document of api.deepinfra.com.
"""

from __future__ import annotations

from typing import Final

from autoscaler.core.model import ReplicaRange
from autoscaler.providers.http import Call

# Not filtered by status: a deployment in a status that is new to us would look as if it were gone.
LIST: Final = Call("deploy-list", "GET", "/deploy/list")
STOCK: Final = Call("gpu-availability", "GET", "/deploy/llm/gpu_availability")


def get(deployment: str) -> Call:
    """One deployment."""
    return Call("deploy-get", "GET", f"/deploy/{deployment}")


def update(deployment: str, bounds: ReplicaRange) -> Call:
    """Both bounds, always: one that is left out becomes 1. Nothing else, for it would be replaced."""
    settings = {"min_instances": bounds.minimum, "max_instances": bounds.maximum}
    return Call("deploy-update", "PUT", f"/deploy/{deployment}", body={"settings": settings})


def stop(deployment: str) -> Call:
    """End all instances, and keep it so."""
    return Call("deploy-stop", "POST", f"/deploy/{deployment}/stop")


def start(deployment: str) -> Call:
    """Undo a stop: the vendor's autoscaler starts instances within the bounds."""
    return Call("deploy-start", "POST", f"/deploy/{deployment}/start")
