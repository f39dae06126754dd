"""Many seeds on several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.sim.soak.draw import Kind, draw
from tests.sim.soak.play import Verdict, play
from tests.sim.soak.referee import Foul

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
    """One seed. A run that breaks is a foul of its own, by name, and does not end the others."""
    scenario = draw(job[0], job[1])
    try:
        return job, play(scenario)
    except Exception as error:  # noqa: BLE001 - whatever it is, its seed must be known
        return job, Verdict(job[0], [Foul("broke", scenario.starts_at, repr(error))], "", 0)
