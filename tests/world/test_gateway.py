"""The gateway is an exact queue: it agrees with a simulation that shares no code with it."""

from __future__ import annotations

import math
from array import array
from bisect import insort
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.world.gateway import Gateway, Request
from autoscaler.world.plant import DeploymentSpec, World
from autoscaler.world.start_up import StartUp

START_UP_S = 30.0

# Quarter seconds are exact in binary, so that ties are ties and sums are equal.
quarters = st.integers(1, 200).map(lambda n: n / 4)


@dataclass(frozen=True)
class Scale:
    at: float
    replicas: int


@dataclass
class Box:
    """A replica of the reference simulation."""

    born_at: float
    ready_at: float
    seat: int | None = None  # from ready to gone
    draining: bool = False
    gone_at: float | None = None
    running: dict[int, float] = field(default_factory=dict)  # number of the start -> end


class Reference:
    """The same queue by stepping from instant to instant through plain lists; slow and obvious.

    At each instant, one by one: ends in order of starting, arrivals, replicas that become ready, scaling.
    """

    def __init__(self, requests: list[Request], scales: list[Scale], initial: int, places: int) -> None:
        self.places = places
        self.boxes = [Box(0.0, 0.0, seat) for seat in range(initial)]
        self.coming, self.queue = list(requests), list[Request]()
        self.scales = list(scales)
        self.waits: list[float] = []
        self.instants = sorted({*(one.at for one in requests), *(one.at for one in scales)})

    def run(self, until: float) -> None:
        for now in self.instants:  # grows while we go: new instants are never before now
            if now > until:
                break
            self.end(now)
            while self.coming and self.coming[0].at <= now:
                self.queue.append(self.coming.pop(0))
                self.serve(now)
            for box in self.boxes:
                if box.seat is None and box.gone_at is None and box.ready_at <= now:
                    taken = {other.seat for other in self.boxes if other.gone_at is None}
                    box.seat = min(set(range(len(self.boxes))) - taken)
                    self.serve(now)
            while self.scales and self.scales[0].at <= now:
                self.scale(self.scales.pop(0).replicas, now)

    def end(self, now: float) -> None:
        due = [(start, box) for box in self.boxes for start, end in box.running.items() if end <= now]
        for start, box in sorted(due, key=lambda one: one[0]):
            del box.running[start]
            if box.draining and not box.running:
                box.gone_at = now
            self.serve(now)

    def serve(self, now: float) -> None:
        while self.queue:
            serving = [box for box in self.boxes if box.seat is not None and not box.draining]
            free = [box for box in serving if len(box.running) < self.places]
            if not free:
                return
            best = min(free, key=lambda box: (len(box.running), box.seat))
            first = self.queue.pop(0)
            self.waits.append(now - first.at)
            best.running[len(self.waits)] = now + first.service_s
            insort(self.instants, now + first.service_s)

    def scale(self, wanted: int, now: float) -> None:
        alive = [box for box in self.boxes if box.gone_at is None and not box.draining]
        for _ in range(wanted - len(alive)):
            self.boxes.append(Box(now, now + START_UP_S))
            insort(self.instants, now + START_UP_S)
        starting = [box for box in alive if box.seat is None]
        ready = [box for box in alive if box.seat is not None]
        for box in [*starting[::-1], *ready[::-1]][: max(0, len(alive) - wanted)]:
            box.draining = True
            if not box.running:
                box.gone_at = now

    def billed_replica_s(self, until: float) -> float:
        return sum((until if box.gone_at is None else box.gone_at) - box.born_at for box in self.boxes)


