from __future__ import annotations

from autoscaler.sim.rivals.hosted import Hosted, HostedSettings
from tests.sim.rivals.asking import a_task, answers_at, asked_in_a_row, facts

TASK = a_task(max_replicas=100)
TEN = HostedSettings(concurrency_target=20.0, utilisation=0.5, scale_down_delay_s=60.0)


def test_one_request_at_a_time_and_70_percent_are_the_defaults() -> None:
    assert Hosted(TASK).tick(facts(running=7, ready=1)) == 10
    assert Hosted(TASK).tick(facts(running=8, ready=1)) == 12  # ceil(11.4)


def test_in_flight_is_queued_and_running() -> None:
    assert Hosted(TASK, TEN).tick(facts(queued=25, running=10, ready=1)) == 4


def test_up_at_once_by_the_mean_of_the_window() -> None:
    rival = Hosted(TASK, TEN)
    loads = {0: 10, 15: 10, 30: 10, 45: 10, 60: 90}

    assert answers_at(rival, loads, lambda at: loads[int(at)], ready=1) == [1, 1, 1, 1, 3]  # 120 / 4 = 30


def test_down_to_the_most_that_was_wanted_within_the_delay() -> None:
    short = HostedSettings(concurrency_target=20.0, utilisation=0.5, scale_down_delay_s=60.0, window_s=15.0)
    loads = {0: 80, 15: 50, 30: 30, 45: 10, 60: 10, 75: 10, 90: 10}

    assert answers_at(Hosted(TASK, short), loads, lambda at: loads[int(at)], ready=8) == [
        *(8, 8, 8, 8),  # wanted 8 5 3 1; the 8 of instant 0 is out at 60
        *(5, 3, 1),
    ]


def test_what_is_set_at_first_stays_for_the_delay() -> None:
    rival = Hosted(TASK, TEN)

    assert answers_at(rival, range(0, 76, 15), lambda at: 10, ready=6) == [6, 6, 6, 6, 1, 1]


def test_traffic_that_returns_before_the_delay_is_over_keeps_the_replicas() -> None:
    short = HostedSettings(concurrency_target=20.0, utilisation=0.5, scale_down_delay_s=60.0, window_s=15.0)
    loads = {0: 40, 15: 10, 30: 10, 45: 40, 60: 10, 75: 10, 90: 10, 105: 10}

    assert answers_at(Hosted(TASK, short), loads, lambda at: loads[int(at)], ready=4) == 7 * [4] + [1]


def test_a_step_down_takes_at_most_its_share_and_at_least_one() -> None:
    slow = HostedSettings(
        concurrency_target=20.0, utilisation=0.5, scale_down_delay_s=0.0, scale_down_share_max=0.5
    )
    task = a_task(min_replicas=0)

    assert asked_in_a_row(Hosted(task, slow), task, 6 * [0], ready=8) == [4, 2, 1, 0, 0, 0]


def test_it_goes_to_zero_after_the_delay_and_comes_back_at_once() -> None:
    task = a_task(min_replicas=0, concurrency=10)
    answers = asked_in_a_row(Hosted(task, TEN), task, [10, *(12 * [0]), 5], ready=1)

    # The 10 leave the window of 60 s at 60; one was wanted last at 45, and 60 s after that it goes.
    assert answers == 7 * [1] + 6 * [0] + [1]
