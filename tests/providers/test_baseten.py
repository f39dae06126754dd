from __future__ import annotations

from typing import Any

import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.model import ErrorKind, Observation, Phase, ReplicaRange, ZeroCapability, exactly
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
from autoscaler.providers.baseten.neutral import PHASES
from tests.providers.baseten_support import (
    CHAIN,
    CHAINS,
    DEPLOYMENT,
    H100,
    KEY,
    LIVE,
    LLM,
    MODEL,
    MODELS,
    ONE,
    RAG,
    TWO_H100,
    baseten,
    bounds,
    chain_deployment,
    chain_environment,
    chainlet,
    deployment,
    environment,
    fact,
    look,
    workspace,
)
from tests.providers.support import Recorder, answer, text
from tests.providers.test_http import everything_said

PATCH = f"PATCH {MODELS}/deployments/{DEPLOYMENT}/autoscaling_settings"
ACTIVATE = f"POST {MODELS}/deployments/{DEPLOYMENT}/activate"
WAKE = f"POST /deployment/{DEPLOYMENT}/wake"
STARTING = f"GET {MODELS}/deployments/{DEPLOYMENT}/metrics"
SUMMARY = f"GET {MODELS}/deployments/{DEPLOYMENT}/startups/summary"


def sleeping(low: int = 0, high: int = 1) -> dict[str, Any]:
    return deployment(status="SCALED_TO_ZERO", active_replica_count=0, autoscaling_settings=bounds(low, high))


# --- observing ------------------------------------------------------------------------------------


async def test_a_deployment_is_read_with_bounds_ready_count_and_gpus() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(instance_type_name="H100:2x32x480"))

        told = await look(provider)

    assert (told.replicas, told.ready, told.starting, told.phase) == ((2, 2), 2, None, Phase.READY)
    assert (told.gpu_type, told.gpus_per_replica, told.instance_type) == ("H100", 2, "H100:2x32x480")
    assert (told.native, told.wakes, told.zero, told.busy) == (True, True, ZeroCapability.WAKES, False)
    assert (told.error, told.evidence) == (None, ())


async def test_the_key_goes_in_the_scheme_that_the_vendor_asks_for() -> None:
    async with workspace() as server, baseten(server) as provider:
        await look(provider)

    assert {headers["Authorization"] for _, _, headers, _ in server.requests} == {f"Api-Key {KEY}"}


async def test_each_list_is_asked_once_however_many_refs_it_tells_of() -> None:
    other = Ref("chat/other", {"model_id": MODEL, "deployment_id": "other1"})
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(), deployment(id="other1"))
        observed = await provider.observe([ONE, other, LIVE, LLM, RAG])

    assert all(isinstance(told, Observation) for told in observed.deployments.values())
    lists = [line for line in server.lines if "startups" not in line]
    assert sorted(lists) == sorted(
        [
            "GET /v1/instance_types",
            f"GET {MODELS}/deployments",
            f"GET {MODELS}/environments",
            f"GET {CHAINS}/deployments",
            f"GET {CHAINS}/environments",
        ]
    )


async def test_an_environment_is_read_from_its_current_deployment() -> None:
    current = deployment(id="d2", autoscaling_settings=bounds(3, 3), active_replica_count=1)
    async with workspace() as server, baseten(server) as provider:
        server.environments_are(environment(current_deployment=current))
        told = await look(provider, LIVE)

    assert (told.replicas, told.ready, told.phase) == ((3, 3), 1, Phase.SCALING)


async def test_two_chainlets_are_read_by_name() -> None:
    async with workspace() as server, baseten(server) as provider:
        observed = await provider.observe([LLM, RAG])

    assert fact(observed, LLM).replicas == (2, 2)
    assert fact(observed, RAG).replicas == (1, 1)


