"""What a scaler that knew every arrival would have paid: a plan that can be played, and a bound that holds.

:func:`plan` finds both. The plan is achievable and not optimal: a dynamic programme over serving replicas and
backlog chooses it for a price of lateness, and the price is searched until the promise is just kept. The
bound is proven for every scaler, whatever it knows: the argument is in
:mod:`autoscaler.sim.clairvoyant.bound`. What the best possible bill is lies between them.

numpy is needed (``pip install 'autoscaler[clairvoyant]'``) and imported here only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autoscaler.sim.facts import Facts, KnownDemand, Task


class NumpyMissing(ImportError):
    """The plan needs numpy, which is not installed."""

    def __init__(self) -> None:
        super().__init__("the clairvoyant plan needs numpy: pip install 'autoscaler[clairvoyant]'")


@dataclass(frozen=True, slots=True)
class ClairvoyantPlan:
    """Targets for a run, and what they led to.

    ``targets`` are replicas to ask for, one per tick, the first at the start. ``billed_replica_s`` and
    ``on_time_share`` are as ``exact`` returned them, or the stand-in queue where there was no ``exact``.
    Where not ``keeps_promise`` none was found that does: these targets are the maximum always, and the bound
    speaks of nobody.
    """

    targets: Sequence[int] = field(repr=False)
    billed_replica_s: float
    on_time_share: float
    lower_bound_replica_s: float
    keeps_promise: bool


@dataclass(slots=True)
class PlannedRival:
    """Plays targets tick by tick; after the last it stays there."""

    targets: Sequence[int]
    _tick: int = 0

    def __post_init__(self) -> None:
        if not self.targets:
            raise ValueError("a plan needs a target for at least one tick")

    def tick(self, facts: Facts) -> int:
        """The target of this tick, whatever the facts are."""
        del facts
        target = self.targets[min(self._tick, len(self.targets) - 1)]
        self._tick += 1
        return target


def _quiet(share: float) -> None:
    """Nobody is waiting for this."""


def plan(
    demand: KnownDemand,
    task: Task,
    *,
    starts_at: float,
    length_s: float,
    start_ups_s: Sequence[float],
    promise_wait_s: float = 10.0,
    share: float = 0.99,
    exact: Callable[[Sequence[int]], tuple[float, float]] | None = None,
    progress: Callable[[float], None] = _quiet,
) -> ClairvoyantPlan:
    """The plan and the bound for this demand in this plant.

    ``starts_at`` (epoch seconds) is the first tick, at which ``task.initial_replicas`` serve; requests before
    it, and after ``length_s``, count for nothing. ``start_ups_s`` are seconds in order of start; when they
    run out they are dealt from the front again. At least ``share`` of the requests must start within
    ``promise_wait_s``; one that waits at the end counts with its age. ``exact`` plays targets in the exact
    simulator and returns the share on time and the bill in replica-seconds; it is called once or a few times.
    ``progress`` is told the share of the work that is done, without the time in ``exact``.

    Raises: NumpyMissing; ValueError for times that are not finite or not in order, and for a plant or a
    promise that cannot be.
    """
    try:
        from autoscaler.sim.clairvoyant import study
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "numpy":
            raise NumpyMissing from error
        raise
    _check(task, length_s, start_ups_s, promise_wait_s, share)
    return study.study(
        demand,
        task,
        starts_at=starts_at,
        length_s=length_s,
        start_ups_s=start_ups_s,
        promise_wait_s=promise_wait_s,
        share=share,
        exact=exact,
        progress=progress,
    )


def _check(
    task: Task, length_s: float, start_ups_s: Sequence[float], promise_wait_s: float, share: float
) -> None:
    if not 0 <= task.min_replicas <= task.max_replicas or task.concurrency < 1 or task.interval_s <= 0:
        raise ValueError(f"needs 0 <= min <= max replicas, a place and a tick of some length; not {task}")
    if not 0 <= task.initial_replicas <= task.max_replicas:
        raise ValueError(f"initial_replicas is {task.initial_replicas}; allowed is 0 to {task.max_replicas}")
    if not 0 < length_s < math.inf:
        raise ValueError(f"length_s is {length_s}; allowed is a finite number above 0")
    if not start_ups_s or not all(0 <= one < math.inf for one in start_ups_s):
        raise ValueError("start_ups_s needs at least one time, all finite and 0 or more")
    if not (0 <= promise_wait_s < math.inf and 0 <= share <= 1):
        raise ValueError(f"promise_wait_s is {promise_wait_s}, share {share}; allowed are >= 0, and 0 to 1")