def a_gateway(
    batches: list[list[Request]], initial: int, places: int, record_s: array[float] | None = None
) -> tuple[World, Gateway]:
    world = World(0)
    world.add(
        DeploymentSpec(
            "a", "a", "g", concurrency=places, initial_replicas=initial, start_up=StartUp.fixed(START_UP_S)
        )
    )
    return world, Gateway(world, "chat", ["a"], arrivals=batches, record_s=record_s)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Request], list[Scale], int, int, float]:
    gaps = draw(st.lists(st.tuples(st.integers(0, 20), quarters), max_size=60))
    at, requests = 0.0, []
    for gap, service_s in gaps:
        at += gap / 4
        requests.append(Request(at, service_s))
    # Scaling happens between the quarters: its order against traffic at one instant is not at stake.
    times = sorted(draw(st.lists(st.integers(0, 300), max_size=6, unique=True)))
    # Nine replicas and more do not fit into the order of seats as it is at first.
    scales = [Scale(t + 0.125, draw(st.integers(0, 4) | st.sampled_from([9, 20]))) for t in times]
    return requests, scales, draw(st.integers(0, 3) | st.just(10)), draw(st.integers(1, 3)), 400.0


@settings(max_examples=300, deadline=None)
@given(cases(), st.integers(1, 7))
def test_an_independent_simulation_agrees_on_every_wait_and_on_the_bill(
    case: tuple[list[Request], list[Scale], int, int, float], batch: int
) -> None:
    requests, scales, initial, places, until = case
    record_s: array[float] = array("d")
    batches = [requests[start : start + batch] for start in range(0, len(requests), batch)]
    world, gateway = a_gateway(batches, initial, places, record_s)
    for scale in scales:
        world.set_replicas("a", scale.replicas, scale.at)
    world.advance(until)

    expected = Reference(requests, scales, initial, places)
    expected.run(until)
    counters = gateway.counters
    assert list(record_s) == expected.waits
    assert counters.queued == len(expected.queue)
    assert counters.running == sum(len(box.running) for box in expected.boxes)
    assert counters.started_total == len(expected.waits)
    assert counters.late_total == sum(wait > 10.0 for wait in expected.waits)
    assert world.status("a").billed_replica_s == pytest.approx(expected.billed_replica_s(until))


@given(cases(), st.lists(st.floats(0, 400), max_size=4))
def test_arrived_is_queued_and_running_and_finished_whatever_happens(
    case: tuple[list[Request], list[Scale], int, int, float], kills: list[float]
) -> None:
    requests, scales, initial, places, until = case
    world, gateway = a_gateway([requests], initial, places)
    acts = sorted([(scale.at, scale.replicas) for scale in scales] + [(at, -1) for at in kills])
    for at, replicas in acts:
        if replicas < 0:
            world.kill_replica("a", at)
        else:
            world.set_replicas("a", replicas, at)
        counters = gateway.counters
        assert counters.arrived_total == sum(request.at <= at for request in requests)
        assert counters.arrived_total == counters.queued + counters.running + counters.finished_total
        assert counters.running <= places * (world.status("a").ready + world.status("a").draining)
        if world.status("a").ready * places > counters.running:
            assert counters.queued == 0
    world.set_replicas("a", 1, until)
    world.advance(1e6)
    assert gateway.counters.finished_total == len(requests)


def test_nobody_overtakes() -> None:
    record_s: array[float] = array("d")
    requests = [Request(float(n), 7.0 - n % 5) for n in range(50)]
    world, _ = a_gateway([requests], 1, 2, record_s)
    world.advance(1e4)

    starts = [request.at + wait for request, wait in zip(requests, record_s, strict=True)]
    assert starts == sorted(starts)


def test_a_crash_sends_what_it_ran_to_the_front_and_counts_it_as_started_once() -> None:
    world, gateway = a_gateway([[Request(0.0, 100.0), Request(1.0, 100.0), Request(2.0, 100.0)]], 1, 2)
    world.kill_replica("a", 50.0)
    assert (gateway.counters.queued, gateway.counters.started_total) == (3, 2)

    world.advance(50.0 + START_UP_S)
    counters = gateway.counters
    assert (counters.queued, counters.running, counters.started_total) == (1, 2, 2)
    world.advance(50.0 + START_UP_S + 100.0)
    assert (gateway.counters.finished_total, gateway.counters.started_total) == (2, 3)