async def test_of_a_chains_deployments_the_environments_current_one_counts() -> None:
    old = chain_deployment("old", "production", chainlet("Llm", autoscaling_settings=bounds(9, 9)))
    new = chain_deployment("new", "production", chainlet("Llm", autoscaling_settings=bounds(4, 4)))
    async with workspace() as server, baseten(server) as provider:
        server.answers[f"GET {CHAINS}/deployments"] = {"deployments": [old, new]}
        server.answers[f"GET {CHAINS}/environments"] = {"environments": [chain_environment(new)]}
        assert (await look(provider, LLM)).replicas == (4, 4)

        server.answers[f"GET {CHAINS}/environments"] = {"environments": []}
        observed = await provider.observe([LLM])

    assert isinstance(observed.deployments[LLM.key], BadReply), "which of the two is current is not told"


@pytest.mark.parametrize(("word", "phase"), sorted(PHASES.items()))
async def test_every_status_word_has_its_phase(word: str, phase: Phase) -> None:
    telemetry = Recorder()
    async with workspace() as server, baseten(server, telemetry) as provider:
        server.deployments_are(deployment(status=word, autoscaling_settings=bounds(0, 4)))
        server.answers[STARTING] = text("", 500)
        told = await look(provider)

    assert told.phase is phase
    assert told.wakes is (word not in ("INACTIVE", "DEACTIVATING"))
    assert told.busy is (word == "DEACTIVATING")
    assert telemetry.words == []


async def test_a_new_status_word_is_unknown_and_told() -> None:
    telemetry = Recorder()
    async with workspace() as server, baseten(server, telemetry) as provider:
        server.deployments_are(deployment(status="HIBERNATING"))
        told = await look(provider)

    assert told.phase is Phase.UNKNOWN
    assert telemetry.words == [("bt", "HIBERNATING", "deployment.status")]


@pytest.mark.parametrize(
    ("active", "low", "high", "phase"),
    [
        (2, 2, 2, Phase.READY),
        (3, 2, 4, Phase.READY),
        (5, 2, 2, Phase.SCALING),
        (1, 2, 4, Phase.SCALING),
        (1, 0, 1, Phase.SCALING),  # more than the zero that is asked for
        (0, 0, 1, Phase.STOPPED),
    ],
)
async def test_active_is_ready_only_where_the_count_is_inside_the_bounds(
    active: int, low: int, high: int, phase: Phase
) -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(
            deployment(active_replica_count=active, autoscaling_settings=bounds(low, high))
        )
        assert (await look(provider)).phase is phase


async def test_an_unhealthy_deployment_has_failed_and_still_reports_its_replicas() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(status="UNHEALTHY", active_replica_count=1))
        told = await look(provider)

    assert (told.phase, told.replicas, told.ready) == (Phase.FAILED, (2, 2), 1)
    assert told.evidence == ("status UNHEALTHY",)


async def test_while_it_deploys_nothing_can_be_said_of_its_range() -> None:
    building = deployment(status="BUILDING", active_replica_count=0, autoscaling_settings=None)
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(building)
        told = await look(provider)

    assert (told.replicas, told.phase, told.error) == (None, Phase.STARTING, ErrorKind.BUSY)
    assert "not finished deploying" in told.evidence[0]


async def test_a_development_deployment_is_not_ours() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(is_development=True))
        observed = await provider.observe([ONE])
        assert isinstance(observed.deployments[ONE.key], Rejected)
        with pytest.raises(Rejected, match="for development"):
            await provider.set_replicas(ONE, exactly(1))

    assert server.seen("PATCH") == []


async def test_a_deployment_that_belongs_to_an_environment_says_so() -> None:
    telemetry = Recorder()
    async with workspace() as server, baseten(server, telemetry) as provider:
        server.deployments_are(deployment(environment="production"))
        told = await look(provider)

    assert "environment production" in told.evidence[0]
    assert ("bt", "a deployment steered by its id is in an environment", "production") in telemetry.sights


