"""Adapter and emulator were written apart, from the vendor's pages: here they must agree on the details.

The second half closes the loop with the decision: what a vendor with bounds, delays and an autoscaler of
its own makes of our writes must cause neither alarm nor the same write again and again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.fleet import Deployment
from autoscaler.core.model import (
    Human,
    Observation,
    Outcome,
    Override,
    Phase,
    Price,
    ReplicaRange,
    Sample,
    Snapshot,
    ZeroCapability,
    exactly,
)
from autoscaler.daemon.act import act
from autoscaler.daemon.observe import Observer
from autoscaler.daemon.setup import Setup
from autoscaler.emulators.baseten import BasetenEmulator
from autoscaler.emulators.baseten import BasetenSettings as EmulatorSettings
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.load import Script
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import Busy, Observed, Provider, RateLimited, Ref, Rejected, Unavailable
from autoscaler.providers import PROVIDERS
from tests.contracts.harness import NOVEMBER
from tests.core.fleets import a_fleet, a_service
from tests.core.run import Run
from tests.providers.support import Recorder

pytestmark = pytest.mark.virtual_time

TICK_S: Final = 15.0


def spec(name: str = "chat", replicas: int = 2, **options: Any) -> EmulatedDeployment:
    shape = options if "chain_id" in options else {"model_id": "mchat", **options}
    return EmulatedDeployment(
        vendor="baseten",
        name=name,
        gpu_type="H100",
        replicas=replicas,
        start_up_median_s=60,
        start_up_p95_s=90,
        options=shape,
    )


@dataclass
class Bench:
    provider: Provider
    emulator: BasetenEmulator
    server: EmulatorServer[BasetenEmulator]
    clock: SystemClock
    telemetry: Recorder
    specs: tuple[EmulatedDeployment, ...]
    refs: tuple[Ref, ...]

    @property
    def ref(self) -> Ref:
        return self.refs[0]

    async def look(self, ref: Ref | None = None) -> Observation:
        return only(await self.provider.observe(self.refs), ref or self.ref)

    def carries(self, running: float, index: int = 0) -> None:
        self.emulator.loads.lay_down(self.specs[index].deployment_id, Script(running=running))


def only(observed: Observed, ref: Ref) -> Observation:
    told = observed.deployments[ref.key]
    assert isinstance(told, Observation), told
    return told


@asynccontextmanager
async def bench(*specs: EmulatedDeployment, zero: str = "sleep", **settings: Any) -> AsyncIterator[Bench]:
    clock, telemetry, kind = SystemClock(starts_at=NOVEMBER), Recorder(), PROVIDERS["baseten"]
    specs = specs or (spec(),)
    fleet = EmulatedFleet(stock={"H100": 16}, deployments=specs)
    emulator = BasetenEmulator(fleet, clock=clock, settings=EmulatorSettings(**settings))
    refs = tuple(Ref(f"{one.name}/a", emulator.ids(one.deployment_id)) for one in specs)
    async with EmulatorServer(emulator) as server:
        told = {"base_url": server.base_url, **emulator.credentials(), "zero": zero}
        provider = kind.create("bt", kind.settings.model_validate(told), clock, telemetry)
        try:
            yield Bench(provider, emulator, server, clock, telemetry, specs, refs)
        finally:
            await provider.close()


# --- the adapter and the emulator ------------------------------------------------------------------


async def test_settings_that_are_shown_late_are_read_as_they_are_shown() -> None:
    async with bench(applied_after_s=20) as it:
        await it.look()
        await it.provider.set_replicas(it.ref, exactly(3))
        assert (await it.look()).replicas == (2, 2)
        await it.clock.sleep(21)
        told = await it.look()

    assert (told.replicas, told.ready, told.phase) == ((3, 3), 2, Phase.SCALING)


async def test_writes_are_accepted_queued_and_unchanged_and_the_last_one_holds() -> None:
    async with bench(applied_after_s=20) as it:
        await it.look()
        for count in (3, 4, 4):
            await it.provider.set_replicas(it.ref, exactly(count))
        await it.clock.sleep(60)
        told = await it.look()

    assert told.replicas == (4, 4)
    assert {fact for _, fact, _ in it.telemetry.sights} >= {
        "an answer QUEUED",
        "UNCHANGED for bounds that are not shown",
    }
    assert it.telemetry.words == []


@pytest.mark.parametrize("environment", [None, "production"])
async def test_from_zero_it_is_woken_and_comes_up(environment: str | None) -> None:
    options: dict[str, Any] = {} if environment is None else {"environment": environment}
    async with bench(spec(scale_down_delay=30, **options)) as it:
        await it.look()
        await it.provider.set_replicas(it.ref, exactly(0))
        await it.clock.sleep(120)
        asleep = await it.look()
        assert (asleep.replicas, asleep.ready, asleep.phase, asleep.wakes) == ((0, 0), 0, Phase.STOPPED, True)
        await it.provider.set_replicas(it.ref, exactly(2))
        seen = []
        for _ in range(30):
            await it.clock.sleep(TICK_S)
            seen.append(await it.look())

    assert it.server.requests.counts["POST wake"] == 1
    assert (seen[0].replicas, seen[0].phase) == ((2, 2), Phase.STARTING)
    assert (seen[-1].replicas, seen[-1].ready, seen[-1].phase) == ((2, 2), 2, Phase.READY)
    assert it.telemetry.words == []


async def test_a_deactivated_deployment_is_activated_and_shows_its_way_up() -> None:
    async with bench(spec(deployment_id="dchat")) as it:
        await it.look()
        it.emulator.estate.models["mchat"].deployments["dchat"].deactivate()
        assert (await it.look()).busy
        with pytest.raises(Busy):
            await it.provider.set_replicas(it.ref, exactly(1))
        await it.clock.sleep(30)
        off = await it.look()
        await it.provider.set_replicas(it.ref, exactly(1))
        seen = []
        for _ in range(30):
            await it.clock.sleep(TICK_S)
            seen.append((await it.look()).phase)
        told = await it.look()

    assert (off.replicas, off.phase, off.wakes, off.busy) == ((0, 0), Phase.STOPPED, False, False)
    assert seen[0] is Phase.STARTING
    assert (told.replicas, told.ready, told.phase) == ((1, 1), 1, Phase.READY)


async def test_activations_are_limited_per_minute() -> None:
    async with bench(spec(deployment_id="dchat"), activations_per_minute=1) as it:
        managed = it.emulator.estate.models["mchat"].deployments["dchat"]
        for count in (1, 2):
            managed.deactivate()
            await it.clock.sleep(20)
            await it.look()
            if count == 1:
                await it.provider.set_replicas(it.ref, exactly(count))
        with pytest.raises(RateLimited) as caught:
            await it.provider.set_replicas(it.ref, exactly(2))

    assert 30 <= caught.value.retry_after_s <= 60


async def test_while_it_is_built_its_range_is_not_known() -> None:
    async with bench() as it:
        it.emulator.redeploy(it.specs[0].deployment_id)
        told = await it.look()
        await it.clock.sleep(600)
        later = await it.look()

    assert (told.replicas, told.phase) == (None, Phase.STARTING)
    assert (later.replicas, later.phase) == ((2, 2), Phase.READY)


async def test_two_chainlets_are_scaled_by_name_each_on_its_own() -> None:
    llm = spec("llm", 2, chain_id="crag", environment="production", chainlet="Llm")
    search = spec("search", 1, chain_id="crag", environment="production", chainlet="Search")
    async with bench(llm, search) as it:
        await it.look()
        await it.provider.set_replicas(it.refs[0], exactly(4))
        await it.clock.sleep(200)
        assert (await it.look(it.refs[0])).replicas == (4, 4)
        assert (await it.look(it.refs[1])).replicas == (1, 1)
        await it.provider.set_replicas(it.refs[1], exactly(2))
        await it.clock.sleep(200)
        both = [await it.look(ref) for ref in it.refs]

    assert [(told.replicas, told.ready, told.phase) for told in both] == [
        ((4, 4), 4, Phase.READY),
        ((2, 2), 2, Phase.READY),
    ]


async def test_within_a_range_the_vendor_starts_replicas_by_load_and_tells_how_many() -> None:
    async with bench(spec(replicas=1)) as it:
        await it.look()
        await it.provider.set_replicas(it.ref, ReplicaRange(1, 4))
        it.carries(40)
        await it.clock.sleep(20)
        starting = await it.look()
        await it.clock.sleep(300)
        told = await it.look()

    assert starting.replicas == told.replicas == (1, 4)
    assert (starting.ready, starting.starting) == (1, 3)
    assert (told.ready, told.phase) == (4, Phase.READY)


async def test_measured_start_ups_come_from_the_vendor() -> None:
    async with bench() as it:
        assert (await it.look()).start_up_p50_s is None
        await it.provider.set_replicas(it.ref, exactly(4))
        await it.clock.sleep(3700)
        told = await it.look()

    assert told.start_up_p50_s is not None
    assert told.start_up_p90_s is not None
    assert 20 <= told.start_up_p50_s <= told.start_up_p90_s <= 200


async def test_during_a_promotion_hands_are_off() -> None:
    async with bench(spec(environment="production")) as it:
        await it.look()
        it.emulator.promote("mchat", "production", lasts_s=300)
        assert (await it.look()).busy
        with pytest.raises(Busy):
            await it.provider.set_replicas(it.ref, exactly(3))
        await it.clock.sleep(900)
        told = await it.look()

    assert not told.busy
    assert it.server.requests.writes == 0


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_schedule_of_the_vendors_own_is_not_fought(enabled: bool) -> None:
    night = {
        "name": "night",
        "enabled": enabled,
        "cadence": "DAILY",
        "weekdays": [],
        "autoscaling_settings": {"min_replica": 0, "max_replica": 1},
        "start_hour": 22,
        "start_minute": 0,
        "end_hour": 6,
        "end_minute": 0,
    }
    async with bench(spec(environment="production")) as it:
        environment = it.emulator.estate.models["mchat"].environments["production"]
        body = {"autoscaling_schedule_settings": {"timezone": "Europe/Zurich", "schedules": [full(night)]}}
        environment.check(body)
        environment.update(body)
        told = await it.look()
        if enabled:
            with pytest.raises(Rejected, match="night"):
                await it.provider.set_replicas(it.ref, exactly(3))
        else:
            await it.provider.set_replicas(it.ref, exactly(3))

    assert (told.error is not None) is enabled


def full(schedule: dict[str, Any]) -> dict[str, Any]:
    """Every field of a schedule's settings is required."""
    keys = ("autoscaling_window", "scale_down_delay", "concurrency_target", "target_utilization_percentage")
    rest = dict.fromkeys((*keys, "target_in_flight_tokens", "max_scale_down_rate"))
    settings = {**rest, **schedule["autoscaling_settings"]}
    return {**schedule, "weekdays": schedule["weekdays"] or ["MONDAY"], "autoscaling_settings": settings}


