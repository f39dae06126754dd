"""An exact first-in-first-out queue in front of a service's replicas."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from itertools import chain, repeat
from typing import Final, NamedTuple, TypeAlias

from autoscaler.world.deployment import DeploymentSpec, Replica
from autoscaler.world.plant import World
from autoscaler.world.seating import Seat, Seating
from autoscaler.world.traffic import Work
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


_Asked: TypeAlias = tuple[float, float]  # a request as it travels: ``at`` and ``service_s``
_End: TypeAlias = tuple[float, int, Seat, _Asked]  # when it ends, its turn, where, and what
_NEVER: Final[_Asked] = (math.inf, 0.0)


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
        arrivals: Iterable[Iterable[tuple[float, float]]] = (),
        promise_wait_s: float = 10.0,
        record_s: array[float] | None = None,
    ) -> None:
        self.service = service
        self.deployment_ids = tuple(deployment_ids)
        self.promise_wait_s = promise_wait_s
        self.waits = Waits()
        self._world = world
        self._coming = chain.from_iterable(chain(arrivals, repeat((_NEVER,))))
        self._held: tuple[_Asked, ...] = ()  # taken from those, and not arrived yet
        self._record_s = record_s
        self._queue: deque[_Asked] = deque()
        self._again: deque[_Asked] = deque()  # from crashed replicas; ahead of the queue
        self._ends: list[_End] = []  # a heap of what runs
        self._seating = Seating()
        self._turn = 0  # requests put on a replica; ends at one instant come in this order
        self._restarted = 0  # of these, after a crash
        self._late = 0
        self._done: dict[str, int] = dict.fromkeys(self.deployment_ids, 0)  # on replicas that are gone
        self._busy_s: dict[str, float] = dict.fromkeys(self.deployment_ids, 0.0)
        self._ran_until = world.now
        world.attach(self, self.deployment_ids)

    # --- what it tells --------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        """The counters at ``world.now``."""
        running, started = len(self._ends), self._turn - self._restarted
        return Counters(
            queued=len(self._queue) + len(self._again),
            running=running,
            arrived_total=started + len(self._queue),
            started_total=started,
            late_total=self._late,
            finished_total=started - len(self._again) - running,
        )

    def report(self) -> WaitReport:
        """Waits of everybody who has arrived until ``world.now``."""
        waits, late = self.waits.copy(), self._late
        for at, _ in self._queue:
            age_s = self._world.now - at
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
        at = max(request.at, self._ran_until)
        self._queue.append((at, request.service_s))
        if self._seating.free:
            self._begin_next(at)
        self.run_until(at)

    # --- what the world tells it ----------------------------------------------------------------

    def run_until(self, until: float) -> None:
        """Carry all traffic up to and including this instant."""
        self._ran_until = max(until, self._ran_until)
        if self._held and self._held[0][0] > until and not (self._ends and self._ends[0][0] <= until):
            return  # nothing is due, as in most ticks of a quiet service
        while (drained := self._carry(until)) is not None:
            seat, at = drained
            self._forget(seat)
            self._world.release(seat.replica, at)

    def join(self, replica: Replica, spec: DeploymentSpec, at: float) -> None:
        """The replica serves from now; it takes from the queue at once."""
        seat = self._seating.open(replica, spec.concurrency, spec.speed)
        while (self._again or self._queue) and seat.running < seat.places:
            self._begin_next(at)

    def leave(self, replica: Replica, at: float) -> bool:
        """The replica takes nothing new. True: it runs nothing and is gone."""
        del at  # the world has run us up to it
        seat = self._seating.of[replica]
        self._seating.close(seat)
        if seat.running == 0:
            self._forget(seat)
            return True
        return False

    def crash(self, replica: Replica, at: float) -> None:
        """The replica is dead; what it ran goes back to the front, oldest first."""
        seat = self._seating.of[replica]
        self._seating.close(seat)
        self._forget(seat)
        lost = [entry[3] for entry in self._ends if entry[2] is seat]
        self._ends[:] = [entry for entry in self._ends if entry[2] is not seat]
        heapify(self._ends)
        self._again = deque(sorted([*self._again, *lost]))
        while self._again and self._seating.free:
            self._begin_next(at)

    def work(self, deployment_id: str) -> Work:
        """What this deployment's replicas run, and have run until now."""
        seats = [seat for seat in self._seating.of.values() if seat.replica.deployment_id == deployment_id]
        return Work(
            running=sum(seat.running for seat in seats),
            finished_total=self._done[deployment_id] + sum(seat.done for seat in seats),
            finished_busy_s=self._busy_s[deployment_id] + sum(seat.busy_s for seat in seats),
        )

    # --- inside ---------------------------------------------------------------------------------

    def _carry(self, until: float) -> tuple[Seat, float] | None:
        """Carry traffic up to this instant, or until a draining seat has run its last: that seat, and when.

        This loop is what a simulation's time goes into: per request it calls the heap twice and nothing
        else. What it changes of the gateway's and the seating's is in local names meanwhile.
        """
        ends, queue, again, seating = self._ends, self._queue, self._again, self._seating
        free, seat_at, mask = seating.free, seating.at, seating.width - 1
        turn, late, promise_wait_s = self._turn, self._late, self.promise_wait_s
        recording = self._record_s is not None
        waited: list[float] = []
        drained: tuple[Seat, float] | None = None
        restarted = 0
        request = _NEVER
        for request in chain(self._held, self._coming):
            at, service_s = request
            limit = at if at < until else until
            while ends and ends[0][0] <= limit:
                end, _, seat, ended = ends[0]
                seat.done += 1
                seat.busy_s += ended[1] / seat.speed
                if seat.taking and (again or queue):
                    # The place goes on to the next in the queue: all others are full.
                    if again:
                        begun = again.popleft()
                        restarted += 1
                    else:
                        begun = queue.popleft()
                        wait_s = end - begun[0]
                        late += wait_s > promise_wait_s
                        waited.append(wait_s)
                    turn += 1
                    heapreplace(ends, (end + begun[1] / seat.speed, turn, seat, begun))
                    continue
                heappop(ends)
                seat.running = running = seat.running - 1
                free ^= seat.flips[running]
                if not running and not seat.taking:
                    drained = seat, end
                    break
            if at > until or drained:
                break
            if free:
                seat = seat_at[((free & -free).bit_length() - 1) & mask]
                running = seat.running
                free ^= seat.flips[running]
                seat.running = running + 1
                turn += 1
                heappush(ends, (at + service_s / seat.speed, turn, seat, request))
                if recording:
                    waited.append(0.0)
            else:
                queue.append(request)
        self._held = (request,)
        seating.free = free
        # Without a record, ``waited`` has only those that came from the queue.
        self.waits.zeros += turn - self._turn - restarted - len(waited)
        if waited:
            self.waits.add_all(waited)
            if self._record_s is not None:
                self._record_s.extend(waited)
        self._turn, self._restarted, self._late = turn, self._restarted + restarted, late
        return drained

    def _begin_next(self, at: float) -> None:
        """The first that waits runs on the idlest seat."""
        seat = self._seating.idlest()
        self._seating.occupy(seat)
        if self._again:
            request = self._again.popleft()
            self._restarted += 1
        else:
            request = self._queue.popleft()
            wait_s = at - request[0]
            self._late += wait_s > self.promise_wait_s
            self.waits.add(wait_s)
            if self._record_s is not None:
                self._record_s.append(wait_s)
        self._turn += 1
        heappush(self._ends, (at + request[1] / seat.speed, self._turn, seat, request))

    def _forget(self, seat: Seat) -> None:
        self._done[seat.replica.deployment_id] += seat.done
        self._busy_s[seat.replica.deployment_id] += seat.busy_s
        self._seating.forget(seat)