@pytest.mark.parametrize(
    ("ref", "what"),
    [
        (Ref("chat/x", {"model_id": MODEL, "deployment_id": "nothere"}), "no deployment nothere"),
        (Ref("chat/x", {"model_id": MODEL, "environment": "staging"}), "no environment staging"),
        (Ref("chat/x", {"model_id": "other", "deployment_id": "nothere"}), "404"),
        (Ref("chat/x", {**LLM.ids, "chainlet": "Nobody"}), "there are Llm, Retriever"),
        (Ref("chat/x", {**LLM.ids, "environment": "staging"}), "nothing is deployed"),
    ],
)
async def test_what_is_not_there_is_not_found_and_hides_nothing_else(ref: Ref, what: str) -> None:
    async with workspace() as server, baseten(server) as provider:
        observed = await provider.observe([ref, ONE, LLM])

    error = observed.deployments[ref.key]
    assert isinstance(error, NotFound)
    assert what in str(error)
    assert fact(observed, ONE).ready == 2
    assert fact(observed, LLM).ready == 2


async def test_one_calls_failure_hides_only_its_own_refs() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.answers[f"GET {CHAINS}/deployments"] = text("down", 503)
        server.answers[f"GET {MODELS}/environments"] = answer({"error": "slow", "retry_after": 37}, 429)
        observed = await provider.observe([ONE, LIVE, LLM, RAG])

    assert fact(observed, ONE).ready == 2
    limited = observed.deployments[LIVE.key]
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == 37
    assert isinstance(observed.deployments[LLM.key], Unavailable)
    assert isinstance(observed.deployments[RAG.key], Unavailable)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorized), (403, Unauthorized), (429, RateLimited), (500, Unavailable), (400, Rejected)],
)
async def test_where_every_call_fails_the_trouble_is_raised(status: int, error: type[ProviderError]) -> None:
    async with workspace() as server, baseten(server) as provider:
        for path in (f"{MODELS}/deployments", f"{CHAINS}/deployments", f"{CHAINS}/environments"):
            server.answers[f"GET {path}"] = answer({"error": f"no {KEY}"}, status)
        with pytest.raises(error) as caught:
            await provider.observe([ONE, LLM])

    assert KEY not in everything_said(caught.value)


async def test_one_entry_that_cannot_be_read_hides_no_other() -> None:
    other = Ref("chat/other", {"model_id": MODEL, "deployment_id": "other1"})
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(active_replica_count="two"), deployment(id="other1"), {"name": "x"})
        observed = await provider.observe([ONE, other])

    assert isinstance(observed.deployments[ONE.key], BadReply)
    assert fact(observed, other).ready == 2


async def test_ids_of_no_shape_are_rejected_without_a_call() -> None:
    wrong = Ref("chat/x", {"model_id": MODEL, "chainlet": "Llm"})
    async with workspace() as server, baseten(server) as provider:
        observed = await provider.observe([wrong])
        with pytest.raises(Rejected, match="model_id, chainlet given"):
            await provider.set_replicas(wrong, exactly(1))

    assert isinstance(observed.deployments[wrong.key], Rejected)
    assert server.requests == []


async def test_without_instance_types_the_gpu_is_not_known_and_the_rest_is() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.answers["GET /v1/instance_types"] = text("down", 500)
        told = await look(provider)

    assert (told.gpu_type, told.gpus_per_replica, told.instance_type, told.ready) == (None, None, "H100", 2)


async def test_a_cpu_only_instance_has_no_gpu() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(instance_type_name="1x2"))
        told = await look(provider)

    assert (told.gpu_type, told.gpus_per_replica) == (None, None)


@pytest.mark.virtual_time
async def test_instance_types_are_read_once_an_hour() -> None:
    clock = SystemClock()
    async with workspace() as server, baseten(server, clock=clock) as provider:
        for _ in range(10):
            await look(provider)
            await clock.sleep(100)
        assert len(server.seen("GET /v1/instance_types")) == 1
        await clock.sleep(3600)
        await look(provider)

    assert len(server.seen("GET /v1/instance_types")) == 2


# --- what a tick can do without -------------------------------------------------------------------


def starting_now(*values: float | None) -> dict[str, Any]:
    return {
        "start_epoch_millis": 1,
        "end_epoch_millis": 1,
        "mode": "CURRENT",
        "step_seconds": None,
        "metric_descriptors": [
            {"name": "baseten_replicas_starting", "unit_hint": "COUNT", "kind": "GAUGE", "label_sets": [{}]}
        ],
        "metric_values": [{"start_epoch_millis": 1, "values": [list(values)]}],
    }