async def test_a_write_whose_answer_is_lost_is_unavailable_and_is_seen_later() -> None:
    async with bench() as it:
        await it.look()
        it.server.faults.set([Fault(kind=FaultKind.DROP, applies_to="writes", after_effect=True)])
        with pytest.raises(Unavailable):
            await it.provider.set_replicas(it.ref, exactly(3))
        it.server.faults.clear()
        await it.clock.sleep(10)

        assert (await it.look()).replicas == (3, 3)


async def test_a_new_status_word_is_unknown() -> None:
    async with bench() as it:
        it.emulator.set_word(it.specs[0].deployment_id, "HIBERNATING", "")
        assert (await it.look()).phase is Phase.UNKNOWN

    assert it.telemetry.words == [("bt", "HIBERNATING", "deployment.status")]


async def test_prices_fit_the_instance_types_of_deployments() -> None:
    async with bench() as it:
        prices = await it.provider.prices()
        told = await it.look()

    assert told.instance_type is not None
    assert prices[told.instance_type].usd_per_gpu_hour == pytest.approx(6.4998)
    assert "1x2" not in prices


# --- with the decision in the loop -----------------------------------------------------------------


@dataclass
class Loop:
    """Observe, decide, act, every 15 s, as the daemon does; the service ``chat`` has this deployment."""

    it: Bench
    run: Run
    setup: Setup
    observer: Observer
    writes: list[tuple[float, ReplicaRange]] = field(default_factory=list)
    outcomes: tuple[Outcome, ...] = ()
    prices: dict[str, Price] = field(default_factory=dict)
    human: Human | None = None

    async def ticks(self, count: int, running: float | None = 0.0) -> Loop:
        """So many ticks; the deployment carries so many requests at once. None: no sample is to be had."""
        self.it.carries(running or 0.0)
        for _ in range(count):
            await self.it.clock.sleep(TICK_S)
            observed, ended = await self.observer.deployments()
            now = self.it.clock.now()
            samples = {} if running is None else {"queued": Sample(0.0, now), "running": Sample(running, now)}
            snapshot = Snapshot(
                now, {"chat": samples}, observed, self.prices, self.human, (*self.outcomes, *ended)
            )
            plan = self.run.look(snapshot)
            due = [decision for decision in plan.decisions if decision.changes]
            self.outcomes = await act(due, self.setup, self.it.clock, 12)
            self.writes += [(now, decision.range_to) for decision in due if decision.range_to is not None]
        return self

    @property
    def drifts(self) -> int:
        return len(self.run.known().drifts)

    def restart(self) -> None:
        """Another process: the memory comes from the journal, the adapter remembers nothing."""
        kind = PROVIDERS["baseten"]
        told = {"base_url": self.it.server.base_url, **self.it.emulator.credentials()}
        self.it.provider = kind.create("bt", kind.settings.model_validate(told), self.it.clock, Recorder())
        self.setup = setup_of(self.it, self.run)
        self.observer = Observer(self.setup, self.it.clock)


