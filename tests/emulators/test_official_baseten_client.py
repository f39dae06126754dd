"""Baseten's own Python package cannot tell the emulator from the real thing, as far as it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from autoscaler.emulators.baseten import BasetenSettings
from autoscaler.emulators.baseten.metrics import METRICS
from tests.emulators.baseten_client import (
    CHAT,
    ONE,
    START,
    Client,
    emulated,
)

client_package = pytest.importorskip("baseten.client", reason="the package baseten is not installed")
management = pytest.importorskip("baseten.client.managementapi")
inference = pytest.importorskip("baseten.client.inferenceapi")

AT_ONCE = BasetenSettings(applied_after_s=0)


async def with_official(client: Client, ask: Callable[[Any], Any], key: str | None = None) -> Any:
    """Runs the synchronous package in a thread, against our server in this loop."""

    def run() -> Any:
        with client_package.ManagementClient(
            api_key=key or client.vendor.credentials()["api_key"], base_url_override=client.server.url
        ) as official:
            return ask(official.api)

    async with asyncio.timeout(20):
        return await asyncio.to_thread(run)


async def with_inference(client: Client, ask: Callable[[Any], Any], host: str = "model-mdlchat") -> Any:
    """The same for the inference side, whose host is in the path here."""

    def run() -> Any:
        with client_package.InferenceClient(
            api_key=client.vendor.credentials()["api_key"],
            base_url_override=f"{client.server.url}/{host}",
        ) as official:
            return ask(official.api)

    async with asyncio.timeout(20):
        return await asyncio.to_thread(run)


async def test_it_reads_everything_that_a_scaler_needs() -> None:
    def ask(api: Any) -> dict[str, Any]:
        return {
            "models": api.get_models().models,
            "model": api.get_models_model_id(model_id="mdlchat"),
            "deployments": api.get_models_deployments(model_id="mdlchat").deployments,
            "deployment": api.get_models_deployments_deployment_id(
                model_id="mdlchat", deployment_id="dplchat"
            ),
            "production": api.get_models_deployments_production(model_id="mdlchat"),
            "development": api.get_models_deployments_development(model_id="mdlchat"),
            "environments": api.get_models_environments(model_id="mdlchat").environments,
            "types": api.get_instance_types().instance_types,
            "prices": api.get_instance_type_prices().instance_types,
            "chains": api.get_chains().chains,
            "chain": api.get_chains_chain_id(chain_id="chrag"),
            "chain_deployments": api.get_chains_deployments(chain_id="chrag").deployments,
            "chain_environments": api.get_chains_environments(chain_id="chrag").environments,
            "chain_environment": api.get_chains_environments_env_name(
                chain_id="chrag", env_name="production"
            ),
            "me": api.get_users_me(),
            "regions": api.get_regions().regions,
        }

    async with emulated() as client:
        seen = await with_official(client, ask)

    assert [one.id for one in seen["models"]] == ["mdlchat"]
    assert [one.id for one in seen["deployments"]] == ["dplchat", "dplside", "dpldev"]
    assert seen["deployment"] == seen["production"] == seen["deployments"][0]
    assert seen["deployment"].status == "ACTIVE"
    assert seen["deployment"].autoscaling_settings.max_replica == 5
    assert seen["development"].is_development
    assert seen["environments"][0].current_deployment == seen["deployment"]
    prices = {one.instance_type.name: one.price for one in seen["prices"]}
    assert prices["H100"] == 0.10833
    assert [one.instance_type for one in seen["prices"]] == seen["types"]
    assert seen["chains"] == [seen["chain"]]
    assert [each.name for each in seen["chain_deployments"][0].chainlets] == ["Embed", "Llm"]
    assert [one.name for one in seen["chain_environments"]] == ["production"]
    assert seen["chain_environment"].current_deployment == seen["chain_deployments"][0]


async def test_it_scales_a_deployment_an_environment_and_a_chainlet() -> None:
    settings = management.UpdateAutoscalingSettings

    def ask(api: Any) -> list[Any]:
        return [
            api.patch_models_deployments_autoscaling_settings(
                model_id="mdlchat",
                deployment_id="dplside",
                request=settings(min_replica=1, max_replica=2),
            ),
            api.patch_models_deployments_autoscaling_settings(
                model_id="mdlchat", deployment_id="dplside", request=settings(min_replica=1)
            ),
            api.patch_models_environments(
                model_id="mdlchat",
                env_name="production",
                request=management.UpdateEnvironmentRequest(autoscaling_settings=settings(min_replica=3)),
            ),
            api.patch_chains_environments_chainlet_settings_autoscaling_settings(
                chain_id="chrag",
                env_name="production",
                request=management.UpdateChainletEnvironmentAutoscalingSettingsRequest(
                    updates=[
                        management.ChainletEnvironmentAutoscalingSettingsUpdate(
                            chainlet_name="Llm", autoscaling_settings=settings(min_replica=2)
                        )
                    ]
                ),
            ),
        ]

    async with emulated(settings=AT_ONCE) as client:
        answers = await with_official(client, ask)

        said = [one.model_dump()["status"] for one in answers]  # the third's is deprecated as an attribute
        assert said == ["ACCEPTED", "UNCHANGED", "ACCEPTED", "ACCEPTED"]
        assert answers[2].environment.autoscaling_settings.min_replica == 3
        assert await client.bounds("/v1/models/mdlchat/deployments/dplside") == (1, 2)
        assert await client.bounds() == (3, 5)
        assert await client.chainlets() == {"Embed": (2, 4), "Llm": (2, 4)}


async def test_a_null_that_it_sends_on_purpose_clears_and_what_it_leaves_out_is_kept() -> None:
    def ask(api: Any) -> Any:
        for request in (
            management.UpdateAutoscalingSettings(scale_down_delay=60, autoscaling_window=30),
            management.UpdateAutoscalingSettings(scale_down_delay=None),
        ):
            api.patch_models_deployments_autoscaling_settings(
                model_id="mdlchat", deployment_id="dplchat", request=request
            )
        return api.get_models_deployments_deployment_id(model_id="mdlchat", deployment_id="dplchat")

    async with emulated(settings=AT_ONCE) as client:
        settings = (await with_official(client, ask)).autoscaling_settings
        assert (settings.scale_down_delay, settings.autoscaling_window, settings.max_replica) == (900, 30, 5)


async def test_it_reads_what_our_own_writes_set() -> None:
    async with emulated(settings=AT_ONCE) as client:
        await client.scale(min_replica=2, max_replica=4)
        seen = await with_official(
            client,
            lambda api: api.get_models_deployments_deployment_id(model_id="mdlchat", deployment_id="dplchat"),
        )
        assert (seen.autoscaling_settings.min_replica, seen.autoscaling_settings.max_replica) == (2, 4)


async def test_it_activates_and_deactivates() -> None:
    def ask(api: Any) -> list[Any]:
        ids = {"model_id": "mdlchat", "deployment_id": "dplchat"}
        return [
            api.post_models_deployments_activate(**ids),
            api.post_models_deployments_deactivate(**ids),
            api.get_models_deployments_deployment_id(**ids).status,
            api.post_models_environments_activate(model_id="mdlchat", env_name="production"),
            api.get_models_deployments_deployment_id(**ids).status,
        ]

    async with emulated() as client:
        seen = await with_official(client, ask)
        assert [seen[0].no_op, seen[1].no_op, seen[3].no_op] == [True, False, False]
        assert [seen[2], seen[4]] == ["DEACTIVATING", "DEPLOYING"]


async def test_it_reads_what_is_measured() -> None:
    start, end = round(START * 1000), round((START + 3600) * 1000)
    ids = {"model_id": "mdlchat", "deployment_id": "dplchat"}

    def ask(api: Any) -> dict[str, Any]:
        return {
            "current": api.get_models_deployments_metrics(
                **ids, params=management.GetModelsDeploymentsMetricsParams(metrics=list(METRICS))
            ),
            "series": api.get_models_environments_metrics(
                model_id="mdlchat",
                env_name="production",
                params=management.GetModelsEnvironmentsMetricsParams(
                    mode="SERIES", start_epoch_millis=start - 3_600_000, end_epoch_millis=end
                ),
            ),
            "attempts": api.get_models_deployments_startups(
                **ids,
                params=management.GetModelsDeploymentsStartupsParams(
                    start_epoch_millis=start, end_epoch_millis=end
                ),
            ),
            "summary": api.get_models_deployments_startups_summary(
                **ids,
                params=management.GetModelsDeploymentsStartupsSummaryParams(
                    start_epoch_millis=start, end_epoch_millis=end
                ),
            ),
            "logs": api.get_models_deployments_logs(
                **ids, params=management.GetModelsDeploymentsLogsParams(limit=10)
            ).logs,
            "usage": api.get_billing_usage_summary(
                params=management.GetBillingUsageSummaryParams(
                    start_date=datetime(2026, 11, 21, tzinfo=UTC), end_date=datetime(2026, 11, 22, tzinfo=UTC)
                )
            ),
        }

    async with emulated(settings=AT_ONCE) as client:
        client.carry(CHAT, running=14, requests_per_s=1, service_s=14)
        await client.scale(min_replica=3)
        client.pass_s(1800)
        seen = await with_official(client, ask)

    (row,) = seen["current"].metric_values
    assert row.values[0] == [3.0]
    assert seen["series"].step_seconds == 60
    assert seen["series"].metric_values[0].values[0] == [None]
    assert seen["attempts"].items[0].duration_ms == 100_000
    assert seen["summary"].total_duration_ms.p90_ms == 100_000
    assert seen["logs"][0].level == "INFO"
    assert seen["usage"].dedicated_usage.breakdown[0].inference_requests == 1800


async def test_it_reads_a_promotion_and_schedules() -> None:
    nulls = dict.fromkeys(
        (
            "autoscaling_window",
            "scale_down_delay",
            "concurrency_target",
            "target_utilization_percentage",
            "target_in_flight_tokens",
            "max_scale_down_rate",
        )
    )

    def ask(api: Any) -> Any:
        settings = management.AutoscalingScheduleSettingsRequest(min_replica=2, max_replica=3, **nulls)
        schedule = management.OneTimeAutoscalingScheduleUpsert(
            name="launch",
            enabled=True,
            autoscaling_settings=settings,
            cadence="ONE_TIME",
            start_at=datetime(2026, 11, 21, tzinfo=UTC),
            end_at=datetime(2026, 11, 21, 1, tzinfo=UTC),
        )
        return api.patch_models_environments(
            model_id="mdlchat",
            env_name="production",
            request=management.UpdateEnvironmentRequest(
                autoscaling_schedule_settings=management.UpdateAutoscalingScheduleSettings(
                    timezone="UTC", schedules=[schedule]
                )
            ),
        ).environment

    async with emulated(settings=AT_ONCE) as client:
        client.vendor.promote("mdlchat", "production", deployment_id="dplside")
        seen = await with_official(client, ask)

    assert seen.in_progress_promotion.percent_traffic_to_new_version == 0
    assert seen.candidate_deployment.id == "dplside"
    assert seen.autoscaling_schedules.schedules[0].name == "launch"
    assert seen.autoscaling_schedules.applied_state.autoscaling_settings.max_replica == 3


async def test_it_wakes_and_asks_for_the_queue_and_predicts() -> None:
    def ask(api: Any) -> list[Any]:
        api.wake_deployment(deployment_id="dplside")
        api.wake_production()
        api.wake(env_name="production")
        return [
            api.get_async_queue_status_deployment(deployment_id="dplchat"),
            api.predict_deployment(
                deployment_id="dplchat", request=inference.PredictInput({"prompt": "hello"})
            ),
        ]

    async with emulated() as client:
        queue, output = await with_inference(client, ask)
        assert (queue.model_id, queue.num_queued_requests) == ("mdlchat", 0)
        assert output.root == {"output": "emulated"}
        assert await client.shown("/v1/models/mdlchat/deployments/dplside") == ("WAKING_UP", 0)


async def test_it_raises_its_own_errors_for_ours() -> None:
    ids = {"model_id": "mdlchat", "deployment_id": "dplchat"}
    async with emulated() as client:
        with pytest.raises(management.ResponseError, match="HTTP 401"):
            await with_official(client, lambda api: api.get_models(), key="wrong")
        with pytest.raises(management.ResponseError, match="HTTP 404"):
            await with_official(client, lambda api: api.get_models_model_id(model_id="none"))
        with pytest.raises(management.ResponseError, match=r"HTTP 400.*max_replica"):
            await with_official(
                client,
                lambda api: api.patch_models_deployments_autoscaling_settings(
                    **ids, request=management.UpdateAutoscalingSettings(max_replica=0)
                ),
            )
        with pytest.raises(management.ResponseError, match="retry_after"):
            await with_official(
                client, lambda api: [api.post_models_deployments_activate(**ids) for _ in range(21)]
            )
        await client.call("POST", f"{ONE}/deactivate")
        with pytest.raises(inference.ResponseErrorResponse, match="model_unavailable"):
            await with_inference(
                client, lambda api: api.predict_production(request=inference.PredictInput({}))
            )
        with pytest.raises(inference.ResponseError, match="model_does_not_exist"):
            await with_inference(client, lambda api: api.wake(env_name="none"))
