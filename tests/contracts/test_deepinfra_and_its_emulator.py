"""Adapter and emulator were written apart, from the vendor's pages: here they must agree on the details."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.model import Observation, Phase, ReplicaRange, ZeroCapability, exactly
from autoscaler.emulators.deepinfra import LEGACY_ID, DeepInfraEmulator
from autoscaler.emulators.deepinfra import DeepInfraSettings as EmulatorSettings
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import Busy, NotFound, Observed, Provider, Ref, Rejected, Unauthorized, Unavailable
from autoscaler.providers import PROVIDERS
from tests.contracts.harness import NOVEMBER
from tests.providers.support import Recorder

pytestmark = pytest.mark.virtual_time

GPU: Final = "H100-80GB"
OTHERS_NEED: Final = 3600.0  # seconds in which anything that can come has come


def spec(**more: Any) -> EmulatedDeployment:
    told: dict[str, Any] = {
        "vendor": "deepinfra",
        "name": "chat",
        "gpu_type": GPU,
        "gpus_per_replica": 2,
        "replicas": 2,
        "usd_per_gpu_hour": 2.2,
        "start_up_median_s": 60,
        "start_up_p95_s": 120,
    }
    return EmulatedDeployment.model_validate({**told, **more})


REF: Final = Ref("chat/di", {"id": spec().deployment_id})


@dataclass
class Bench:
    provider: Provider
    emulator: DeepInfraEmulator
    server: EmulatorServer[DeepInfraEmulator]
    clock: SystemClock
    telemetry: Recorder

    async def look(self) -> Observation:
        return only(await self.provider.observe([REF]))

    async def phases(self, seconds: float) -> list[Phase]:
        """What is seen every ten seconds, without repetitions."""
        seen: list[Phase] = []
        for _ in range(int(seconds / 10)):
            phase = (await self.look()).phase
            if seen[-1:] != [phase]:
                seen.append(phase)
            await self.clock.sleep(10)
        return seen

    def another(self, **told: Any) -> Provider:
        """The same account, seen by a process that remembers nothing."""
        kind = PROVIDERS["deepinfra"]
        settings = {"base_url": self.server.base_url, **self.emulator.credentials(), **told}
        return kind.create("di", kind.settings.model_validate(settings), self.clock, self.telemetry)


def only(observed: Observed) -> Observation:
    told = observed.deployments[REF.key]
    assert isinstance(told, Observation), told
    return told


@asynccontextmanager
async def bench(
    settings: EmulatorSettings | None = None, stock: Mapping[str, int] | None = None, **more: Any
) -> AsyncIterator[Bench]:
    clock, telemetry = SystemClock(starts_at=NOVEMBER), Recorder()
    fleet = EmulatedFleet(stock=dict(stock or {GPU: 16}), deployments=(spec(**more),))
    emulator = DeepInfraEmulator(fleet, clock=clock, settings=settings)
    async with EmulatorServer(emulator) as server:
        it = Bench(None, emulator, server, clock, telemetry)  # type: ignore[arg-type]
        it.provider = it.another()
        try:
            yield it
        finally:
            await it.provider.close()


async def test_a_scale_up_is_seen_from_pending_to_ready() -> None:
    async with bench() as it:
        await it.look()
        await it.provider.set_replicas(REF, exactly(4))
        first = await it.look()
        phases = await it.phases(OTHERS_NEED)
        last = await it.look()

    assert (first.replicas, first.ready, first.starting) == ((4, 4), 2, 2)
    assert phases == [Phase.SCALING, Phase.READY]
    assert (last.replicas, last.ready, last.starting) == ((4, 4), 4, 0)
    assert (last.gpu_type, last.gpus_per_replica, last.instance_type) == (GPU, 2, f"2x{GPU}")
    assert it.telemetry.words == []


async def test_a_scale_down_is_obeyed() -> None:
    async with bench(replicas=4) as it:
        await it.look()
        await it.provider.set_replicas(REF, exactly(1))
        await it.clock.sleep(OTHERS_NEED)
        told = await it.look()

    assert (told.replicas, told.ready, told.starting, told.phase) == ((1, 1), 1, 0, Phase.READY)


async def test_zero_is_stopped_costs_nothing_and_comes_back_on_its_new_bounds() -> None:
    async with bench(replicas=3) as it:
        await it.look()
        await it.provider.set_replicas(REF, exactly(0))
        await it.clock.sleep(OTHERS_NEED)
        stopped = await it.look()
        it.emulator.world.advance(it.clock.now())
        assert it.emulator.world.status(REF.ids["id"]).replicas_set == 0
        await it.provider.set_replicas(REF, exactly(1))
        phases = await it.phases(OTHERS_NEED)
        back = await it.look()

    assert (stopped.replicas, stopped.ready, stopped.phase) == ((0, 0), 0, Phase.STOPPED)
    assert stopped.zero is ZeroCapability.STOP
    assert phases == [Phase.STARTING, Phase.READY]
    assert (back.replicas, back.ready) == ((1, 1), 1)
    assert it.server.requests.writes == 3, "stop; bounds, start"
    assert it.telemetry.words == []


@pytest.mark.parametrize("refuses_repeats", [True, False])
async def test_a_start_whose_second_call_failed_is_finished_by_asking_again(refuses_repeats: bool) -> None:
    async with bench(EmulatorSettings(refuses_repeats=refuses_repeats)) as it:
        await it.provider.set_replicas(REF, exactly(0))
        start = f"/deploy/{REF.ids['id']}/start"
        it.server.faults.set([Fault(kind=FaultKind.SERVER_ERROR, path_prefix=start)])
        with pytest.raises(Unavailable):
            await it.provider.set_replicas(REF, exactly(2))
        assert (await it.look()).replicas == (0, 0)
        it.server.faults.clear()

        await it.provider.set_replicas(REF, exactly(2))
        await it.clock.sleep(OTHERS_NEED)
        told = await it.look()

    assert (told.replicas, told.ready, told.phase) == ((2, 2), 2, Phase.READY)


@pytest.mark.parametrize(("call", "wanted"), [("stop", 0), ("start", 2)])
async def test_a_stop_or_start_whose_answer_is_lost_is_seen_and_may_be_repeated(
    call: str, wanted: int
) -> None:
    async with bench(EmulatorSettings(refuses_repeats=True)) as it:
        if call == "start":
            await it.provider.set_replicas(REF, exactly(0))
        await it.look()
        path = f"/deploy/{REF.ids['id']}/{call}"
        it.server.faults.set([Fault(kind=FaultKind.DROP, path_prefix=path, after_effect=True)])
        with pytest.raises(Unavailable):
            await it.provider.set_replicas(REF, exactly(wanted))
        it.server.faults.clear()
        assert (await it.look()).replicas == exactly(wanted)

        await it.provider.set_replicas(REF, exactly(wanted))
        await it.clock.sleep(OTHERS_NEED)
        assert (await it.look()).ready == wanted


async def test_between_its_bounds_the_vendor_moves_and_the_range_stays_ours() -> None:
    async with bench(EmulatorSettings(scale_down_delay_s=60), replicas=3) as it:
        await it.look()
        await it.provider.set_replicas(REF, ReplicaRange(1, 6))
        await it.clock.sleep(OTHERS_NEED)
        told = await it.look()

    assert (told.replicas, told.ready, told.native) == ((1, 6), 1, True)


async def test_out_of_stock_shows_as_pending_and_not_available() -> None:
    async with bench(stock={GPU: 6}) as it:
        assert (await it.look()).available is True
        await it.provider.set_replicas(REF, exactly(5))
        await it.clock.sleep(OTHERS_NEED)
        told = await it.look()
        inventory = await it.provider.inventory()

    assert (told.replicas, told.ready, told.starting) == ((5, 5), 3, 2)
    assert (told.phase, told.available) == (Phase.SCALING, False)
    assert inventory.gpu_types[f"2x{GPU}"] is False
    assert any("out of stock" in item.note for item in inventory.items)


async def test_prices_are_what_the_world_bills() -> None:
    async with bench() as it:
        before = await it.provider.prices()
        it.emulator.set_price(GPU, 3.0)
        it.emulator.set_configuration_price(f"8x{GPU}", 20.0)
        after = await it.provider.prices()
        told = await it.look()

    assert told.instance_type is not None
    assert before[told.instance_type].usd_per_gpu_hour == pytest.approx(2.2)
    assert after[told.instance_type].usd_per_gpu_hour == after[GPU].usd_per_gpu_hour == pytest.approx(3.0)
    assert after[f"8x{GPU}"].usd_per_gpu_hour == pytest.approx(2.5)
    assert (after[f"8x{GPU}"].gpu_type, after[f"8x{GPU}"].gpus) == (GPU, 8)


async def test_the_legacy_entry_is_shown_to_people_and_never_written() -> None:
    legacy = Ref("chat/legacy", {"id": LEGACY_ID})
    async with bench() as it:
        observed = await it.provider.observe([REF, legacy])
        with pytest.raises(Rejected):
            await it.provider.read(legacy)
        for wanted in (exactly(0), exactly(2), ReplicaRange(1, 2)):
            with pytest.raises(Rejected):
                await it.provider.set_replicas(legacy, wanted)
        items = {item.ids["id"]: item for item in (await it.provider.inventory()).items}

        assert isinstance(observed.deployments[legacy.key], Rejected)
        assert only(observed).phase is Phase.READY
        assert it.server.requests.writes == it.emulator.legacy_writes == 0
    assert items[LEGACY_ID].scalable is False
    assert items[REF.ids["id"]].scalable is True


async def test_a_minimum_of_zero_is_refused_once_and_the_bounds_above_are_taken() -> None:
    async with bench(EmulatorSettings(accepts_minimum_zero=False)) as it:
        for _ in range(3):
            await it.look()
            with pytest.raises(Busy):
                await it.provider.set_replicas(REF, ReplicaRange(0, 4))
        assert it.server.requests.writes == 1
        assert (await it.look()).zero is ZeroCapability.IMPOSSIBLE

        await it.provider.set_replicas(REF, ReplicaRange(1, 4))
        assert (await it.look()).replicas == (1, 4)


async def test_a_minimum_of_zero_that_is_taken_ends_stopped_without_a_stop() -> None:
    async with bench(EmulatorSettings(accepts_minimum_zero=True, scale_down_delay_s=60)) as it:
        await it.look()
        await it.provider.set_replicas(REF, ReplicaRange(0, 4))
        await it.clock.sleep(OTHERS_NEED)
        told = await it.look()

        assert (told.replicas, told.ready, told.phase) == ((0, 4), 0, Phase.STOPPED)
        assert told.zero is ZeroCapability.STOP
        await it.provider.set_replicas(REF, ReplicaRange(1, 4))
        await it.clock.sleep(OTHERS_NEED)
        assert (await it.look()).ready == 1
    assert ("di", "min_instances 0 with max_instances above 0", "accepted") in it.telemetry.sights


@pytest.mark.parametrize("keeps_deleted", [True, False])
async def test_what_is_deleted_is_gone_whether_it_is_still_shown_or_not(keeps_deleted: bool) -> None:
    async with bench(EmulatorSettings(keeps_deleted=keeps_deleted)) as it:
        await it.look()
        it.emulator._ours[REF.ids["id"]].delete()
        observed = await it.provider.observe([REF])
        with pytest.raises(NotFound):
            await it.provider.set_replicas(REF, exactly(2))
        with pytest.raises(NotFound):
            await it.provider.read(REF)
        items = [item.ids["id"] for item in (await it.provider.inventory()).items]

    assert isinstance(observed.deployments[REF.key], NotFound)
    assert items == [LEGACY_ID]


async def test_a_restart_in_the_middle_of_a_change_sees_what_was_asked_for() -> None:
    async with bench() as it:
        await it.look()
        await it.provider.set_replicas(REF, exactly(4))
        later = it.another()
        seen = only(await later.observe([REF]))
        await later.set_replicas(REF, exactly(4))
        await it.clock.sleep(OTHERS_NEED)
        last = only(await later.observe([REF]))
        await later.close()

    assert (seen.replicas, seen.phase) == ((4, 4), Phase.SCALING)
    assert (last.replicas, last.ready) == ((4, 4), 4)


async def test_a_status_that_is_new_is_unknown_and_a_failure_brings_its_reason() -> None:
    async with bench() as it:
        it.emulator.set_word(REF.ids["id"], "hibernating", "")
        unknown = await it.look()
        it.emulator.set_word(REF.ids["id"], "failed", "CUDA out of memory")
        failed = await it.look()

    assert unknown.phase is Phase.UNKNOWN
    assert it.telemetry.words == [("di", "hibernating", "deployment.status")]
    assert (failed.phase, failed.evidence) == (Phase.FAILED, ("CUDA out of memory",))


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_token_is_unauthorized_whichever_status_says_so(status: Any) -> None:
    async with bench(EmulatorSettings(refusal_status=status)) as it:
        stranger = it.another(api_token="wrong")
        with pytest.raises(Unauthorized, match="Authentication failed"):
            await stranger.observe([REF])
        await stranger.close()


async def test_a_write_whose_answer_is_lost_is_unavailable_and_is_seen_later() -> None:
    async with bench() as it:
        await it.look()
        it.server.faults.set([Fault(kind=FaultKind.DROP, applies_to="writes", after_effect=True)])
        with pytest.raises(Unavailable):
            await it.provider.set_replicas(REF, exactly(3))
        it.server.faults.clear()

        # aiohttp may have sent a PUT again over a new connection; being absolute, it comes to the same.
        assert (await it.look()).replicas == (3, 3)
