"""The Exoscale emulator behaves as Exoscale's reference says, seen through real HTTP."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from autoscaler.emulators.exoscale import (
    PUBLIC_ID,
    ErrorBody,
    ExoscaleSettings,
    NextOperations,
    OperationReason,
    OperationState,
)
from tests.emulators.client import CODE, FLEET, ID, ONE, Client, emulated, hands

ENTRY = {
    "id", "name", "state", "visibility", "model", "replicas", "gpu-count", "gpu-type", "service-level",
    "deployment-url", "created-at", "updated-at",
}  # fmt: skip
MORE = {"state-details", "inference-engine-version", "inference-engine-parameters"}


async def operation(client: Client, reply: Any) -> dict[str, Any]:
    body: dict[str, Any] = await client.get(f"/v2/operation/{reply.body['id']}")
    return body


async def test_the_list_has_all_fields_but_three_and_the_public_entry() -> None:
    async with emulated() as client:
        entries = (await client.get("/v2/ai/deployment"))["deployments"]
        assert [set(entry) for entry in entries] == [ENTRY] * 3
        assert set(await client.get()) == ENTRY | MORE

        async def ids(visibility: str) -> set[str]:
            body = await client.get(f"/v2/ai/deployment?visibility={visibility}")
            return {entry["id"] for entry in body["deployments"]}

        assert await ids("public") == {PUBLIC_ID}
        assert await ids("private") == {ID, CODE.deployment_id}
        assert await ids("") == {ID, CODE.deployment_id, PUBLIC_ID}
        assert (await client.call("GET", "/v2/ai/deployment?visibility=mine")).status == 400
        for entry in entries:
            uuid.UUID(entry["id"])
            assert entry["created-at"].endswith("Z")


async def test_scaling_up_goes_from_ready_through_scaling_to_ready() -> None:
    async with emulated() as client:
        reply = await client.scale(3)

        assert reply.status == 200
        assert reply.body["state"] == "pending"
        assert reply.body["reference"] == {"id": ID, "link": ONE, "command": "get-deployment"}
        assert await client.shown() == ("scaling", 3)
        assert (await operation(client, reply))["state"] == "pending"
        hands(client).pass_s(3)
        assert (await operation(client, reply))["state"] == "success"
        assert await client.shown() == ("scaling", 3)  # taken is not served
        hands(client).pass_s(97)
        assert await client.shown() == ("ready", 3)


async def test_scaling_to_zero_and_back() -> None:
    async with emulated() as client:
        await client.scale(0)
        hands(client).pass_s(3)
        assert await client.shown() == ("ready", 0)
        await client.scale(1)
        hands(client).pass_s(50)
        assert await client.shown() == ("deploying", 1)
        hands(client).pass_s(50)
        assert await client.shown() == ("ready", 1)


async def test_the_operation_can_last_until_the_replicas_serve() -> None:
    async with emulated(settings=ExoscaleSettings(operation_s=None)) as client:
        reply = await client.scale(4)
        hands(client).pass_s(99)
        assert (await operation(client, reply))["state"] == "pending"
        assert (await client.scale(1)).status == 409
        hands(client).pass_s(1)
        assert (await operation(client, reply))["state"] == "success"
        assert (await client.scale(2)).status == 200
        assert (await client.scale(2)).status == 200  # nothing starts: over at once


async def test_a_second_change_is_refused_while_an_operation_runs() -> None:
    async with emulated() as client:
        await client.scale(3)
        assert (await client.scale(4)).status == 409
        assert (await client.call("DELETE", ONE)).status == 409
        assert (await client.call("PATCH", ONE, {"name": "x"})).status == 409
        assert (await client.scale(2, f"/v2/ai/deployment/{CODE.deployment_id}")).status == 200
        hands(client).pass_s(3)
        assert (await client.scale(3)).status == 200  # the same count again is taken
        assert client.server.world.status(ID).replicas_set == 3


async def test_a_shortage_of_gpus_is_412_and_changes_nothing() -> None:
    async with emulated() as client:
        client.server.world.set_stock("gpua5000", 3)
        refused = await client.scale(4)
        assert refused.status == 412
        assert "gpua5000" in refused.body["detail"]
        assert await client.shown() == ("ready", 2)
        assert (await client.scale(3)).status == 200

        families = (await client.get("/v2/ai/instance-type"))["instance-types"]
        assert {"family": "gpua5000", "authorized": False} in families
        assert {"family": "gpu3", "authorized": True} in families


async def test_the_public_entry_is_never_scaled_and_attempts_are_counted() -> None:
    async with emulated() as client:
        path = f"/v2/ai/deployment/{PUBLIC_ID}"
        for reply in (await client.scale(0, path), await client.call("DELETE", path)):
            assert reply.status == 403
            assert reply.body["code"] == "forbidden_operation"
        assert client.server.vendor.public_writes == 2
        assert (await client.get(path))["replicas"] == 4


@pytest.mark.parametrize("reason", list(OperationReason))
@pytest.mark.parametrize("state", [OperationState.FAILURE, OperationState.TIMEOUT])
async def test_an_operation_can_fail_with_each_reason_and_then_nothing_has_changed(
    reason: OperationReason, state: OperationState
) -> None:
    async with emulated() as client:
        client.server.vendor.fail_next_operations(
            NextOperations(reason=reason, state=state, message="as told")
        )
        reply = await client.scale(5)
        assert reply.status == 200
        assert await client.shown() == ("scaling", 2)
        hands(client).pass_s(3)
        body = await operation(client, reply)
        assert (body["state"], body["reason"], body["message"]) == (state, reason, "as told")
        assert await client.shown() == ("ready", 2)
        assert (await client.scale(3)).status == 200
        assert client.server.world.status(ID).replicas_set == 3


@pytest.mark.parametrize(
    ("style", "keys"),
    [
        (None, {"type", "title", "status", "detail"}),
        (ErrorBody.PROBLEM, {"type", "title", "status", "detail"}),
        (ErrorBody.ERROR, {"error"}),
        (ErrorBody.CODE, {"code", "error"}),
        (ErrorBody.DEPLOYMENTS, {"deployments"}),
    ],
)
async def test_errors_have_the_body_that_is_chosen(style: ErrorBody | None, keys: set[str]) -> None:
    async with emulated(settings=ExoscaleSettings(error_body=style)) as client:
        nobody = f"/v2/ai/deployment/{uuid.uuid4()}"
        for status, reply in (
            (404, await client.call("GET", nobody)),
            (404, await client.scale(1, nobody)),
            (404, await client.call("GET", "/v2/ai/nowhere")),
            (404, await client.call("GET", f"/v2/operation/{uuid.uuid4()}")),
            (405, await client.call("PUT", ONE, {})),
            (400, await client.call("GET", "/v2/ai/deployment/not-a-uuid")),
            (413, await client.call("POST", f"{ONE}/scale", b" " * 1_100_000)),
        ):
            assert (reply.status, set(reply.body)) == (status, keys)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"replicas": -1}', b'{"replicas": 1.5}', b'{"replicas": true}',
     b'{"replicas": "2"}', b'{"replicas": null}', b'{"replicas": 10001}', b"\xff"],
)  # fmt: skip
async def test_a_malformed_scale_is_400_and_changes_nothing(body: bytes) -> None:
    async with emulated() as client:
        assert (await client.call("POST", f"{ONE}/scale", body)).status == 400
        assert await client.shown() == ("ready", 2)


async def test_failed_start_ups_show_as_error_with_details_and_logs() -> None:
    async with emulated() as client:
        await client.scale(0)
        hands(client).pass_s(3)
        client.server.world.start_up_fails(ID, 1, client.clock.now())
        await client.scale(1)
        hands(client).pass_s(100)
        body = await client.get()
        assert body["state"] == "error"
        assert "CUDA out of memory" in body["state-details"]
        logs = (await client.get(f"{ONE}/logs?tail=1&stream=false"))["logs"]
        assert len(logs) == 1
        assert set(logs[0]) == {"time", "node", "message"}
        assert "OutOfMemory" in logs[0]["message"]
        hands(client).pass_s(100)
        assert await client.shown() == ("ready", 1)


@pytest.mark.parametrize("query", ["tail=x", "tail=-1", "stream=maybe"])
async def test_malformed_log_queries_are_400(query: str) -> None:
    async with emulated() as client:
        assert (await client.call("GET", f"{ONE}/logs?{query}")).status == 400


async def test_create_update_and_delete_are_operations_too() -> None:
    async with emulated() as client:
        wanted = {
            "name": "new", "model": {"name": "a/b"}, "gpu-type": "gpu3", "gpu-count": 2, "replicas": 1,
        }  # fmt: skip
        reply = await client.call("POST", "/v2/ai/deployment", wanted)
        path = reply.body["reference"]["link"]
        assert (await client.get(path))["state"] == "creating"
        hands(client).pass_s(3)
        body = await client.get(path)
        assert (body["state"], body["replicas"], body["gpu-count"]) == ("deploying", 1, 2)
        hands(client).pass_s(100_000)
        assert (await client.get(path))["state"] == "ready"

        assert (await client.call("PATCH", path, {"name": "newer"})).status == 200
        assert [(await client.get(path))[key] for key in ("state", "name")] == ["updating", "newer"]
        hands(client).pass_s(3)
        assert (await client.call("DELETE", path)).status == 200
        assert (await client.call("GET", path)).status == 404
        for bad in ({**wanted, "replicas": 0}, {**wanted, "gpu-count": 9}, {"name": "x"}):
            assert (await client.call("POST", "/v2/ai/deployment", bad)).status == 400


async def test_the_quota_counts_gpus_of_the_account_only() -> None:
    async with emulated() as client:
        assert (await client.get("/v2/quota"))["quotas"] == [{"resource": "gpu", "usage": 3, "limit": 64}]
        assert (await client.get("/v2/quota/gpu"))["usage"] == 3


async def test_two_emulators_of_one_seed_and_one_time_answer_alike() -> None:
    answers = []
    clock = None
    for _ in range(2):
        async with emulated(FLEET, clock=clock) as client:
            start = hands(client).at
            reply = await client.scale(3)
            answers.append(json.dumps([reply.body, await client.get()]))
            clock = hands(client)
            clock.at = start
    assert answers[0] == answers[1]
