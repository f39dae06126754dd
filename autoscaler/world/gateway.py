"""An exact first-in-first-out queue in front of a service's replicas."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from autoscaler.world.plant import DeploymentSpec, Replica, Work, World
from autoscaler.world.waits import Waits


class Request(NamedTuple):
    """When it arrives (epoch seconds), and how long it runs on a replica of speed 1."""

    at: float
    service_s: float


@dataclass(frozen=True, slots=True)
class Counters:
    """What a gateway exports. ``late_total`` counts starts after more than the promised wait."""

    queued: int
    running: int
    arrived_total: int
    started_total: int
    late_total: int
    finished_total: int


@dataclass(frozen=True, slots=True)
class WaitReport:
    """How long requests waited; those still waiting count with their age. None: no requests."""

    requests: int
    late: int
    on_time_share: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


class _Seat:
    """A replica's place in the gateway. Not a dataclass: it is on the fast path."""

    __slots__ = ("bit", "busy_s", "done", "places", "replica", "running", "speed", "taking")

    def __init__(self, replica: Replica, bit: int, places: int, speed: float) -> None:
        self.replica = replica
        self.bit = bit
        self.places = places
        self.speed = speed
        self.running = 0
        self.done = 0
        self.busy_s = 0.0
        self.taking = True  # False: draining


