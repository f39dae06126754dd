"""A vendor's own autoscaler moves replicas inside the bounds, in the world's time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.emulators.load import Loads, Script
from autoscaler.emulators.native import NativeAutoscaler, Rule
from autoscaler.world.gateway import Gateway, Request
from autoscaler.world.plant import DeploymentSpec, World
from autoscaler.world.start_up import StartUp

RULE = Rule(per_replica=10, window_s=60, scale_down_delay_s=300)


def a_world(replicas: int = 1, stock: int | None = None) -> tuple[World, Loads]:
    world = World(now=1000.0)
    world.set_stock("h100", stock)
    world.add(
        DeploymentSpec(
            "d", "d", "h100", gpus_per_replica=2, start_up=StartUp(30, 30), initial_replicas=replicas
        )
    )
    return world, Loads(world)


def set_count(world: World) -> int:
    return world.status("d").replicas_set


def test_demand_adds_replicas_up_to_the_maximum_and_their_start_up_takes_its_time() -> None:
    world, loads = a_world()
    NativeAutoscaler(world, loads, "d", (1, 3), RULE)
    loads.lay_down("d", Script(running=25))
    world.advance(1010)
    assert set_count(world) == 3
    assert world.status("d").ready == 1
    loads.lay_down("d", Script(running=250))
    world.advance(1200)

    assert set_count(world) == world.status("d").ready == 3


def test_replicas_go_once_the_delay_has_passed_without_need_and_not_before() -> None:
    world, loads = a_world(3)
    NativeAutoscaler(world, loads, "d", (1, 3), RULE)
    loads.lay_down("d", Script(running=25))
    world.advance(2000)
    loads.lay_down("d", Script())
    world.advance(2300)
    assert set_count(world) == 3
    world.advance(2400)

    assert set_count(world) == 1


@pytest.mark.parametrize(("waits", "at_once"), [(False, 2), (True, 5)])
def test_a_lowered_maximum_waits_for_the_delay_where_the_vendor_says_so(waits: bool, at_once: int) -> None:
    world, loads = a_world(5)
    native = NativeAutoscaler(world, loads, "d", (5, 5), Rule(10, 60, 300, maximum_waits=waits))
    world.advance(5000)
    native.set((2, 2))
    assert set_count(world) == at_once
    world.advance(5299)
    assert set_count(world) == at_once
    world.advance(5320)

    assert set_count(world) == 2


def test_a_raised_minimum_is_obeyed_at_once_and_the_stock_leaves_the_rest_pending() -> None:
    world, loads = a_world(1, stock=6)
    native = NativeAutoscaler(world, loads, "d", (1, 1), RULE)
    native.set((5, 5))
    assert (set_count(world), native.pending) == (3, 2)
    world.set_stock("h100", 10)
    world.advance(1020)

    assert (set_count(world), native.pending) == (5, 0)


def test_an_idle_deployment_drops_to_zero_and_a_wake_call_brings_one_back() -> None:
    world, loads = a_world(1)
    native = NativeAutoscaler(world, loads, "d", (0, 2), RULE)
    world.advance(1400)
    assert set_count(world) == 0
    native.wake()
    assert set_count(world) == 1
    world.advance(1650)
    assert set_count(world) == 1
    world.advance(1800)

    assert set_count(world) == 0


def test_a_stopped_deployment_has_no_replicas_until_it_is_started() -> None:
    world, loads = a_world(2)
    native = NativeAutoscaler(world, loads, "d", (2, 4), RULE)
    native.stop()
    world.advance(1500)
    assert set_count(world) == 0
    native.start()

    assert set_count(world) == 2


def test_bounds_that_are_none_are_refused() -> None:
    world, loads = a_world()
    native = NativeAutoscaler(world, loads, "d", (1, 2), RULE)
    with pytest.raises(ValueError, match="minimum"):
        native.set((3, 2))

    assert native.bounds == (1, 2)


def test_a_gateways_traffic_is_load_and_its_ends_are_counted() -> None:
    world, loads = a_world(1)
    batch = [Request(1000.0 + i, 20.0) for i in range(10)]
    Gateway(world, "chat", ["d"], arrivals=[batch])
    world.advance(1005.5)
    assert loads.of("d").running == 4
    world.advance(2000)
    load = loads.of("d")

    assert (load.running, load.finished_total, load.finished_busy_s) == (0, 10, 200.0)


def test_totals_of_a_script_go_on_when_it_changes() -> None:
    world, loads = a_world()
    loads.lay_down("d", Script(requests_per_s=2, service_s=5))
    world.advance(1010)
    loads.lay_down("d", Script(requests_per_s=1, service_s=1))
    world.advance(1020)
    load = loads.of("d")

    assert (load.finished_total, load.finished_busy_s) == (30, 110)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 400),
            st.integers(0, 60),
            st.tuples(st.integers(0, 3), st.integers(0, 3)),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_replicas_stay_inside_the_bounds_but_for_a_maximum_that_waits(
    acts: list[tuple[int, int, tuple[int, int], bool]],
) -> None:
    world, loads = a_world(0)
    native = NativeAutoscaler(world, loads, "d", (0, 4), RULE)
    for pause_s, running, (low, more), stop in acts:
        if stop:
            native.stop()
        else:
            native.start()
        native.set((low, low + more))
        loads.lay_down("d", Script(running=running))
        world.advance(world.now + pause_s)
        count = set_count(world)
        assert count == 0 if stop else low <= count <= low + more
