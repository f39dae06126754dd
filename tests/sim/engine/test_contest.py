"""Runs side by side give what they give one after the other, in the order that was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from autoscaler.sim.contest import Entry, contest
from autoscaler.sim.result import RunResult


def _make(name: str, progress: Callable[[float], None]) -> RunResult:
    progress(0.5)
    progress(1.0)
    return RunResult(name, "rival", 0.0, 60.0, 15.0, {}, notes=(str(os.getpid()),))


def _fail(progress: Callable[[float], None]) -> RunResult:
    raise ValueError("this one cannot be made")


ENTRIES = [Entry(name, partial(_make, name)) for name in "abcde"]


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_results_come_in_the_order_of_their_entries(jobs: int) -> None:
    assert [one.name for one in contest(ENTRIES, jobs)] == list("abcde")


def test_several_jobs_are_other_processes_and_one_is_this() -> None:
    own = str(os.getpid())
    assert {one.notes for one in contest(ENTRIES, 1)} == {(own,)}
    assert all(one.notes != (own,) for one in contest(ENTRIES, 2))


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_run_says_how_long_it_took(jobs: int) -> None:
    assert all(0.0 < one.took_s < 60.0 for one in contest(ENTRIES, jobs))


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_ends_with_everything_done(jobs: int) -> None:
    told: list[list[float]] = []

    def tell(shares: Sequence[float]) -> None:
        told.append(list(shares))

    contest(ENTRIES, jobs, tell)
    assert told[-1] == [1.0] * len(ENTRIES)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_run_raises_reaches_who_asked(jobs: int) -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        contest([*ENTRIES, Entry("bad", _fail)], jobs)
