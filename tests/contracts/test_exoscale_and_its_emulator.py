"""Adapter and emulator were written apart, from the vendor's pages: here they must agree on the details."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.model import ErrorKind, Observation, Phase, exactly
from autoscaler.emulators.exoscale import (
    PUBLIC_ID,
    ErrorBody,
    ExoscaleEmulator,
    NextOperations,
    OperationReason,
    OperationState,
)
from autoscaler.emulators.exoscale import ExoscaleSettings as EmulatorSettings
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import Busy, NoCapacity, NotFound, Observed, Provider, Ref, Rejected, Unavailable
from autoscaler.providers import PROVIDERS
from tests.contracts.harness import NOVEMBER
from tests.providers.support import Recorder

pytestmark = pytest.mark.virtual_time

SPEC: Final = EmulatedDeployment(
    name="chat", gpu_type="gpua5000", gpus_per_replica=2, replicas=2, start_up_median_s=60, start_up_p95_s=120
)
REF: Final = Ref("chat/exo", {"id": SPEC.deployment_id})


@dataclass
class Bench:
    provider: Provider
    emulator: ExoscaleEmulator
    server: EmulatorServer[ExoscaleEmulator]
    clock: SystemClock
    telemetry: Recorder

    async def look(self) -> Observation:
        return only(await self.provider.observe([REF]))


def only(observed: Observed) -> Observation:
    told = observed.deployments[REF.key]
    assert isinstance(told, Observation)
    return told


@asynccontextmanager
async def bench(settings: EmulatorSettings | None = None) -> AsyncIterator[Bench]:
    clock, telemetry, kind = SystemClock(starts_at=NOVEMBER), Recorder(), PROVIDERS["exoscale"]
    fleet = EmulatedFleet(stock={"gpua5000": 8}, deployments=(SPEC,))
    emulator = ExoscaleEmulator(fleet, clock=clock, settings=settings)
    async with EmulatorServer(emulator) as server:
        told = {"base_url": server.base_url, **emulator.credentials()}
        provider = kind.create("exo", kind.settings.model_validate(told), clock, telemetry)
        try:
            yield Bench(provider, emulator, server, clock, telemetry)
        finally:
            await provider.close()


async def test_a_scale_up_from_zero_is_seen_from_starting_to_ready() -> None:
    async with bench() as it:
        await it.look()
        await it.provider.set_replicas(REF, exactly(0))
        await it.clock.sleep(60)
        assert (await it.look()).phase is Phase.STOPPED
        await it.provider.set_replicas(REF, exactly(2))
        seen = []
        for _ in range(60):
            told = await it.look()
            seen.append(told.phase)
            assert told.replicas == (2, 2)
            assert (told.ready is None) is (told.phase is not Phase.READY)
            await it.clock.sleep(15)

    assert seen[0] is Phase.STARTING
    assert seen[-1] is Phase.READY
    assert Phase.UNKNOWN not in seen
    assert it.telemetry.words == []


@pytest.mark.parametrize("state", [OperationState.FAILURE, OperationState.TIMEOUT])
@pytest.mark.parametrize("reason", list(OperationReason))
async def test_every_failed_operation_ends_as_one_of_our_errors(
    state: OperationState, reason: OperationReason
) -> None:
    kinds = {
        "busy": ErrorKind.BUSY,
        "conflict": ErrorKind.BUSY,
        "incorrect": ErrorKind.REJECTED,
        "unsupported": ErrorKind.REJECTED,
        "partial": ErrorKind.REJECTED,
        "forbidden": ErrorKind.UNAUTHORIZED,
        "not-found": ErrorKind.NOT_FOUND,
    }
    async with bench() as it:
        it.emulator.fail_next_operations(NextOperations(reason=reason, state=state))
        await it.look()
        await it.provider.set_replicas(REF, exactly(3))
        await it.clock.sleep(10)
        observed = await it.provider.observe([REF])

    (end,) = observed.ended
    assert end.error is not None
    assert end.error.kind is kinds.get(reason, ErrorKind.UNAVAILABLE)
    assert only(observed).busy is False
    assert it.telemetry.words == []


@pytest.mark.parametrize("shape", list(ErrorBody))
async def test_no_gpu_left_is_no_capacity_in_every_shape_of_error(shape: ErrorBody) -> None:
    async with bench(EmulatorSettings(error_body=shape)) as it:
        await it.look()
        with pytest.raises(NoCapacity) as caught:
            await it.provider.set_replicas(REF, exactly(5))

        assert (await it.look()).busy is False
    assert "scale-deployment answered 412" in str(caught.value)
    assert "{" not in str(caught.value) or shape is ErrorBody.DEPLOYMENTS


async def test_a_change_by_somebody_else_is_busy() -> None:
    async with bench() as it:
        other = PROVIDERS["exoscale"]
        told = {"base_url": it.server.base_url, **it.emulator.credentials()}
        second = other.create("second", other.settings.model_validate(told), it.clock, Recorder())
        await second.set_replicas(REF, exactly(1))
        await second.close()

        with pytest.raises(Busy, match="409"):
            await it.provider.set_replicas(REF, exactly(3))


async def test_the_public_entry_is_shown_to_people_and_never_written() -> None:
    public = Ref("chat/public", {"id": PUBLIC_ID})
    async with bench() as it:
        observed = await it.provider.observe([public])
        with pytest.raises(Rejected):
            await it.provider.read(public)
        with pytest.raises(Rejected):
            await it.provider.set_replicas(public, exactly(0))
        items = {item.ids["id"]: item for item in (await it.provider.inventory()).items}

        assert isinstance(observed.deployments[public.key], NotFound | Rejected)
        assert it.server.requests.writes == 0
        assert it.emulator.public_writes == 0
    assert items[PUBLIC_ID].scalable is False
    assert items[SPEC.deployment_id].scalable is True


async def test_a_new_state_word_is_unknown() -> None:
    async with bench() as it:
        it.emulator.set_word(SPEC.deployment_id, "hibernating", "")

        told = await it.look()

    assert (told.phase, told.ready) == (Phase.UNKNOWN, None)
    assert it.telemetry.words == [("exo", "hibernating", "deployment.state")]


async def test_a_deployment_in_error_brings_its_details_and_logs() -> None:
    async with bench() as it:
        await it.look()
        await it.provider.set_replicas(REF, exactly(3))
        await it.clock.sleep(600)
        it.emulator.set_word(SPEC.deployment_id, "error", "CUDA out of memory")

        told = await it.look()

    assert told.phase is Phase.FAILED
    assert told.evidence[0] == "CUDA out of memory"
    assert len(told.evidence) > 1


async def test_a_family_that_the_account_may_not_use_is_not_available() -> None:
    async with bench(EmulatorSettings(unauthorized_families=("gpua5000",))) as it:
        assert (await it.look()).available is False
        assert (await it.provider.inventory()).gpu_types["gpua5000"] is False


async def test_a_write_whose_answer_is_lost_is_unavailable_and_is_seen_later() -> None:
    async with bench() as it:
        await it.look()
        it.server.faults.set([Fault(kind=FaultKind.DROP, applies_to="writes", after_effect=True)])
        with pytest.raises(Unavailable):
            await it.provider.set_replicas(REF, exactly(3))
        it.server.faults.clear()

        told = await it.look()
        assert (told.replicas, told.busy) == ((3, 3), False)
        assert it.server.requests.writes == 1


async def test_an_emulator_that_forgot_its_operations_frees_the_deployment() -> None:
    async with bench(EmulatorSettings(operation_s=86400)) as it:
        await it.look()
        await it.provider.set_replicas(REF, exactly(3))
        it.server.faults.set([Fault(kind=FaultKind.SERVER_ERROR, path_prefix="/v2/operation")])
        await it.clock.sleep(1700)
        assert (await it.look()).busy is True
        await it.clock.sleep(200)
        assert (await it.look()).busy is False
