from __future__ import annotations

import pytest

from autoscaler.sim.rivals.ray_serve import RayServe, RayServeSettings
from tests.sim.rivals.asking import a_task, answers_at, asked_in_a_row, facts

TASK = a_task(max_replicas=100)
TEN = RayServeSettings(target_ongoing_requests=10.0)
AT_ONCE = RayServeSettings(target_ongoing_requests=10.0, upscale_delay_s=0.0, downscale_delay_s=0.0)


def every_15_s(until: int) -> range:
    return range(0, until + 1, 15)


# How many


def test_requests_are_a_mean_over_the_look_back_period() -> None:
    rival = RayServe(TASK, AT_ONCE)
    rival.tick(facts(0, running=20, ready=2))
    rival.tick(facts(15, running=20, ready=2))

    assert rival.tick(facts(30, queued=10, running=20, ready=2)) == 3  # (20 + 30) / 2 = 25 over 10
    assert rival.tick(facts(45, queued=12, running=20, ready=2)) == 4  # (30 + 32) / 2 = 31


@pytest.mark.parametrize(
    ("factor", "requests", "running", "wanted"),
    [
        (1.0, 75, 4, 8),
        (2.0, 75, 4, 11),  # 4 + 2 x 3.5
        (0.5, 75, 4, 6),  # 4 + 0.5 x 3.5 = 5.75
    ],
)
def test_the_factor_up_is_of_the_difference_to_what_runs(
    factor: float, requests: int, running: int, wanted: int
) -> None:
    settings = RayServeSettings(target_ongoing_requests=10.0, upscale_delay_s=0.0, upscaling_factor=factor)

    assert RayServe(TASK, settings).tick(facts(running=requests, ready=running)) == wanted


@pytest.mark.parametrize(
    ("factor", "requests", "wanted"),
    [
        (1.0, 35, 4),
        (0.5, 35, 7),  # 10 - 0.5 x 6.5 = 6.75
        (0.1, 85, 9),  # 10 - 0.1 x 1.5 = 9.85 -> 10, stuck, so one less
        (0.1, 95, 10),  # ceil(9.5) is 10: nothing is wanted
    ],
)
def test_the_factor_down_never_gets_stuck(factor: float, requests: int, wanted: int) -> None:
    settings = RayServeSettings(
        target_ongoing_requests=10.0, downscale_delay_s=0.0, downscaling_factor=factor
    )

    assert RayServe(TASK, settings).tick(facts(running=requests, ready=10)) == wanted


def test_with_a_factor_it_compounds_while_replicas_start() -> None:
    settings = RayServeSettings(target_ongoing_requests=10.0, upscale_delay_s=0.0, upscaling_factor=2.0)
    rival = RayServe(TASK, settings)

    # 20 requests on 1 running want 1 + 2 x 1 = 3, although 2 would carry them (ray-project/ray#61731)
    assert rival.tick(facts(0, running=20, ready=1)) == 3
    assert rival.tick(facts(15, queued=20, running=20, ready=2, starting=1)) == 4  # (20+40)/2: 2 + 2 x 1
    assert rival.tick(facts(30, running=40, ready=3, starting=1)) == 5  # 40: 3 + 2 x 1


# When


def test_up_waits_for_its_delay_and_takes_what_is_wanted_then() -> None:
    rival = RayServe(TASK, TEN)

    assert answers_at(rival, every_15_s(45), lambda at: 20 if at < 30 else 60, ready=1) == [1, 1, 4, 4]
    # at 30 the mean of 20 and 60 is 40; at 45 it is 60, and a new delay began


def test_down_waits_for_its_longer_delay() -> None:
    rival = RayServe(TASK, TEN)
    answers = answers_at(rival, every_15_s(600), lambda at: 10, ready=4)

    assert answers == 40 * [4] + [1]


