"""Memory is a fold, the same from the journal, a checkpoint or kept; a decision is a function."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.codec import (
    memory_from_json,
    memory_to_json,
    plan_from_json,
    plan_to_json,
    snapshot_from_json,
    snapshot_to_json,
)
from autoscaler.core.decide import decide, fold, step
from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.core.memory import Memory
from autoscaler.core.model import Plan, Price, Reading, Sample, Snapshot
from tests.core.fleets import START, Plant, a_fleet, a_service, a_snapshot, random_fleet, seen
from tests.core.run import Run, chat_run

Record = tuple[Snapshot, Plan]


def lived(seed: int, ticks: int = 30, faults: float = 0.6) -> tuple[Fleet, list[Record], list[Memory]]:
    """A fleet with faults, what its journal holds, and the memory before each record and at the end."""
    rng = random.Random(seed)
    fleet = random_fleet(rng)
    plant = Plant(fleet, rng, faults=faults)
    records: list[Record] = []
    memories = [Memory()]
    for _ in range(ticks):
        snapshot = plant.snapshot()
        plan, memory = step(memories[-1], snapshot, fleet)
        records.append((snapshot, plan))
        memories.append(memory)
        plant.carry_out(plan)
    return fleet, records, memories


def journalled(records: Sequence[Record]) -> list[Record]:
    """The records as a journal gives them back."""
    return [
        (
            snapshot_from_json(json.loads(json.dumps(snapshot_to_json(snapshot)))),
            plan_from_json(json.loads(json.dumps(plan_to_json(plan)))),
        )
        for snapshot, plan in records
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 30))
def test_a_checkpoint_anywhere_and_the_tail_are_the_whole(seed: int, at: int) -> None:
    fleet, records, memories = lived(seed)
    memory = memory_from_json(json.loads(json.dumps(memory_to_json(memories[at]))))
    assert memory == memories[at]
    for snapshot, plan in journalled(records[at:]):
        memory = fold(memory, snapshot, plan, fleet)

    assert memory == memories[-1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_an_export_decides_the_recorded_plans_again(seed: int) -> None:
    fleet, records, _ = lived(seed)
    memory = Memory()
    for snapshot, recorded in journalled(records):
        plan, memory = step(memory, snapshot, fleet)
        assert plan == recorded


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_same_input_gives_the_same_plan_and_is_never_changed(seed: int) -> None:
    fleet, records, memories = lived(seed, 12)
    for (snapshot, recorded), memory in zip(records, memories, strict=False):
        before = deepcopy((snapshot, memory, fleet))
        assert decide(snapshot, memory, fleet) == recorded
        assert decide(snapshot, memory, fleet) == recorded
        assert (snapshot, memory, fleet) == before


def without(plan: Plan, *services: str) -> list[object]:
    return [d for d in plan.decisions if d.service not in services]


def only(fleet: Fleet, *names: str) -> Fleet:
    return replace(fleet, services={name: fleet.services[name] for name in names}, budget_usd_per_hour=None)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_service_alone_is_decided_as_in_its_fleet(seed: int) -> None:
    rng = random.Random(seed)
    fleet = replace(random_fleet(rng), budget_usd_per_hour=None)
    plant = Plant(fleet, rng, faults=0.5)
    together, alone = Memory(), {name: Memory() for name in fleet.services}
    for _ in range(20):
        snapshot = plant.snapshot()
        plan, together = step(together, snapshot, fleet)
        if plan.brake:
            return  # The brake is the one thing that looks at the fleet as a whole.
        for name in fleet.services:
            own, alone[name] = step(alone[name], snapshot, only(fleet, name))
            mine = [d for d in plan.decisions if d.service == name]
            if "limits the rate" not in " ".join(d.why for d in mine):
                assert list(own.decisions) == mine, name
        if together.writes_limited_until:
            return  # So does a provider that limits writes: it may be told by another service's write.
        plant.carry_out(plan)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_services_in_the_configuration_decides_nothing(seed: int) -> None:
    fleet, records, _ = lived(seed, 15)
    backwards = replace(fleet, services=dict(reversed(list(fleet.services.items()))))
    memory = Memory()
    for snapshot, recorded in records:
        plan, memory = step(memory, snapshot, backwards)
        assert plan.decisions == recorded.decisions


def renamed(service: Service, name: str) -> Service:
    return replace(
        service, name=name, deployments=tuple(replace(d, service=name) for d in service.deployments)
    )


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_another_name_changes_no_number(name: str) -> None:
    run, other = Run(a_fleet(a_service(cooldown_s=60))), Run(a_fleet(renamed(a_service(cooldown_s=60), name)))
    rng = random.Random(1)
    count = 2
    for _ in range(60):
        demand = float(rng.choice([0, 10, 30, 60]))
        run.tick(0, demand, a=count)
        other.tick(services={name: (0.0, demand)}, keys={f"{name}/a": seen(count)})
        assert run.verdict() == other.verdict(service=name)
        count = run.to() or 0


# --- what more demand does ------------------------------------------------------------------------


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 6), st.integers(0, 6))
def test_more_demand_is_never_fewer_replicas(one: int, other: int, count: int, ready: int) -> None:
    low, high = sorted((one, other))
    observed = {"chat/a": seen(count, min(ready, count))}
    few = decide(a_snapshot(0, 0, float(low), deployments=observed), Memory(), a_fleet())
    many = decide(a_snapshot(0, 0, float(high), deployments=observed), Memory(), a_fleet())

    assert (many.decisions[0].replicas_to or 0) >= (few.decisions[0].replicas_to or 0)


@given(st.integers(0, 100), st.lists(st.sampled_from([None, 0.0, 10.0, 60.0]), min_size=1, max_size=25))
def test_blind_is_never_a_decrease(seed: int, levels: list[float | None]) -> None:
    run = chat_run(
        stabilise_down_s=15, cooldown_s=float(seed % 2 * 60), fallback_replicas=seed % 3, blind_after_s=30
    )
    run.tick(0, 60, a=5)
    for level in levels:
        run.follow(1, running=level)
        if run.evidence().blind:
            decision = run.decision()
            assert (decision.replicas_to or 0) >= (decision.replicas_from or 0)


# --- rest -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, 24, 8))
def test_a_fleet_left_in_peace_comes_to_rest_and_stays(first: int) -> None:
    for seed in range(first, first + 8):
        rng = random.Random(seed)
        fleet = random_fleet(rng)
        plant = Plant(fleet, rng, faults=0.5)
        memory = Memory()
        for _ in range(20):
            plan, memory = step(memory, plant.snapshot(), fleet)
            plant.carry_out(plan)
        plant.faults = 0.0
        steady = dict(plant.demand)
        changed_at = -1
        for tick in range(280):
            plant.demand.update(steady)
            snapshot = plant.snapshot()
            shares = {"queued": 0.3, "running": 0.7}
            signals: dict[str, dict[str, Reading]] = {
                name: {k: Sample(round(steady[name] * share, 1), plant.at) for k, share in shares.items()}
                for name in fleet.services
            }
            snapshot = replace(snapshot, prices={}, signals=signals)
            plan, memory = step(memory, snapshot, fleet)
            if any(d.changes for d in plan.decisions):
                changed_at = tick
            plant.carry_out(plan)
        assert changed_at < 265, f"seed {seed}: still changing at tick {changed_at}: {plan.decisions}"


def test_a_sole_service_comes_to_what_it_needs_after_every_fault() -> None:
    run = chat_run(stabilise_down_s=60, drift_hold_s=60)
    run.tick(0, 60, a=0)
    run.tick(None, None, a=None)
    run.tick(0, 60, a=3)  # drift
    run.tick(0, 60, a=None)
    run.settle(3, running=60, a=3)
    run.follow(3, running=60)

    assert run.verdict() == (5, "hold")
    run.follow(10, running=60)
    assert not run.decision().changes
    assert START + run.at == run.memory.at


def test_prices_of_a_provider_that_the_configuration_no_longer_names_are_forgotten() -> None:
    both = a_fleet(
        a_service(
            deployments=(Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "cheap", 16, 6))
        ),
        fixed_prices={"dear/h100": 4.0},
        config_hash="both",
    )
    one = replace(both, services={"chat": a_service()}, config_hash="one")
    told = {key: Price(1.0, START) for key in ("exo/gpua5000", "exo/l4", "cheap/l4", "dear/h100", "else/l4")}
    plan, memory = step(Memory(), a_snapshot(0, prices=told), both)

    assert set(memory.prices) == {"exo/gpua5000", "exo/l4", "cheap/l4", "dear/h100"}
    later = a_snapshot(15)
    plan, after = step(memory, later, one)
    assert set(after.prices) == {"exo/gpua5000", "exo/l4", "dear/h100"}
    assert fold(memory, later, plan, one) == after
    plan, last = step(after, a_snapshot(30, prices={"cheap/l4": Price(1.0, START)}), one)
    assert set(last.prices) == set(after.prices)
