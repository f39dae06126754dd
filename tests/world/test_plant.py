"""The plant keeps its books whatever is done to it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.world.plant import (
    DeploymentSpec,
    OutOfStock,
    UnknownDeployment,
    World,
    WorldEvent,
)
from autoscaler.world.start_up import StartUp


def a_spec(name: str = "a", **changes: object) -> DeploymentSpec:
    values: dict[str, object] = {"id": name, "name": name, "gpu_type": "gpu3", "start_up": StartUp(180, 400)}
    return DeploymentSpec(**(values | changes))  # type: ignore[arg-type]


def a_world(*specs: DeploymentSpec, seed: int = 1) -> World:
    world = World(seed)
    for spec in specs:
        world.add(spec)
    return world


@dataclass(frozen=True)
class Act:
    wait_s: float
    kind: str
    number: int


acts = st.lists(
    st.builds(
        Act,
        st.floats(0, 500),
        st.sampled_from(["set", "kill", "fail", "stock", "look"]),
        st.integers(0, 12),
    ),
    max_size=30,
)


def perform(world: World, deployment_id: str, act: Act, now: float) -> None:
    if act.kind == "set":
        try:
            world.set_replicas(deployment_id, act.number, now)
        except OutOfStock:
            assert world.gpus_free("gpu3") is not None
    elif act.kind == "kill":
        world.kill_replica(deployment_id, now)
    elif act.kind == "fail":
        world.start_up_fails(deployment_id, act.number % 3, now)
    elif act.kind == "stock":
        world.set_stock("gpu3", act.number * 2)
    else:
        world.advance(now)


@given(acts)
def test_ready_and_starting_are_always_what_is_set_and_no_more_gpus_are_taken_than_stocked(
    script: list[Act],
) -> None:
    world = a_world(a_spec(drain_s=20.0, gpus_per_replica=2, initial_replicas=2))
    now, wanted = 0.0, 2
    for act in script:
        now += act.wait_s
        used_before = world.gpus_used("gpu3")
        perform(world, "a", act, now)
        status = world.status("a")
        if act.kind == "set" and status.replicas_set == act.number:
            wanted = act.number
        assert status.replicas_set == status.ready + status.starting == wanted
        assert status.ready <= status.replicas_set
        assert world.gpus_used("gpu3") == 2 * (status.ready + status.starting + status.draining)
        if "gpu3" in world.stock:
            assert world.gpus_used("gpu3") <= max(used_before, world.stock["gpu3"])


@given(acts, st.floats(1, 300))
def test_the_bill_does_not_depend_on_how_often_one_looks(script: list[Act], every_s: float) -> None:
    seldom, often = (a_world(a_spec(drain_s=30.0, usd_per_gpu_hour=1.1)) for _ in range(2))
    now = 0.0
    for act in script:
        for look in range(1, math.ceil(act.wait_s / every_s)):
            often.advance(now + look * every_s)
            often.status("a")
        now += act.wait_s
        perform(seldom, "a", act, now)
        perform(often, "a", act, now)

    seldom.advance(now)
    often.advance(now)
    one, other = seldom.status("a"), often.status("a")
    assert one.billed_replica_s == pytest.approx(other.billed_replica_s, abs=1e-6)
    assert one.billed_usd == pytest.approx(one.billed_replica_s * 1.1 / 3600)
    assert (one.replicas_set, one.ready, one.draining) == (other.replicas_set, other.ready, other.draining)


@given(acts)
def test_the_bill_is_the_sum_of_each_replicas_life(script: list[Act]) -> None:
    world = World(3)
    born: dict[int, float] = {}
    lives_s = 0.0

    def watch(event: WorldEvent) -> None:
        nonlocal lives_s
        if event.kind == "requested":
            assert event.replica is not None
            born[event.replica] = event.at
        elif event.kind == "released":
            assert event.replica is not None
            lives_s += event.at - born.pop(event.replica)

    world.subscribe(watch)
    world.add(a_spec(drain_s=45.0))
    now = 0.0
    for act in script:
        now += act.wait_s
        perform(world, "a", act, now)

    expected = lives_s + sum(world.now - at for at in born.values())
    assert world.status("a").billed_replica_s == pytest.approx(expected)


@given(acts)
def test_the_same_seed_and_the_same_acts_give_the_same_events(script: list[Act]) -> None:
    def events() -> list[WorldEvent]:
        seen: list[WorldEvent] = []
        world = World(9)
        world.subscribe(seen.append)
        world.add(a_spec())
        now = 0.0
        for act in script:
            now += act.wait_s
            perform(world, "a", act, now)
        return seen

    assert events() == events()


def ready_times(world: World, deployment_id: str) -> list[float]:
    seen: list[float] = []
    world.subscribe(
        lambda event: (
            seen.append(event.at) if (event.kind, event.deployment_id) == ("ready", deployment_id) else None
        )
    )
    world.set_replicas(deployment_id, 10, 0.0)
    world.advance(10_000)
    return seen


def test_adding_a_deployment_does_not_reshuffle_the_others() -> None:
    alone = ready_times(a_world(a_spec("a")), "a")
    crowd = a_world(a_spec("b", initial_replicas=3), a_spec("a"))
    crowd.set_replicas("b", 9, 0.0)

    assert ready_times(crowd, "a") == alone
    assert ready_times(a_world(a_spec("a"), seed=2), "a") != alone


def test_start_up_times_have_the_median_and_the_95th_percentile_asked_for() -> None:
    world = a_world(a_spec())
    seen: list[float] = []
    world.subscribe(lambda event: seen.append(event.at) if event.kind == "ready" else None)
    world.set_replicas("a", 4000, 0.0)
    world.advance(1e6)
    seen.sort()

    assert seen[2000] == pytest.approx(180, rel=0.05)
    assert seen[3800] == pytest.approx(400, rel=0.08)


def test_still_starting_replicas_go_first_and_ready_ones_drain_and_are_billed_meanwhile() -> None:
    world = a_world(a_spec(initial_replicas=3, start_up=StartUp.fixed(100), drain_s=40))
    world.set_replicas("a", 5, 0.0)
    world.set_replicas("a", 2, 10.0)

    status = world.status("a")
    assert (status.ready, status.starting, status.draining) == (2, 0, 1)
    world.advance(60.0)
    assert world.status("a").draining == 0
    # Three for 10 s and two for 10 s that never served; then two for 50 s and one draining for 40 s.
    assert world.status("a").billed_replica_s == pytest.approx(3 * 10 + 2 * 10 + 2 * 50 + 40)


def test_a_shortage_is_a_named_error_and_changes_nothing() -> None:
    world = a_world(a_spec(initial_replicas=2, gpus_per_replica=2), a_spec("b"))
    world.set_stock("gpu3", 6)

    with pytest.raises(OutOfStock, match="4 more GPUs of type 'gpu3' wanted, 2 free"):
        world.set_replicas("a", 4, 5.0)

    assert world.status("a").replicas_set == 2
    world.set_replicas("a", 3, 6.0)
    with pytest.raises(OutOfStock):
        world.set_replicas("b", 1, 6.0)


def test_a_replica_that_fails_starts_anew_and_is_billed_on() -> None:
    world = a_world(a_spec(initial_replicas=2, start_up=StartUp.fixed(100)))

    assert world.kill_replica("a", 50.0)

    status = world.status("a")
    assert (status.replicas_set, status.ready, status.starting) == (2, 1, 1)
    world.advance(150.0)
    assert world.status("a").ready == 2
    assert world.status("a").billed_replica_s == pytest.approx(300)


def test_a_start_up_that_fails_begins_anew_and_says_so() -> None:
    world = a_world(a_spec(start_up=StartUp.fixed(100)))
    world.start_up_fails("a", 2, 0.0)
    world.set_replicas("a", 1, 0.0)

    world.advance(250.0)
    assert (world.status("a").starting, world.status("a").start_ups_failed) == (1, 2)
    world.advance(300.0)
    assert (world.status("a").ready, world.status("a").start_ups_failed) == (1, 0)


def test_time_never_goes_back() -> None:
    world = a_world(a_spec(start_up=StartUp.fixed(10)))
    world.advance(100.0)
    world.set_replicas("a", 1, 50.0)
    world.advance(105.0)
    assert world.now == 105.0
    assert world.status("a").starting == 1


def test_a_removed_deployment_is_gone_but_its_bill_stays() -> None:
    world = a_world(a_spec(initial_replicas=1, usd_per_gpu_hour=3600.0))
    world.remove("a", 10.0)

    assert world.billed_usd() == pytest.approx(10.0)
    with pytest.raises(UnknownDeployment):
        world.set_replicas("a", 1, 11.0)


def test_a_price_counts_from_when_it_changes() -> None:
    world = a_world(a_spec(initial_replicas=1, gpus_per_replica=2, usd_per_gpu_hour=1800.0))
    world.set_price("a", 3600.0, 10.0)
    world.advance(20.0)

    assert world.status("a").billed_usd == pytest.approx(10.0 + 20.0)


@pytest.mark.parametrize(("median_s", "p95_s"), [(-1, 1), (5, 4), (0, 4), (1, math.inf), (math.nan, 1)])
def test_impossible_start_up_times_are_refused(median_s: float, p95_s: float) -> None:
    with pytest.raises(ValueError, match="start-up time"):
        StartUp(median_s, p95_s)


def test_negative_replicas_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        a_world(a_spec()).set_replicas("a", -1, 0.0)