def setup_of(it: Bench, run: Run) -> Setup:
    return Setup(run.fleet, {"bt": it.provider}, {"bt": it.refs}, {}, {}, lambda *_: None)


@asynccontextmanager
async def loop(
    *specs: EmulatedDeployment,
    control: Literal["pin", "floor"] = "pin",
    replicas_max: int = 6,
    **emulator: Any,
) -> AsyncIterator[Loop]:
    async with bench(*specs, **emulator) as it:
        ours = Deployment("chat", "a", "bt", 16, replicas_max, control=control)
        service = a_service(deployments=(ours,), stabilise_down_s=60)
        run = Run(a_fleet(service, fixed_prices={}))
        setup = setup_of(it, run)
        made = Loop(it, run, setup, Observer(setup, it.clock))
        made.prices = {f"bt/{name}": price for name, price in (await it.provider.prices()).items()}
        try:
            yield made
        finally:
            await it.provider.close()


async def test_from_five_to_two_the_five_are_paid_until_they_are_gone_and_nothing_is_asked_again() -> None:
    async with loop(spec(replicas=5)) as it:
        await it.ticks(25, running=60)
        await it.ticks(6, running=20)
        assert it.writes[-1][1] == exactly(2)
        written = len(it.writes)
        kept = 0
        for _ in range(50):  # scale_down_delay is 900 s
            await it.ticks(1, running=20)
            facts = it.run.evidence().deployments["a"]
            assert facts.replicas_overdue == 0
            assert (facts.replicas_set, it.run.known().read_back) == (2, exactly(2))
            assert it.run.known().billed == facts.replicas_ready
            kept += facts.replicas_ready == 5
        await it.ticks(30, running=20)

        assert kept >= 40
        assert len(it.writes) == written
        assert it.run.known().billed == 2
        assert it.drifts == 0


