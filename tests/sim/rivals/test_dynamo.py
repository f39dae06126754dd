from __future__ import annotations

import pytest

from autoscaler.sim.rivals.dynamo import Dynamo, DynamoSettings
from tests.sim.rivals.asking import a_task, facts

TASK = a_task()  # an engine holds 4 at once and serves 4 / 8 s = 0.5 a second, 90 in 180 s


@pytest.mark.parametrize(
    ("queued", "running", "ready", "answer"),
    [
        (1, 8, 2, 3),  # 9 on 2: the fullest has 5 of 4
        (0, 8, 2, 2),  # exactly full is not over
        (0, 6, 2, 2),  # 3 of 4, 0.75
        (0, 5, 2, 2),  # 3 and 2: not ALL are under 0.6
        (0, 4, 2, 1),  # 2 of 4, 0.5: all under
        (0, 0, 1, 1),  # the last one stays
        (500, 8, 2, 3),  # one step, whatever waits
        (0, 0, 9, 8),
    ],
)
def test_one_more_when_any_is_over_and_one_less_when_all_are_under(
    queued: int, running: int, ready: int, answer: int
) -> None:
    assert Dynamo(TASK).tick(facts(queued=queued, running=running, ready=ready)) == answer


def test_the_edge_of_under_is_not_under() -> None:
    half = DynamoSettings(down_below=0.5)

    assert Dynamo(TASK, half).tick(facts(running=4, ready=2)) == 2
    assert Dynamo(TASK, half).tick(facts(running=2, ready=2)) == 1


def test_while_replicas_start_it_only_observes() -> None:
    rival = Dynamo(TASK)

    assert rival.tick(facts(0, queued=500, running=8, ready=2, starting=1)) == 3
    assert rival.tick(facts(15, running=0, ready=2, starting=1)) == 3
    assert rival.tick(facts(30, arrived=900, running=0, ready=1, starting=1)) == 2  # not even for its floor
    assert rival.tick(facts(45, running=0, ready=3)) == 2


def test_the_throughput_loop_is_a_lower_bound() -> None:
    rival = Dynamo(TASK)

    # 22 in the first 15 s are 1.47 a second: 2.93 engines
    assert rival.tick(facts(0, arrived=22, running=0, ready=5)) == 4
    assert [rival.tick(facts(15.0 * turn, ready=5 - turn)) for turn in (1, 2, 3)] == [3, 3, 3]


def test_an_engine_serves_what_its_sla_allows() -> None:
    rival = Dynamo(TASK, DynamoSettings(engine_utilisation=0.6))

    assert rival.tick(facts(0, arrived=22, running=0, ready=5)) == 5  # 1.47 a second of 0.3 each: 4.9


def test_the_bound_lifts_where_the_load_loop_has_no_wish() -> None:
    assert Dynamo(TASK).tick(facts(arrived=22, running=3, ready=1)) == 3


def test_the_bound_is_of_its_last_interval_until_the_next() -> None:
    rival = Dynamo(TASK)
    rival.tick(facts(0, arrived=22, running=12, ready=3))
    held = [rival.tick(facts(15.0 * turn, ready=3)) for turn in range(1, 12)]

    assert held == 11 * [3]  # nothing arrives any more, but the floor is that of instant 0
    assert rival.tick(facts(180, ready=3)) == 2


def test_without_a_day_the_prediction_is_the_last_interval() -> None:
    rival = Dynamo(TASK)
    for turn in range(12):
        rival.tick(facts(15.0 * turn, arrived=0, ready=1))

    # 135 in the last 180 s: 0.75 a second, 1.5 engines
    assert rival.tick(facts(180, arrived=135, running=1, ready=1)) == 2


def test_with_a_day_the_prediction_is_the_interval_that_followed() -> None:
    rival = Dynamo(TASK)
    day_s = 86_400
    for at in range(0, day_s, 15):
        rival.tick(facts(at, arrived=30 if 1800 < at <= 1980 else 0, ready=1))
    at_half_past = [rival.tick(facts(day_s + at, ready=1)) for at in range(0, 2160 + 15, 15)]

    # 30 in 15 s are 2 a second, 4 engines: from 1800, which is ten times 180, to 1980
    assert at_half_past == 120 * [1] + 12 * [4] + 13 * [1]


def test_a_day_without_requests_predicts_none() -> None:
    rival = Dynamo(TASK)
    for at in range(0, 86_400, 15):
        rival.tick(facts(at, ready=1))

    assert rival.tick(facts(86_400, arrived=180, ready=1)) == 1


def test_the_load_loop_never_takes_the_last_engine() -> None:
    none_needed = DynamoSettings(min_endpoint=0)

    assert Dynamo(a_task(min_replicas=0), none_needed).tick(facts(ready=1)) == 1


def test_a_floor_holds_at_an_interval_that_does_not_divide_its_own() -> None:
    task = a_task(interval_s=50.0)
    rival = Dynamo(task)
    counts = [rival.tick(facts(at, arrived=100 if at == 0 else 0, ready=4)) for at in range(0, 401, 50)]

    # 2 a second are 4 engines; at 200, the first question after 180, it is nothing any more
    assert counts == [4, 4, 4, 4, 3, 3, 3, 3, 3]


def test_it_never_goes_to_zero_and_leaves_it_at_once() -> None:
    rival = Dynamo(a_task(min_replicas=0))

    assert rival.tick(facts(0)) == 1
    assert rival.tick(facts(15, ready=1)) == 1


def test_the_bounds_of_the_task_are_its_minimum_and_its_budget() -> None:
    task = a_task(min_replicas=2, max_replicas=3)

    assert Dynamo(task).tick(facts(ready=2)) == 2
    assert Dynamo(task).tick(facts(queued=90, running=12, ready=3)) == 3
    assert Dynamo(task).tick(facts(arrived=900, running=12, ready=3)) == 3
