"""Replicas that die and start-ups that fail, by chance; prices and stock that change by themselves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.world.deployment import DeploymentSpec, WorldEvent
from autoscaler.world.gateway import Gateway, Request
from autoscaler.world.happenings import PriceChange, StockChange, schedule
from autoscaler.world.plant import OutOfStock, UnknownDeployment, World
from autoscaler.world.start_up import LearnedStartUp, StartUp


def a_spec(**changes: object) -> DeploymentSpec:
    values: dict[str, object] = {"id": "a", "name": "a", "gpu_type": "g", "start_up": StartUp.fixed(50.0)}
    return DeploymentSpec(**(values | changes))  # type: ignore[arg-type]


def events_of(spec: DeploymentSpec, until: float, seed: int = 1, replicas: int = 0) -> list[WorldEvent]:
    world = World(seed)
    seen: list[WorldEvent] = []
    world.subscribe(seen.append)
    world.add(spec)
    if replicas:
        world.set_replicas(spec.id, replicas, 0.0)
    world.advance(until)
    return seen


def kinds(events: list[WorldEvent]) -> list[str]:
    return [event.kind for event in events]


def test_replicas_die_as_often_as_stated_and_each_death_costs_a_start_up() -> None:
    events = events_of(a_spec(mean_life_s=950.0, initial_replicas=200), 50_000.0)
    # A life and the start-up after it take 1000 s together: 200 replicas x 50 deaths, the first ones earlier.
    deaths = kinds(events).count("killed")
    assert deaths == pytest.approx(200 * 50_000 / 1000, rel=0.05)
    status = events[-1].status
    assert status.replicas_set == 200
    assert status.starting == pytest.approx(10, abs=12)


def test_lives_are_exponential_and_not_alike() -> None:
    born, lives = {}, []
    for event in events_of(a_spec(mean_life_s=1000.0), 20_000.0, replicas=400):
        if event.kind == "ready":
            born[event.replica] = event.at
        elif event.kind == "killed" and born[event.replica] < 10_000:
            lives.append(event.at - born[event.replica])
    assert sum(life > 1000.0 for life in lives) / len(lives) == pytest.approx(math.exp(-1), abs=0.03)


def test_nothing_dies_and_no_start_up_fails_unless_asked_for() -> None:
    assert set(kinds(events_of(a_spec(), 1e7, replicas=50))) == {"added", "requested", "set", "ready"}


def test_start_ups_fail_as_often_as_stated_and_begin_anew() -> None:
    events = events_of(a_spec(start_up_failure_share=0.25), 1e6, replicas=3000)
    failed = kinds(events).count("start_up_failed")
    assert kinds(events).count("ready") == 3000
    assert failed / (failed + 3000) == pytest.approx(0.25, abs=0.02)
    assert {event.at for event in events if event.kind == "ready"} <= {50.0 * n for n in range(1, 40)}


def test_misfortune_of_one_deployment_does_not_reshuffle_another_and_follows_the_seed() -> None:
    unlucky = a_spec(mean_life_s=500.0, start_up_failure_share=0.3, start_up=StartUp(50, 90))
    events = events_of(unlucky, 5000.0, replicas=5)
    assert events == events_of(unlucky, 5000.0, replicas=5)
    assert events != events_of(unlucky, 5000.0, seed=2, replicas=5)

    world = World(1)
    seen: list[WorldEvent] = []
    world.subscribe(lambda event: seen.append(event) if event.deployment_id == "a" else None)
    world.add(a_spec(id="b", name="b", mean_life_s=70.0, initial_replicas=4))
    world.add(unlucky)
    world.set_replicas("a", 5, 0.0)
    world.advance(5000.0)
    assert [(one.at, one.kind, one.replica) for one in seen] == [
        (one.at, one.kind, one.replica) for one in events
    ]


def test_whether_replicas_die_does_not_change_how_long_the_first_ones_start() -> None:
    def first_starts(spec: DeploymentSpec) -> list[float]:
        return [event.at for event in events_of(spec, 49.0, replicas=20) if event.kind == "ready"]

    calm, wild = a_spec(start_up=StartUp(20, 40)), a_spec(start_up=StartUp(20, 40), mean_life_s=1e5)
    assert first_starts(calm) == first_starts(wild)


def test_what_a_dead_replica_ran_runs_anew_and_is_served_in_the_end() -> None:
    world = World(3)
    world.add(a_spec(initial_replicas=1, concurrency=4, mean_life_s=300.0))
    gateway = Gateway(world, "s", ["a"], arrivals=[[Request(float(n), 40.0) for n in range(200)]])
    deaths: list[WorldEvent] = []
    world.subscribe(lambda event: deaths.append(event) if event.kind == "killed" else None)

    world.advance(1e5)
    assert deaths
    assert (gateway.counters.finished_total, gateway.counters.started_total) == (200, 200)
    work = world.work("a")
    assert (work.running, work.finished_total) == (0, 200)
    assert work.finished_busy_s == pytest.approx(8000.0)


def test_a_draining_replica_that_dies_is_gone_and_what_it_ran_waits_in_front() -> None:
    world = World(3)
    world.add(a_spec(initial_replicas=1, mean_life_s=300.0))
    gateway = Gateway(world, "s", ["a"], arrivals=[[Request(0.0, 1e9)]])
    world.set_replicas("a", 0, 1.0)
    assert world.status("a").draining == 1

    world.advance(1e5)
    status = world.status("a")
    assert (status.draining, status.starting, status.ready) == (0, 0, 0)
    assert (gateway.counters.queued, gateway.counters.running) == (1, 0)


specs = st.builds(
    a_spec,
    mean_life_s=st.sampled_from([None, 5.0, 60.0, 500.0]),
    start_up_failure_share=st.sampled_from([0.0, 0.5]),
    billing_block_s=st.sampled_from([0.0, 60.0]),
    concurrency=st.integers(1, 3),
    initial_replicas=st.integers(0, 3),
)


@given(
    specs,
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5)), max_size=12),
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 200)), max_size=60),
    st.integers(0, 5),
)
def test_the_books_are_right_whatever_misfortune_strikes(
    spec: DeploymentSpec, script: list[tuple[float, int]], gaps: list[tuple[int, int]], seed: int
) -> None:
    at, requests = 0.0, []
    for gap, length in gaps:
        at += gap / 4
        requests.append(Request(at, length / 4))
    world = World(seed)
    world.add(spec)
    gateway = Gateway(world, "s", ["a"], arrivals=[requests])
    now, billed, wanted = 0.0, 0.0, spec.initial_replicas
    for wait_s, wanted in script:
        now += wait_s
        world.set_replicas("a", wanted, now)
        status, counters, work = world.status("a"), gateway.counters, world.work("a")
        assert status.replicas_set == status.ready + status.starting == wanted
        assert world.gpus_used("g") == wanted + status.draining
        assert status.billed_usd >= billed
        billed = status.billed_usd
        assert counters.arrived_total == sum(request.at <= now for request in requests)
        assert counters.arrived_total == counters.queued + counters.running + counters.finished_total
        assert (work.running, work.finished_total) == (counters.running, counters.finished_total)
        assert counters.running <= spec.concurrency * (status.ready + status.draining)
        if status.ready * spec.concurrency > counters.running:
            assert counters.queued == 0
    assert world.status("a").replicas_set == wanted


def test_prices_change_at_their_instants() -> None:
    world = World(0, now=1000.0)
    world.add(a_spec(initial_replicas=1, usd_per_gpu_hour=3600.0))
    schedule(world, [PriceChange(1030.0, "a", 0.0), PriceChange(1010.0, "a", 7200.0)])
    world.advance(1100.0)
    assert world.billed_usd() == pytest.approx(10.0 + 2 * 20.0)


def test_stock_goes_and_comes_and_what_is_held_stays_held() -> None:
    world = World()
    world.add(a_spec(initial_replicas=2))
    schedule(world, [StockChange(10.0, "g", 1), StockChange(20.0, "g", 3), StockChange(30.0, "g", None)])

    world.set_replicas("a", 3, 5.0)
    with pytest.raises(OutOfStock):
        world.set_replicas("a", 4, 15.0)
    assert world.status("a").replicas_set == 3
    with pytest.raises(OutOfStock):
        world.set_replicas("a", 4, 25.0)
    world.set_replicas("a", 4, 30.0)
    assert world.status("a").replicas_set == 4


def test_of_two_changes_at_one_instant_the_later_in_the_list_stands() -> None:
    world = World()
    world.add(a_spec(initial_replicas=1))
    schedule(world, [StockChange(10.0, "g", 1), StockChange(10.0, "g", 5)])
    world.advance(10.0)
    assert world.gpus_free("g") == 4


def test_a_price_of_no_deployment_is_refused_at_once_and_one_of_a_removed_deployment_is_nothing() -> None:
    world = World()
    world.add(a_spec(initial_replicas=1))
    with pytest.raises(UnknownDeployment):
        schedule(world, [StockChange(10.0, "g", 0), PriceChange(10.0, "b", 1.0)])
    schedule(world, [PriceChange(20.0, "a", 9.0)])
    world.remove("a", 15.0)
    world.advance(30.0)
    assert world.gpus_free("g") is None


@pytest.mark.parametrize("price", [-1.0, math.nan, math.inf])
def test_impossible_prices_are_refused(price: float) -> None:
    with pytest.raises(ValueError, match="price"):
        PriceChange(0.0, "a", price)


def test_impossible_changes_of_stock_are_refused() -> None:
    with pytest.raises(ValueError, match="stock of -1 GPUs"):
        StockChange(0.0, "g", -1)
    with pytest.raises(ValueError, match="finite instant"):
        StockChange(math.nan, "g", 1)


def test_measured_start_ups_are_drawn_as_often_as_they_were_seen_and_nothing_else_is() -> None:
    events = events_of(a_spec(start_up=LearnedStartUp((40.0, 40.0, 60.0, 600.0))), 1e4, replicas=4000)
    times = [event.at for event in events if event.kind == "ready"]
    assert len(times) == 4000
    for sample, share in ((40.0, 0.5), (60.0, 0.25), (600.0, 0.25)):
        assert times.count(sample) / 4000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("samples", [(), (1.0, -1.0), (math.nan,), (math.inf,)])
def test_impossible_measured_start_ups_are_refused(samples: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="measured start-up times"):
        LearnedStartUp(samples)


def test_a_replica_that_was_killed_by_hand_does_not_die_its_own_death_while_it_starts() -> None:
    world = World(1)
    seen: list[WorldEvent] = []
    world.subscribe(seen.append)
    world.add(a_spec(initial_replicas=1, mean_life_s=100.0, start_up=StartUp.fixed(1e6)))
    world.kill_replica("a", 0.5)
    world.advance(1e5)
    assert kinds(seen) == ["added", "killed"]
    assert world.status("a").starting == 1


def test_a_replica_that_drains_by_itself_drains_as_long_as_stated() -> None:
    world = World(1)
    world.add(a_spec(initial_replicas=1, mean_life_s=100.0, drain_s=1e6))
    world.set_replicas("a", 0, 0.5)
    world.advance(1e5)
    assert world.status("a").draining == 1