async def test_replicas_that_the_vendor_starts_within_a_range_are_asked_for() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(autoscaling_settings=bounds(1, 6)))
        server.answers[STARTING] = starting_now(3)
        assert (await look(provider)).starting == 3
        server.answers[STARTING] = starting_now(None)
        assert (await look(provider)).starting is None
        server.answers[STARTING] = text("beta", 500)
        told = await look(provider)

    assert (told.starting, told.replicas) == (None, (1, 6))
    assert server.seen(STARTING)[0].endswith("?mode=CURRENT&metrics=baseten_replicas_starting")


async def test_an_exact_count_needs_no_such_call() -> None:
    async with workspace() as server, baseten(server) as provider:
        await look(provider)

    assert server.seen(STARTING) == []


@pytest.mark.virtual_time
async def test_measured_start_ups_are_seconds_and_read_once_an_hour() -> None:
    clock = SystemClock(starts_at=1795219200.0)
    figures = {"sample_count": 9, "mean_ms": 1, "p50_ms": 95_500, "p90_ms": 240_000, "p95_ms": 1, "p99_ms": 1}
    async with workspace() as server, baseten(server, clock=clock) as provider:
        server.answers[SUMMARY] = {"total_duration_ms": figures, "phase_duration_ms": []}
        told = [await look(provider)]
        for _ in range(20):
            await clock.sleep(60)
            told.append(await look(provider))
        assert len(server.seen(SUMMARY)) == 1
        await clock.sleep(3600)
        server.answers[SUMMARY] = text("down", 500)
        told.append(await look(provider))

    assert {(one.start_up_p50_s, one.start_up_p90_s) for one in told} == {(95.5, 240.0)}
    assert len(server.seen(SUMMARY)) == 2
    assert server.seen(SUMMARY)[0].endswith("start_epoch_millis=1794614400000&end_epoch_millis=1795219200000")


async def test_without_a_sample_there_is_no_start_up_time() -> None:
    none = {
        "sample_count": 0,
        "mean_ms": None,
        "p50_ms": None,
        "p90_ms": None,
        "p95_ms": None,
        "p99_ms": None,
    }
    async with workspace() as server, baseten(server) as provider:
        server.answers[SUMMARY] = {"total_duration_ms": none, "phase_duration_ms": []}
        told = await look(provider)

    assert (told.start_up_p50_s, told.start_up_p90_s) == (None, None)


@pytest.mark.virtual_time
async def test_what_hangs_beside_the_lists_costs_a_quarter_of_the_deadline_each() -> None:
    clock = SystemClock()

    async def hang(request: Any) -> Any:
        await clock.sleep(3600)

    async with workspace() as server, baseten(server, clock=clock, deadline_s=4) as provider:
        server.deployments_are(deployment(autoscaling_settings=bounds(1, 6)))
        server.answers |= {SUMMARY: hang, STARTING: hang, "GET /v1/instance_types": hang}
        began = clock.monotonic()
        told = await look(provider)

    assert clock.monotonic() - began <= 2.1
    assert (told.replicas, told.ready, told.starting) == ((1, 6), 2, None)


# --- zero -----------------------------------------------------------------------------------------


async def test_zero_is_sent_as_none_to_one_and_read_back_as_zero() -> None:
    async with workspace() as server, baseten(server) as provider:
        await look(provider)
        await provider.set_replicas(ONE, exactly(0))
        server.deployments_are(deployment(autoscaling_settings=bounds(0, 1)))
        kept = await look(provider)
        server.deployments_are(sleeping())
        gone = await look(provider)

    assert server.sent(PATCH) == [{"min_replica": 0, "max_replica": 1}]
    assert (kept.replicas, kept.ready, kept.phase) == ((0, 0), 2, Phase.SCALING)
    assert (gone.replicas, gone.ready, gone.phase, gone.wakes) == ((0, 0), 0, Phase.STOPPED, True)


