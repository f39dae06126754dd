"""The DeepInfra adapter's promises, against a small DeepInfra over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from autoscaler.clock import SystemClock
from autoscaler.core.model import Observation, Phase, Price, ReplicaRange, ZeroCapability, exactly
from autoscaler.ports import (
    BadReply,
    Busy,
    NotFound,
    ProviderError,
    RateLimited,
    Ref,
    Rejected,
    Unauthorized,
    Unavailable,
)
from autoscaler.providers.deepinfra import DeepInfraIds, DeepInfraSettings
from tests.providers.deepinfra_support import (
    CHAT,
    GET_ONE,
    LIST,
    OTHER,
    PUT,
    REF,
    START,
    STOCK,
    STOP,
    TOKEN,
    account,
    deepinfra,
    deployment,
    gpu,
    legacy,
    only,
)
from tests.providers.support import Recorder, answer
from tests.providers.test_http import everything_said

NOVEMBER = 1795219200.0
OTHER_REF = Ref("chat/other", {"id": OTHER})
NOT_BELOW_ONE = {
    "detail": [
        {"loc": ["body", "settings", "min_instances"], "msg": "Input should be 1 or more", "type": "x"}
    ]
}


# --- settings -----------------------------------------------------------------------------------


def test_the_default_address_is_the_vendors_and_another_is_a_bare_host() -> None:
    assert DeepInfraSettings(api_token=TOKEN).address == "https://api.deepinfra.com"
    told = {"api_token": TOKEN, "base_url": "http://127.0.0.1:8082/"}
    assert DeepInfraSettings.model_validate(told).address == "http://127.0.0.1:8082"
    with pytest.raises(ValidationError, match="without a path"):
        DeepInfraSettings.model_validate({**told, "base_url": "https://api.deepinfra.com/v1"})


@pytest.mark.parametrize("id_", ["fkj843kjh8", "A-b_9", "0a0e2a4c-58f5-4f0a-9d0c-0c5b7f0b1f11"])
def test_an_id_is_opaque(id_: str) -> None:
    assert DeepInfraIds(id=id_).id == id_


@pytest.mark.parametrize("id_", ["", "a/b", "..", "a b", "a%2Fb", "a?b", "abc\n", "ü", "x" * 129])
async def test_an_id_that_would_lead_elsewhere_is_refused(id_: str) -> None:
    with pytest.raises(ValidationError):
        DeepInfraIds(id=id_)
    async with account() as it, deepinfra(it.url) as provider:
        ref = Ref("chat/odd", {"id": id_})
        observed = await provider.observe([ref])
        with pytest.raises(Rejected):
            await provider.set_replicas(ref, exactly(1))

    assert isinstance(observed.deployments[ref.key], Rejected)
    assert it.calls == [LIST]


# --- observing ----------------------------------------------------------------------------------


async def test_one_list_call_observes_all_refs() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.gpus = [gpu("2xH100-80GB", 4.4), gpu("1xL4-24GB", 0.5, available=False)]
        it.entries[OTHER] = deployment(
            deploy_id=OTHER,
            instances={"running": 1, "pending": 2},
            config={"gpu": "L4-24GB", "num_gpus": 1, "max_batch_size": 8},
        )

        observed = await provider.observe([REF, OTHER_REF])

    assert it.calls == [LIST]
    assert it.tokens == {f"Bearer {TOKEN}"}
    assert observed.ended == ()
    assert only(observed) == Observation(
        replicas=ReplicaRange(1, 4),
        ready=2,
        starting=0,
        phase=Phase.READY,
        gpu_type="H100-80GB",
        gpus_per_replica=2,
        instance_type="2xH100-80GB",
        native=True,
        zero=ZeroCapability.STOP,
        available=True,
    )
    other = observed.deployments[OTHER_REF.key]
    assert isinstance(other, Observation)
    assert (other.phase, other.ready, other.starting) == (Phase.SCALING, 1, 2)
    assert (other.instance_type, other.available) == ("1xL4-24GB", False)


async def test_every_ref_is_answered_with_facts_or_the_error_that_hid_them() -> None:
    refs = {id_: Ref(f"chat/{id_}", {"id": id_}) for id_ in ("legacy", "deleted", "odd", "bare", "gone")}
    async with account() as it, deepinfra(it.url) as provider:
        it.entries.update(
            legacy=legacy(deploy_id="legacy"),
            deleted=deployment(deploy_id="deleted", status="deleted"),
            odd=deployment(deploy_id="odd", settings={"min_instances": "1", "max_instances": 1}),
            bare=deployment(deploy_id="bare", settings=None),
        )

        observed = await provider.observe([REF, *refs.values()])

    assert only(observed).ready == 2
    told = {id_: type(observed.deployments[ref.key]) for id_, ref in refs.items()}
    assert told == {
        "legacy": Rejected,
        "deleted": NotFound,
        "odd": BadReply,
        "bare": BadReply,
        "gone": NotFound,
    }
    assert "type legacy: not ours" in str(observed.deployments["chat/legacy"])


async def test_an_entry_that_we_cannot_name_makes_no_deployment_vanish() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.answers[LIST] = [deployment(deploy_id=7), "x"]

        observed = await provider.observe([REF])

    assert isinstance(observed.deployments[REF.key], BadReply)


async def test_a_failed_list_call_is_raised() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.answers[LIST] = answer({"error": "down"}, 503)

        with pytest.raises(Unavailable, match="down"):
            await provider.observe([REF])


@pytest.mark.parametrize("bounds", [(1, 4), (0, 3), (2, 2), None])
async def test_what_is_stopped_shows_zero_whatever_its_settings_say(bounds: tuple[int, int] | None) -> None:
    told = None if bounds is None else {"min_instances": bounds[0], "max_instances": bounds[1]}
    async with account() as it, deepinfra(it.url) as provider:
        it.shows(status="stopped", settings=told, instances=None)

        seen = only(await provider.observe([REF]))

    assert (seen.replicas, seen.ready, seen.starting, seen.phase) == ((0, 0), 0, 0, Phase.STOPPED)


async def test_why_it_failed_is_evidence_on_one_line() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.shows(status="failed", fail_reason=f"CUDA out\nof memory, {TOKEN} hf_weights-token-not-real")

        seen = only(await provider.observe([REF]))

    assert (seen.phase, seen.evidence) == (Phase.FAILED, ("CUDA out of memory, *** ***",))


async def test_words_that_we_do_not_know_are_told_and_never_acted_on() -> None:
    telemetry = Recorder()
    async with account() as it, deepinfra(it.url, telemetry) as provider:
        it.shows(status="hibernating", type="moe")
        it.entries[OTHER] = deployment(deploy_id=OTHER, status="nobody's")

        seen = only(await provider.observe([REF]))

    assert seen.phase is Phase.UNKNOWN
    assert telemetry.words == [("di", "hibernating", "deployment.status"), ("di", "moe", "deployment.type")]


async def test_open_facts_are_told_at_first_sight() -> None:
    telemetry = Recorder()
    async with account() as it, deepinfra(it.url, telemetry) as provider:
        it.shows(status="stopped", instances={"running": 1, "pending": 0})
        await provider.observe([REF])
        it.shows(instances={"running": 5, "pending": 0})
        await provider.observe([REF])
        it.shows(status="updating")
        await provider.observe([REF])

    assert telemetry.sights == [
        ("di", "instances while stopped", "running 1, pending 0"),
        ("di", "running above the bounds, none pending", "5 at (1, 4)"),
        ("di", "a status beyond the vendor's list", "updating"),
    ]
    assert telemetry.words == []


@pytest.mark.virtual_time
async def test_how_long_a_change_takes_to_show_is_told() -> None:
    clock, telemetry = SystemClock(starts_at=NOVEMBER), Recorder()
    async with account() as it, deepinfra(it.url, telemetry, clock) as provider:
        await provider.set_replicas(REF, exactly(3))
        it.shows()
        await provider.observe([REF])
        await clock.sleep(30)
        it.shows(settings={"min_instances": 3, "max_instances": 3}, instances={"running": 2, "pending": 1})
        await provider.observe([REF])
        await provider.observe([REF])

    assert telemetry.sights == [("di", "time until a change is shown", "running after 30 s")]


# --- stock --------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_stock_is_asked_for_every_ten_seconds_at_most_and_forgotten_after_five_minutes() -> None:
    clock = SystemClock(starts_at=NOVEMBER)
    async with account() as it, deepinfra(it.url, clock=clock) as provider:
        it.gpus = [gpu("2xH100-80GB", 4.4, available=False)]
        assert only(await provider.observe([REF])).available is False
        it.answers[STOCK] = answer({"error": "down"}, 500)
        await clock.sleep(9)
        assert only(await provider.observe([REF])).available is False
        asked = [len([call for call, _ in it.requests if call == STOCK])]
        await clock.sleep(290)
        assert only(await provider.observe([REF])).available is False
        await clock.sleep(2)
        assert only(await provider.observe([REF])).available is None
        asked.append(len([call for call, _ in it.requests if call == STOCK]))

    assert asked == [1, 2]


@pytest.mark.virtual_time
async def test_stock_that_does_not_answer_delays_no_tick() -> None:
    async def hang(*_: Any) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    clock = SystemClock(starts_at=NOVEMBER)
    async with account() as it, deepinfra(it.url, clock=clock) as provider:
        it.answers[STOCK] = hang
        began = clock.monotonic()

        seen = only(await provider.observe([REF]))

        assert clock.monotonic() - began <= 2.6
    assert (seen.ready, seen.available) == (2, None)


async def test_a_configuration_that_is_not_listed_is_neither_in_stock_nor_out() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.gpus = [gpu("1xH100-80GB", 2.2)]

        assert only(await provider.observe([REF])).available is None


@pytest.mark.virtual_time
async def test_prices_are_per_gpu_and_of_each_type_that_of_its_smallest_configuration() -> None:
    clock = SystemClock(starts_at=NOVEMBER)
    async with account() as it, deepinfra(it.url, clock=clock) as provider:
        it.gpus = [
            gpu("8xB200-180GB", 29.52, available=False),
            gpu("4xB200-180GB", 15.0),
            gpu("2xH100-80GB", 4.40),
            {"gpu_config": "1xother", "usd_per_hour": 0.3, "available": True, "recommended": True},
        ]

        prices = await provider.prices()

        assert only(await provider.observe([REF])).available is True
    at = prices["B200-180GB"].at
    assert abs(at - NOVEMBER) < 1
    assert prices == {
        "8xB200-180GB": Price(3.69, at, "B200-180GB", 8, False),
        "4xB200-180GB": Price(3.75, at, "B200-180GB", 4, True),
        "B200-180GB": Price(3.75, at),
        "2xH100-80GB": Price(2.2, at, "H100-80GB", 2, True),
        "H100-80GB": Price(2.2, at),
        "1xother": Price(0.3, at, "other", 1, True),
        "other": Price(0.3, at),
    }
    assert len(it.requests) == 2, "what prices told of stock serves the tick too"


async def test_prices_that_cannot_be_had_are_an_error_and_an_odd_line_hides_no_other() -> None:
    telemetry = Recorder()
    async with account() as it, deepinfra(it.url, telemetry) as provider:
        it.gpus = [7, gpu("H100", 1.0), gpu("1xA100-80GB", "cheap"), gpu("2xH100-80GB", 4.4, "yes")]
        prices = await provider.prices()
        it.answers[STOCK] = answer({"error": "down"}, 500)
        with pytest.raises(Unavailable):
            await provider.prices()

    assert sorted(prices) == ["2xH100-80GB", "H100-80GB"]
    assert prices["2xH100-80GB"].available is None
    assert telemetry.words == [("di", "H100", "gpu_config"), ("di", "a line without a name", "gpu_config")]


# --- reading one --------------------------------------------------------------------------------


async def test_a_read_is_one_get_and_agrees_with_the_list() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        observed = only(await provider.observe([REF]))

        assert await provider.read(REF) == observed
    assert it.calls == [LIST, GET_ONE]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"deploy_id": OTHER}, BadReply),
        ({"status": "deleted"}, NotFound),
        ({"type": "legacy"}, Rejected),
        ({"type": ...}, Rejected),
        ({"settings": None}, BadReply),
    ],
)
async def test_what_is_not_there_to_scale_is_neither_read_nor_written(
    fields: dict[str, Any], error: type[ProviderError]
) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        await provider.observe([REF])
        it.shows(**fields)
        with pytest.raises(error):
            await provider.read(REF)
        for wanted in (exactly(0), exactly(2), ReplicaRange(1, 6)):
            with pytest.raises(error):
                await provider.set_replicas(REF, wanted)

    assert it.writes == []


# --- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [exactly(3), ReplicaRange(1, 6), ReplicaRange(0, 2), exactly(1)])
async def test_both_bounds_are_always_sent_and_nothing_else(wanted: ReplicaRange) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        await provider.observe([REF])
        receipt = await provider.set_replicas(REF, wanted)

        assert only(await provider.observe([REF])).replicas == wanted
    assert receipt.operation_id is None
    assert it.writes == [PUT]
    assert it.bodies == [{"settings": {"min_instances": wanted[0], "max_instances": wanted[1]}}]


async def test_a_deployment_that_was_never_looked_at_is_read_before_it_is_written() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        await provider.set_replicas(REF, exactly(3))

    assert it.calls == [GET_ONE, PUT]


@pytest.mark.parametrize("wrong", [ReplicaRange(3, 2), ReplicaRange(-1, 2), ReplicaRange(-1, -1)])
async def test_bounds_that_are_none_are_rejected_unsent(wrong: ReplicaRange) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        with pytest.raises(Rejected, match="bounds"):
            await provider.set_replicas(REF, wrong)

    assert it.requests == []


async def test_zero_is_a_stop_and_stopping_again_sends_nothing() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        await provider.observe([REF])
        await provider.set_replicas(REF, exactly(0))
        seen = only(await provider.observe([REF]))
        await provider.set_replicas(REF, exactly(0))

    assert (seen.replicas, seen.phase) == ((0, 0), Phase.STOPPED)
    assert it.writes == [STOP]


async def test_after_a_change_of_our_own_the_next_looks_before_it_writes() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        await provider.observe([REF])
        await provider.set_replicas(REF, exactly(0))
        await provider.set_replicas(REF, exactly(2))

        assert only(await provider.observe([REF])).replicas == (2, 2)
    assert it.writes == [STOP, PUT, START]


@pytest.mark.parametrize("wanted", [exactly(2), ReplicaRange(1, 6)])
async def test_what_is_stopped_gets_its_bounds_before_it_starts(wanted: ReplicaRange) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.shows(status="stopped", settings={"min_instances": 8, "max_instances": 8})
        await provider.observe([REF])
        await provider.set_replicas(REF, wanted)

        seen = only(await provider.observe([REF]))

    assert it.writes == [PUT, START]
    assert (seen.replicas, seen.phase) == (wanted, Phase.STARTING)


@pytest.mark.parametrize("at", [PUT, START])
async def test_a_start_that_ended_half_way_still_shows_zero_and_is_finished_later(at: str) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.shows(status="stopped", instances={"running": 0, "pending": 0})
        await provider.observe([REF])
        it.answers[at] = answer({"error": "down"}, 503)
        with pytest.raises(Unavailable):
            await provider.set_replicas(REF, exactly(2))
        it.answers.clear()
        assert (await provider.read(REF)).replicas == (0, 0)
        await provider.set_replicas(REF, exactly(2))

        assert only(await provider.observe([REF])).replicas == (2, 2)
    assert it.writes[-2:] == [PUT, START]


@pytest.mark.parametrize(("call", "wanted", "after"), [(STOP, 0, "stopped"), (START, 2, "deploying")])
async def test_to_be_refused_because_it_is_so_already_is_done(call: str, wanted: int, after: str) -> None:
    async with account() as it, deepinfra(it.url) as provider:

        async def somebody_was_faster(*_: Any) -> web.Response:
            it.entries[CHAT]["status"] = after
            return answer({"error": "not in this state"}, 400)

        it.shows(status="running" if wanted == 0 else "stopped")
        it.answers[call] = somebody_was_faster
        await provider.observe([REF])

        await provider.set_replicas(REF, exactly(wanted))


@pytest.mark.parametrize(("call", "status", "wanted"), [(STOP, "running", 0), (START, "stopped", 2)])
async def test_a_stop_or_start_that_is_refused_for_good_is_rejected(
    call: str, status: str, wanted: int
) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.shows(status=status)
        it.answers[call] = answer({"error": "not you"}, 400)
        await provider.observe([REF])

        with pytest.raises(Rejected, match="answered 400: not you"):
            await provider.set_replicas(REF, exactly(wanted))


async def refused_while_stopped(it: Any, old: tuple[int, int]) -> None:
    async def put(_: web.Request, __: Any) -> web.Response | None:
        stopped = it.entries[CHAT]["status"] == "stopped"
        return answer({"error": "it is stopped"}, 400) if stopped else None

    it.shows(status="stopped", settings={"min_instances": old[0], "max_instances": old[1]})
    it.answers[PUT] = put


async def test_bounds_refused_while_stopped_follow_the_start_where_the_old_ones_ask_for_no_more() -> None:
    telemetry = Recorder()
    async with account() as it, deepinfra(it.url, telemetry) as provider:
        await refused_while_stopped(it, (1, 1))
        await provider.observe([REF])
        await provider.set_replicas(REF, exactly(2))

        assert only(await provider.observe([REF])).replicas == (2, 2)
    assert it.writes == [PUT, START, PUT]
    assert ("di", "bounds set while stopped", "refused: deploy-update answered 400: it is stopped") in (
        telemetry.sights
    )


async def test_nothing_is_started_on_bounds_above_what_was_asked_for() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        await refused_while_stopped(it, (1, 8))
        await provider.observe([REF])
        with pytest.raises(Rejected):
            await provider.set_replicas(REF, exactly(2))

    assert it.writes == [PUT]


# --- a minimum of zero --------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [answer(NOT_BELOW_ONE, 422), answer({"error": "min is 1"}, 400)])
async def test_a_refused_minimum_of_zero_is_sent_once_and_then_known(refusal: web.Response) -> None:
    telemetry = Recorder()

    async def put(_: web.Request, body: Any) -> web.Response | None:
        return refusal if body["settings"]["min_instances"] == 0 else None

    async with account() as it, deepinfra(it.url, telemetry) as provider:
        it.answers[PUT] = put
        it.entries[OTHER] = deployment(deploy_id=OTHER)
        for _ in range(4):
            await provider.observe([REF])
            with pytest.raises(Busy, match="at least one instance always"):
                await provider.set_replicas(REF, ReplicaRange(0, 4))
            assert it.bodies == [{"settings": {"min_instances": 0, "max_instances": 4}}]
        observed = await provider.observe([REF, OTHER_REF])
        assert only(observed).zero is ZeroCapability.IMPOSSIBLE
        assert (await provider.read(REF)).zero is ZeroCapability.IMPOSSIBLE
        other = observed.deployments[OTHER_REF.key]
        assert isinstance(other, Observation)
        assert other.zero is ZeroCapability.STOP
        await provider.set_replicas(REF, ReplicaRange(1, 3))
        await provider.read(REF)
        await provider.set_replicas(REF, exactly(0))

    assert it.writes == [PUT, PUT, STOP]
    (told,) = [seen for _, fact, seen in telemetry.sights if fact.startswith("min_instances 0")]
    assert told.startswith("refused: deploy-update answered 4")


@pytest.mark.virtual_time
async def test_a_refused_minimum_of_zero_is_tried_again_after_an_hour_and_others_say_nothing_of_it() -> None:
    refusals = [answer({"error": "max_instances above your quota of 4"}, 400), answer(NOT_BELOW_ONE, 422)]

    async def put(_: web.Request, body: Any) -> web.Response | None:
        return refusals.pop(0) if refusals else None

    clock = SystemClock(starts_at=NOVEMBER)
    async with account() as it, deepinfra(it.url, clock=clock) as provider:
        it.answers[PUT] = put
        with pytest.raises(Rejected, match="quota"):
            await provider.set_replicas(REF, ReplicaRange(0, 6))
        with pytest.raises(Busy):
            await provider.set_replicas(REF, ReplicaRange(0, 3))
        assert (await provider.read(REF)).zero is ZeroCapability.IMPOSSIBLE
        await clock.sleep(3601)
        assert (await provider.read(REF)).zero is ZeroCapability.STOP
        await provider.set_replicas(REF, ReplicaRange(0, 3))

    assert it.writes == [PUT, PUT, PUT]


async def test_a_minimum_of_zero_that_is_taken_is_told() -> None:
    telemetry = Recorder()
    async with account() as it, deepinfra(it.url, telemetry) as provider:
        it.shows(settings={"min_instances": 0, "max_instances": 4}, instances={"running": 0, "pending": 0})
        seen = only(await provider.observe([REF]))
        await provider.set_replicas(REF, ReplicaRange(0, 2))

    assert (seen.phase, seen.replicas, seen.zero) == (Phase.STOPPED, (0, 4), ZeroCapability.STOP)
    assert ("di", "min_instances 0 with max_instances above 0", "accepted") in telemetry.sights


@pytest.mark.parametrize("status", [401, 402, 404, 409, 429, 500])
async def test_other_trouble_says_nothing_of_zero(status: int) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.answers[PUT] = answer({"error": "no"}, status)
        await provider.observe([REF])
        with pytest.raises(ProviderError):
            await provider.set_replicas(REF, ReplicaRange(0, 4))

        assert only(await provider.observe([REF])).zero is ZeroCapability.STOP


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (400, {"error": "no"}, Rejected, "deploy-update answered 400: no"),
        (401, {"error": "bad token"}, Unauthorized, "bad token"),
        (402, {"error": "add funds"}, Rejected, "answered 402: add funds"),
        (403, {"error": "no"}, Unauthorized, "no"),
        (404, {"error": "Model not found"}, NotFound, "Model not found"),
        (409, {"error": "busy"}, Busy, "busy"),
        (410, {"error": "deleted"}, NotFound, "deleted"),
        (412, {"error": "no"}, Rejected, "no"),
        (422, {"error": "too many"}, Rejected, "answered 422: too many"),
        (
            422,
            NOT_BELOW_ONE,
            Rejected,
            "deploy-update answered 422: settings.min_instances: Input should be 1 or more",
        ),
        (422, {"detail": "plain"}, Rejected, "answered 422: plain"),
        (422, {"detail": [7, {}]}, Rejected, "answered 422"),
        (423, {"error": "locked"}, Busy, "locked"),
        (429, {"error": "slow"}, RateLimited, "slow"),
        (500, {"error": "oops"}, Unavailable, "oops"),
    ],
)
async def test_a_refused_write_is_one_of_our_errors_in_the_vendors_words(
    status: int, body: Any, error: type[ProviderError], text: str
) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.answers[PUT] = answer(body, status)
        await provider.observe([REF])

        with pytest.raises(error) as caught:
            await provider.set_replicas(REF, exactly(3))

    assert text in str(caught.value)
    assert it.writes == [PUT]


@pytest.mark.parametrize(
    "body",
    [
        {"error": f"what is {TOKEN}?"},
        {"detail": [{"loc": ["header", TOKEN], "msg": f"what is {TOKEN}?"}]},
        {"detail": TOKEN},
        TOKEN,
    ],
)
async def test_the_token_is_in_no_text_even_where_the_vendor_repeats_it(body: Any) -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.answers[PUT] = answer(body, 422)

        with pytest.raises(Rejected) as caught:
            await provider.set_replicas(REF, exactly(3))

        assert TOKEN not in everything_said(caught.value)
        assert TOKEN not in repr(provider)
    assert "***" in str(caught.value)


async def test_an_answer_about_another_deployment_is_no_yes() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.answers[PUT] = {"deploy_id": OTHER}

        with pytest.raises(BadReply, match="another deployment"):
            await provider.set_replicas(REF, exactly(3))


# --- inventory ----------------------------------------------------------------------------------


async def test_the_inventory_shows_all_and_says_what_is_never_touched() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.gpus = [gpu("2xH100-80GB", 4.4, available=False), gpu("1xL4-24GB", 0.5)]
        it.entries.update(
            a=legacy(deploy_id="a"),
            b=deployment(deploy_id="b", status="deleted"),
            c=deployment(deploy_id="c", status=7),
            d=deployment(deploy_id="d", settings=None),
            e=deployment(deploy_id="e", status="stopped", config=None),
        )

        inventory = await provider.inventory()

    items = {item.ids["id"]: item for item in inventory.items}
    assert sorted(items) == ["a", "c", "d", "e", CHAT]
    assert [id_ for id_, item in items.items() if item.scalable] == ["e", CHAT]
    assert items["a"].note == "legacy: paid per token, never touched"
    assert "'status'" in items["c"].note
    assert items["e"].replicas == "0-0"
    mine = items[CHAT]
    assert (mine.name, mine.model, mine.replicas) == ("acme/qwen3-32b", "Qwen/Qwen3-32B", "1-4")
    assert (mine.gpu_type, mine.gpus_per_replica, mine.phase) == ("H100-80GB", 2, "ready")
    assert mine.note == "2xH100-80GB is out of stock: more would wait"
    assert inventory.gpu_types == {"2xH100-80GB": False, "1xL4-24GB": True}


async def test_an_inventory_without_stock_is_still_one() -> None:
    async with account() as it, deepinfra(it.url) as provider:
        it.answers[STOCK] = answer({"error": "down"}, 500)

        inventory = await provider.inventory()

    assert (len(inventory.items), inventory.gpu_types) == (1, {})
