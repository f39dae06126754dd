"""Exoscale's own Python package cannot tell the emulator from the real thing, as far as it is used."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from exoscale.api.exceptions import (
    ExoscaleAPIAuthException,
    ExoscaleAPIClientException,
    ExoscaleAPIServerException,
)
from exoscale.api.v2 import Client as Official

from autoscaler.clock import SystemClock
from autoscaler.emulators.exoscale import PUBLIC_ID, ExoscaleSettings, NextOperations, OperationReason
from tests.emulators.client import ID, Client, emulated


async def with_official(client: Client, ask: Callable[[Any], Any], secret: str | None = None) -> Any:
    """Runs the synchronous package in a thread, against our server in this loop."""
    keys = client.server.vendor.credentials()

    def run() -> Any:
        official = Official(keys["api_key"], secret or keys["api_secret"], url=client.server.base_url)
        try:
            return ask(official)
        finally:
            official.http_client.close()

    async with asyncio.timeout(20):
        return await asyncio.to_thread(run)


async def test_it_lists_gets_scales_and_reads_what_a_scaler_needs() -> None:
    def ask(official: Any) -> dict[str, Any]:
        operation = official.scale_deployment(id=ID, replicas=3)
        return {
            "zones": official.list_zones()["zones"],
            "private": official.list_deployments(visibility="private")["deployments"],
            "all": official.list_deployments()["deployments"],
            "operation": official.wait(operation["id"]),
            "deployment": official.get_deployment(id=ID),
            "types": official.list_ai_instance_types()["instance-types"],
            "logs": official.get_deployment_logs(id=ID, tail=50, stream=False)["logs"],
            "quotas": official.list_quotas()["quotas"],
            "quota": official.get_quota(entity="gpu"),
        }

    async with emulated(settings=ExoscaleSettings(operation_s=0), clock=SystemClock()) as client:
        seen = await with_official(client, ask)

    assert [entry["name"] for entry in seen["private"]] == ["chat", "code"]
    assert len(seen["all"]) == 3
    assert seen["operation"]["state"] == "success"
    assert (seen["deployment"]["state"], seen["deployment"]["replicas"]) == ("scaling", 3)
    assert {"family": "gpua5000", "authorized": True} in seen["types"]
    assert seen["logs"][-1]["message"] == "replica requested"
    assert seen["quota"] == seen["quotas"][0]
    assert seen["zones"][0]["name"] == "at-vie-2"


async def test_it_waits_for_an_operation_that_is_pending() -> None:
    async with emulated(settings=ExoscaleSettings(operation_s=1), clock=SystemClock()) as client:
        ended = await with_official(
            client, lambda official: official.wait(official.scale_deployment(id=ID, replicas=1)["id"])
        )
        assert ended["state"] == "success"
        assert client.server.requests.counts["GET operation"] == 2


async def test_it_raises_its_own_errors_for_ours() -> None:
    async with emulated(settings=ExoscaleSettings(operation_s=0), clock=SystemClock()) as client:
        client.server.vendor.fail_next_operations(NextOperations(reason=OperationReason.UNAVAILABLE))
        with pytest.raises(ExoscaleAPIServerException, match="failure, unavailable"):
            await with_official(client, lambda o: o.wait(o.scale_deployment(id=ID, replicas=4)["id"]))
        with pytest.raises(ExoscaleAPIAuthException, match="forbidden_operation"):
            await with_official(client, lambda o: o.scale_deployment(id=PUBLIC_ID, replicas=0))
        with pytest.raises(ExoscaleAPIAuthException, match="does not match"):
            await with_official(client, lambda o: o.list_deployments(), secret="wrong")
        with pytest.raises(ExoscaleAPIClientException, match="404"):
            await with_official(client, lambda o: o.get_deployment(id=str(uuid.uuid4())))


async def test_it_creates_updates_and_deletes() -> None:
    def ask(official: Any) -> list[str]:
        made = official.wait(
            official.create_deployment(
                name="new", model={"name": "a/b"}, gpu_type="gpu3", gpu_count=1, replicas=1
            )["id"]
        )["reference"]["id"]
        official.wait(official.update_deployment(id=made, name="newer")["id"])
        name = official.get_deployment(id=made)["name"]
        official.wait(official.delete_deployment(id=made)["id"])
        return [name, *(entry["name"] for entry in official.list_deployments()["deployments"])]

    async with emulated(settings=ExoscaleSettings(operation_s=0), clock=SystemClock()) as client:
        assert await with_official(client, ask) == ["newer", "chat", "code", "shared-qwen3-32b"]