async def test_after_a_restart_none_to_one_is_still_zero() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(sleeping())
        assert (await look(provider)).replicas == (0, 0)


async def test_what_traffic_woke_under_zero_is_zero_with_one_replica_too_many() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(
            deployment(status="WAKING_UP", active_replica_count=0, autoscaling_settings=bounds(0, 1))
        )
        waking = await look(provider)
        server.deployments_are(deployment(active_replica_count=1, autoscaling_settings=bounds(0, 1)))
        awake = await look(provider)

    assert (waking.replicas, waking.ready, waking.starting) == ((0, 0), 0, 1)
    assert waking.phase is Phase.STARTING
    assert (awake.replicas, awake.ready, awake.phase) == ((0, 0), 1, Phase.SCALING)


async def test_a_floor_of_none_to_one_is_read_back_as_such() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(sleeping())
        await look(provider)
        await provider.set_replicas(ONE, ReplicaRange(0, 1))
        assert (await look(provider)).replicas == (0, 1)
        await provider.set_replicas(ONE, exactly(0))
        assert (await look(provider)).replicas == (0, 0)


async def test_a_floor_that_was_refused_leaves_the_reading_as_it_was() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(sleeping())
        await look(provider)
        server.answers[PATCH] = answer({"error": "no"}, 400)
        with pytest.raises(Rejected):
            await provider.set_replicas(ONE, ReplicaRange(0, 1))
        assert (await look(provider)).replicas == (0, 0)
        server.answers[PATCH] = text("lost", 502)
        with pytest.raises(Unavailable):
            await provider.set_replicas(ONE, ReplicaRange(0, 1))

        assert (await look(provider)).replicas == (0, 1), "its answer was lost: it may have been taken"


@pytest.mark.parametrize("replicas", [exactly(0), exactly(1), ReplicaRange(0, 1), ReplicaRange(0, 7)])
async def test_a_maximum_of_zero_is_never_sent(replicas: ReplicaRange) -> None:
    async with workspace() as server, baseten(server) as provider:
        await look(provider)
        await provider.set_replicas(ONE, replicas)

    (sent,) = server.sent(PATCH)
    assert sent["max_replica"] >= 1
    assert sent["min_replica"] == replicas.minimum


async def test_from_zero_it_is_woken_as_well() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(sleeping())
        server.answers[WAKE] = text("", 202)
        await look(provider)
        await provider.set_replicas(ONE, exactly(2))
        server.deployments_are(sleeping(2, 2))
        told = await look(provider)

    assert server.sent(PATCH) == [{"min_replica": 2, "max_replica": 2}]
    assert len(server.seen(WAKE)) == 1
    assert (told.replicas, told.ready, told.phase) == ((2, 2), 0, Phase.STARTING)


async def test_a_wake_that_fails_does_not_fail_the_write() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(sleeping())
        server.answers[WAKE] = text("no such host", 500)
        await look(provider)
        await provider.set_replicas(ONE, exactly(2))

    assert len(server.seen(WAKE)) == 1


async def test_what_runs_is_not_woken() -> None:
    async with workspace() as server, baseten(server) as provider:
        await look(provider)
        await provider.set_replicas(ONE, exactly(3))

    assert server.seen("POST") == []


async def test_the_models_id_takes_its_place_in_the_inference_address() -> None:
    async with workspace() as server:
        address = server.url + "/model-{model_id}"
        async with baseten(server, inference_base_url=address) as provider:
            server.deployments_are(sleeping())
            await look(provider)
            await provider.set_replicas(ONE, exactly(1))

    assert server.seen("POST") == [f"POST /model-{MODEL}/deployment/{DEPLOYMENT}/wake"]