class Gateway:
    """The queue of one service. Runs whenever its world advances.

    A request goes to the replica that runs the fewest (the lowest seat where equal); without a free
    place it waits its turn. ``arrivals`` are batches in order of time, drawn as time needs them. Nobody
    gives up waiting. At one instant, ends come before arrivals. A replica's crash sends what it ran
    back to the front, to run anew in full; it counts as started once.

    ``record_s``, where given, receives every wait in order of starting (unbounded; for simulations).
    """

    def __init__(
        self,
        world: World,
        service: str,
        deployment_ids: Iterable[str],
        *,
        arrivals: Iterable[list[Request]] = (),
        promise_wait_s: float = 10.0,
        record_s: array[float] | None = None,
    ) -> None:
        self.service = service
        self.deployment_ids = tuple(deployment_ids)
        self.promise_wait_s = promise_wait_s
        self.waits = Waits()
        self._world = world
        self._batches: Iterator[list[Request]] = iter(arrivals)
        self._batch: list[Request] = []
        self._taken = 0  # of the batch
        self._record_s = record_s
        self._queue: deque[Request] = deque()
        self._again: deque[Request] = deque()  # from crashed replicas; ahead of the queue
        self._ends: list[tuple[float, int, _Seat, Request]] = []
        self._turn = 0
        self._seats: dict[Replica, _Seat] = {}
        self._bits_used = 0
        self._seat_at: dict[int, _Seat] = {}  # by bit
        # Seats with a free place, as bits, by how many requests they run; and which levels have any.
        self._level: list[int] = []
        self._levels_used = 0
        self._arrived = 0
        self._started = 0
        self._late = 0
        self._finished = 0
        self._done: dict[str, int] = dict.fromkeys(self.deployment_ids, 0)  # on replicas that are gone
        self._busy_s: dict[str, float] = dict.fromkeys(self.deployment_ids, 0.0)
        self._ran_until = world.now
        world.attach(self, self.deployment_ids)

    # --- what it tells --------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        """The counters at ``world.now``."""
        return Counters(
            queued=len(self._queue) + len(self._again),
            running=len(self._ends),
            arrived_total=self._arrived,
            started_total=self._started,
            late_total=self._late,
            finished_total=self._finished,
        )

    def report(self) -> WaitReport:
        """Waits of everybody who has arrived until ``world.now``."""
        waits, late = self.waits.copy(), self._late
        for request in self._queue:
            age_s = self._world.now - request.at
            waits.add(age_s)
            late += age_s > self.promise_wait_s
        requests = waits.count
        return WaitReport(
            requests=requests,
            late=late,
            on_time_share=1 - late / requests if requests else None,
            p50_s=waits.quantile_s(0.50),
            p95_s=waits.quantile_s(0.95),
            p99_s=waits.quantile_s(0.99),
        )

    def offer(self, request: Request) -> None:
        """One request by hand, apart from ``arrivals``; the world advances to it."""
        self._world.advance(request.at)
        self._arrive(Request(max(request.at, self._ran_until), request.service_s))

    # --- what the world tells it ----------------------------------------------------------------

    def run_until(self, until: float) -> None:
        """Carry all traffic up to and including this instant."""
        ends, finish, arrive = self._ends, self._finish, self._arrive
        while True:
            coming = self._next_arrival_at()
            arrives = coming <= until
            limit = coming if arrives else until
            while ends and ends[0][0] <= limit:
                end, _, seat, request = heapq.heappop(ends)
                finish(seat, end, request)
            if not arrives:
                break
            request = self._batch[self._taken]
            self._taken += 1
            arrive(request)
        self._ran_until = max(until, self._ran_until)

    def join(self, replica: Replica, spec: DeploymentSpec, at: float) -> None:
        """The replica serves from now; it takes from the queue at once."""
        bit = ~self._bits_used & (self._bits_used + 1)  # the lowest that is free
        seat = _Seat(replica, bit, spec.concurrency, spec.speed)
        self._bits_used |= bit
        self._seats[replica] = self._seat_at[bit] = seat
        while len(self._level) < spec.concurrency:
            self._level.append(0)
        self._open(seat)
        while (self._again or self._queue) and seat.running < seat.places:
            self._occupy(seat)
            self._begin_next(seat, at)

    def leave(self, replica: Replica, at: float) -> bool:
        """The replica takes nothing new. True: it runs nothing and is gone."""
        del at  # the world has run us up to it
        seat = self._seats[replica]
        self._close(seat)
        if seat.running == 0:
            self._forget(seat)
            return True
        return False

    def crash(self, replica: Replica, at: float) -> None:
        """The replica is dead; what it ran goes back to the front, oldest first."""
        seat = self._seats[replica]
        self._close(seat)
        self._forget(seat)
        lost = [entry[3] for entry in self._ends if entry[2] is seat]
        self._ends[:] = [entry for entry in self._ends if entry[2] is not seat]
        heapq.heapify(self._ends)
        self._again = deque(sorted([*self._again, *lost]))
        while self._again and self._levels_used:
            seat = self._idlest()
            self._occupy(seat)
            self._begin_next(seat, at)

    def work(self, deployment_id: str) -> Work:
        """What this deployment's replicas run, and have run until now."""
        seats = [seat for seat in self._seats.values() if seat.replica.deployment_id == deployment_id]
        return Work(
            running=sum(seat.running for seat in seats),
            finished_total=self._done[deployment_id] + sum(seat.done for seat in seats),
            finished_busy_s=self._busy_s[deployment_id] + sum(seat.busy_s for seat in seats),
        )

    # --- inside ---------------------------------------------------------------------------------

    def _next_arrival_at(self) -> float:
        while self._taken == len(self._batch):
            batch = next(self._batches, None)
            if batch is None:
                return math.inf
            self._batch, self._taken = batch, 0
        return self._batch[self._taken].at

    def _arrive(self, request: Request) -> None:
        self._arrived += 1
        if not self._levels_used:
            self._queue.append(request)
            return
        seat = self._idlest()
        self._occupy(seat)
        self._started += 1
        self.waits.zeros += 1
        if self._record_s is not None:
            self._record_s.append(0.0)
        self._turn += 1
        at = request.at
        heapq.heappush(self._ends, (at + request.service_s / seat.speed, self._turn, seat, request))

    def _finish(self, seat: _Seat, at: float, request: Request) -> None:
        self._finished += 1
        seat.done += 1
        seat.busy_s += request.service_s / seat.speed
        if not seat.taking:
            seat.running -= 1
            if seat.running == 0:
                self._forget(seat)
                self._world.release(seat.replica, at)
        elif self._queue or self._again:
            self._begin_next(seat, at)  # the place goes on to the next: all others are full
        else:
            self._vacate(seat)

    def _begin_next(self, seat: _Seat, at: float) -> None:
        """The first in the queue runs on a place that is counted as occupied already."""
        if self._again:
            request = self._again.popleft()
        else:
            request = self._queue.popleft()
            wait_s = at - request.at
            self._started += 1
            self._late += wait_s > self.promise_wait_s
            self.waits.add(wait_s)
            if self._record_s is not None:
                self._record_s.append(wait_s)
        self._turn += 1
        heapq.heappush(self._ends, (at + request.service_s / seat.speed, self._turn, seat, request))

    def _idlest(self) -> _Seat:
        levels = self._levels_used
        bits = self._level[(levels & -levels).bit_length() - 1]
        return self._seat_at[bits & -bits]

    def _open(self, seat: _Seat) -> None:
        self._level[seat.running] |= seat.bit
        self._levels_used |= 1 << seat.running

    def _close(self, seat: _Seat) -> None:
        seat.taking = False
        if seat.running < seat.places:
            self._drop_from_level(seat)

    def _drop_from_level(self, seat: _Seat) -> None:
        left = self._level[seat.running] ^ seat.bit
        self._level[seat.running] = left
        if not left:
            self._levels_used ^= 1 << seat.running

    def _occupy(self, seat: _Seat) -> None:
        self._drop_from_level(seat)
        seat.running += 1
        if seat.running < seat.places:
            self._open(seat)

    def _vacate(self, seat: _Seat) -> None:
        if seat.running < seat.places:
            self._drop_from_level(seat)
        seat.running -= 1
        self._open(seat)

    def _forget(self, seat: _Seat) -> None:
        self._done[seat.replica.deployment_id] += seat.done
        self._busy_s[seat.replica.deployment_id] += seat.busy_s
        self._bits_used ^= seat.bit
        del self._seat_at[seat.bit]
        del self._seats[seat.replica]
