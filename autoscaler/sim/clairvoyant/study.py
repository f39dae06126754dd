"""The plan and the bound together: search, confirm in the exact simulator, bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from autoscaler.sim.clairvoyant import ClairvoyantPlan
from autoscaler.sim.clairvoyant.bound import Bound
from autoscaler.sim.clairvoyant.load import load_of
from autoscaler.sim.clairvoyant.planner import useful_levels
from autoscaler.sim.clairvoyant.search import best_bound, kept_plans
from autoscaler.sim.clairvoyant.trial import Bench, Tried
from autoscaler.sim.facts import KnownDemand, Task

_STRICTER: Final = (2.0, 8.0)

Exact = Callable[[Sequence[int]], tuple[float, float]]


def study(
    demand: KnownDemand,
    task: Task,
    *,
    starts_at: float,
    length_s: float,
    start_ups_s: Sequence[float],
    promise_wait_s: float,
    share: float,
    exact: Exact | None,
    progress: Callable[[float], None],
) -> ClairvoyantPlan:
    """See :func:`autoscaler.sim.clairvoyant.plan`; the arguments are checked."""
    load = load_of(demand, starts_at=starts_at, length_s=length_s, promise_wait_s=promise_wait_s)
    bench = Bench.of(load, task, length_s=length_s, start_ups_s=start_ups_s)
    late_most = math.floor((1 - share) * bench.requests + 1e-9)
    highest = min(task.max_replicas, useful_levels(load, task.concurrency))

    plans = _candidates(bench, highest, late_most, lambda part: progress(0.7 * part))
    targets, on_time, billed_s = _confirmed(plans, bench, exact, share)
    bound = Bound.of(
        load,
        task,
        length_s=length_s,
        start_ups_s=start_ups_s,
        late_most=late_most,
        highest=highest,
        starts_guessed=sum(max(0, after - before) for before, after in pairwise(targets)),
    )
    lower_s = best_bound(bound, progress=lambda part: progress(0.7 + 0.3 * part))
    return ClairvoyantPlan(targets, billed_s, on_time, lower_s, keeps_promise=_kept(on_time, share))


def _candidates(
    bench: Bench, highest: int, late_most: int, progress: Callable[[float], None]
) -> Iterator[Tried]:
    """In the order in which to confirm them; the last is the maximum always, which no plan beats in time."""
    task = bench.task
    if sum(bench.service_s) <= task.min_replicas * task.concurrency * bench.length_s or not bench.requests:
        least = bench.holding(task.min_replicas)
        if least.late <= late_most:
            yield least  # nothing is cheaper
    plans = kept_plans(bench, highest=highest, late_most=late_most, strictness=1.0, progress=progress)
    most: Tried | None = None
    if not plans:
        most = bench.holding(task.max_replicas)
        for strictness in _STRICTER if most.late <= late_most else ():
            plans += kept_plans(
                bench, highest=highest, late_most=late_most, strictness=strictness, progress=_nobody
            )
    yield from plans
    yield most or bench.holding(task.max_replicas)


def _nobody(part: float) -> None:
    """Told, and forgets: this part was not expected."""


def _confirmed(
    plans: Iterator[Tried], bench: Bench, exact: Exact | None, share: float
) -> tuple[list[int], float, float]:
    """Targets, share on time and bill of the first that keeps the promise, else of the last."""
    last: tuple[list[int], float, float] | None = None
    for plan in plans:
        on_time = 1 - plan.late / bench.requests if bench.requests else 1.0
        billed_s = plan.billed_replica_s
        if exact is not None:
            on_time, billed_s = exact(plan.targets)
        last = plan.targets, on_time, billed_s
        if _kept(on_time, share):
            break
    assert last is not None
    return last


def _kept(on_time: float, share: float) -> bool:
    return on_time >= share - 1e-12
