"""Every fault switch, as a client on the other side of a socket meets it."""

from __future__ import annotations

import asyncio
import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from autoscaler.emulators.faults import Fault, FaultKind, Faults
from tests.emulators.client import ID, ONE, Client, emulated, hands


async def raw(client: Client, method: str = "GET", path: str = "/v2/zone") -> tuple[int, bytes]:
    async with client.session.request(method, client.server.url + path) as reply:
        return reply.status, await reply.read()


def arm(client: Client, kind: FaultKind, **limits: Any) -> None:
    client.server.faults.set([Fault(kind=kind, **limits)])


async def test_latency_delays_the_answer() -> None:
    async with emulated() as client:
        arm(client, FaultKind.LATENCY, latency_s=20)  # 0.2 s at a hundredfold speed
        start = time.monotonic()
        assert await client.shown() == ("ready", 2)
        assert time.monotonic() - start >= 0.2


async def test_a_late_answer_may_come_to_a_write_that_was_carried_out() -> None:
    async with emulated() as client:
        arm(client, FaultKind.LATENCY, latency_s=500, applies_to="writes", after_effect=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.scale(3)
        client.server.faults.clear()
        assert await client.shown() == ("scaling", 3)

    async with emulated() as client:
        arm(client, FaultKind.LATENCY, latency_s=500, applies_to="writes")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.scale(3)
        await asyncio.sleep(0.05)
        client.server.faults.clear()
        assert await client.shown() == ("ready", 2)


async def test_429_comes_with_retry_after_as_seconds_as_a_date_or_not_at_all() -> None:
    async with emulated() as client:
        arm(client, FaultKind.RATE_LIMITED, retry_after_s=17)
        reply = await client.call("GET", ONE)
        assert (reply.status, reply.headers["Retry-After"]) == (429, "17")
        arm(client, FaultKind.RATE_LIMITED, retry_after_s=17, retry_after_as_date=True)
        reply = await client.call("GET", ONE)
        until = parsedate_to_datetime(reply.headers["Retry-After"]).timestamp()
        assert until - client.clock.now() == 17
        arm(client, FaultKind.RATE_LIMITED, retry_after_s=None)
        assert "Retry-After" not in (await client.call("GET", ONE)).headers


@pytest.mark.parametrize(
    ("side", "read", "write"), [("reads", 429, 200), ("writes", 200, 429), ("all", 429, 429)]
)
async def test_a_fault_can_be_limited_to_reads_or_writes(side: str, read: int, write: int) -> None:
    async with emulated() as client:
        arm(client, FaultKind.RATE_LIMITED, applies_to=side)
        assert (await client.call("GET", ONE)).status == read
        assert (await client.scale(3)).status == write


async def test_a_server_error_may_come_before_or_after_the_effect() -> None:
    async with emulated() as client:
        arm(client, FaultKind.SERVER_ERROR, status=502, applies_to="writes")
        assert (await client.scale(3)).status == 502
        assert await client.shown() == ("ready", 2)
        arm(client, FaultKind.SERVER_ERROR, applies_to="writes", after_effect=True)
        assert (await client.scale(3)).status == 503
        assert await client.shown() == ("scaling", 3)


async def test_a_hang_lasts_until_the_client_goes() -> None:
    async with emulated() as client:
        arm(client, FaultKind.HANG)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await raw(client)
        client.server.faults.clear()
        assert await client.shown() == ("ready", 2)


async def test_a_hang_does_not_keep_the_server_from_ending() -> None:
    async with emulated() as client:
        arm(client, FaultKind.HANG)
        hanging = asyncio.create_task(raw(client))
        await asyncio.sleep(0.05)
        start = time.monotonic()
    assert time.monotonic() - start < 2
    with pytest.raises(aiohttp.ClientError):
        await hanging


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_dropped_connection_has_no_answer(after_effect: bool) -> None:
    async with emulated() as client:
        arm(client, FaultKind.DROP, applies_to="writes", after_effect=after_effect)
        with pytest.raises(aiohttp.ClientError):
            await client.scale(3)
        assert (await client.shown())[1] == (3 if after_effect else 2)


async def test_truncated_json_is_half_of_the_answer() -> None:
    async with emulated() as client:
        whole = (await raw(client))[1]
        arm(client, FaultKind.TRUNCATED_JSON)
        status, body = await raw(client)
        assert (status, body) == (200, whole[: len(whole) // 2])
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


async def test_garbage_is_neither_json_nor_text() -> None:
    async with emulated() as client:
        arm(client, FaultKind.GARBAGE)
        status, body = await raw(client)
        assert status == 200
        with pytest.raises(UnicodeDecodeError):
            body.decode()


async def test_a_huge_body_is_as_huge_as_asked_and_a_client_may_leave_it() -> None:
    async with emulated() as client:
        small = json.loads((await raw(client))[1])
        arm(client, FaultKind.HUGE_BODY, body_bytes=3_000_000)
        _, body = await raw(client)
        assert len(body) > 3_000_000
        assert json.loads(body) == small
        arm(client, FaultKind.HUGE_BODY, body_bytes=1 << 30)
        async with client.session.get(client.server.url + "/v2/zone") as reply:
            await reply.content.readexactly(100_000)
            reply.close()
        client.server.faults.clear()
        assert await client.shown() == ("ready", 2)


async def test_an_ignored_write_is_answered_like_any_other_and_nothing_happens() -> None:
    async with emulated() as client:
        arm(client, FaultKind.ACCEPT_AND_IGNORE)
        reply = await client.scale(5)
        assert (reply.status, reply.body["state"]) == (200, "pending")
        assert await client.shown() == ("ready", 2)
        hands(client).pass_s(3)
        body = await client.get(f"/v2/operation/{reply.body['id']}")
        assert body["state"] == "success"
        hands(client).pass_s(1000)
        assert await client.shown() == ("ready", 2)


async def test_stale_reads_lag_and_never_go_back_in_time() -> None:
    async with emulated() as client:
        await client.scale(3)
        assert await client.shown() == ("scaling", 3)
        arm(client, FaultKind.STALE_READS, lag_s=60)
        assert await client.shown() == ("scaling", 3)  # not back before what was shown
        hands(client).pass_s(110)
        assert await client.shown() == ("scaling", 3)  # as of 50 s: true now is ready
        hands(client).pass_s(60)
        assert await client.shown() == ("ready", 3)
        await client.scale(1)
        hands(client).pass_s(59)
        assert await client.shown() == ("ready", 3)
        listed = (await client.get("/v2/ai/deployment"))["deployments"][0]
        assert (listed["state"], listed["replicas"]) == ("ready", 3)
        hands(client).pass_s(1)
        assert await client.shown() == ("scaling", 1)


async def test_operations_are_read_late_too() -> None:
    async with emulated() as client:
        arm(client, FaultKind.STALE_READS, lag_s=60)
        reply = await client.scale(3)
        path = f"/v2/operation/{reply.body['id']}"
        hands(client).pass_s(62)
        assert (await client.get(path))["state"] == "pending"
        hands(client).pass_s(1)
        assert (await client.get(path))["state"] == "success"


async def test_a_fault_can_be_limited_to_a_path_and_to_the_next_requests() -> None:
    async with emulated() as client:
        arm(client, FaultKind.SERVER_ERROR, path_prefix="/v2/ai/deployment/", requests=2)
        assert (await raw(client))[0] == 200
        assert [(await client.call("GET", ONE)).status for _ in range(3)] == [503, 503, 200]
        assert client.server.faults.active == ()


async def test_a_fault_by_chance_is_the_same_for_the_same_seed() -> None:
    def hits(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault(kind=FaultKind.SERVER_ERROR, probability=0.3))
        return [bool(faults.strike("GET", "/v2/x")) for _ in range(500)]

    assert hits(1) == hits(1)
    assert hits(1) != hits(2)
    assert 100 < sum(hits(1)) < 200


async def test_faults_are_switched_over_http_and_do_not_touch_the_switches() -> None:
    async with emulated() as client:
        put = await client.control("PUT", "/faults", {"faults": [{"kind": "drop"}]})
        assert put.status == 200
        assert put.body["faults"][0]["kind"] == "drop"
        with pytest.raises(aiohttp.ClientError):
            await raw(client)
        assert len((await client.control("GET", "/faults")).body["faults"]) == 1
        assert (await client.control("DELETE", "/faults")).body == {"faults": []}
        assert (await raw(client))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"faults": [{"kind": "sabotage"}]},
        {"faults": [{"kind": "drop", "often": True}]},
        {"faults": [{"kind": "drop", "probability": 1.5}]},
        {"faults": [{"kind": "drop"}] * 101},
        b"{",
    ],
)
async def test_malformed_faults_are_refused_and_the_old_ones_stay(body: Any) -> None:
    async with emulated() as client:
        arm(client, FaultKind.LATENCY, latency_s=0)
        assert (await client.control("PUT", "/faults", body)).status == 400
        assert [fault.kind for fault in client.server.faults.active] == [FaultKind.LATENCY]


async def test_two_faults_act_together() -> None:
    async with emulated() as client:
        client.server.faults.add(Fault(kind=FaultKind.LATENCY, latency_s=10))
        client.server.faults.add(Fault(kind=FaultKind.RATE_LIMITED))
        start = time.monotonic()
        assert (await client.call("GET", ONE)).status == 429
        assert time.monotonic() - start >= 0.1
        assert client.server.world.status(ID).replicas_set == 2
