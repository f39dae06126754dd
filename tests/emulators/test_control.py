"""The switches under /_emulator, for a test in another process, and the request log."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.emulators.faults import Fault, FaultKind
from tests.emulators.client import ID, ONE, emulated, hands

OF = f"/deployments/{ID}"


async def test_the_world_tells_what_the_vendor_does_not() -> None:
    async with emulated() as client:
        await client.scale(3)
        hands(client).pass_s(50)
        world = (await client.control("GET", "/world")).body
        chat = world["deployments"][0]
        assert (chat["name"], chat["replicas_set"], chat["ready"], chat["starting"]) == ("chat", 3, 2, 1)
        assert (chat["state"], chat["operation"]) == ("scaling", None)
        assert chat["billed_replica_s"] == pytest.approx(150)
        assert chat["billed_usd"] == pytest.approx(150 / 3600)
        assert world["billed_usd"] == pytest.approx(chat["billed_usd"] + 50 / 3600)


async def test_replicas_set_by_hand_need_no_operation() -> None:
    async with emulated() as client:
        assert (await client.control("POST", f"{OF}/replicas", {"replicas": 5})).status == 200
        assert await client.shown() == ("scaling", 5)
        assert (await client.scale(5)).status == 200  # no operation runs
        assert client.server.requests.counts == {"GET get": 1, "POST scale": 1}


async def test_a_replica_can_be_killed() -> None:
    async with emulated() as client:
        await client.control("POST", f"{OF}/kill", {})
        assert await client.shown() == ("scaling", 2)
        await client.control("POST", f"{OF}/kill", {"replicas": 9})
        assert await client.shown() == ("deploying", 2)
        hands(client).pass_s(100)
        assert await client.shown() == ("ready", 2)


async def test_stock_can_run_out_and_come_back() -> None:
    async with emulated() as client:
        body = (await client.control("POST", "/stock", {"gpu_type": "gpua5000", "gpus": 2})).body
        assert body["stock"]["gpua5000"] == {"gpus": 2, "free": 0}
        assert (await client.scale(3)).status == 412
        by_hand = await client.control("POST", f"{OF}/replicas", {"replicas": 3})
        assert by_hand.status == 412
        await client.control("POST", "/stock", {"gpu_type": "gpua5000", "gpus": None})
        assert (await client.scale(3)).status == 200


@pytest.mark.parametrize("word", ["error", "melting", "READY"])
async def test_any_state_word_can_be_shown_and_taken_back(word: str) -> None:
    async with emulated() as client:
        await client.control("POST", f"{OF}/state", {"word": word, "details": "by hand"})
        body = await client.get()
        assert (body["state"], body["state-details"]) == (word, "by hand")
        assert (await client.get("/v2/ai/deployment"))["deployments"][0]["state"] == word
        await client.control("POST", f"{OF}/state", {"word": None})
        assert await client.shown() == ("ready", 2)


async def test_start_ups_can_be_made_to_fail() -> None:
    async with emulated() as client:
        await client.control("POST", f"{OF}/start-ups", {"fail_next": 1})
        await client.scale(3)
        hands(client).pass_s(100)
        assert await client.shown() == ("scaling", 3)  # the others serve
        hands(client).pass_s(100)
        assert await client.shown() == ("ready", 3)


async def test_settings_and_failing_operations_of_the_vendor_are_switched_over_http() -> None:
    async with emulated() as client:
        assert (await client.control("GET", "/exoscale/settings")).body["operation_s"] == 3.0
        put = await client.control("PUT", "/exoscale/settings", {"operation_s": 0, "error_body": "error"})
        assert put.body["error_body"] == "error"
        await client.control("POST", "/exoscale/next-operations", {"reason": "busy", "operations": 2})
        states = []
        for _ in range(3):
            reply = await client.scale(3)
            states.append((await client.get(f"/v2/operation/{reply.body['id']}")).get("reason"))
        assert states == ["busy", "busy", None]
        assert set((await client.call("GET", f"{ONE[:-1]}x")).body) == {"error"}
        for path, bad in (("settings", {"operation_s": -1}), ("next-operations", {"reason": "mood"})):
            method = "PUT" if path == "settings" else "POST"
            assert (await client.control(method, f"/exoscale/{path}", bad)).status == 400


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/deployments/nobody/kill", {}, 404),
        ("/deployments/nobody/state", {"word": "x"}, 404),
        ("/deployments/nobody/replicas", {"replicas": 1}, 404),
        (f"{OF}/replicas", {"replicas": -1}, 400),
        (f"{OF}/replicas", {}, 400),
        (f"{OF}/kill", {"replicas": 0}, 400),
        (f"{OF}/state", {"words": "x"}, 400),
        (f"{OF}/start-ups", {"fail_next": "all"}, 400),
        ("/stock", {"gpu_type": "gpu3", "gpus": -1}, 400),
    ],
)
async def test_malformed_switches_are_refused(path: str, body: Any, status: int) -> None:
    async with emulated() as client:
        reply = await client.control("POST", path, body)
        assert (reply.status, set(reply.body)) == (status, {"error"})
        assert client.server.world.status(ID).replicas_set == 2


async def test_every_request_is_counted_whatever_became_of_it_and_switches_are_not() -> None:
    async with emulated() as client:
        await client.scale(3)
        await client.scale(4)
        await client.call("GET", "/v2/ai/deployment", signed=False)
        await client.call("GET", "/v2/nowhere")
        client.server.faults.add(Fault(kind=FaultKind.SERVER_ERROR))
        await client.call("DELETE", ONE)

        log = (await client.control("GET", "/requests")).body
        assert log["counts"] == {"POST scale": 2, "GET list": 1, "GET unknown": 1, "DELETE delete": 1}
        assert log["writes"] == client.server.requests.writes == 3
        assert [one["status"] for one in log["recent"]] == [200, 409, 403, 404, 503]
        assert client.server.vendor.credentials()["api_secret"] not in str(log)
        assert (await client.control("DELETE", "/requests")).body["counts"] == {}