def test_a_crash_moves_what_it_ran_to_free_places_at_once() -> None:
    world, gateway = a_gateway([[Request(0.0, 100.0), Request(0.0, 100.0)]], 2, 2)
    world.kill_replica("a", 50.0)
    assert (gateway.counters.queued, gateway.counters.running) == (0, 2)
    world.advance(120.0)
    assert gateway.counters.finished_total == 1


def test_a_place_that_goes_on_to_what_a_crash_sent_back_begins_nothing_new() -> None:
    world, gateway = a_gateway([[Request(0.0, 100.0), Request(0.0, 60.0)]], 2, 1)
    world.kill_replica("a", 50.0)  # both places are taken, so it waits for the other one's end
    world.set_replicas("a", 1, 50.0)
    world.advance(60.0)

    assert (gateway.counters.queued, gateway.counters.running, gateway.counters.started_total) == (0, 1, 2)
    assert (gateway.report().requests, gateway.report().p99_s) == (2, 0.0)
    world.advance(160.0)
    assert gateway.counters.finished_total == 2


def test_a_removed_replica_is_billed_until_its_last_request_ends() -> None:
    world, _ = a_gateway([[Request(0.0, 100.0), Request(0.0, 50.0)]], 1, 4)
    world.set_replicas("a", 0, 10.0)
    world.advance(60.0)
    assert world.status("a").draining == 1
    world.advance(500.0)
    assert world.status("a").draining == 0
    assert world.status("a").billed_replica_s == pytest.approx(100.0)


@pytest.mark.parametrize(("requests", "draining"), [(1, 0), (2, 1), (3, 1)])
def test_a_request_goes_to_the_replica_with_the_least_work_and_to_the_first_of_equals(
    requests: int, draining: int
) -> None:
    world, gateway = a_gateway([[Request(0.0, 100.0)] * requests], 2, 2)
    world.set_replicas("a", 1, 10.0)  # takes the second one away
    assert world.status("a").draining == draining
    world.set_replicas("a", 0, 10.0)
    assert world.status("a").draining == 1 + draining
    assert gateway.counters.running == requests


def test_waits_still_open_at_the_end_count_with_their_age() -> None:
    world, gateway = a_gateway([[Request(0.0, 1000.0), Request(1.0, 1.0), Request(95.0, 1.0)]], 1, 1)
    world.advance(100.0)

    report = gateway.report()
    assert (report.requests, report.late) == (3, 1)
    assert report.on_time_share == pytest.approx(2 / 3)
    assert report.p99_s == pytest.approx(99.0, rel=0.01)
    assert report.p50_s == pytest.approx(5.0, rel=0.01)


def test_a_faster_replica_finishes_sooner_and_two_deployments_share_one_queue() -> None:
    world = World()
    world.add(DeploymentSpec("slow", "slow", "g", concurrency=1, initial_replicas=1))
    world.add(DeploymentSpec("fast", "fast", "g", concurrency=1, initial_replicas=1, speed=2.0))
    gateway = Gateway(world, "chat", ["slow", "fast"], arrivals=[[Request(0.0, 10.0), Request(0.0, 10.0)]])

    world.advance(5.0)
    assert gateway.counters.finished_total == 1
    with pytest.raises(ValueError, match="gateway already"):
        Gateway(world, "other", ["fast"])


def test_no_requests_have_no_waits_instead_of_good_ones() -> None:
    _, gateway = a_gateway([], 1, 1)
    assert gateway.report().p95_s is None
    assert gateway.report().on_time_share is None


def test_a_request_by_hand_is_served_like_any_other() -> None:
    world, gateway = a_gateway([], 1, 1)
    gateway.offer(Request(5.0, 10.0))
    gateway.offer(Request(6.0, 10.0))
    assert (gateway.counters.queued, gateway.counters.running) == (1, 1)
    world.advance(25.0)
    assert gateway.counters.finished_total == 2


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_quantiles_are_right_within_one_percent(values: list[float], share: float) -> None:
    from autoscaler.world.waits import Waits

    waits = Waits()
    for value in values:
        waits.add(value)
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert waits.quantile_s(share) == pytest.approx(exact, rel=0.011)