async def test_a_deactivated_deployment_has_zero_and_is_activated_for_more() -> None:
    off = deployment(status="INACTIVE", active_replica_count=0, autoscaling_settings=bounds(4, 4))
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(off)
        server.answers[ACTIVATE] = {"success": True, "no_op": False}
        told = await look(provider)
        await provider.set_replicas(ONE, exactly(2))

    assert (told.replicas, told.phase, told.wakes) == ((0, 0), Phase.STOPPED, False)
    assert "activated when replicas are needed" in told.evidence[0]
    assert [line.split(" ")[0] for line in server.lines if not line.startswith("GET")] == ["PATCH", "POST"]
    assert len(server.seen(ACTIVATE)) == 1


async def test_an_environment_is_activated_as_a_whole() -> None:
    off = deployment(status="INACTIVE", active_replica_count=0)
    async with workspace() as server, baseten(server) as provider:
        server.environments_are(environment(current_deployment=off))
        server.answers[f"POST {MODELS}/environments/production/activate"] = {"success": True}
        await look(provider, LIVE)
        await provider.set_replicas(LIVE, exactly(2))

    assert server.seen("POST") == [f"POST {MODELS}/environments/production/activate"]


async def test_too_many_activations_are_a_limit_of_rate() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(status="INACTIVE", active_replica_count=0))
        server.answers[ACTIVATE] = answer({"error": "Rate limit exceeded.", "retry_after": 37}, 429)
        await look(provider)
        with pytest.raises(RateLimited) as caught:
            await provider.set_replicas(ONE, exactly(2))

    assert caught.value.retry_after_s == 37


async def test_an_activation_that_was_not_taken_is_no_success() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(status="INACTIVE", active_replica_count=0))
        server.answers[ACTIVATE] = {"success": False, "no_op": False}
        await look(provider)
        with pytest.raises(Unavailable):
            await provider.set_replicas(ONE, exactly(2))


async def test_while_it_is_switched_off_nothing_is_sent() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(deployment(status="DEACTIVATING"))
        await look(provider)
        with pytest.raises(Busy):
            await provider.set_replicas(ONE, exactly(2))

    assert server.seen("PATCH") == []


async def test_a_deactivated_chain_cannot_be_started_by_us() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.chain_is(chainlet("Llm", status="INACTIVE", active_replica_count=0))
        told = await look(provider, LLM)
        with pytest.raises(Rejected, match="console"):
            await provider.set_replicas(LLM, exactly(2))

    assert (told.replicas, told.wakes) == ((0, 0), False)
    assert server.seen("PATCH") == []


# --- writing --------------------------------------------------------------------------------------


async def test_a_write_sends_both_bounds_and_nothing_else() -> None:
    async with workspace() as server, baseten(server) as provider:
        await provider.observe([ONE, LIVE, LLM, RAG])
        for ref in (ONE, LIVE, LLM, RAG):
            await provider.set_replicas(ref, ReplicaRange(2, 6))

    settings = {"min_replica": 2, "max_replica": 6}
    assert server.sent(PATCH) == [settings]
    assert server.sent(f"PATCH {MODELS}/environments/production") == [{"autoscaling_settings": settings}]
    assert server.sent(f"PATCH {CHAINS}") == [
        {"updates": [{"chainlet_name": name, "autoscaling_settings": settings}]}
        for name in ("Llm", "Retriever")
    ]
    assert all(
        line.startswith("GET") or "chainlet_settings/autoscaling_settings" in line or MODELS in line
        for line in server.lines
    )


@pytest.mark.parametrize("word", ["ACCEPTED", "QUEUED", "UNCHANGED"])
async def test_every_answer_to_a_write_is_taken_and_applied_only_when_read(word: str) -> None:
    telemetry = Recorder()
    async with workspace() as server, baseten(server, telemetry) as provider:
        server.answers[PATCH] = {"status": word, "message": ""}
        await look(provider)
        receipt = await provider.set_replicas(ONE, exactly(3))
        told = await look(provider)

    assert receipt.operation_id is None
    assert told.replicas == (2, 2)
    assert telemetry.words == []


async def test_a_new_answer_word_is_told() -> None:
    telemetry = Recorder()
    async with workspace() as server, baseten(server, telemetry) as provider:
        server.answers[PATCH] = {"status": "POSTPONED", "message": ""}
        await look(provider)
        await provider.set_replicas(ONE, exactly(3))

    assert telemetry.words == [("bt", "POSTPONED", "autoscaling_settings.status")]


