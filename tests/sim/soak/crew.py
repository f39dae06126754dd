"""Many seeds on several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.sim.soak.draw import Kind, draw
from tests.sim.soak.play import Verdict, play

Job = tuple[int, Kind]
"""A seed, and how it is played."""


def played(todo: Sequence[Job], jobs: int) -> Iterator[tuple[Job, Verdict]]:
    """The verdict of each, as they come."""
    if jobs <= 1:
        yield from map(play_one, todo)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(play_one, job) for job in todo]):
            yield future.result()


def play_one(job: Job) -> tuple[Job, Verdict]:
    """One seed."""
    return job, play(draw(job[0], job[1]))