async def test_down_to_zero_one_write_and_no_drift_and_a_restart_changes_nothing() -> None:
    async with loop(spec(scale_down_delay=120)) as it:
        await it.ticks(20, running=20)
        await it.ticks(40, running=0)
        assert it.writes[-1][1] == exactly(0)
        written = len(it.writes)
        it.restart()
        await it.ticks(40, running=0)

        assert len(it.writes) == written
        assert it.drifts == 0
        assert (it.run.known().read_back, it.run.known().billed) == (exactly(0), 0)
        assert it.run.known().last.phase is Phase.STOPPED


async def test_what_traffic_wakes_is_no_drift_and_its_demand_raises_the_count() -> None:
    async with loop(spec(scale_down_delay=120)) as it:
        await it.ticks(60, running=0)
        assert it.run.known().replicas_set == 0
        it.it.emulator.estate.find(it.it.specs[0].deployment_id).wake()  # type: ignore[union-attr]
        await it.ticks(4, running=0)
        waking = it.run.known()
        assert (waking.replicas_set, waking.billed) == (0, 1)
        await it.ticks(20, running=20)

        assert it.writes[-1][1] == exactly(2)
        assert it.drifts == 0
        assert (it.run.known().replicas_set, it.run.known().ready) == (2, 2)


async def test_demand_while_the_last_replicas_linger_takes_them_back() -> None:
    async with loop(spec()) as it:
        await it.ticks(40, running=0)
        assert (it.run.known().replicas_set, it.run.known().ready) == (0, 2)
        await it.ticks(3, running=20)

        assert it.writes[-1][1] == exactly(2)
        assert (it.run.known().replicas_set, it.run.known().ready) == (2, 2)
        assert it.drifts == 0


