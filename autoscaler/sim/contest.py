"""Several runs of one comparison, side by side on the processors that there are."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from autoscaler.clock import SystemClock
from autoscaler.sim.result import RunResult

Progress = Callable[[float], None]

LOOK_EVERY_S: Final = 0.2
"""How often the progress of other processes is looked at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One run to be made. ``make`` is given whom to tell its progress, from 0 to 1."""

    name: str
    make: Callable[[Progress], RunResult]

    def timed(self, progress: Progress) -> RunResult:
        """Make it, and say how long that took."""
        clock = SystemClock()
        began = clock.monotonic()
        result = self.make(progress)
        return replace(result, took_s=clock.monotonic() - began)


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def contest(
    entries: Sequence[Entry], jobs: int, progress: Callable[[Sequence[float]], None] = lambda _: None
) -> list[RunResult]:
    """Make all runs, and return them in the order of their entries.

    ``progress`` is told how far each is. With one job, or where processes cannot be forked, they are made
    here, one after the other. What a run raises is raised.
    """
    if jobs <= 1 or len(entries) <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        return list(_in_turn(entries, progress))
    return _side_by_side(entries, min(jobs, len(entries)), progress)


def _in_turn(entries: Sequence[Entry], progress: Callable[[Sequence[float]], None]) -> Iterator[RunResult]:
    shares = [0.0] * len(entries)
    for index, entry in enumerate(entries):

        def tell(share: float, index: int = index) -> None:
            shares[index] = share
            progress(shares)

        yield entry.timed(tell)


_entries: Sequence[Entry] = ()
_shares: Any = None
"""What forked workers find: a run holds functions, which cannot be sent to them."""


@contextmanager
def _left_for_workers(entries: Sequence[Entry], shares: Any) -> Iterator[None]:
    global _entries, _shares
    _entries, _shares = entries, shares
    try:
        yield
    finally:
        _entries, _shares = (), None


def _work(index: int) -> RunResult:
    def tell(share: float) -> None:
        _shares[index] = share

    return _entries[index].timed(tell)


def _side_by_side(
    entries: Sequence[Entry], jobs: int, progress: Callable[[Sequence[float]], None]
) -> list[RunResult]:
    context = multiprocessing.get_context("fork")
    shares = context.Array("d", len(entries), lock=False)
    with (
        _left_for_workers(entries, shares),
        ProcessPoolExecutor(jobs, mp_context=context) as workers,
    ):
        runs: list[Future[RunResult]] = [workers.submit(_work, index) for index in range(len(entries))]
        waiting = set(runs)
        while waiting:
            ended, waiting = wait(waiting, LOOK_EVERY_S, FIRST_COMPLETED)
            progress(list(shares))
            for one in ended:
                if one.exception() is not None:
                    workers.shutdown(wait=False, cancel_futures=True)
        return [one.result() for one in runs]