async def test_an_answer_without_the_deprecated_word_is_taken() -> None:
    telemetry = Recorder()
    async with workspace() as server, baseten(server, telemetry) as provider:
        server.answers[f"PATCH {MODELS}/environments/production"] = {"environment": environment()}
        await look(provider, LIVE)
        await provider.set_replicas(LIVE, exactly(3))

    assert telemetry.words == []


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Rejected), (404, NotFound), (409, Busy), (423, Busy), (401, Unauthorized), (503, Unavailable)],
)
async def test_a_refused_write_is_one_of_our_errors(status: int, error: type[ProviderError]) -> None:
    async with workspace() as server, baseten(server) as provider:
        server.answers[PATCH] = answer({"error": f"max_replica, says {KEY}"}, status)
        await look(provider)
        with pytest.raises(error, match="max_replica") as caught:
            await provider.set_replicas(ONE, exactly(3))

    assert type(caught.value) is error
    assert KEY not in everything_said(caught.value)


async def test_a_range_that_is_none_is_rejected_unsent() -> None:
    async with workspace() as server, baseten(server) as provider:
        for replicas in (ReplicaRange(3, 2), ReplicaRange(-1, 2)):
            with pytest.raises(Rejected):
                await provider.set_replicas(ONE, replicas)

    assert server.requests == []


# --- the vendor's own promotions and schedules ----------------------------------------------------


@pytest.mark.parametrize(
    ("word", "is_under_way"),
    [
        *((word, True) for word in ("RELEASING", "RAMPING_UP", "RAMPING_DOWN", "PAUSED", "NEW_WORD")),
        *((word, False) for word in ("SUCCEEDED", "FAILED", "CANCELED")),
    ],
)
async def test_during_a_promotion_nothing_is_written(word: str, is_under_way: bool) -> None:
    promotion = {"status": word, "percent_traffic_to_new_version": 30}
    telemetry = Recorder()
    async with workspace() as server, baseten(server, telemetry) as provider:
        server.environments_are(environment(in_progress_promotion=promotion))
        server.chain_is(chainlet("Llm"), in_progress_promotion=promotion)
        observed = await provider.observe([LIVE, LLM])
        for ref in (LIVE, LLM):
            assert fact(observed, ref).busy is is_under_way
            if is_under_way:
                with pytest.raises(Busy, match="promotion"):
                    await provider.set_replicas(ref, exactly(3))

    assert server.seen("PATCH") == []
    assert bool(telemetry.words) is (word == "NEW_WORD")
    assert ("promotion" in "".join(fact(observed, LIVE).evidence)) is is_under_way


def schedule(**fields: Any) -> dict[str, Any]:
    return {
        "id": "s1",
        "name": "night",
        "enabled": True,
        "autoscaling_settings": bounds(0, 1),
        "cadence": "DAILY",
        "weekdays": ["MONDAY"],
        "start_hour": 22,
        "start_minute": 0,
        "end_hour": 6,
        "end_minute": 0,
        **fields,
    }


@pytest.mark.parametrize(
    ("one", "acts"),
    [
        (schedule(), True),
        (schedule(enabled=False), False),
        (schedule(cadence="ONE_TIME", start_at="2026-11-20T00:00:00Z", end_at="2026-11-20T06:00:00Z"), False),
        (schedule(cadence="ONE_TIME", start_at="2026-11-20T00:00:00Z", end_at="2026-12-20T06:00:00Z"), True),
        (schedule(cadence="ONE_TIME", end_at="soon"), True),
        ({"name": "half read"}, True),
    ],
)
async def test_an_environment_with_a_schedule_of_its_own_is_left_to_it(one: Any, acts: bool) -> None:
    clock = SystemClock(starts_at=1795219200.0)  # 2026-11-21
    schedules = {"timezone": "Europe/Zurich", "schedules": [one], "applied_state": None}
    async with workspace() as server, baseten(server, clock=clock) as provider:
        server.environments_are(environment(autoscaling_schedules=schedules))
        told = await look(provider, LIVE)
        if acts:
            with pytest.raises(Rejected, match="schedule of its own"):
                await provider.set_replicas(LIVE, exactly(3))

    assert told.replicas == (2, 2)
    assert told.error is (ErrorKind.REJECTED if acts else None)
    assert ("schedules of its own" in "".join(told.evidence)) is acts
    assert server.seen("PATCH") == []