async def test_a_person_who_deactivates_is_let_alone_for_a_while_and_then_it_is_activated() -> None:
    async with loop(spec(deployment_id="dchat")) as it:
        await it.ticks(20, running=20)
        it.it.emulator.estate.models["mchat"].deployments["dchat"].deactivate()
        await it.ticks(30, running=20)
        assert it.drifts == 1
        assert it.writes == []
        await it.ticks(60, running=20)

        assert [to for _, to in it.writes] == [exactly(2)]
        assert (it.run.known().replicas_set, it.run.known().ready) == (2, 2)


async def test_while_it_is_built_anew_nothing_is_written_and_afterwards_nothing_is_drift() -> None:
    async with loop(spec()) as it:
        await it.ticks(20, running=20)
        it.it.emulator.redeploy(it.it.specs[0].deployment_id)
        await it.ticks(3, running=90)
        assert it.writes == []
        assert it.run.verdict() == (None, "provider_error")
        await it.ticks(30, running=90)

        assert it.writes[-1][1] == exactly(6)
        assert len({to for _, to in it.writes}) == len(it.writes)
        assert it.drifts == 0


async def test_a_promotion_is_waited_for_without_a_write() -> None:
    async with loop(spec(environment="production"), applied_after_s=0) as it:
        await it.ticks(10, running=20)
        it.it.emulator.promote("mchat", "production", lasts_s=300)
        await it.ticks(10, running=60)
        assert it.writes == []
        assert it.run.reason() == "changing"


async def test_a_schedule_of_the_vendors_own_holds_quietly_and_tells_the_person() -> None:
    async with loop(spec(environment="production")) as it:
        environment = it.it.emulator.estate.models["mchat"].environments["production"]
        night = {"name": "night", "enabled": True, "cadence": "DAILY", "weekdays": [], "start_hour": 22}
        hours = {"start_minute": 0, "end_hour": 6, "end_minute": 0}
        settings = {"autoscaling_settings": {"min_replica": 0, "max_replica": 1}}
        part = {"timezone": "Europe/Zurich", "schedules": [full({**night, **hours, **settings})]}
        environment.update({"autoscaling_schedule_settings": part})
        await it.ticks(10, running=60)

        assert it.it.server.requests.writes == 0
        assert it.run.reason() == "provider_error"
        assert "schedules of its own (night)" in it.run.known().last.evidence[0]


