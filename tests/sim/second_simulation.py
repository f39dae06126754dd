"""The simulated world once more: one replica count, one queue, in the fewest lines. It shares no code with
``autoscaler.world``, so that a mistake has to be made twice to go unseen."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

END, ARRIVAL, READY, PLAN = range(4)  # in this order at one instant


@dataclass(eq=False)
class Replica:
    asked_at: float
    seat: int | None = None  # None: starting
    runs: int = 0
    draining: bool = False
    gone_at: float = math.inf


def simulate(
    arrivals: list[tuple[float, float]],
    plan: list[tuple[float, int]],
    start_ups_s: list[float],
    places: int,
    usd_per_replica_hour: float,
    promise_wait_s: float,
    until: float,
) -> tuple[float, float | None, float | None, list[float]]:
    """Bill in USD, share of requests that waited no longer than promised, 99th percentile of waits, all waits
    in order of starting and then of those that still wait, with their age.

    ``arrivals`` are (instant, seconds on a replica), ``plan`` is (instant, replicas wanted from then),
    ``start_ups_s`` are used in order of asking."""
    turn, replicas, queue, waits = count(), list[Replica](), deque[tuple[float, float]](), list[float]()
    events: list[tuple[float, int, int, Any]] = [(one[0], ARRIVAL, next(turn), one) for one in arrivals]
    events += [(at, PLAN, next(turn), wanted) for at, wanted in plan]
    heapify(events)
    while events and events[0][0] <= until:
        now, kind, _, what = heappop(events)
        here = [one for one in replicas if one.gone_at == math.inf]
        if kind == END:
            what.runs -= 1
        elif kind == ARRIVAL:
            queue.append(what)
        elif kind == READY and what in here:
            what.seat = min(set(range(len(here))) - {one.seat for one in here})
        elif kind == PLAN:
            kept = [one for one in here if not one.draining]
            for start_up_s in start_ups_s[len(replicas) :][: max(0, what - len(kept))]:
                replicas.append(Replica(now))
                heappush(events, (now + start_up_s, READY, next(turn), replicas[-1]))
            newest = [r for r in kept[::-1] if r.seat is None] + [r for r in kept[::-1] if r.seat is not None]
            for one in newest[: max(0, len(kept) - what)]:
                one.draining = True
        serving = [one for one in here if one.seat is not None and not one.draining]
        while queue and (free := [one for one in serving if one.runs < places]):
            best = min(free, key=lambda one: (one.runs, one.seat))
            best.runs += 1
            waits.append(now - queue[0][0])
            heappush(events, (now + queue.popleft()[1], END, next(turn), best))
        for one in here:
            if one.draining and not one.runs:
                one.gone_at = now
    waits += [until - came_at for came_at, _ in queue]
    usd = sum(min(one.gone_at, until) - one.asked_at for one in replicas) * usd_per_replica_hour / 3600
    if not waits:
        return usd, None, None, waits
    late = sum(wait > promise_wait_s for wait in waits)
    return usd, 1 - late / len(waits), sorted(waits)[math.ceil(0.99 * len(waits)) - 1], waits
