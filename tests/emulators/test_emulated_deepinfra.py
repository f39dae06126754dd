"""The DeepInfra emulator behaves as DeepInfra's pages say, seen through real HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autoscaler.emulators.deepinfra import LEGACY_ID, DeepInfraEmulator, DeepInfraSettings
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.emulators.fleet import EmulatedFleet, FleetError
from autoscaler.emulators.server import EmulatorServer
from autoscaler.world.gateway import Gateway, Request
from tests.emulators.client import HandClock
from tests.emulators.deepinfra_client import ASLEEP, CHAT, FLEET, ID, NEW, ONE, emulated

SLEEPER = f"/deploy/{ASLEEP.deployment_id}"


# --- reading --------------------------------------------------------------------------------------


async def test_the_list_is_a_bare_array_of_dedicated_deployments_and_a_legacy_one() -> None:
    async with emulated() as client:
        bodies = {body["deploy_id"]: body for body in await client.get("/deploy/list")}
        assert set(bodies) == {LEGACY_ID, ID, ASLEEP.deployment_id}
        assert bodies[ID] == await client.get()
        assert bodies[ID]["settings"] == {"min_instances": 1, "max_instances": 4}
        assert bodies[ID]["instances"] == {"running": 2, "pending": 0}
        config = bodies[ID]["config"]
        assert (config["gpu"], config["num_gpus"], config["max_batch_size"]) == ("H100-80GB", 2, 10)
        legacy = bodies[LEGACY_ID]
        assert [legacy[key] for key in ("instances", "config", "settings")] == [None] * 3
        assert (legacy["type"], bodies[ID]["type"], legacy["status"]) == ("legacy", "llm", "deployed")
        assert await client.get("/deploy/list/") == await client.get("/deploy/list")


async def test_the_list_can_be_limited_to_statuses() -> None:
    async with emulated() as client:

        async def ids(status: str) -> list[str]:
            return [body["deploy_id"] for body in await client.get(f"/deploy/list?status={status}")]

        assert await ids("running,deploying") == [ID]
        assert await ids("stopped") == [ASLEEP.deployment_id]
        assert await ids("failed") == []
        refused = await client.call("GET", "/deploy/list?status=melting")
        assert (refused.status, set(refused.body)) == (400, {"error"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "di-emulator-not-real"},
        {"Authorization": "Basic di-emulator-not-real"},
        {"x-api-key": "wrong"},
    ],
)
async def test_without_the_token_nothing_is_answered(headers: dict[str, str]) -> None:
    async with emulated() as client:
        for method, path in (("GET", "/deploy/list"), ("PUT", ONE), ("GET", "/deploy/llm/gpu_availability")):
            reply = await client.call(method, path, None, headers)
            assert (reply.status, set(reply.body)) == (401, {"error"})
        client.vendor.use(DeepInfraSettings(refusal_status=403))
        assert (await client.call("GET", ONE, None, headers)).status == 403


async def test_the_token_is_taken_from_three_headers() -> None:
    async with emulated() as client:
        token = client.vendor.credentials()["api_token"]
        for headers in (
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"bearer {token}"},
            {"x-api-key": token},
            {"xi-api-key": token},
        ):
            assert (await client.call("GET", ONE, None, headers)).status == 200


async def test_unknown_deployments_and_paths_are_errors_in_deepinfras_words() -> None:
    async with emulated() as client:
        for status, reply in (
            (404, await client.call("GET", "/deploy/nowhere")),
            (404, await client.put({"max_instances": 1}, "/deploy/nowhere")),
            (404, await client.call("POST", "/deploy/nowhere/stop")),
            (404, await client.call("DELETE", "/deploy/nowhere")),
            (404, await client.call("GET", "/deploy/nowhere/stats?from=now-5m")),
            (404, await client.call("GET", "/v1/deployment_logs/query?deploy_id=nowhere")),
            (404, await client.call("GET", "/v1/nothing")),
            (405, await client.call("PATCH", ONE, {})),
        ):
            assert (reply.status, set(reply.body)) == (status, {"error"})


# --- bounds ---------------------------------------------------------------------------------------


async def test_a_put_answers_with_the_id_only_and_instances_start_as_pending() -> None:
    async with emulated() as client:
        await client.bound(3, 5)
        assert await client.shown() == ("running", 2, 1)
        assert (await client.get())["settings"] == {"min_instances": 3, "max_instances": 5}
        client.pass_s(100)
        assert await client.shown() == ("running", 3, 0)


@pytest.mark.parametrize(
    ("sent", "kept"), [({"max_instances": 6}, (1, 6)), ({}, (1, 1)), ({"min_instances": 1}, (1, 1))]
)
async def test_a_bound_that_is_left_out_becomes_one(sent: dict[str, int], kept: tuple[int, int]) -> None:
    async with emulated() as client:
        await client.bound(3, 3)
        assert (await client.put(sent)).status == 200
        assert (await client.get())["settings"] == {"min_instances": kept[0], "max_instances": kept[1]}


async def test_a_lowered_maximum_is_obeyed_at_once_and_a_lowered_minimum_after_a_while() -> None:
    async with emulated() as client:
        await client.bound(4, 4)
        client.pass_s(100)
        await client.bound(1, 4)
        client.pass_s(300)
        assert await client.shown() == ("running", 4, 0)
        await client.bound(1, 2)
        assert await client.shown() == ("running", 2, 0)
        client.pass_s(620)
        assert await client.shown() == ("running", 1, 0)


async def test_deepinfra_scales_by_demand_inside_the_bounds() -> None:
    async with emulated() as client:
        await client.bound(1, 4)
        await client.load(running=1000)
        client.pass_s(10)
        assert await client.shown() == ("running", 2, 2)
        client.pass_s(100)
        assert await client.shown() == ("running", 4, 0)
        await client.load()
        client.pass_s(2000)
        assert await client.shown() == ("running", 1, 0)


async def test_what_the_stock_does_not_hold_waits_as_pending() -> None:
    async with emulated() as client:
        await client.control("POST", "/stock", {"gpu_type": "H100-80GB", "gpus": 6})
        await client.bound(4, 4)
        assert await client.shown() == ("running", 2, 2)
        client.pass_s(1000)
        assert await client.shown() == ("running", 3, 1)
        world = (await client.control("GET", "/world")).body["deployments"][0]
        assert (world["pending"], world["bounds"], world["state"]) == (1, [4, 4], "running")
        await client.control("POST", "/stock", {"gpu_type": "H100-80GB", "gpus": None})
        client.pass_s(200)
        assert await client.shown() == ("running", 4, 0)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", ["body"]),
        (b"{", ["body"]),
        (b"[]", ["body"]),
        (b"{}", ["body", "settings"]),
        (b'{"settings": null}', ["body", "settings"]),
        (b'{"settings": {"min_instances": null}}', ["body", "settings", "min_instances"]),
        (b'{"settings": {"max_instances": 1.5}}', ["body", "settings", "max_instances"]),
    ],
)
async def test_a_body_that_does_not_fit_the_schema_is_422_with_details(body: bytes, place: list[str]) -> None:
    async with emulated() as client:
        before = await client.get()
        reply = await client.call("PUT", ONE, body)
        assert reply.status == 422
        assert [one["loc"] for one in reply.body["detail"]] == [place]
        assert {"loc", "msg", "type"} <= set(reply.body["detail"][0])
        assert await client.get() == before


@pytest.mark.parametrize("bounds", [(3, 2), (-1, 2), (0, 2), (0, 0), (1, 10_001)])
async def test_bounds_that_are_none_are_400_and_change_nothing(bounds: tuple[int, int]) -> None:
    async with emulated() as client:
        before = await client.get()
        reply = await client.put({"min_instances": bounds[0], "max_instances": bounds[1]})
        assert (reply.status, set(reply.body)) == (400, {"error"})
        assert await client.get() == before


async def test_zero_can_be_accepted_as_minimum_and_as_maximum() -> None:
    async with emulated() as client:
        settings = {"accepts_minimum_zero": True}
        assert (await client.control("PUT", "/deepinfra/settings", settings)).status == 200
        await client.bound(0, 2)
        client.pass_s(700)
        assert await client.shown() == ("running", 0, 0)
        assert (await client.put({"min_instances": 0, "max_instances": 0})).status == 400
        client.vendor.use(DeepInfraSettings(accepts_maximum_zero=True))
        await client.bound(0, 0)
        assert await client.shown() == ("running", 0, 0)


async def test_arguments_are_replaced_only_where_they_are_sent() -> None:
    async with emulated() as client:
        await client.put({}, standard_args={"a": 1, "b": 2}, extra_args=["--x"])
        await client.put({"max_instances": 2})
        body = await client.get()
        assert (body["standard_args"], body["extra_args"]) == ({"a": 1, "b": 2}, ["--x"])
        await client.put({}, standard_args={"c": 3}, extra_args=None)
        body = await client.get()
        assert (body["standard_args"], body["extra_args"]) == ({"c": 3}, None)


async def test_a_legacy_entry_is_never_changed_and_attempts_are_counted() -> None:
    async with emulated() as client:
        path = f"/deploy/{LEGACY_ID}"
        before = await client.get(path)
        for reply in (
            await client.put({"min_instances": 1, "max_instances": 1}, path),
            await client.call("POST", f"{path}/stop"),
            await client.call("POST", f"{path}/start"),
            await client.call("DELETE", path),
        ):
            assert (reply.status, set(reply.body)) == (400, {"error"})
        assert client.vendor.legacy_writes == 4
        assert await client.get(path) == before
        assert (await client.get(f"{path}/stats?from=now-5m"))["requests"] == 0


# --- life -----------------------------------------------------------------------------------------


async def test_stop_ends_all_instances_and_start_brings_the_minimum_back() -> None:
    async with emulated() as client:
        await client.bound(2, 3)
        assert (await client.call("POST", f"{ONE}/stop")).body == {"deploy_id": ID}
        assert await client.shown() == ("stopped", 0, 0)
        client.pass_s(3600)
        await client.bound(3, 3)
        assert await client.shown() == ("stopped", 0, 0)
        assert (await client.call("POST", f"{ONE}/start")).status == 200
        assert await client.shown() == ("deploying", 0, 3)
        client.pass_s(100)
        assert await client.shown() == ("running", 3, 0)


async def test_a_deployment_of_the_fleet_without_replicas_is_stopped_until_it_is_started() -> None:
    async with emulated() as client:
        assert await client.shown(SLEEPER) == ("stopped", 0, 0)
        await client.call("POST", f"{SLEEPER}/start")
        assert await client.shown(SLEEPER) == ("deploying", 0, 1)
        client.pass_s(50)
        assert await client.shown(SLEEPER) == ("running", 1, 0)


async def test_stopping_and_starting_twice_is_taken_or_refused_as_the_settings_say() -> None:
    async with emulated() as client:
        assert (await client.call("POST", f"{ONE}/start")).status == 200
        assert (await client.call("POST", f"{SLEEPER}/stop")).status == 200
        client.vendor.use(DeepInfraSettings(refuses_repeats=True))
        assert (await client.call("POST", f"{ONE}/start")).status == 400
        assert (await client.call("POST", f"{SLEEPER}/stop")).status == 400
        assert await client.shown() == ("running", 2, 0)


async def test_a_new_deployment_goes_through_all_its_statuses() -> None:
    async with emulated() as client:
        reply = await client.call("POST", "/deploy/llm", {**NEW, "settings": {"min_instances": 2}})
        assert reply.status == 400  # the maximum is 1 when left out
        wanted = {**NEW, "settings": {"min_instances": 2, "max_instances": 2}}
        made = (await client.call("POST", "/deploy/llm", wanted)).body
        path = f"/deploy/{made['deploy_id']}"
        assert made["config"]["weights"] == {"repo": "a/b", "revision": None, "token": "hf_x"}
        seen = [made["status"]]
        for seconds in (5, 60, 100_000):
            client.pass_s(seconds)
            seen.append((await client.get(path))["status"])
        assert seen == ["initializing", "downloading", "deploying", "running"]
        assert await client.shown(path) == ("running", 2, 0)
        assert made["created_at"] == (await client.get(path))["created_at"]


@pytest.mark.parametrize("after_s", [1, 10])  # while initializing, while downloading
async def test_a_new_deployment_that_is_stopped_does_not_start_by_itself(after_s: float) -> None:
    async with emulated() as client:
        path = f"/deploy/{(await client.call('POST', '/deploy/llm', NEW)).body['deploy_id']}"
        client.pass_s(after_s)
        await client.call("POST", f"{path}/stop")
        client.pass_s(10_000)
        assert await client.shown(path) == ("stopped", 0, 0)


async def test_what_cannot_be_made_is_refused_in_one_shape() -> None:
    async with emulated() as client:

        async def status(**changes: Any) -> int:
            reply = await client.call("POST", "/deploy/llm", {**NEW, **changes})
            assert set(reply.body) == {"error"}
            return reply.status

        assert await status(gpu="gpua5000") == 422
        assert await status(num_gpus=9) == 422
        assert await status(max_batch_size=257) == 422
        assert await status(model_name="emulated/chat") == 409
        assert (await client.call("POST", "/deploy/llm", b"{")).body.keys() == {"error"}
        client.vendor.use(DeepInfraSettings(has_funds=False))
        assert await status() == 402
        assert len(await client.get("/deploy/list")) == 3


async def test_a_deleted_deployment_is_shown_as_such_or_not_at_all() -> None:
    async with emulated() as client:
        assert (await client.call("DELETE", ONE)).body == {"deploy_id": ID}
        assert await client.shown() == ("deleted", 0, 0)
        assert [one["deploy_id"] for one in await client.get("/deploy/list?status=deleted")] == [ID]
        assert (await client.put({"max_instances": 1})).status == 404
        for path in (f"{ONE}/stats", f"{ONE}/stats2"):
            gone = await client.call("GET", f"{path}?from=now-5m")
            assert (gone.status, set(gone.body)) == (410, {"error"})
        client.vendor.use(DeepInfraSettings(keeps_deleted=False))
        assert (await client.call("GET", ONE)).status == 404
        assert ID not in [one["deploy_id"] for one in await client.get("/deploy/list")]
        client.pass_s(100)
        assert len((await client.control("GET", "/world")).body["deployments"]) == 1


async def test_failed_start_ups_show_as_failed_with_the_reason() -> None:
    async with emulated() as client:
        await client.control("POST", f"/deployments/{ASLEEP.deployment_id}/start-ups", {"fail_next": 1})
        await client.call("POST", f"{SLEEPER}/start")
        client.pass_s(50)
        body = await client.get(SLEEPER)
        assert (body["status"], body["instances"]["pending"]) == ("failed", 1)
        assert "CUDA out of memory" in body["fail_reason"]
        logs = await client.get(f"/v1/deployment_logs/query?deploy_id={ASLEEP.deployment_id}&limit=1")
        ((at, line),) = logs["entries"][f"{ASLEEP.deployment_id}-0"]
        assert float(at) == pytest.approx(client.clock.now())
        assert "OutOfMemory" in line
        client.pass_s(50)
        assert await client.shown(SLEEPER) == ("running", 1, 0)
        assert (await client.get(SLEEPER))["fail_reason"] == ""


async def test_any_word_can_be_shown_and_taken_back() -> None:
    async with emulated() as client:
        await client.control("POST", f"/deployments/{ID}/state", {"word": "melting", "details": "by hand"})
        body = await client.get()
        assert (body["status"], body["fail_reason"]) == ("melting", "by hand")
        await client.control("POST", f"/deployments/{ID}/state", {"word": None})
        assert await client.shown() == ("running", 2, 0)


# --- faults ---------------------------------------------------------------------------------------


async def test_stale_reads_show_bounds_instances_prices_and_figures_of_the_past() -> None:
    async with emulated() as client:
        client.pass_s(700)
        await client.bound(3, 3)
        client.vendor.set_price("H100-80GB", 9.0)
        await client.load(requests_per_s=2, service_s=3)
        client.pass_s(30)
        client.server.faults.add(Fault(kind=FaultKind.STALE_READS, lag_s=60))
        body = await client.get()
        assert body["settings"] == {"min_instances": 1, "max_instances": 4}
        assert body["instances"] == {"running": 1, "pending": 0}
        assert (await client.get("/deploy/llm/gpu_availability"))["gpus"][12]["usd_per_hour"] == 2.20
        assert (await client.get(f"{ONE}/stats?from=now-5m"))["requests"] == 0
        client.pass_s(40)
        body = await client.get()
        assert body["settings"] == {"min_instances": 3, "max_instances": 3}
        assert body["instances"] == {"running": 1, "pending": 2}


async def test_a_write_that_is_taken_and_ignored_changes_nothing() -> None:
    async with emulated() as client:
        before = await client.get()
        client.server.faults.add(Fault(kind=FaultKind.ACCEPT_AND_IGNORE))
        await client.bound(4, 4)
        assert (await client.call("POST", f"{ONE}/stop")).status == 200
        assert (await client.call("DELETE", ONE)).status == 200
        assert (await client.call("POST", f"{SLEEPER}/start")).status == 200
        made = await client.call("POST", "/deploy/llm", NEW)
        assert (made.status, made.body["status"]) == (200, "initializing")
        client.server.faults.clear()
        assert await client.get() == before
        assert await client.shown(SLEEPER) == ("stopped", 0, 0)
        assert (await client.call("GET", f"/deploy/{made.body['deploy_id']}")).status == 404


async def test_a_rate_limit_is_answered_in_deepinfras_words() -> None:
    async with emulated() as client:
        client.server.faults.add(Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=7))
        reply = await client.call("GET", ONE)
        assert (reply.status, reply.headers["Retry-After"], set(reply.body)) == (429, "7", {"error"})


# --- prices and stock -----------------------------------------------------------------------------


async def rows(client: Any, query: str = "") -> dict[str, dict[str, Any]]:
    body = await client.get(f"/deploy/llm/gpu_availability{query}")
    return {row["gpu_config"]: row for row in body["gpus"]}


async def test_prices_are_per_hour_of_the_whole_configuration() -> None:
    async with emulated() as client:
        found = await rows(client)
        assert len(found) == 8 * 4
        assert found["1xA100-80GB"]["usd_per_hour"] == 0.89
        assert found["2xH100-80GB"]["usd_per_hour"] == 4.40
        assert found["8xB200-180GB"]["usd_per_hour"] == 29.52
        assert not any(row["recommended"] for row in found.values())
        recommended = [row for row in (await rows(client, "?base_model=a/b")).values() if row["recommended"]]
        assert len(recommended) == 1


async def test_what_is_available_follows_the_stock_and_can_be_said_otherwise() -> None:
    async with emulated() as client:
        client.server.world.set_stock("H100-80GB", 4 + 2)
        found = await rows(client)
        assert [found[f"{n}xH100-80GB"]["available"] for n in (1, 2, 4)] == [True, True, False]
        assert found["8xL40S-48GB"]["available"]
        client.vendor.use(DeepInfraSettings(available={"1xL4-24GB": False, "4xH100-80GB": True}))
        found = await rows(client)
        assert (found["1xL4-24GB"]["available"], found["4xH100-80GB"]["available"]) == (False, True)


async def test_a_price_that_changes_is_shown_and_billed() -> None:
    async with emulated() as client:
        await client.bound(1, 1)

        async def an_hour() -> float:
            before = client.server.world.billed_usd()
            client.pass_s(3600)
            await client.get()
            return client.server.world.billed_usd() - before

        assert await an_hour() == pytest.approx(4.4)
        for body in (
            {"gpu": "H100-80GB", "usd_per_gpu_hour": 3.0},
            {"gpu_config": "4xH100-80GB", "usd_per_hour": 10.0},
        ):
            assert (await client.control("POST", "/deepinfra/prices", body)).status == 200
        found = await rows(client)
        assert [found[f"{n}xH100-80GB"]["usd_per_hour"] for n in (1, 2, 4, 8)] == [3.0, 6.0, 10.0, 24.0]
        assert await an_hour() == pytest.approx(6.0)
        client.vendor.set_configuration_price("2xH100-80GB", 1.0)
        assert await an_hour() == pytest.approx(1.0)
        client.vendor.set_price("H100-80GB", 2.0)
        assert (await rows(client))["2xH100-80GB"]["usd_per_hour"] == 4.0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"gpu": "H100-80GB"},
        {"gpu": "H100-80GB", "usd_per_gpu_hour": -1},
        {"gpu_config": "H100-80GB", "usd_per_hour": 1},
        {"gpu": "x", "usd_per_gpu_hour": 1, "more": 2},
    ],
)
async def test_a_malformed_price_is_refused(body: dict[str, Any]) -> None:
    async with emulated() as client:
        reply = await client.control("POST", "/deepinfra/prices", body)
        assert (reply.status, set(reply.body)) == (400, {"error"})


async def test_a_type_that_is_new_is_listed_once_it_has_a_price() -> None:
    async with emulated() as client:
        client.vendor.set_price("RUBIN-288GB", 12.5)
        assert (await rows(client))["8xRUBIN-288GB"]["usd_per_hour"] == 100.0


# --- statistics -----------------------------------------------------------------------------------


async def test_statistics_are_of_the_window_and_in_deepinfras_units() -> None:
    async with emulated() as client:
        await client.bound(2, 2)
        await client.load(requests_per_s=2, service_s=3)
        client.pass_s(300)
        await client.load()
        start = client.clock.now() - 300
        client.pass_s(300)
        body = await client.get(f"{ONE}/stats?from=now-10m")
        assert (body["requests"], body["total_time"]) == (600, 1800)
        assert (body["avg_time"], body["avg95_time"]) == (pytest.approx(3000), pytest.approx(6000))
        assert (body["input_tokens"], body["total_tokens"]) == (600 * 600, 600 * 850)
        assert body["total_amount"] == round(100 * 8.8 * 600 / 3600)  # cents
        assert (await client.get(f"{ONE}/stats?from=now-5m"))["requests"] == 0
        assert (await client.get(f"{ONE}/stats?from={start}&to={start + 100}"))["requests"] == 200
        llm = (await client.get(f"{ONE}/stats2?from=now-1h&to=now-5m"))["llm"]
        assert (llm["requests"], llm["avg_ttft_ms"]) == (600, pytest.approx(300))
        totals = {one["model_name"]: one["requests"] for one in await client.get("/deploy/stats?from=now-1d")}
        assert totals == {"emulated/chat": 600, "emulated/asleep": 0}


async def test_statistics_count_what_a_gateway_serves() -> None:
    clock = HandClock()
    world = FLEET.build(clock.now())
    arrivals = [[Request(clock.now() + second, 5.0) for second in range(100)]]
    Gateway(world, "chat", [ID], arrivals=arrivals)
    async with emulated(world=world, clock=clock) as client:
        client.pass_s(120)
        body = await client.get(f"{ONE}/stats?from=now-5m")
        assert (body["requests"], body["total_time"]) == (100, 500)


async def test_figures_can_come_late() -> None:
    async with emulated(settings=DeepInfraSettings(statistics_delay_s=60)) as client:
        await client.load(requests_per_s=1, service_s=1)
        client.pass_s(100)
        assert (await client.get(f"{ONE}/stats?from=now-5m"))["requests"] == 40


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (f"{ONE}/stats", "from"),
        (f"{ONE}/stats2?from=yesterday", "from"),
        (f"{ONE}/stats?from=now-5y", "from"),
        (f"{ONE}/stats?from=nan", "from"),
        (f"{ONE}/stats?from=now-5m&to=later", "to"),
        (f"{ONE}/stats?from=now&to=now-5m", "from"),
        ("/deploy/stats", "from"),
        ("/payment/usage/rent?from=1.5", "from"),
        ("/v1/deployment_logs/query", "deploy_id"),
        (f"/v1/deployment_logs/query?deploy_id={ID}&limit=0", "limit"),
        (f"/v1/deployment_logs/query?deploy_id={ID}&limit=1001", "limit"),
        (f"/v1/deployment_logs/query?deploy_id={ID}&from=now-5m", "from"),
        ("/deploy/llm/suggest_name", "model_name"),
    ],
)
async def test_malformed_queries_are_422_and_name_the_argument(path: str, place: str) -> None:
    async with emulated() as client:
        reply = await client.call("GET", path)
        assert reply.status == 422
        assert [one["loc"] for one in reply.body["detail"]] == [["query", place]]


async def test_logs_of_more_than_a_month_are_refused_and_a_pod_can_be_chosen() -> None:
    async with emulated() as client:
        now = client.clock.now()
        query = f"/v1/deployment_logs/query?deploy_id={ID}"
        assert (await client.call("GET", f"{query}&from={now - 40 * 86400}")).status == 400
        assert (await client.call("GET", f"{query}&from={now}&to={now - 1}")).status == 400
        await client.bound(4, 4)
        client.pass_s(100)
        await client.get()
        assert set((await client.get(query))["entries"]) == {f"{ID}-2", f"{ID}-3"}
        assert set((await client.get(f"{query}&pod_name={ID}-3"))["entries"]) == {f"{ID}-3"}
        assert (await client.get(f"{query}&to={now - 1}"))["entries"] == {}


@pytest.mark.parametrize(("goes_on", "rent_s"), [(False, 1000), (True, 1000 + 500)])
async def test_the_rent_meter_counts_instances_and_stopped_ones_where_told(
    goes_on: bool, rent_s: int
) -> None:
    async with emulated(settings=DeepInfraSettings(rent_goes_on_while_stopped=goes_on)) as client:
        start = int(client.clock.now())
        await client.bound(1, 4)
        client.pass_s(500)
        await client.call("POST", f"{ONE}/stop")
        client.pass_s(500)
        meter = (await client.get(f"/payment/usage/rent?from={start}"))["id_to_duration"]
        assert meter[ID] == rent_s
        # What the fleet began as stopped holds its minimum of 1 from the start.
        assert meter.get(ASLEEP.deployment_id, 0) == (1000 if goes_on else 0)
        later = await client.get(f"/payment/usage/rent?from={start + 500}&to={start + 1000}")
        assert later["id_to_duration"].get(ID, 0) == (500 if goes_on else 0)


async def test_totals_older_than_a_day_are_kept_by_the_hour() -> None:
    async with emulated() as client:
        start = int(client.clock.now())
        await client.bound(2, 2)
        client.pass_s(2 * 86400)
        meter = await client.get(f"/payment/usage/rent?from={start}&to={start + 86400}")
        assert meter["id_to_duration"][ID] == pytest.approx(2 * 86400, abs=2 * 3600)


async def test_limits_and_a_name_are_told() -> None:
    async with emulated() as client:
        assert (await client.get("/v1/me/gpu_limit"))["limits"]["H100-80GB"] == 64
        assert (await client.get("/v1/me/rate_limit"))["rate_limit"] > 0
        name = "/deploy/llm/suggest_name?model_name="
        assert await client.get(f"{name}Qwen/Qwen3-32B") == {"model_name": "emulated/Qwen3-32B"}
        assert await client.get(f"{name}x/chat") == {"model_name": "emulated/chat-2"}


# --- fleets and switches --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gpu_type": "gpua5000"}, "gpu_type 'gpua5000' is none of DeepInfra's: L4-24GB, L40S-48GB"),
        ({"id": "a/b"}, "id must be 1 to 64"),
        ({"concurrency": 257}, "concurrency 257 is above 256"),
        ({"options": {"min_instance": 1}}, "options.min_instance: .*; there are min_instances"),
        ({"options": {"min_instances": -1}}, "options.min_instances"),
        ({"options": {"min_instances": 3, "max_instances": 2}}, "min_instances 3 is above max_instances 2"),
    ],
)
def test_a_fleet_that_deepinfra_could_not_have_is_refused_by_name(changes: dict[str, Any], says: str) -> None:
    fleet = EmulatedFleet(deployments=(CHAT.model_copy(update=changes),))
    with pytest.raises(FleetError, match=f"deployment 'chat': {says}"):
        DeepInfraEmulator(fleet)


def test_two_prices_of_one_type_are_refused_and_one_is_published_and_billed() -> None:
    def fleet(*prices: float) -> EmulatedFleet:
        return EmulatedFleet(
            deployments=tuple(
                type(CHAT)(vendor="deepinfra", name=f"d{index}", gpu_type="H100-80GB", usd_per_gpu_hour=price)
                for index, price in enumerate(prices)
            )
        )

    with pytest.raises(FleetError, match=r"usd_per_gpu_hour 3, but another of type 'H100-80GB' has 2"):
        DeepInfraEmulator(fleet(2.0, 3.0))
    vendor = DeepInfraEmulator(fleet(1.5), clock=HandClock())
    start = vendor.world.now
    vendor.world.advance(start + 3600)
    assert vendor.world.billed_usd() == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"running": 3}, 200),
        ({}, 200),
        ({"running": -1}, 400),
        ({"runing": 1}, 400),
        ({"service_s": "x"}, 400),
    ],
)
async def test_demand_can_be_laid_down_over_http(body: dict[str, Any], status: int) -> None:
    async with emulated() as client:
        reply = await client.control("POST", f"/deployments/{ID}/load", body)
        assert reply.status == status
        assert (await client.control("POST", f"/deployments/{LEGACY_ID}/load", {})).status == 404


async def test_settings_are_shown_and_replaced_as_a_whole() -> None:
    async with emulated() as client:
        path = "/deepinfra/settings"
        shown = (await client.control("GET", path)).body
        assert DeepInfraSettings.model_validate(shown) == DeepInfraSettings()
        client.pass_s(700)
        assert (await client.control("PUT", path, {"scale_down_delay_s": 20})).status == 200
        await client.load(running=15)
        client.pass_s(200)
        assert await client.shown() == ("running", 2, 0)
        await client.load()
        client.pass_s(100)
        assert await client.shown() == ("running", 1, 0)
        assert (await client.control("PUT", path, {"scale_down_delay": 20})).status == 400


def test_every_setting_is_explained_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "emulators.md").read_text(encoding="utf-8")
    section = page.split("## DeepInfra\n")[1].split("\n## ")[0]
    for name, field in DeepInfraSettings.model_fields.items():
        if name in ("refusal_status", "available"):  # whose defaults are told in words
            assert f"`{name}`" in section
            continue
        default = json.dumps(field.default).removesuffix(".0")
        assert f"`{name}` ({default})" in section, name


async def test_two_emulators_of_one_seed_make_the_same_ids() -> None:
    made = []
    for _ in range(2):
        async with emulated() as client:
            made.append((await client.call("POST", "/deploy/llm", NEW)).body["deploy_id"])
    assert made[0] == made[1]


async def test_several_vendors_share_one_world() -> None:
    clock = HandClock()
    world = FLEET.build(clock.now())
    vendor = DeepInfraEmulator(FLEET, world=world, clock=clock)
    async with EmulatorServer(vendor) as server:
        assert server.world is world
        assert vendor.ids(ID) == {"id": ID}
        assert vendor.facts("not-ours") is None
        with pytest.raises(KeyError):
            vendor.ids("not-ours")
