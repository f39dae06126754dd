"""The Exoscale adapter's promises, against a vendor over HTTP that answers as each test says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.core.model import Observation, Phase, ReplicaRange, ZeroCapability, exactly
from autoscaler.ports import (
    BadReply,
    Busy,
    NoCapacity,
    NotFound,
    Observed,
    Ref,
    Rejected,
    Unauthorized,
    Unavailable,
)
from tests.providers.support import (
    CHAT,
    OPERATION,
    OTHER,
    REF,
    Recorder,
    Vendor,
    answer,
    deployment,
    exoscale,
    vendor,
)

GET_ONE = f"GET /v2/ai/deployment/{CHAT}"
GET_LOGS = f"GET /v2/ai/deployment/{CHAT}/logs"
GET_OPERATION = f"GET /v2/operation/{OPERATION}"
SCALE = f"POST /v2/ai/deployment/{CHAT}/scale"
FAMILIES = "GET /v2/ai/instance-type"
PENDING = {"id": OPERATION, "state": "pending"}
NOVEMBER = 1795219200.0


def only(observed: Observed) -> Observation:
    told = observed.deployments[REF.key]
    assert isinstance(told, Observation)
    return told


# --- observing ----------------------------------------------------------------------------------


async def test_one_list_call_observes_all_refs() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment(), deployment(id=OTHER, replicas=0, state="ready", gpu_count=4))
        it.answers[FAMILIES] = {"instance-types": [{"family": "gpua5000", "authorized": True}]}

        observed = await provider.observe([REF, Ref("chat/two", {"id": OTHER.upper()})])

    assert it.seen("GET /v2/ai/deployment") == ["GET /v2/ai/deployment?visibility=private"]
    assert observed.ended == ()
    assert only(observed) == Observation(
        replicas=ReplicaRange(2, 2),
        ready=2,
        phase=Phase.READY,
        gpu_type="gpua5000",
        gpus_per_replica=1,
        zero=ZeroCapability.EXACT,
        available=True,
    )
    two = observed.deployments["chat/two"]
    assert isinstance(two, Observation)
    assert (two.phase, two.replicas, two.ready, two.gpus_per_replica) == (Phase.STOPPED, (0, 0), 0, 4)


async def test_every_ref_is_answered_with_facts_or_the_error_that_hid_them() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment(replicas="2"))

        observed = await provider.observe(
            [REF, Ref("a/gone", {"id": OTHER}), Ref("a/odd", {"id": "5f3c..."})]
        )

    assert {key: type(told) for key, told in observed.deployments.items()} == {
        REF.key: BadReply,
        "a/gone": NotFound,
        "a/odd": Rejected,
    }


async def test_an_entry_that_we_cannot_name_makes_no_deployment_vanish() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment(id=7))

        observed = await provider.observe([REF])

    assert isinstance(observed.deployments[REF.key], BadReply)


async def test_a_failed_list_call_is_raised() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.answers["GET /v2/ai/deployment"] = answer({"error": "down"}, 503)

        with pytest.raises(Unavailable, match="down"):
            await provider.observe([REF])


async def test_an_unknown_state_word_is_reported_once_per_observation_and_never_ready() -> None:
    telemetry = Recorder()
    async with vendor() as it, exoscale(it.url, telemetry) as provider:
        it.deployments(deployment(state="hibernating"), deployment(id=OTHER, state="hibernating"))

        observed = await provider.observe([REF, Ref("a/b", {"id": OTHER})])

    assert telemetry.words == [("exo", "hibernating", "deployment.state")]
    assert (only(observed).phase, only(observed).ready) == (Phase.UNKNOWN, None)


async def test_words_of_deployments_that_are_not_ours_are_nobodys_business() -> None:
    telemetry = Recorder()
    async with vendor() as it, exoscale(it.url, telemetry) as provider:
        it.deployments(deployment(), deployment(id=OTHER, state="hibernating"))

        await provider.observe([REF])

    assert telemetry.words == []


async def test_open_facts_are_told_at_first_sight() -> None:
    telemetry = Recorder()
    async with vendor() as it, exoscale(it.url, telemetry) as provider:
        it.deployments(deployment(replicas=0, visibility=...))

        await provider.observe([REF])

    assert ("exo", "state at zero replicas", "ready") in telemetry.sights
    assert ("exo", "a deployment without visibility", "taken as private") in telemetry.sights


# --- GPU families -------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_gpu_families_are_read_every_five_minutes_at_most_and_fail_quietly() -> None:
    clock = SystemClock(starts_at=NOVEMBER)
    async with vendor() as it, exoscale(it.url, clock=clock) as provider:
        it.deployments(deployment())
        it.answers[FAMILIES] = {"instance-types": [{"family": "gpua5000", "authorized": False}]}
        assert only(await provider.observe([REF])).available is False
        it.answers[FAMILIES] = answer({"error": "no"}, 403)
        await clock.sleep(299)
        assert only(await provider.observe([REF])).available is False
        await clock.sleep(2)
        assert only(await provider.observe([REF])).available is None
        await provider.observe([REF])

    assert len(it.seen("GET /v2/ai/instance-type")) == 2


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    return web.Response()


@pytest.mark.virtual_time
@pytest.mark.parametrize("what", [FAMILIES, GET_ONE, GET_LOGS, GET_OPERATION])
async def test_what_a_tick_can_do_without_does_not_delay_it(what: str) -> None:
    clock = SystemClock(starts_at=NOVEMBER)
    async with vendor() as it, exoscale(it.url, clock=clock) as provider:
        it.deployments(deployment())
        it.answers.update({SCALE: PENDING, GET_OPERATION: PENDING, what: hang})
        await provider.observe([REF])
        await provider.set_replicas(REF, exactly(3))
        it.deployments(deployment(state="error"))
        began = clock.monotonic()

        observed = await provider.observe([REF])

    assert only(observed).phase is Phase.FAILED
    assert clock.monotonic() - began <= 2.6


# --- errors of a deployment ---------------------------------------------------------------------


async def test_a_deployment_in_error_brings_its_reason_and_last_log_lines_once() -> None:
    telemetry = Recorder()
    lines = [
        {"time": f"2026-11-21T00:00:{n:02}Z", "node": "n", "message": f"line {n} " + "x" * 300}
        for n in range(30)
    ]
    async with vendor() as it, exoscale(it.url, telemetry) as provider:
        it.deployments(deployment(state="error"))
        it.answers[GET_ONE] = deployment(state="error", state_details="CUDA out of memory\n")
        it.answers[GET_LOGS] = {"logs": lines}

        first = only(await provider.observe([REF]))
        second = only(await provider.observe([REF]))

    assert first.phase is Phase.FAILED
    assert first.ready is None
    assert first.evidence[0] == "CUDA out of memory"
    assert len(first.evidence) == 21
    assert "line 29" in first.evidence[-1]
    assert all(len(line) <= 200 for line in first.evidence)
    assert second.evidence == first.evidence
    assert it.seen(GET_LOGS) == [f"{GET_LOGS}?tail=20&stream=false"]
    assert len(it.seen(GET_ONE)) == 2  # the get, and its logs


async def test_evidence_that_cannot_be_read_is_asked_for_three_times_only() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment(state="error"))
        it.answers[GET_LOGS] = answer({"error": "boom"}, 500)
        it.answers[GET_ONE] = deployment(state="error", state_details="why")

        for _ in range(5):
            assert only(await provider.observe([REF])).evidence == ("why",)

    assert len(it.seen(GET_LOGS)) == 3


async def test_a_deployment_that_fails_again_is_asked_again() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.answers[GET_LOGS] = {"logs": []}
        for details in ("first", "second"):
            it.answers[GET_ONE] = deployment(state="error", state_details=details)
            it.deployments(deployment(state="error"))
            assert only(await provider.observe([REF])).evidence == (details,)
            it.deployments(deployment())
            assert only(await provider.observe([REF])).evidence == ()


# --- reading one --------------------------------------------------------------------------------


async def test_a_read_is_one_get() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.answers[GET_ONE] = deployment(state="error", state_details="why")

        told = await provider.read(REF)

    assert (told.phase, told.replicas, told.evidence) == (Phase.FAILED, (2, 2), ("why",))
    assert len(it.requests) == 1


async def test_a_read_that_answers_about_another_deployment_is_bad() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.answers[GET_ONE] = deployment(id=OTHER)

        with pytest.raises(BadReply, match="another deployment"):
            await provider.read(REF)


# --- writing ------------------------------------------------------------------------------------


async def scaled(it: Vendor, provider: Any, replicas: int = 3) -> None:
    it.deployments(deployment())
    it.answers[SCALE] = PENDING
    it.answers.setdefault(GET_OPERATION, PENDING)
    await provider.observe([REF])
    receipt = await provider.set_replicas(REF, exactly(replicas))
    assert receipt.operation_id == OPERATION


async def test_a_range_that_is_no_count_is_rejected_unsent() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        for wrong in (ReplicaRange(1, 2), ReplicaRange(-1, -1)):
            with pytest.raises(Rejected, match="exact"):
                await provider.set_replicas(REF, wrong)

    assert it.requests == []


@pytest.mark.parametrize("looked_at", [True, False])
async def test_a_public_deployment_is_never_written_even_if_a_ref_names_it(looked_at: bool) -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment(visibility="public"))
        it.answers[GET_ONE] = deployment(visibility="public")
        it.answers[SCALE] = PENDING
        if looked_at:
            observed = await provider.observe([REF])
            assert isinstance(observed.deployments[REF.key], Rejected)

        with pytest.raises(Rejected, match="visibility public"):
            await provider.set_replicas(REF, exactly(0))
        with pytest.raises(Rejected):
            await provider.read(REF)

    assert it.seen("POST") == []


async def test_a_deployment_that_turned_public_is_not_written() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment())
        it.answers[SCALE] = PENDING
        await provider.observe([REF])
        it.deployments(deployment(visibility="public"))
        it.answers[GET_ONE] = deployment(visibility="public")
        await provider.observe([REF])

        with pytest.raises(Rejected):
            await provider.set_replicas(REF, exactly(1))

    assert it.seen("POST") == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (412, NoCapacity),
        (409, Busy),
        (403, Unauthorized),
        (404, NotFound),
        (400, Rejected),
        (500, Unavailable),
    ],
)
async def test_a_refused_write_is_one_of_our_errors_and_leaves_nothing_pending(
    status: int, error: type[Exception]
) -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment())
        it.answers[SCALE] = answer({"error": "no"}, status)
        await provider.observe([REF])

        with pytest.raises(error):
            await provider.set_replicas(REF, exactly(3))

        assert only(await provider.observe([REF])).busy is False


async def test_while_a_change_is_pending_nothing_is_sent() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        await scaled(it, provider)

        with pytest.raises(Busy):
            await provider.set_replicas(REF, exactly(4))
        observed = await provider.observe([REF])

    assert only(observed).busy is True
    assert observed.ended == ()
    assert len(it.seen("POST")) == 1


async def test_a_change_that_succeeds_is_told_once_and_frees_the_deployment() -> None:
    telemetry = Recorder()
    async with vendor() as it, exoscale(it.url, telemetry) as provider:
        await scaled(it, provider)
        it.answers[GET_OPERATION] = {"id": OPERATION, "state": "success"}
        it.deployments(deployment(replicas=3, state="scaling"))

        first = await provider.observe([REF])
        second = await provider.observe([REF])

    assert [(end.key, end.error) for end in first.ended] == [(REF.key, None)]
    assert only(first).busy is False
    assert second.ended == ()
    assert ("exo", "state at the first look after an operation's success", "scaling") in telemetry.sights


@pytest.mark.parametrize(
    ("reason", "error"),
    [("busy", Busy), ("unavailable", Unavailable), ("incorrect", Rejected), ("not-found", NotFound)],
)
async def test_a_change_that_fails_is_told_with_its_reason(reason: str, error: type[Exception]) -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        await scaled(it, provider)
        it.answers[GET_OPERATION] = {
            "id": OPERATION,
            "state": "failure",
            "reason": reason,
            "message": "no luck",
        }

        (end,) = (await provider.observe([REF])).ended

    assert type(end.error) is error
    assert "no luck" in str(end.error)


async def test_the_end_of_a_change_survives_a_failed_list_call() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        await scaled(it, provider)
        it.answers[GET_OPERATION] = {"id": OPERATION, "state": "success"}
        it.answers["GET /v2/ai/deployment"] = answer({"error": "down"}, 503)
        with pytest.raises(Unavailable):
            await provider.observe([REF])
        it.deployments(deployment(replicas=3))

        observed = await provider.observe([REF])

    assert [end.key for end in observed.ended] == [REF.key]


async def test_a_change_that_is_done_at_once_is_told_next_time() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment())
        it.answers[SCALE] = {"id": OPERATION, "state": "success"}
        await provider.observe([REF])
        await provider.set_replicas(REF, exactly(2))

        observed = await provider.observe([REF])

    assert [(end.key, end.error) for end in observed.ended] == [(REF.key, None)]
    assert it.seen(GET_OPERATION) == []


async def test_a_write_answered_with_a_failed_operation_was_not_taken() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment())
        it.answers[SCALE] = {"id": OPERATION, "state": "failure", "reason": "forbidden"}
        await provider.observe([REF])

        with pytest.raises(Unauthorized):
            await provider.set_replicas(REF, exactly(3))


async def test_a_scale_to_the_count_that_is_set_is_sent_and_its_answer_told() -> None:
    telemetry = Recorder()
    async with vendor() as it, exoscale(it.url, telemetry) as provider:
        await scaled(it, provider, replicas=2)

    assert ("exo", "a scale call to the count that is set", "pending") in telemetry.sights


async def test_an_operation_word_that_we_do_not_know_keeps_the_change_pending() -> None:
    telemetry = Recorder()
    async with vendor() as it, exoscale(it.url, telemetry) as provider:
        await scaled(it, provider)
        it.answers[GET_OPERATION] = {"id": OPERATION, "state": "queued"}

        assert only(await provider.observe([REF])).busy is True

    assert telemetry.words == [("exo", "queued", "operation.state")]


FORGOTTEN = "an operation whose end was not seen"


@pytest.mark.virtual_time
async def test_an_operation_that_cannot_be_read_for_half_an_hour_is_forgotten() -> None:
    clock, telemetry = SystemClock(starts_at=NOVEMBER), Recorder()
    async with vendor() as it, exoscale(it.url, telemetry, clock) as provider:
        it.answers[GET_OPERATION] = answer({"error": "no"}, 500)
        await scaled(it, provider)
        await clock.sleep(1790)
        assert only(await provider.observe([REF])).busy is True
        await clock.sleep(15)
        observed = await provider.observe([REF])

    assert only(observed).busy is False
    assert observed.ended == ()
    assert [fact for _, fact, _ in telemetry.sights].count(FORGOTTEN) == 1


@pytest.mark.virtual_time
async def test_an_operation_that_is_read_pending_stays_pending_for_long() -> None:
    clock = SystemClock(starts_at=NOVEMBER)
    async with vendor() as it, exoscale(it.url, clock=clock) as provider:
        await scaled(it, provider)
        for _ in range(20):
            await clock.sleep(600)
            assert only(await provider.observe([REF])).busy is True
        await clock.sleep(4 * 3600)
        assert only(await provider.observe([REF])).busy is False


@pytest.mark.virtual_time
async def test_an_operation_that_the_vendor_does_not_know_is_forgotten_after_a_minute() -> None:
    clock, telemetry = SystemClock(starts_at=NOVEMBER), Recorder()
    async with vendor() as it, exoscale(it.url, telemetry, clock) as provider:
        it.answers[GET_OPERATION] = answer({"error": "no such operation"}, 404)
        await scaled(it, provider)
        assert only(await provider.observe([REF])).busy is True
        await clock.sleep(61)
        assert only(await provider.observe([REF])).busy is False

    assert ("exo", FORGOTTEN, "not found") in telemetry.sights


@pytest.mark.virtual_time
async def test_a_key_that_may_not_read_operations_goes_by_the_deployments_state() -> None:
    clock = SystemClock(starts_at=NOVEMBER)
    async with vendor() as it, exoscale(it.url, clock=clock) as provider:
        it.answers[GET_OPERATION] = answer({"code": "forbidden_operation", "error": "role"}, 403)
        await scaled(it, provider)
        it.deployments(deployment(replicas=3, state="scaling"))
        await clock.sleep(120)
        assert only(await provider.observe([REF])).busy is True
        it.deployments(deployment(replicas=3))
        await clock.sleep(15)
        assert only(await provider.observe([REF])).busy is False


async def test_a_hundred_pending_changes_are_polled_a_few_at_a_time() -> None:
    open_now = most = 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.001)
        open_now -= 1
        return answer({"id": request.path.rsplit("/", 1)[1], "state": "success"})

    ids = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(100)]
    refs = [Ref(f"chat/d{n}", {"id": id_}) for n, id_ in enumerate(ids)]
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(*(deployment(id=id_) for id_ in ids))
        for id_ in ids:
            it.answers[f"POST /v2/ai/deployment/{id_}/scale"] = {"id": id_, "state": "pending"}
            it.answers[f"GET /v2/operation/{id_}"] = slow
        await provider.observe(refs)
        await asyncio.gather(*(provider.set_replicas(ref, exactly(1)) for ref in refs))

        observed = await provider.observe(refs)

    assert len(observed.ended) == 100
    assert most == 4


# --- what a person asks for ---------------------------------------------------------------------


async def test_the_inventory_shows_all_and_says_what_is_never_touched() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(
            deployment(),
            deployment(id=OTHER, visibility="public", name="shared"),
            deployment(id=OPERATION, replicas=[]),
        )
        it.answers[FAMILIES] = {"instance-types": [{"family": "gpu3", "authorized": False}]}

        inventory = await provider.inventory()

    assert it.seen("GET /v2/ai/deployment") == ["GET /v2/ai/deployment"]
    by_id = {item.ids["id"]: item for item in inventory.items}
    assert (by_id[CHAT].name, by_id[CHAT].model, by_id[CHAT].scalable) == ("chat", "Qwen/Qwen3-8B", True)
    assert (by_id[OTHER].scalable, by_id[OTHER].note) == (False, "public: never touched")
    assert "'replicas'" in by_id[OPERATION].note
    assert inventory.gpu_types == {"gpu3": False}


async def test_an_inventory_without_gpu_families_is_still_one() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        it.deployments(deployment())
        it.answers[FAMILIES] = answer({"error": "no"}, 403)

        assert (await provider.inventory()).gpu_types == {}


async def test_a_vendor_without_prices_has_none() -> None:
    async with vendor() as it, exoscale(it.url) as provider:
        assert await provider.prices() == {}
    assert it.requests == []