def test_a_moment_of_content_starts_the_delay_anew() -> None:
    rival = RayServe(TASK, RayServeSettings(target_ongoing_requests=10.0, look_back_period_s=15.0))
    loads = {0: 30, 15: 20, 30: 30, 45: 30, 60: 30}

    assert answers_at(rival, every_15_s(60), lambda at: loads[int(at)], ready=2) == [2, 2, 2, 2, 3]


def test_the_other_direction_starts_the_delay_anew() -> None:
    rival = RayServe(TASK, RayServeSettings(target_ongoing_requests=10.0, look_back_period_s=15.0))
    loads = {0: 30, 15: 10, 30: 30, 45: 30, 60: 30}

    assert answers_at(rival, every_15_s(60), lambda at: loads[int(at)], ready=2) == [2, 2, 2, 2, 3]


def test_after_a_change_a_new_delay_begins() -> None:
    rival = RayServe(TASK, RayServeSettings(target_ongoing_requests=10.0, look_back_period_s=15.0))
    loads = {0: 30, 15: 30, 30: 30, 45: 50, 60: 50, 75: 50}

    assert answers_at(rival, every_15_s(75), lambda at: loads[int(at)], ready=2) == [2, 2, 3, 3, 3, 5]


def test_delay_and_direction_are_of_the_target_and_not_of_what_runs() -> None:
    rival = RayServe(TASK, AT_ONCE)
    rival.tick(facts(0, queued=30, running=10, ready=1))

    # Four are on their way for 40: as long as 40 are there nothing more is asked for.
    assert [rival.tick(facts(at, queued=30, running=10, ready=1, starting=3)) for at in (15, 300)] == [4, 4]


# Zero


def test_from_zero_it_starts_at_once() -> None:
    rival = RayServe(a_task(min_replicas=0), RayServeSettings())

    assert rival.tick(facts(0, queued=50)) == 1  # whatever waits, the rest comes with a running one
    assert rival.tick(facts(15, queued=90, starting=1)) == 1


def test_from_zero_it_starts_as_many_as_the_factor() -> None:
    rival = RayServe(a_task(min_replicas=0), RayServeSettings(upscaling_factor=2.5))

    assert rival.tick(facts(0, queued=1)) == 3


def test_from_zero_what_was_asked_for_is_not_taken_back() -> None:
    assert RayServe(a_task(min_replicas=0), AT_ONCE).tick(facts(0, queued=5, starting=3)) == 3


def test_while_the_first_ones_start_without_work_the_target_stays() -> None:
    rival = RayServe(a_task(min_replicas=0), AT_ONCE)

    assert [rival.tick(facts(at, starting=2)) for at in (0, 15, 900)] == [2, 2, 2]


def test_zero_is_reached_from_one_and_with_a_delay_of_its_own() -> None:
    settings = RayServeSettings(
        target_ongoing_requests=10.0, downscale_delay_s=30.0, downscale_to_zero_delay_s=60.0
    )
    task = a_task(min_replicas=0)

    # to one after 30 s; the delay to zero then begins at the next question, 45, and is over at 105
    assert asked_in_a_row(RayServe(task, settings), task, 9 * [0], ready=2) == [2, 2, 1, 1, 1, 1, 1, 0, 0]


def test_without_it_the_delay_to_zero_is_the_one_down() -> None:
    settings = RayServeSettings(target_ongoing_requests=10.0, downscale_delay_s=30.0)
    task = a_task(min_replicas=0)

    assert asked_in_a_row(RayServe(task, settings), task, 6 * [0], ready=1) == [1, 1, 0, 0, 0, 0]


def test_the_target_is_within_the_bounds() -> None:
    rival = RayServe(a_task(min_replicas=2, max_replicas=5), AT_ONCE)

    assert rival.tick(facts(0, running=900, ready=3)) == 5
    assert rival.tick(facts(15, running=0, ready=5)) == 5  # the mean is 450 still
    assert rival.tick(facts(30, running=0, ready=5)) == 2
