"""The calls that we make of Exoscale's API; their operations are the labels of a metric.

Source: https://community.exoscale.com/reference/api/ai/.
"""

from __future__ import annotations

from typing import Final

from autoscaler.providers.http import Call

LIST: Final = Call("list-deployments", "GET", "/ai/deployment", (("visibility", "private"),))
LIST_ALL: Final = Call("list-deployments", "GET", "/ai/deployment")
FAMILIES: Final = Call("list-ai-instance-types", "GET", "/ai/instance-type")


def get(deployment: str) -> Call:
    """One deployment, with the details that the list lacks."""
    return Call("get-deployment", "GET", f"/ai/deployment/{deployment}")


def scale(deployment: str, replicas: int) -> Call:
    """Ask for this many replicas; the reply names the operation."""
    return Call("scale-deployment", "POST", f"/ai/deployment/{deployment}/scale", body={"replicas": replicas})


def operation(operation_id: str) -> Call:
    """What has become of a change."""
    return Call("get-operation", "GET", f"/operation/{operation_id}")


def logs(deployment: str, lines: int) -> Call:
    """The last lines of a deployment's log."""
    query = (("tail", str(lines)), ("stream", "false"))
    return Call("get-deployment-logs", "GET", f"/ai/deployment/{deployment}/logs", query)
