"""The Baseten emulator behaves as Baseten's pages and client say, seen through real HTTP."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.emulators.baseten import Answer, BasetenEmulator, BasetenSettings
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet, FleetError
from tests.emulators.baseten_client import (
    CHAIN,
    CHAINLETS,
    CHAT,
    DEV,
    EMBED,
    ENVIRONMENT,
    FLEET,
    LLM,
    MODEL,
    ONE,
    OTHER,
    SIDE,
    START,
    Client,
    deployment,
    emulated,
)
from tests.emulators.client import HandClock

DEPLOYMENT = {
    "id", "created_at", "name", "model_id", "is_production", "is_development", "status",
    "active_replica_count", "autoscaling_settings", "instance_type_name", "environment", "labels", "region",
    "request_backpressure_settings",
}  # fmt: skip
WORDS = {
    "BUILDING", "DEPLOYING", "DEPLOY_FAILED", "LOADING_MODEL", "ACTIVE", "UNHEALTHY", "BUILD_FAILED",
    "BUILD_STOPPED", "DEACTIVATING", "INACTIVE", "FAILED", "UPDATING", "SCALED_TO_ZERO", "WAKING_UP",
}  # fmt: skip


# --- reading ----------------------------------------------------------------------------------------


async def test_a_deployment_has_the_fields_of_the_page() -> None:
    async with emulated() as client:
        body = await client.get(ONE)

        assert set(body) == DEPLOYMENT
        assert body["autoscaling_settings"] == {
            "min_replica": 1,
            "max_replica": 5,
            "autoscaling_window": 60,
            "scale_down_delay": 900,
            "concurrency_target": 10,
            "target_utilization_percentage": 70,
            "target_in_flight_tokens": None,
            "max_scale_down_rate": None,
        }
        assert (body["id"], body["environment"], body["is_production"]) == ("dplchat", "production", True)
        assert (body["status"], body["active_replica_count"], body["instance_type_name"]) == (
            "ACTIVE",
            2,
            "H100",
        )
        assert body["created_at"] == "2026-11-21T00:00:00Z"


async def test_production_and_development_stand_in_the_deployment_ids_place() -> None:
    async with emulated() as client:
        assert (await client.get(f"{MODEL}/deployments/production"))["id"] == "dplchat"
        assert (await client.get(f"{MODEL}/deployments/development"))["id"] == "dpldev"
        assert (await client.scale(f"{MODEL}/deployments/production", max_replica=4)).status == 200
        client.pass_s(3)
        assert await client.bounds() == (1, 4)


async def test_lists_can_be_narrowed_by_name() -> None:
    async with emulated() as client:
        (model,) = (await client.get("/v1/models"))["models"]
        assert (model["production_deployment_id"], model["development_deployment_id"]) == (
            "dplchat",
            "dpldev",
        )
        assert (await client.get("/v1/models?name=none"))["models"] == []
        assert len((await client.get(f"{MODEL}/deployments"))["deployments"]) == 3
        (side,) = (await client.get(f"{MODEL}/deployments?name=side"))["deployments"]
        assert side["id"] == "dplside"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/none",
        f"{MODEL}/deployments/none",
        f"{MODEL}/environments/none",
        "/v1/chains/none",
        f"{CHAIN}/deployments/none",
        f"{CHAIN}/environments/none",
        "/v1/nothing",
    ],
)
async def test_what_is_not_there_is_404(path: str) -> None:
    async with emulated() as client:
        reply = await client.call("GET", path)
        assert (reply.status, set(reply.body)) == (404, {"error"})


@pytest.mark.parametrize("scheme", ["Api-Key", "Bearer", "bearer"])
async def test_both_schemes_let_in(scheme: str) -> None:
    async with emulated() as client:
        key = client.vendor.credentials()["api_key"]
        assert (await client.call("GET", ONE, headers={"Authorization": f"{scheme} {key}"})).status == 200


@pytest.mark.parametrize("header", ["", "Basic x", "Api-Key", "Api-Key wrong", "Bearer wrong"])
async def test_any_other_key_is_401_everywhere(header: str) -> None:
    async with emulated() as client:
        for path in (ONE, "/metrics", "/v1/nothing"):
            reply = await client.call("GET", path, headers={"Authorization": header, "X": "y"})
            assert reply.status == 401
        reply = await client.call("POST", "/deployment/dplchat/wake", headers={"Authorization": header})
        assert (reply.status, reply.body["error_code"]) == (401, "unauthorized")


# --- writing settings -------------------------------------------------------------------------------


async def test_a_write_is_accepted_and_shows_later() -> None:
    async with emulated() as client:
        reply = await client.scale(min_replica=3)

        assert (reply.status, reply.body["status"]) == (200, "ACCEPTED")
        assert await client.bounds() == (1, 5)
        client.pass_s(2)
        assert await client.bounds() == (1, 5)
        client.pass_s(1)
        assert await client.bounds() == (3, 5)
        assert await client.shown() == ("ACTIVE", 2)  # applied is not served
        client.pass_s(100)
        assert await client.shown() == ("ACTIVE", 3)


async def test_a_write_behind_another_is_queued_and_applied_after_it() -> None:
    async with emulated() as client:
        answers = [(await client.scale(min_replica=count)).body["status"] for count in (2, 3, 3)]

        assert answers == ["ACCEPTED", "QUEUED", "UNCHANGED"]
        client.pass_s(3)
        assert await client.bounds() == (2, 5)
        client.pass_s(3)
        assert await client.bounds() == (3, 5)
        assert (await client.scale(min_replica=3, max_replica=5)).body["status"] == "UNCHANGED"


async def test_only_what_is_sent_changes_and_null_is_the_default_again() -> None:
    async with emulated(settings=BasetenSettings(applied_after_s=0)) as client:
        await client.scale(scale_down_delay=30, max_scale_down_rate=20)
        settings = (await client.get(ONE))["autoscaling_settings"]
        assert (settings["scale_down_delay"], settings["max_scale_down_rate"]) == (30, 20)
        assert (settings["min_replica"], settings["max_replica"]) == (1, 5)

        await client.scale(scale_down_delay=None)
        settings = (await client.get(ONE))["autoscaling_settings"]
        assert (settings["scale_down_delay"], settings["max_scale_down_rate"]) == (900, 20)
        await client.scale(min_replica=None)
        assert await client.bounds() == (0, 5)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_replica": 0},
        {"min_replica": -1},
        {"min_replica": 6},  # above the maximum that is kept
        {"min_replica": 3, "max_replica": 2},
        {"min_replica": True},
        {"min_replica": 1.5},
        {"min_replica": "2"},
        {"autoscaling_window": 9},
        {"autoscaling_window": 3601},
        {"scale_down_delay": 3601},
        {"concurrency_target": 0},
        {"target_utilization_percentage": 0},
        {"target_utilization_percentage": 101},
        {"max_scale_down_rate": 51},
        {"target_in_flight_tokens": 5},
        {"replicas": 3},
    ],
)
async def test_settings_out_of_range_and_unknown_fields_are_400_and_change_nothing(settings: Any) -> None:
    async with emulated() as client:
        assert (await client.scale(**settings)).status == 400
        client.pass_s(60)
        assert await client.bounds() == (1, 5)


async def test_what_is_no_json_object_is_400() -> None:
    async with emulated() as client:
        for body in (b"{", b"[]", b"null", b'"x"'):
            assert (await client.call("PATCH", f"{ONE}/autoscaling_settings", body)).status == 400
            assert (await client.call("PATCH", ENVIRONMENT, body)).status == 400
            assert (await client.call("PATCH", CHAINLETS, body)).status == 400


async def test_lowered_bounds_keep_what_is_active_for_the_scale_down_delay() -> None:
    async with emulated(settings=BasetenSettings(applied_after_s=0)) as client:
        await client.scale(min_replica=5, max_replica=5)
        client.pass_s(1000)
        assert await client.shown() == ("ACTIVE", 5)

        await client.scale(min_replica=2, max_replica=2)
        assert await client.bounds() == (2, 2)
        client.pass_s(880)
        assert await client.shown() == ("ACTIVE", 5)
        client.pass_s(40)
        assert await client.shown() == ("ACTIVE", 2)


async def test_a_development_deployment_is_not_scaled() -> None:
    async with emulated() as client:
        assert (await client.scale(f"{MODEL}/deployments/development", max_replica=2)).status == 400
        assert (await client.get(f"{MODEL}/deployments/dpldev"))["is_development"] is True


async def test_backpressure_is_set_and_cleared() -> None:
    async with emulated() as client:
        path = f"{ONE}/request_backpressure_settings"
        assert (await client.call("PATCH", path, {"policy": "REJECT_ON_FULL"})).body == {
            "policy": "REJECT_ON_FULL"
        }
        assert (await client.get(ONE))["request_backpressure_settings"] == {"policy": "REJECT_ON_FULL"}
        assert (await client.call("PATCH", path, {"policy": None})).body == {"policy": None}
        assert (await client.call("PATCH", path, {"policy": "DROP"})).status == 400
        assert (await client.call("PATCH", path, {"limit": 3})).status == 400


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),  # least
            st.integers(0, 3),  # so many more at most
            st.sampled_from([0.0, 1.0, 3.0, 10.0]),  # seconds until the next write
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_is_written_the_last_write_is_what_is_applied_and_answers_are_true(
    writes: list[tuple[int, int, float]],
) -> None:
    clock = HandClock()
    clock.at = START
    vendor = BasetenEmulator(EmulatedFleet(deployments=(CHAT,)), clock=clock)
    managed = vendor.estate.find(CHAT.deployment_id)
    assert managed is not None
    shown_until, wanted = START, managed.wanted
    for least, more, pause_s in writes:
        asked = managed.wanted.with_changes({"min_replica": least, "max_replica": max(1, least + more)})
        answer = managed.write(asked)
        if asked == wanted:
            assert answer is Answer.UNCHANGED
        else:
            assert answer is (Answer.QUEUED if shown_until > clock.now() else Answer.ACCEPTED)
            shown_until = max(shown_until, clock.now()) + 3
        wanted = asked
        clock.pass_s(pause_s)
        vendor.world.advance(clock.now())
    clock.pass_s(max(0.0, shown_until - clock.now()))
    vendor.world.advance(clock.now())
    assert managed.exhibit.now.settings == wanted
    clock.pass_s(2000)
    vendor.world.advance(clock.now())
    assert managed.exhibit.now.status.replicas_set == wanted.min_replica


# --- the native autoscaler, zero, and stages --------------------------------------------------------


async def test_it_follows_demand_by_target_and_utilisation() -> None:
    async with emulated() as client:
        client.carry(CHAT, running=20, waiting=8)  # 28 at 10 x 0.7 each
        client.pass_s(200)
        assert await client.shown() == ("ACTIVE", 4)


async def test_an_idle_deployment_falls_to_zero_and_a_request_wakes_it() -> None:
    async with emulated(settings=BasetenSettings(applied_after_s=0)) as client:
        await client.scale(min_replica=0)
        client.pass_s(2000)
        assert await client.shown() == ("SCALED_TO_ZERO", 0)

        asked = asyncio.create_task(client.call("POST", "/deployment/dplchat/predict", {"prompt": "hello"}))
        for _ in range(200):
            if (await client.shown())[0] != "SCALED_TO_ZERO":
                break
        assert await client.shown() == ("WAKING_UP", 0)
        assert not asked.done()  # it is held
        client.pass_s(100)
        assert (await asked).body == {"output": "emulated"}
        assert await client.shown() == ("ACTIVE", 1)


async def test_a_request_is_held_up_to_the_timeout() -> None:
    async with emulated(settings=BasetenSettings(predict_timeout_s=0)) as client:
        reply = await client.call("POST", "/deployment/dplside/predict", {})
        assert (reply.status, reply.body["error_code"]) == (504, "timeout")


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/deployment/dplside/wake", None),
        ("/deployment/dplside/wake", "model-mdlchat.api.baseten.co"),
        ("/model-mdlchat/deployment/dplside/wake", None),
    ],
)
async def test_the_wake_call_wakes_without_a_body(path: str, host: str | None) -> None:
    async with emulated() as client:
        assert await client.shown(OTHER) == ("SCALED_TO_ZERO", 0)
        key = client.vendor.credentials()["api_key"]
        headers = {"Authorization": f"Api-Key {key}", **({"Host": host} if host else {})}
        reply = await client.call("POST", path, headers=headers)

        assert (reply.status, reply.body) == (202, "")
        assert await client.shown(OTHER) == ("WAKING_UP", 0)
        client.pass_s(100)
        assert await client.shown(OTHER) == ("ACTIVE", 1)
        client.pass_s(1000)
        assert await client.shown(OTHER) == ("SCALED_TO_ZERO", 0)  # nobody came


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/production/wake", "model-mdlchat.api.baseten.co", 202),
        ("/environments/production/wake", "model-mdlchat.api.baseten.co", 202),
        ("/wake", "model-mdlchat-production.api.baseten.co", 202),
        ("/development/wake", "model-mdlchat.api.baseten.co", 202),
        ("/production/wake", None, 202),  # the only model
        ("/wake", "model-mdlchat.api.baseten.co", 404),
        ("/production/wake", "chain-chrag.api.baseten.co", 404),
        ("/environments/staging/wake", "model-mdlchat.api.baseten.co", 404),
        ("/model-none/production/wake", None, 404),
        ("/deployment/none/wake", None, 404),
    ],
)
async def test_environments_are_woken_by_host(path: str, host: str | None, status: int) -> None:
    async with emulated() as client:
        key = client.vendor.credentials()["api_key"]
        headers = {"Authorization": f"Api-Key {key}", **({"Host": host} if host else {})}
        assert (await client.call("POST", path, headers=headers)).status == status


async def test_a_call_of_a_chain_wakes_every_chainlet() -> None:
    async with emulated(settings=BasetenSettings(predict_timeout_s=0)) as client:
        host = {
            "Host": "chain-chrag.api.baseten.co",
            "Authorization": f"Bearer {client.vendor.credentials()['api_key']}",
        }
        assert (await client.call("POST", "/production/run_remote", {}, headers=host)).status == 200
        assert (await client.call("POST", "/environments/none/run_remote", {}, headers=host)).status == 404


async def test_deactivated_it_serves_nothing_until_it_is_activated() -> None:
    async with emulated() as client:
        assert (await client.call("POST", f"{ONE}/deactivate")).body == {"success": True, "no_op": False}
        assert await client.shown() == ("DEACTIVATING", 0)
        assert (await client.call("POST", f"{ONE}/deactivate")).body["no_op"] is True
        client.pass_s(5)
        assert await client.shown() == ("INACTIVE", 0)
        for path in ("/deployment/dplchat/predict", "/deployment/dplchat/wake"):
            assert (await client.call("POST", path, {})).status == 400
        client.carry(CHAT, running=50)
        client.pass_s(600)
        assert await client.shown() == ("INACTIVE", 0)

        assert (await client.call("POST", f"{ENVIRONMENT}/activate")).body == {
            "success": True,
            "no_op": False,
        }
        assert (await client.call("POST", f"{ONE}/activate")).body["no_op"] is True
        assert await client.shown() == ("DEPLOYING", 0)
        client.pass_s(20)
        assert await client.shown() == ("LOADING_MODEL", 0)
        client.pass_s(100)
        assert (await client.shown())[0] == "ACTIVE"


async def test_what_is_deactivated_while_it_deploys_stays_inactive() -> None:
    async with emulated() as client:
        client.vendor.redeploy(CHAT.deployment_id)
        client.pass_s(30)
        await client.call("POST", f"{ONE}/deactivate")
        client.pass_s(600)
        assert await client.shown() == ("INACTIVE", 0)
        await client.call("POST", f"{ONE}/activate")
        client.pass_s(10)
        await client.call("POST", f"{ONE}/deactivate")
        client.pass_s(600)
        assert await client.shown() == ("INACTIVE", 0)
        assert client.vendor.world.status(CHAT.deployment_id).replicas_set == 0


async def test_settings_are_null_until_it_has_finished_deploying() -> None:
    async with emulated() as client:
        await client.switch(f"/baseten/deployments/{CHAT.deployment_id}/redeploy")
        seen = []
        for pause_s in (0, 60, 20, 100):
            client.pass_s(pause_s)
            body = await client.get(ONE)
            seen.append((body["status"], body["autoscaling_settings"] is None))
        assert seen == [("BUILDING", True), ("DEPLOYING", True), ("LOADING_MODEL", True), ("ACTIVE", False)]


async def test_no_settings_are_taken_while_it_is_built() -> None:
    async with emulated() as client:
        client.vendor.redeploy(CHAT.deployment_id)
        assert (await client.scale(min_replica=2)).status == 400


async def test_every_status_word_can_be_shown() -> None:
    async with emulated() as client:
        for word in sorted(WORDS | {"MELTING"}):
            await client.switch(f"/deployments/{CHAT.deployment_id}/state", {"word": word})
            assert (await client.shown())[0] == word
        await client.switch(f"/deployments/{CHAT.deployment_id}/state", {"word": None})
        assert await client.shown() == ("ACTIVE", 2)


async def test_updating_is_shown_where_it_is_asked_for() -> None:
    async with emulated(settings=BasetenSettings(shows_updating=True)) as client:
        await client.scale(min_replica=2)
        assert await client.shown() == ("UPDATING", 2)
        client.pass_s(3)
        assert await client.shown() == ("ACTIVE", 2)


async def test_replicas_that_die_make_it_unhealthy_and_start_anew() -> None:
    async with emulated() as client:
        await client.switch(f"/deployments/{CHAT.deployment_id}/kill", {"replicas": 2})
        assert await client.shown() == ("UNHEALTHY", 0)
        client.pass_s(100)
        assert await client.shown() == ("ACTIVE", 2)


async def test_a_replica_can_be_ended_and_is_replaced() -> None:
    async with emulated() as client:
        assert (await client.call("DELETE", f"{ONE}/replicas/r0")).body == {"success": True}
        assert await client.shown() == ("ACTIVE", 1)
        assert (await client.call("DELETE", f"{ONE}/replicas/r0")).status == 404
        client.pass_s(100)
        assert await client.shown() == ("ACTIVE", 2)


async def test_a_shortage_of_gpus_is_seen_as_fewer_replicas_only() -> None:
    fleet = FLEET.model_copy(update={"stock": {"H100": 7}})
    async with emulated(fleet, BasetenSettings(applied_after_s=0)) as client:
        assert (await client.scale(min_replica=5)).status == 200
        assert await client.bounds() == (5, 5)
        client.pass_s(500)
        assert await client.shown() == ("ACTIVE", 3)
        client.vendor.world.set_stock("H100", None)
        client.pass_s(200)
        assert await client.shown() == ("ACTIVE", 5)


# --- environments -----------------------------------------------------------------------------------


async def test_an_environments_settings_are_those_of_its_current_deployment() -> None:
    async with emulated() as client:
        reply = await client.call("PATCH", ENVIRONMENT, {"autoscaling_settings": {"min_replica": 2}})

        assert (reply.status, reply.body["status"]) == (200, "ACCEPTED")
        assert reply.body["environment"]["autoscaling_settings"]["min_replica"] == 1
        client.pass_s(3)
        body = await client.get(ENVIRONMENT)
        assert body["autoscaling_settings"]["min_replica"] == 2
        assert body["current_deployment"]["autoscaling_settings"]["min_replica"] == 2
        assert await client.bounds() == (2, 5)
        again = await client.call("PATCH", ENVIRONMENT, {"autoscaling_settings": {"min_replica": 2}})
        assert again.body["status"] == "UNCHANGED"


async def test_an_environment_deploys_its_settings_again_after_somebody_changed_the_deployment() -> None:
    async with emulated(settings=BasetenSettings(applied_after_s=0)) as client:
        await client.scale(max_replica=3)
        assert (await client.get(ENVIRONMENT))["autoscaling_settings"]["max_replica"] == 5

        reply = await client.call("PATCH", ENVIRONMENT, {"autoscaling_settings": {"max_replica": 5}})
        assert reply.body["status"] == "ACCEPTED"
        assert await client.bounds() == (1, 5)


@pytest.mark.parametrize(
    "body",
    [
        {"autoscaling_settings": {"max_replica": 0}},
        {"autoscaling_settings": {"replicas": 2}},
        {"autoscaling": {}},
        {"traffic_routing_settings": {"rules": []}},
        {"promotion_settings": {"promotion_cleanup_strategy": "BURN"}},
        {"request_backpressure_settings": {"policy": "x"}},
        {"autoscaling_schedule_settings": {"schedules": [{"name": "x"}]}},
        {"autoscaling_schedule_settings": {"timezone": "Mars/Olympus"}},
        {"autoscaling_schedule_settings": {"delete_schedules": ["none"]}},
    ],
)
async def test_an_update_of_an_environment_is_refused_as_a_whole(body: Any) -> None:
    async with emulated() as client:
        before = await client.get(ENVIRONMENT)
        reply = await client.call("PATCH", ENVIRONMENT, {"autoscaling_settings": {"min_replica": 4}, **body})
        assert reply.status == 400
        client.pass_s(30)
        assert await client.get(ENVIRONMENT) == before


NULLS: dict[str, None] = dict.fromkeys(
    (
        "autoscaling_window",
        "scale_down_delay",
        "concurrency_target",
        "target_utilization_percentage",
        "target_in_flight_tokens",
        "max_scale_down_rate",
    )
)


def daily(start: tuple[int, int], end: tuple[int, int], **more: Any) -> dict[str, Any]:
    return {
        "name": "busy",
        "enabled": True,
        "cadence": "DAILY",
        "weekdays": ["SATURDAY"],
        "start_hour": start[0],
        "start_minute": start[1],
        "end_hour": end[0],
        "end_minute": end[1],
        "autoscaling_settings": {"min_replica": 3, "max_replica": 4, **NULLS},
        **more,
    }


async def test_a_schedules_settings_are_the_deployed_ones_while_its_window_is_active() -> None:
    async with emulated(settings=BasetenSettings(applied_after_s=0)) as client:
        schedules = {"timezone": "Europe/Zurich", "schedules": [daily((2, 0), (3, 0))]}  # 01:00 to 02:00 UTC
        await client.call("PATCH", ENVIRONMENT, {"autoscaling_schedule_settings": schedules})
        body = (await client.get(ENVIRONMENT))["autoscaling_schedules"]
        assert (body["timezone"], body["applied_state"]["schedule_id"]) == ("Europe/Zurich", None)
        (schedule,) = body["schedules"]
        client.pass_s(3570)
        assert await client.bounds() == (1, 5)
        client.pass_s(30)
        assert await client.bounds() == (3, 4)
        body = await client.get(ENVIRONMENT)
        assert body["autoscaling_schedules"]["applied_state"]["schedule_id"] == schedule["id"]
        assert body["autoscaling_schedules"]["applied_state"]["autoscaling_settings"]["min_replica"] == 3
        assert body["autoscaling_settings"]["min_replica"] == 1  # its own, for later

        await client.call("PATCH", ENVIRONMENT, {"autoscaling_settings": {"min_replica": 2}})
        assert await client.bounds() == (3, 4)  # the schedule wins
        client.pass_s(3600)
        assert await client.bounds() == (2, 5)
        await client.call(
            "PATCH", ENVIRONMENT, {"autoscaling_schedule_settings": {"delete_schedules": [schedule["id"]]}}
        )
        body = (await client.get(ENVIRONMENT))["autoscaling_schedules"]
        assert (body["timezone"], body["schedules"]) == (None, [])


async def test_the_applied_state_lags_behind_the_answer_that_made_the_schedule() -> None:
    async with emulated() as client:
        schedules = {"timezone": "UTC", "schedules": [daily((0, 0), (1, 0))]}
        reply = await client.call("PATCH", ENVIRONMENT, {"autoscaling_schedule_settings": schedules})
        assert reply.body["environment"]["autoscaling_schedules"]["applied_state"]["schedule_id"] is None
        client.pass_s(3)
        state = (await client.get(ENVIRONMENT))["autoscaling_schedules"]["applied_state"]
        assert state["schedule_id"] == "sched001"


@pytest.mark.parametrize(
    ("schedule", "active_at", "idle_at"),
    [
        (daily((23, 0), (1, 0), weekdays=["FRIDAY"]), [0, 3599], [3600, 23 * 3600]),
        (daily((0, 0), (0, 0)), [0, 86399], [86400]),
        (
            daily((0, 10), (0, 20), cadence="HOURLY", start_hour=None, end_hour=None),
            [600, 4200],
            [0, 1200, 3600],
        ),
        (
            daily((2, 50), (3, 10), cadence="HOURLY"),
            [2 * 3600 + 3000, 3 * 3600],
            [600, 3 * 3600 + 600, 4 * 3600],
        ),
        (daily((0, 0), (1, 0), enabled=False), [], [0, 60]),
        (
            {
                key: value
                for key, value in daily((0, 0), (0, 0)).items()
                if key in ("name", "enabled", "autoscaling_settings")
            }
            | {
                "cadence": "ONE_TIME",
                "start_at": "2026-11-21T01:00:00Z",
                "end_at": "2026-11-21T03:00:00+01:00",
            },
            [3600, 7199],
            [0, 7200],
        ),
    ],
)
async def test_windows_begin_and_end_as_their_cadence_says(
    schedule: dict[str, Any], active_at: list[int], idle_at: list[int]
) -> None:
    async with emulated() as client:
        (environment,) = client.vendor.estate.environments
        body = {"autoscaling_schedule_settings": {"timezone": "UTC", "schedules": [schedule]}}
        assert (await client.call("PATCH", ENVIRONMENT, body)).status == 200
        assert [at for at in active_at if environment.active(START + at) is None] == []
        assert [at for at in idle_at if environment.active(START + at) is not None] == []


async def test_after_a_promotion_the_environments_settings_are_the_new_deployments() -> None:
    async with emulated(settings=BasetenSettings(applied_after_s=0)) as client:
        switch = "/baseten/models/mdlchat/environments/production/promotion"
        await client.scale(max_replica=3)  # of the deployment only
        assert (await client.switch(switch, {"deployment_id": "dplchat"})).status == 400
        assert (await client.switch(switch, {"deployment_id": "none"})).status == 404
        candidate = (await client.switch(switch, {"lasts_s": 200})).body["id"]
        assert (await client.switch(switch, {})).status == 400
        client.pass_s(50)

        body = await client.get(ENVIRONMENT)
        assert body["current_deployment"]["id"] == "dplchat"
        assert body["in_progress_promotion"]["status"] == "RAMPING_UP"
        assert body["in_progress_promotion"]["percent_traffic_to_new_version"] == 25
        new = body["candidate_deployment"]
        assert (new["status"], new["environment"], new["autoscaling_settings"]) == (
            "LOADING_MODEL",
            None,
            None,
        )
        client.pass_s(60)
        assert 'rollout_phase="promoting"' in (await client.get("/metrics"))
        client.pass_s(90)
        body = await client.get(ENVIRONMENT)
        assert (body["current_deployment"]["id"], body["in_progress_promotion"]) == (new["id"], None)
        assert body["current_deployment"]["autoscaling_settings"]["max_replica"] == 5
        assert (await client.get(ONE))["environment"] is None
        assert await client.bounds() == (0, 3)  # it may go to zero now
        assert client.vendor.facts(candidate) is not None


async def test_a_promotion_of_a_deployment_that_does_not_serve_waits_for_it() -> None:
    async with emulated() as client:
        client.vendor.promote("mdlchat", "production", deployment_id="dplside", lasts_s=60)
        client.pass_s(600)
        assert (await client.get(ENVIRONMENT))["in_progress_promotion"] is not None
        await client.call("POST", "/deployment/dplside/wake")
        client.pass_s(120)
        assert (await client.get(ENVIRONMENT))["current_deployment"]["id"] == "dplside"


# --- chains -----------------------------------------------------------------------------------------


async def test_chainlets_are_scaled_by_name_and_alone() -> None:
    async with emulated() as client:
        settings = {"min_replica": 3}
        reply = await client.call(
            "PATCH", CHAINLETS, {"updates": [{"chainlet_name": "Llm", "autoscaling_settings": settings}]}
        )
        assert (reply.status, reply.body["status"]) == (200, "ACCEPTED")
        client.pass_s(3)
        assert await client.chainlets() == {"Embed": (2, 4), "Llm": (3, 4)}
        client.pass_s(100)
        (one,) = (await client.get(f"{CHAIN}/deployments"))["deployments"]
        assert [each["active_replica_count"] for each in one["chainlets"]] == [2, 3]
        assert (one["environment"], one["status"]) == ("production", "ACTIVE")


@pytest.mark.parametrize(
    "second",
    [
        {"chainlet_name": "None", "autoscaling_settings": {"min_replica": 1}},
        {"chainlet_name": "llm", "autoscaling_settings": {"min_replica": 1}},  # names are exact
        {"chainlet_name": "Embed", "autoscaling_settings": {"max_replica": 0}},
        {"chainlet_name": "Embed"},
        {"chainlet_name": ["Embed"], "autoscaling_settings": {}},
        "Embed",
    ],
)
async def test_one_bad_update_of_several_changes_nothing(second: Any) -> None:
    async with emulated() as client:
        first = {"chainlet_name": "Llm", "autoscaling_settings": {"min_replica": 3}}
        assert (await client.call("PATCH", CHAINLETS, {"updates": [first, second]})).status == 400
        client.pass_s(30)
        assert await client.chainlets() == {"Embed": (2, 4), "Llm": (1, 4)}


async def test_an_environment_of_a_chain_shows_its_chainlets_settings() -> None:
    async with emulated() as client:
        body = await client.get(f"{CHAIN}/environments/production")
        assert [each["chainlet_name"] for each in body["chainlet_settings"]] == ["Embed", "Llm"]
        assert body["chainlet_settings"][0]["instance_type"]["name"] == "H100"
        assert body["current_deployment"]["status"] == "ACTIVE"
        (entry,) = (await client.get(f"{CHAIN}/environments"))["environments"]
        assert (entry["name"], entry["chain_id"]) == ("production", "chrag")
        (chain,) = (await client.get("/v1/chains"))["chains"]
        assert await client.get(CHAIN) == chain


async def test_a_chains_status_is_the_one_that_most_needs_a_look() -> None:
    async with emulated() as client:
        (one,) = (await client.get(f"{CHAIN}/deployments"))["deployments"]
        path = f"{CHAIN}/deployments/{one['id']}"
        client.vendor.world.kill_replica(LLM.deployment_id, client.clock.now())
        assert (await client.get(path))["status"] == "UNHEALTHY"
        client.vendor.set_word(EMBED.deployment_id, "MELTING", "")
        assert (await client.get(path))["status"] == "MELTING"
        client.vendor.set_word(EMBED.deployment_id, None, "")
        assert (await client.call("POST", f"{path}/deactivate")).body["no_op"] is False
        assert (await client.call("POST", f"{path}/deactivate")).body["no_op"] is True
        client.pass_s(5)
        assert (await client.get(path))["status"] == "INACTIVE"


# --- what is measured -------------------------------------------------------------------------------


async def test_metrics_come_in_columns() -> None:
    async with emulated() as client:
        client.carry(CHAT, running=7, waiting=3, requests_per_s=2, service_s=3)
        client.pass_s(60)
        query = "&".join(
            f"metrics={name}"
            for name in (
                "baseten_replicas_active",
                "baseten_concurrent_requests",
                "baseten_llm_num_requests",
                "baseten_inference_requests_total",
            )
        )
        body = await client.get(f"{ONE}/metrics?mode=CURRENT&{query}")

        assert (body["mode"], body["step_seconds"]) == ("CURRENT", None)
        assert [one["name"] for one in body["metric_descriptors"]] == [
            "baseten_replicas_active",
            "baseten_concurrent_requests",
            "baseten_inference_requests_total",  # what does not apply is left out
        ]
        assert body["metric_descriptors"][0]["label_sets"] == [{}]
        (row,) = body["metric_values"]
        assert row["values"] == [[2.0], [10.0], [2.0, 0.0, 0.0]]
        assert row["start_epoch_millis"] == body["start_epoch_millis"] == round((START + 60) * 1000)
        body = await client.get(f"{ONE}/metrics")
        assert [one["name"] for one in body["metric_descriptors"]] == [
            "baseten_replicas_active",
            "baseten_inference_requests_total",
            "baseten_end_to_end_response_time_seconds",
        ]
        assert body["metric_values"][0]["values"][2] == [3.0] * 5


async def test_a_series_has_gaps_where_nothing_was_measured() -> None:
    async with emulated() as client:
        client.pass_s(285)
        client.carry(CHAT, running=12)
        client.pass_s(315)
        start, end = round((START - 600) * 1000), round((START + 600) * 1000)
        window = f"start_epoch_millis={start}&end_epoch_millis={end}"
        names = (
            "metrics=baseten_replicas_active&metrics=baseten_concurrent_requests"
            "&metrics=baseten_end_to_end_response_time_seconds"
        )
        body = await client.get(f"{ONE}/metrics?mode=SERIES&{window}&{names}")

        assert body["step_seconds"] == 30
        rows = [row["values"] for row in body["metric_values"]]
        assert [row[0] for row in rows] == [[None]] * 20 + [[2.0]] * 20
        assert [row[1] for row in rows] == [[None]] * 20 + [[0.0]] * 10 + [[12.0]] * 10
        assert all(row[2] == [None] * 5 for row in rows)  # nothing ended
        (row,) = (await client.get(f"{ENVIRONMENT}/metrics?mode=SUMMARY&{window}&{names}"))["metric_values"]
        assert row["values"][:2] == [[2.0], [6.0]]


async def test_rates_of_a_series_are_per_second_in_every_step() -> None:
    async with emulated() as client:
        client.carry(CHAT, requests_per_s=2, service_s=3)
        client.pass_s(3600)
        window = f"start_epoch_millis={round(START * 1000)}&end_epoch_millis={round((START + 3600) * 1000)}"
        path = f"{ONE}/metrics?mode=SERIES&{window}"
        names = "metrics=baseten_inference_requests_total&metrics=baseten_time_to_first_byte_seconds"
        rows = [row["values"] for row in (await client.get(f"{path}&{names}"))["metric_values"]]
        assert len(rows) == 120
        assert rows[0] == [[None] * 3, [None] * 5]  # one sample is no rate
        assert {row[0][0] for row in rows[1:]} == {2.0}
        assert rows[1][1] == [pytest.approx(0.6)] * 5


@pytest.mark.parametrize(
    "query",
    [
        "metrics=baseten_moods",
        "mode=NOW",
        "mode=CURRENT&start_epoch_millis=1",
        "mode=SERIES&start_epoch_millis=x",
        "mode=SERIES&start_epoch_millis=5&end_epoch_millis=5",
        "mode=SUMMARY&start_epoch_millis=1&end_epoch_millis=605000000",
    ],
)
async def test_metrics_that_cannot_be_had_are_400(query: str) -> None:
    async with emulated() as client:
        assert (await client.call("GET", f"{ONE}/metrics?{query}")).status == 400


async def test_start_ups_are_measured() -> None:
    async with emulated(settings=BasetenSettings(applied_after_s=0)) as client:
        window = f"start_epoch_millis={round(START * 1000)}&end_epoch_millis={round((START + 9999) * 1000)}"
        body = await client.get(f"{ONE}/startups/summary?{window}")
        assert body["total_duration_ms"]["sample_count"] == 0
        assert body["total_duration_ms"]["p90_ms"] is None

        client.vendor.world.start_up_fails(CHAT.deployment_id, 1, client.clock.now())
        await client.scale(min_replica=3)
        client.pass_s(300)
        body = await client.get(f"{ONE}/startups/summary?{window}")
        assert body["total_duration_ms"]["p50_ms"] == body["total_duration_ms"]["p90_ms"] == 100_000
        assert body["phase_duration_ms"][0]["phase"] == "SCHEDULING"
        assert await client.get(f"{ENVIRONMENT}/startups/summary?{window}") == body
        page = await client.get(f"{ONE}/startups?{window}&limit=1")
        assert (page["total_count"], page["pagination"]) == (2, {"has_more": True, "cursor": "1"})
        assert page["items"][0]["outcome"] == "SUCCESS"
        page = await client.get(f"{ONE}/startups?{window}&cursor=1")
        assert [one["outcome"] for one in page["items"]] == ["FAILED"]
        assert page["items"][0]["phase_summary"][-1]["status"] == "FAILED"
        assert (await client.call("GET", f"{ONE}/startups?{window}&limit=101")).status == 400
        assert (await client.call("GET", f"{ONE}/startups/summary")).status == 400


async def test_logs_tell_of_replicas_and_are_limited() -> None:
    async with emulated() as client:
        client.vendor.world.kill_replica(CHAT.deployment_id, client.clock.now())
        client.pass_s(100)
        logs = (await client.get(f"{ONE}/logs"))["logs"]
        assert [one["level"] for one in logs] == ["INFO", "ERROR"]
        assert logs[-1]["timestamp"] == str(int(START) * 10**9)
        assert len((await client.get(f"{ONE}/logs?min_level=ERROR&replica=r0&includes=died"))["logs"]) == 1
        assert (await client.get(f"{ONE}/logs?search_pattern=none"))["logs"] == []
        window = f"start_epoch_millis=0&end_epoch_millis={round(START * 1000)}"
        assert (await client.call("GET", f"{ONE}/logs?{window}")).status == 400
        assert (await client.call("GET", f"{ONE}/logs?limit=1001")).status == 400


async def test_the_metrics_export_renews_every_half_minute() -> None:
    async with emulated() as client:
        client.pass_s(29)
        client.carry(CHAT, running=7, requests_per_s=1, service_s=2)
        labels = (
            'model_id="mdlchat",model_name="chat",deployment_id="dplchat",environment="production",'
            'rollout_phase="stable"'
        )
        text = await client.get("/metrics")
        assert f"baseten_concurrent_requests{{{labels}}} 0.0\n" in text
        client.pass_s(1)
        text = await client.get("/metrics")
        assert f"baseten_concurrent_requests{{{labels}}} 7.0\n" in text
        assert f"baseten_replicas_active{{{labels}}} 2\n" in text
        assert "# TYPE baseten_inference_requests_total counter\n" in text
        assert 'model_name="Llm"' in text


async def test_the_metrics_export_is_limited_to_six_a_minute() -> None:
    async with emulated() as client:
        for _ in range(6):
            await client.get("/metrics")
        client.pass_s(20)
        refused = await client.call("GET", "/metrics")
        assert (refused.status, refused.body["retry_after"]) == (429, 40)
        assert "Rate limit" in refused.body["error"]
        client.pass_s(40)
        await client.get("/metrics")


async def test_activations_are_limited_to_twenty_a_minute() -> None:
    async with emulated() as client:
        statuses = [(await client.call("POST", f"{ONE}/activate")).status for _ in range(21)]
        assert statuses == [200] * 20 + [429]
        assert (await client.call("POST", f"{ONE}/deactivate")).status == 200
        assert await client.shown() == ("DEACTIVATING", 0)


async def test_every_other_call_is_limited_too() -> None:
    async with emulated(settings=BasetenSettings(requests_per_s=3)) as client:
        statuses = [(await client.call("GET", ONE)).status for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        client.pass_s(1)
        assert (await client.call("GET", ONE)).status == 200


async def test_the_asynchronous_queue_is_told() -> None:
    async with emulated() as client:
        await client.switch(
            f"/baseten/deployments/{CHAT.deployment_id}/async-queue", {"queued": 4, "in_progress": 2}
        )
        assert await client.get("/deployment/dplchat/async_queue_status") == {
            "model_id": "mdlchat",
            "deployment_id": "dplchat",
            "num_queued_requests": 4,
            "num_in_progress_requests": 2,
        }
        client.pass_s(30)
        name = "baseten_async_queue_size"
        (row,) = (await client.get(f"{ONE}/metrics?metrics={name}"))["metric_values"]
        assert row["values"] == [[4.0]]


# --- money ------------------------------------------------------------------------------------------


async def prices(client: Client) -> dict[str, float]:
    rows = (await client.get("/v1/instance_type_prices"))["instance_types"]
    return {row["instance_type"]["name"]: row["price"] for row in rows}


async def test_prices_are_usd_per_minute_and_billed() -> None:
    async with emulated() as client:
        assert (await prices(client))["H100"] == 0.10833
        assert (await prices(client))["H100:2"] == 0.21666
        types = (await client.get("/v1/instance_types"))["instance_types"]
        assert {"name": "H100", "gpu_type": "H100", "gpu_count": 1}.items() <= next(
            one for one in types if one["name"] == "H100"
        ).items()
        client.pass_s(3600)
        status = client.vendor.world.status(LLM.deployment_id)
        assert status.billed_usd == pytest.approx(60 * 0.10833)


async def test_a_changed_price_is_published_and_billed_from_then_on() -> None:
    async with emulated() as client:
        client.pass_s(60)
        reply = await client.switch("/baseten/prices", {"instance_type": "H100", "usd_per_minute": 0.09})
        assert reply.status == 200
        assert (await prices(client))["H100"] == 0.09
        client.pass_s(60)
        billed = client.vendor.world.status(CHAT.deployment_id).billed_usd
        assert billed == pytest.approx(2 * (0.10833 + 0.09))
        client.vendor.set_price("H100", 3.0)
        assert (await prices(client))["H100"] == pytest.approx(0.05)
        assert (await prices(client))["H100:4"] == pytest.approx(0.2)
        wrong = await client.switch("/baseten/prices", {"instance_type": "none", "usd_per_minute": 1})
        assert wrong.status == 404


async def test_a_fleets_own_price_is_the_published_one() -> None:
    own = EmulatedFleet(
        deployments=(
            EmulatedDeployment(
                vendor="baseten", name="a", gpu_type="H100", gpus_per_replica=2, usd_per_gpu_hour=3.0
            ),
        )
    )
    async with emulated(own) as client:
        assert (await prices(client))["H100:2"] == pytest.approx(0.1)


async def test_the_bill_is_by_deployment_and_day() -> None:
    async with emulated(starts_at=START - 3600) as client:
        client.carry(LLM, requests_per_s=1)
        client.pass_s(7200)

        async def usage(start: str, end: str) -> tuple[dict[str, Any], dict[str, Any]]:
            path = f"/v1/billing/usage_summary?start_date={start}T00:00:00Z&end_date={end}T00:00:00Z"
            body = (await client.get(path))["dedicated_usage"]
            rows = [one for one in body["breakdown"] if one["billable_resource"]["name"] == "Llm"]
            return body, rows[0]

        body, row = await usage("2026-11-20", "2026-11-22")
        assert row["billable_resource"]["chain_metadata"]["chain_id"] == "chrag"
        assert [one["date"] for one in row["daily"]] == ["2026-11-20", "2026-11-21"]
        assert (row["minutes"], row["inference_requests"]) == (120, 7200)
        assert row["subtotal"] == pytest.approx(120 * 0.10833)
        assert sum(one["subtotal"] for one in row["daily"]) == pytest.approx(row["subtotal"])
        kinds = {one["billable_resource"]["kind"] for one in body["breakdown"]}
        assert kinds == {"MODEL_DEPLOYMENT", "CHAINLET"}
        _, row = await usage("2026-11-21", "2026-11-22")
        assert row["subtotal"] == pytest.approx(60 * 0.10833, rel=0.01)  # bills are read every half minute


@pytest.mark.parametrize(
    "window",
    [
        "",
        "start_date=x&end_date=2026-11-22",
        "start_date=2025-12-31&end_date=2026-01-02",
        "start_date=2026-10-01&end_date=2026-11-02",
        "start_date=2026-11-02&end_date=2026-11-02",
    ],
)
async def test_a_bill_of_a_window_that_is_not_kept_is_400(window: str) -> None:
    async with emulated() as client:
        assert (await client.call("GET", f"/v1/billing/usage_summary?{window}")).status == 400


# --- faults and switches ----------------------------------------------------------------------------


async def test_stale_reads_show_the_past() -> None:
    async with emulated(settings=BasetenSettings(applied_after_s=0)) as client:
        client.pass_s(100)
        await client.scale(min_replica=4)
        client.pass_s(20)
        client.vendor.set_price("H100", 3.0)
        client.server.faults.add(Fault(kind=FaultKind.STALE_READS, lag_s=60))
        assert (await prices(client))["H100"] == 0.10833
        assert await client.bounds() == (1, 5)
        assert (await client.get(ENVIRONMENT))["current_deployment"]["autoscaling_settings"][
            "min_replica"
        ] == 1
        client.pass_s(60)
        assert await client.bounds() == (4, 5)
        assert (await prices(client))["H100"] == 0.05


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models", MODEL, f"{MODEL}/deployments", ONE, ENVIRONMENT, f"{MODEL}/environments",
        f"{ONE}/metrics", f"{ONE}/logs", f"{CHAIN}/deployments", f"{CHAIN}/environments",
        f"{CHAIN}/environments/production", "/v1/instance_type_prices", "/metrics",
    ],
)  # fmt: skip
async def test_a_read_of_before_the_beginning_is_an_answer_too(path: str) -> None:
    async with emulated() as client:
        client.server.faults.add(Fault(kind=FaultKind.STALE_READS, lag_s=60))
        assert (await client.call("GET", path)).status in (200, 404)


async def test_ignored_writes_are_answered_as_taken() -> None:
    async with emulated() as client:
        client.server.faults.add(Fault(kind=FaultKind.ACCEPT_AND_IGNORE))
        update = {"updates": [{"chainlet_name": "Llm", "autoscaling_settings": {"min_replica": 4}}]}
        assert (await client.scale(min_replica=4)).body["status"] == "ACCEPTED"
        reply = await client.call("PATCH", ENVIRONMENT, {"autoscaling_settings": {"min_replica": 4}})
        assert reply.body["status"] == "ACCEPTED"
        assert (await client.call("PATCH", CHAINLETS, update)).body["status"] == "ACCEPTED"
        assert (await client.call("POST", f"{ONE}/deactivate")).body == {"success": True, "no_op": False}
        assert (await client.call("DELETE", f"{ONE}/replicas/r0")).status == 200
        assert (await client.call("POST", "/deployment/dplside/wake")).status == 202
        client.pass_s(300)
        assert (await client.bounds(), await client.shown()) == ((1, 5), ("ACTIVE", 2))
        assert await client.shown(OTHER) == ("SCALED_TO_ZERO", 0)
        assert await client.chainlets() == {"Embed": (2, 4), "Llm": (1, 4)}


async def test_the_faults_429_has_the_wait_in_its_body() -> None:
    async with emulated() as client:
        client.server.faults.add(Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=37))
        reply = await client.call("GET", ONE)
        assert (reply.status, reply.body["retry_after"]) == (429, 37)
        assert "Retry-After" not in reply.headers


async def test_load_is_laid_down_by_the_common_switch() -> None:
    async with emulated() as client:
        reply = await client.switch(f"/deployments/{CHAT.deployment_id}/load", {"running": 28})
        assert reply.status == 200
        client.pass_s(200)
        assert await client.shown() == ("ACTIVE", 4)


async def test_settings_are_switched() -> None:
    async with emulated() as client:
        reply = await client.switch("/baseten/settings", {"applied_after_s": 0}, "PUT")
        assert reply.body["exports_per_minute"] == 6
        await client.scale(min_replica=2)
        assert await client.bounds() == (2, 5)
        assert (await client.switch("/baseten/settings", {"speed": 1}, "PUT")).status == 400
        assert (await client.switch("/baseten/deployments/none/redeploy")).status == 404


async def test_the_world_tells_what_baseten_does_not() -> None:
    async with emulated() as client:
        await client.scale(min_replica=2)
        world = (await client.call("GET", "/_emulator/world")).body
        chat = next(one for one in world["deployments"] if one["id"] == CHAT.deployment_id)
        assert (chat["applied"], chat["asked"], chat["state"]) == ([1, 5], [2, 5], "ACTIVE")
        assert chat["ids"] == {"model_id": "mdlchat", "deployment_id": "dplchat"}


# --- fleets -----------------------------------------------------------------------------------------


async def test_ids_and_credentials_are_what_a_configuration_needs() -> None:
    staged = deployment("staged", model_id="m2", environment="staging")
    fleet = EmulatedFleet(deployments=(CHAT, LLM, staged, deployment("plain")))
    async with emulated(fleet) as client:
        assert client.vendor.ids(staged.deployment_id) == {"model_id": "m2", "environment": "staging"}
        assert client.vendor.ids(LLM.deployment_id) == {
            "chain_id": "chrag",
            "environment": "production",
            "chainlet": "Llm",
        }
        plain = client.vendor.ids(deployment("plain").deployment_id)
        assert set(plain) == {"model_id", "deployment_id"}
        assert await client.get(f"/v1/models/{plain['model_id']}/deployments/{plain['deployment_id']}")
        assert client.vendor.credentials() == {
            "api_key": "bt-emulator-0123456789",
            "inference_base_url": f"{client.server.url}/model-{{model_id}}",
            "metrics_base_url": client.server.url,
        }
        with pytest.raises(KeyError):
            client.vendor.ids("none")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"min_replicas": 2}, "options.min_replicas: Extra inputs"),
        ({"max_replica": 0}, "options.max_replica: Input should be greater than or equal to 1"),
        ({"min_replica": 4, "max_replica": 3}, "options.min_replica 4 must not be above max_replica 3"),
        ({"max_replica": 1}, "options.min_replica 2 must not be above max_replica 1"),
        ({"min_replica": 0, "max_replica": 1}, "replicas 2 must not be above options.max_replica 1"),
        ({"chain_id": "c"}, "options: .*chain_id and chainlet go together"),
        ({"chain_id": "c", "chainlet": "x", "model_id": "m"}, "a chainlet has no model_id"),
        ({"deployment_id": "production"}, "reserved words"),
        ({"is_development": True, "environment": "staging"}, "is in no environment"),
        ({"model_id": "a/b"}, "options.model_id"),
        ({"instance_type": "L4"}, "options.instance_type 'L4' has 1 x L4, not 1 x H100"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name_and_key(options: dict[str, Any], says: str) -> None:
    with pytest.raises(FleetError, match=f"deployment 'wrong': .*{says}"):
        BasetenEmulator(EmulatedFleet(deployments=(deployment("wrong", **options),)))


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (
            deployment("b", model_id="mdlchat", deployment_id="dplchat"),
            "options.deployment_id 'dplchat' is taken",
        ),
        (deployment("b", model_id="mdlchat", environment="production"), "options.environment 'production'"),
        (
            deployment("b", 1, model_id="mdlchat", is_development=True),
            "options.is_development: model 'mdlchat'",
        ),
        (
            deployment("b", chain_id="chrag", environment="production", chainlet="Llm"),
            "options.chainlet 'Llm'",
        ),
    ],
)
def test_deployments_that_contradict_each_other_are_refused(second: EmulatedDeployment, says: str) -> None:
    with pytest.raises(FleetError, match=f"deployment 'b': {says}"):
        BasetenEmulator(EmulatedFleet(deployments=(CHAT, DEV, LLM, second)))


def test_two_prices_of_one_instance_type_are_refused() -> None:
    one = SIDE.model_copy(update={"usd_per_gpu_hour": 3.0})
    other = deployment("other").model_copy(update={"usd_per_gpu_hour": 4.0})
    with pytest.raises(FleetError, match=r"'other': usd_per_gpu_hour 4\.0 differs from that of 'side'"):
        BasetenEmulator(EmulatedFleet(deployments=(one, other)))


def test_the_options_in_the_documentation_can_be_used() -> None:
    page = (Path(__file__).parents[2] / "docs" / "emulators.md").read_text()
    lines = [line for line in page.split("\n## Baseten\n")[1].splitlines() if line.startswith("options = ")]
    assert len(lines) == 5
    for line in lines:
        gpus = 2 if "H100:2" in line else 1
        one = EmulatedDeployment(
            vendor="baseten", name="chat", gpu_type="H100", gpus_per_replica=gpus, **tomllib.loads(line)
        )
        BasetenEmulator(EmulatedFleet(deployments=(one,)))
