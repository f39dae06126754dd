"""What every rival keeps, whatever its rule."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals import RIVALS
from tests.sim.rivals.asking import a_task, asked_in_a_row, facts

EVERY: Final = pytest.mark.parametrize("name", RIVALS)
SETTLED: Final = 100  # questions; the longest windows together are 40
MINIMA_AT_ZERO: Final = {"dynamo": 1, "fixed-peak": 8}
"""Dynamo keeps an endpoint; the fixed count is the bound, for its peak needs more. The others reach zero."""

counts = st.integers(0, 200)
replicas = st.integers(0, 30)
questions = st.lists(st.tuples(counts, counts, counts, replicas, replicas), max_size=40)
bounds = st.tuples(st.integers(0, 5), st.integers(0, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))
intervals = st.sampled_from([1.0, 7.5, 15.0, 20.0, 60.0, 600.0])
starts = st.sampled_from([0.0, 1_764_547_200.0])


def in_turn(asked: list[tuple[int, int, int, int, int]], start: float, interval_s: float) -> list[Facts]:
    return [
        Facts(start + turn * interval_s, queued, running, arrived, ready, starting)
        for turn, (queued, running, arrived, ready, starting) in enumerate(asked)
    ]


@EVERY
@given(asked=questions, low_high=bounds, interval_s=intervals, start=starts)
@settings(max_examples=30, deadline=None)
def test_an_answer_is_within_the_bounds_whatever_the_facts(
    name: str,
    asked: list[tuple[int, int, int, int, int]],
    low_high: tuple[int, int],
    interval_s: float,
    start: float,
) -> None:
    low, high = low_high
    rival = RIVALS[name].make(a_task(min_replicas=low, max_replicas=high, interval_s=interval_s))

    assert all(low <= rival.tick(one) <= high for one in in_turn(asked, start, interval_s))


@EVERY
@given(asked=questions, interval_s=intervals)
@settings(max_examples=12, deadline=None)
def test_the_same_questions_get_the_same_answers(
    name: str, asked: list[tuple[int, int, int, int, int]], interval_s: float
) -> None:
    task = a_task(min_replicas=0, interval_s=interval_s)
    one, other = RIVALS[name].make(task), RIVALS[name].make(task)
    row = in_turn(asked, 0.0, interval_s)

    assert [one.tick(fact) for fact in row] == [other.tick(fact) for fact in row]


@EVERY
@given(asked=questions)
@settings(max_examples=12, deadline=None)
def test_the_time_at_which_a_run_starts_makes_no_difference(
    name: str, asked: list[tuple[int, int, int, int, int]]
) -> None:
    one, other = RIVALS[name].make(a_task()), RIVALS[name].make(a_task())

    assert [one.tick(fact) for fact in in_turn(asked, 0.0, 15.0)] == [
        other.tick(fact) for fact in in_turn(asked, 1_764_547_200.0, 15.0)
    ]


@EVERY
@given(load=st.integers(0, 100), ready=st.integers(1, 24))
@settings(max_examples=15, deadline=None)
def test_constant_work_ends_in_a_constant_count(name: str, load: int, ready: int) -> None:
    task = a_task()
    answers = asked_in_a_row(RIVALS[name].make(task), task, (SETTLED + 60) * [load], ready)

    assert len(set(answers[SETTLED:])) == 1


@EVERY
@given(load=st.integers(1, 80), ready=st.integers(1, 24))
@settings(max_examples=15, deadline=None)
def test_the_count_for_constant_work_carries_it(name: str, load: int, ready: int) -> None:
    task = a_task(peak_at_once=load / 0.92)
    last = asked_in_a_row(RIVALS[name].make(task), task, (SETTLED + 60) * [load], ready)[-1]

    assert 4 * last >= load


@EVERY
@given(ready=st.integers(0, 8), load=st.integers(0, 60))
@settings(max_examples=12, deadline=None)
def test_long_without_work_it_is_at_its_minimum(name: str, ready: int, load: int) -> None:
    task = a_task(min_replicas=0, max_replicas=8)
    answers = asked_in_a_row(RIVALS[name].make(task), task, 10 * [load] + (SETTLED + 60) * [0], ready)

    assert set(answers[SETTLED:]) == {MINIMA_AT_ZERO.get(name, 0)}


@EVERY
def test_from_zero_work_brings_a_replica_within_a_poll(name: str) -> None:
    task = a_task(min_replicas=0, max_replicas=8)
    rival = RIVALS[name].make(task)
    asked_in_a_row(rival, task, (SETTLED + 60) * [0], ready=0)
    at = (SETTLED + 60) * 15.0

    answers = [
        rival.tick(facts(at + 15 * turn, queued=3, arrived=3 if turn == 0 else 0)) for turn in range(3)
    ]
    assert max(answers[:2]) >= 1


@EVERY
@given(ready=st.integers(0, 1))
@settings(max_examples=5, deadline=None)
def test_what_waits_for_the_first_replica_keeps_it_coming(name: str, ready: int) -> None:
    if name == "skyserve":
        return  # It looks at arrivals alone: what waits is no reason to it. See the next test.
    task = a_task(min_replicas=0, max_replicas=8)
    rival = RIVALS[name].make(task)
    rival.tick(facts(0, ready=ready))
    answers = [
        rival.tick(facts(15.0 * turn, queued=3, arrived=3 if turn == 1 else 0, starting=int(turn > 3)))
        for turn in range(1, 120)
    ]

    assert all(count >= 1 for count in answers[4:])


def test_skyserve_gives_a_replica_up_that_starts_for_longer_than_its_delay() -> None:
    rival = RIVALS["skyserve"].make(a_task(min_replicas=0, max_replicas=8))
    answers = [
        rival.tick(facts(15.0 * turn, queued=3, arrived=3 if turn == 0 else 0, starting=int(turn > 0)))
        for turn in range(40)
    ]

    # The arrivals leave the window at 60, and 300 s are 20 questions: gone at 345, though three still wait.
    assert answers == 23 * [1] + 17 * [0]


@EVERY
def test_every_entry_says_what_it_is_and_how_it_is_set(name: str) -> None:
    kind = RIVALS[name]

    assert kind.description
    assert kind.setting
    assert "\n" not in kind.description + kind.setting


def test_the_settings_are_those_of_the_benchmark() -> None:
    # 10 at once, 4 per replica, 8 s each: 2.78 at 0.9, 3.33 at 0.75, 4.17 at 0.6, 3.125 at 0.8.
    task = Task(1, 24, 4, 15.0, peak_at_once=48.0, service_s=8.0)
    answers = {
        name: asked_in_a_row(kind.make(task), task, (SETTLED + 60) * [10], ready=1)[-1]
        for name, kind in RIVALS.items()
    }

    assert answers == {
        "fixed-peak": 12,  # 0.92 x 48 / 4 = 11.04
        "hpa": 3,
        "keda": 3,
        "knative": 4,
        "ray-serve": 5,
        "skyserve": 4,  # 19 in 15 s are 1.27 a second, of 0.325 each: 3.9
        "dynamo": 4,  # 1.27 a second of 0.35 each: 3.6
        "hosted": 4,
        "seasonal-newsvendor": 5,  # 10.1 + 2.054 x 3.18 = 16.7 places
    }