# --- prices and inventory -------------------------------------------------------------------------


async def test_prices_are_usd_per_gpu_hour_by_instance_and_by_gpu_type() -> None:
    priced = [
        {"instance_type": H100, "price": 0.10833},
        {"instance_type": TWO_H100, "price": 0.22},
        {"instance_type": {**H100, "name": "H100-big"}, "price": 0.12},
        {"instance_type": {**H100, "name": "L4:2", "gpu_type": "L4", "gpu_count": 2}, "price": 0.02828},
        {"instance_type": {**H100, "name": "1x2", "gpu_type": None, "gpu_count": 0}, "price": 0.001},
    ]
    clock = SystemClock(starts_at=1795219200.0)
    async with workspace() as server, baseten(server, clock=clock) as provider:
        server.answers["GET /v1/instance_type_prices"] = {"instance_types": priced}
        prices = await provider.prices()
        told = await look(provider)

    assert {name: round(price.usd_per_gpu_hour, 4) for name, price in prices.items()} == {
        "H100": 6.4998,
        "H100:2x32x480": 6.6,
        "H100-big": 7.2,
        "L4:2": 0.8484,
        "L4": 0.8484,
    }
    assert (prices["L4"].gpu_type, prices["L4"].gpus) == (None, None)
    assert (prices["L4:2"].gpu_type, prices["L4:2"].gpus) == ("L4", 2)
    assert prices["H100"].at == pytest.approx(1795219200.0, abs=60)
    assert told.gpu_type == "H100"
    assert server.seen("GET /v1/instance_types") == [], "the price list tells the types as well"


async def test_the_inventory_shows_everything_and_what_may_be_scaled() -> None:
    async with workspace() as server, baseten(server) as provider:
        server.deployments_are(
            deployment(),
            deployment(id="dev", is_development=True),
            deployment(id="live", environment="production"),
        )
        server.answers["GET /v1/models"] = {
            "models": [{"id": MODEL, "name": "qwen"}, {"id": "gone", "name": "x"}]
        }
        server.answers["GET /v1/chains"] = {"chains": [{"id": CHAIN, "name": "rag"}]}
        inventory = await provider.inventory()

    items = {tuple(item.ids.values()): item for item in inventory.items}
    assert items[MODEL, DEPLOYMENT].scalable
    assert not items[MODEL, "dev"].scalable
    assert "name that instead" in items[MODEL, "live"].note
    assert items[MODEL, "production"].replicas == "2-2"
    assert items[CHAIN, "production", "Llm"].gpu_type == "H100"
    assert (items["gone",].scalable, items["gone",].phase) == (False, "unknown")
    assert "404" in items["gone",].note


# --- secrets --------------------------------------------------------------------------------------


async def test_the_key_is_in_no_text() -> None:
    telemetry = Recorder()
    async with workspace() as server, baseten(server, telemetry) as provider:
        server.answers[f"GET {MODELS}/deployments"] = text(f"no {KEY}", 500)
        server.answers[f"GET {MODELS}/environments"] = answer({"error": f"Api-Key {KEY} is bad"}, 400)
        observed = await provider.observe([ONE, LIVE, LLM])
        errors = [told for told in observed.deployments.values() if isinstance(told, ProviderError)]
        said = "".join(everything_said(error) for error in errors)

    assert len(errors) == 2
    assert KEY not in said + repr(provider) + repr(observed) + repr(telemetry)


async def test_closed_twice_is_closed() -> None:
    async with workspace() as server, baseten(server) as provider:
        await look(provider)
        await provider.close()
        await provider.close()
        with pytest.raises(Unavailable):
            await provider.observe([ONE])
