"""A provider that is down, slow, limits calls or answers garbage: its deployments hold, others do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler.emulators.exoscale import NextOperations, OperationReason
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.ports import Provider
from tests.daemon.rig import CHAT, INTERVAL_S, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time

TWO = (
    CHAT
    + a_deployment("exo")
    + CHAT.replace("[services.chat]", "[services.code]")
    .replace('"queued"', '"code_queued"')
    .replace('"running"', '"code_running"')
    + a_deployment("other", service="code")
)

TROUBLES = [
    Fault(kind=FaultKind.SERVER_ERROR),
    Fault(kind=FaultKind.HANG),
    Fault(kind=FaultKind.LATENCY, latency_s=30),
    Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=40),
    Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=40, retry_after_as_date=True),
    Fault(kind=FaultKind.DROP),
    Fault(kind=FaultKind.GARBAGE),
    Fault(kind=FaultKind.TRUNCATED_JSON),
    Fault(kind=FaultKind.HUGE_BODY, body_bytes=5 * 1024 * 1024),
]


@pytest.mark.parametrize("fault", TROUBLES, ids=lambda fault: fault.kind.value)
async def test_a_provider_in_trouble_holds_its_own_and_delays_nobody_else(
    tmp_path: Path, fault: Fault
) -> None:
    async with a_rig(tmp_path, TWO) as rig:
        rig.demand(running=20, code_queued=0, code_running=20)
        await rig.run(90)
        rig.accounts["exo"].faults.add(fault)
        rig.demand(running=60, code_running=60)

        report = await rig.tick()
        assert rig.replicas("other", service="code") == 5, "the other account acts within the same tick"
        assert report.duration_s < 12.0
        held = rig.decision()
        assert (held.replicas_from, held.replicas_to, held.reason) == (None, None, "provider_error")
        errors = {
            k: v for k, v in (await rig.metrics()).items() if k.startswith("autoscaler_provider_errors")
        }
        assert any('provider="exo"' in series and count > 0 for series, count in errors.items())
        assert not any('provider="other"' in series and count > 0 for series, count in errors.items())

        rig.demand(running=0)
        await rig.run(240)
        assert rig.replicas() == 2, "no demand and no sight: nothing is done to it"

        rig.accounts["exo"].faults.clear()
        rig.demand(running=60)
        await rig.run(90)
        assert rig.replicas() == 5


class Buggy:
    """An adapter of which one reading method has a bug."""

    def __init__(self, inner: Provider, method: str) -> None:
        self._inner = inner
        self._method = method

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            return self._fail
        return getattr(self._inner, name)

    async def _fail(self, *_: object) -> None:
        raise ZeroDivisionError("a bug of an adapter")


@pytest.mark.parametrize("method", ["observe", "prices"])
async def test_a_bug_in_what_one_adapter_reads_ends_neither_the_tick_nor_the_writes_to_others(
    tmp_path: Path, method: str
) -> None:
    async with a_rig(tmp_path, TWO) as rig:
        rig.demand(running=20, code_queued=0, code_running=20)
        await rig.run(90)
        ticker = rig.daemon.ticker
        buggy: Any = Buggy(ticker.setup.providers["exo"], method)
        ticker.reconfigure(replace(ticker.setup, providers={**ticker.setup.providers, "exo": buggy}))
        rig.demand(running=60, code_running=60)

        await rig.tick()
        assert rig.replicas("other", service="code") == 5
        assert rig.replicas() == (5 if method == "prices" else 2)

        rig.demand(running=60, code_running=20)
        await rig.run(180)
        assert rig.replicas("other", service="code") == 2, "ticks go on"


async def test_reads_stop_for_as_long_as_a_limit_asks(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        server = rig.accounts["exo"]
        server.faults.add(
            Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=100, requests=1, path_prefix="/v2/ai/deployment")
        )
        await rig.tick()
        server.requests.clear()
        await rig.clock.sleep(INTERVAL_S)
        await rig.run(75)
        assert server.requests.counts == {}
        await rig.run(30)
        assert rig.decision().replicas_from == 2


async def test_writes_stop_for_as_long_as_a_limit_asks_and_reads_go_on(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        rig.accounts["exo"].faults.add(
            Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=100, requests=1, applies_to="writes")
        )
        rig.demand(running=60)
        report = await rig.tick()
        assert report.scale_calls == (("exo", "rejected"),)
        await rig.clock.sleep(INTERVAL_S)
        await rig.run(75)
        assert rig.writes() == 1
        assert rig.decision().reason == "provider_error"
        await rig.run(60)
        assert rig.replicas() == 5


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.SERVER_ERROR, FaultKind.HANG], ids=str)
async def test_a_write_whose_answer_is_lost_is_ours_and_not_done_twice(
    tmp_path: Path, kind: FaultKind
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["exo"].faults.add(Fault(kind=kind, applies_to="writes", after_effect=True, requests=1))
        rig.demand(running=60)
        report = await rig.tick()
        assert report.scale_calls in ((("exo", "failed"),), (("exo", "timeout"),))
        await rig.run(120)
        assert rig.replicas() == 5
        assert rig.writes() == 1
        assert not any(d.reason == "drift" for r in rig.reports for d in r.plan.decisions)


async def test_stale_reads_of_our_own_write_are_no_drift_and_no_reason_to_write_again(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["exo"].faults.add(Fault(kind=FaultKind.STALE_READS, lag_s=60))
        rig.demand(running=60)
        await rig.run(300)
        assert rig.replicas() == 5
        assert rig.writes() == 1
        assert not any(d.reason == "drift" for r in rig.reports for d in r.plan.decisions)


async def test_an_operation_that_fails_later_backs_off(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["exo"].vendor.fail_next_operations(NextOperations(reason=OperationReason.INCORRECT))
        rig.demand(running=60)
        await rig.run(60)
        assert rig.replicas() == 2
        assert rig.writes() == 1
        assert rig.decision().reason == "provider_error"
        await rig.run(3000)
        assert rig.writes() == 1, "rejected: not again before an hour"
        await rig.run(700)
        assert rig.replicas() == 5


async def test_an_operation_that_was_merely_interrupted_is_tried_again_at_once(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["exo"].vendor.fail_next_operations(NextOperations(reason=OperationReason.UNAVAILABLE))
        rig.demand(running=60)
        await rig.run(75)
        assert rig.replicas() == 5
        assert rig.writes() == 2


async def test_no_gpu_free_backs_off_and_others_of_the_service_cover(tmp_path: Path) -> None:
    text = CHAT + "switch_payback_s = 0\n" + a_deployment("other", "a") + a_deployment("exo", "b")
    async with a_rig(tmp_path, text, replicas=1) as rig:
        rig.demand(running=20)
        await rig.run(90)
        world = rig.accounts["other"].world  # the cheaper one
        world.set_stock("gpu3080ti", world.gpus_used("gpu3080ti"))
        rig.demand(running=60)
        await rig.run(60)
        assert (rig.replicas("other"), rig.replicas("exo", "b")) == (1, 4)
        assert rig.writes("other") == 1
        await rig.run(150)
        assert rig.writes("other") == 1, "asked again after 300 s"


async def test_a_deployment_in_error_shows_its_log_lines_in_why(tmp_path: Path) -> None:
    async with a_rig(tmp_path, replicas=0, start_up_s=60) as rig:
        world = rig.accounts["exo"].world
        world.start_up_fails(rig.id_of(), 3, rig.clock.now())
        rig.demand(queued=10)
        await rig.run(120)
        why = await rig.daemon.why("chat", None)
        text = "\n".join(why["deployments"]["chat/a"]["evidence"])
        assert "CUDA out of memory" in text
        assert rig.decision().reason == "provider_error"
        assert "CUDA out of memory" in await rig.get("/")