async def test_under_a_floor_the_vendor_adds_and_our_writes_are_few() -> None:
    async with loop(spec(replicas=1), control="floor") as it:
        await it.ticks(40, running=30)
        assert it.run.known().last.replicas == (3, 6)
        assert it.run.known().ready >= 3
        assert len(it.writes) <= 3
        await it.ticks(40, running=0)

        assert it.run.known().last.replicas == (0, 6)
        assert len(it.writes) <= 4
        assert it.drifts == 0


async def test_a_floor_with_room_for_one_is_written_once() -> None:
    async with loop(spec(replicas=1), control="floor", replicas_max=1) as it:
        await it.ticks(60, running=0)
        assert it.writes[-1][1] == (0, 1)
        assert len(it.writes) == 1
        await it.ticks(20, running=10)

        assert it.run.known().last.replicas == (1, 1)
        assert len(it.writes) == 2
        assert it.drifts == 0


async def test_a_person_who_sets_bounds_by_hand_is_drift() -> None:
    async with loop(spec()) as it:
        await it.ticks(20, running=20)
        other = await second(it.it)
        await other.set_replicas(it.it.ref, exactly(4))
        await other.close()
        await it.ticks(5, running=20)

        assert it.drifts == 1
        assert it.writes == []


async def second(it: Bench) -> Provider:
    kind = PROVIDERS["baseten"]
    told = {"base_url": it.server.base_url, **it.emulator.credentials()}
    return kind.create("second", kind.settings.model_validate(told), it.clock, Recorder())


async def test_an_override_to_zero_is_written_once_and_costs_until_it_is_gone() -> None:
    async with loop(spec(scale_down_delay=300)) as it:
        await it.ticks(20, running=20)
        by_hand = Override("chat", None, None, 0, None, "off", "op")
        it.human = Human(overrides=(by_hand,))
        await it.ticks(10, running=20)
        assert [to for _, to in it.writes] == [exactly(0)]
        assert it.run.known().billed >= 1, "traffic keeps one, and it is paid"
        await it.ticks(40, running=0)

        assert [to for _, to in it.writes] == [exactly(0)]
        assert it.run.known().billed == 0
        assert it.drifts == 0


# --- zero by deactivation ------------------------------------------------------------------------


async def test_where_zero_deactivates_the_last_replica_goes_although_requests_come() -> None:
    async with bench(zero="deactivate") as it:
        it.carries(3)
        await it.provider.set_replicas(it.ref, exactly(0))
        await it.clock.sleep(60)
        told = await it.look()
        assert (told.replicas, told.ready, told.phase) == ((0, 0), 0, Phase.STOPPED)
        assert told.zero is ZeroCapability.STOP
        assert not told.wakes

        await it.provider.set_replicas(it.ref, exactly(2))
        await it.clock.sleep(600)
        told = await it.look()

    assert (told.replicas, told.ready, told.phase) == ((2, 2), 2, Phase.READY)


async def test_where_zero_deactivates_0_to_1_is_a_range_and_a_zero_that_is_asked_twice_is_one_call() -> None:
    async with bench(spec(replicas=1, min_replica=0, max_replica=1), zero="deactivate") as it:
        assert (await it.look()).replicas == (0, 1)
        await it.provider.set_replicas(it.ref, exactly(0))
        await it.clock.sleep(60)
        await it.look()
        writes = it.server.requests.writes
        await it.provider.set_replicas(it.ref, exactly(0))

    assert it.server.requests.writes == writes


async def test_where_zero_sleeps_the_person_is_told_what_keeps_it_awake() -> None:
    async with bench() as it:
        it.carries(3)
        await it.provider.set_replicas(it.ref, exactly(0))
        await it.clock.sleep(3600)
        told = await it.look()

    assert (told.replicas, told.ready) == ((0, 0), 1)
    assert any("still run" in line for line in told.evidence)
