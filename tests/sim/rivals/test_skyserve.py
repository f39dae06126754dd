from __future__ import annotations

from collections.abc import Iterable

import pytest

from autoscaler.sim.rivals.skyserve import SkyServe, SkyServeSettings
from tests.sim.rivals.asking import a_task, facts

ONE = SkyServeSettings(target_qps_per_replica=1.0)
ITS_OWN = a_task(interval_s=20.0)  # SkyServe's own interval: 15 decisions up, 60 down


def answers(rival: SkyServe, arrivals: Iterable[int], ready: int, interval_s: float = 20.0) -> list[int]:
    return [
        rival.tick(facts(turn * interval_s, arrived=arrived, ready=ready))
        for turn, arrived in enumerate(arrivals)
    ]


def test_up_at_the_fifteenth_decision_in_a_row() -> None:
    # 80 requests in 20 s are 240 in a minute, 4 a second; the window fills in three decisions: 80, 160 and
    # 240 in 60 s are 1.3, 2.7 and 4 a second, all over the one replica from the first decision on.
    assert answers(SkyServe(ITS_OWN, ONE), 16 * [80], ready=1) == 14 * [1] + [4, 4]


def test_down_at_the_sixtieth_decision_in_a_row() -> None:
    assert answers(SkyServe(ITS_OWN, ONE), 62 * [20], ready=3) == 59 * [3] + [1, 1, 1]


def test_the_window_is_divided_by_its_whole_length_from_the_start() -> None:
    eager = SkyServeSettings(target_qps_per_replica=1.0, upscale_delay_s=0.0)

    assert answers(SkyServe(ITS_OWN, eager), [120, 120, 120, 120], ready=1) == [2, 4, 6, 6]


def test_what_waits_or_runs_does_not_count() -> None:
    eager = SkyServeSettings(target_qps_per_replica=1.0, upscale_delay_s=0.0)

    assert SkyServe(ITS_OWN, eager).tick(facts(queued=500, running=500, ready=1)) == 1


def test_a_decision_that_is_content_starts_the_count_anew() -> None:
    loads = 14 * [80] + [0, 0, 20] + 15 * [80]
    # After the 14th the window holds 160 and then 80 (2.7 and 1.3 a second) and still counts: the 15th is up.
    assert 3 in answers(SkyServe(ITS_OWN, ONE), loads, ready=1)

    # Ten times up, then a window of one a second: content. Fifteen more are needed.
    pausing = 10 * [80] + 5 * [20] + 14 * [80]
    #  up for the ten, up for two more while the window empties, content for three, then 14 up: not yet
    assert answers(SkyServe(ITS_OWN, ONE), pausing, ready=1) == 29 * [1]
    assert answers(SkyServe(ITS_OWN, ONE), [*pausing, 80], ready=1)[-1] == 4


def test_the_other_direction_starts_the_count_anew() -> None:
    quick = SkyServeSettings(target_qps_per_replica=1.0, qps_window_s=20.0, downscale_delay_s=300.0)
    # 2 a second are content on 2; 14 up, 1 down, 14 up: never 15 in a row
    loads = 14 * [80] + [20] + 14 * [80]
    assert answers(SkyServe(ITS_OWN, quick), loads, ready=2) == 29 * [2]
    assert answers(SkyServe(ITS_OWN, quick), [*loads, 80], ready=2)[-1] == 4

    mirrored = 14 * [20] + [80] + 14 * [20]
    assert answers(SkyServe(ITS_OWN, quick), mirrored, ready=2) == 29 * [2]
    assert answers(SkyServe(ITS_OWN, quick), [*mirrored, 20], ready=2)[-1] == 1


def test_after_a_change_the_count_begins_anew() -> None:
    quick = SkyServeSettings(target_qps_per_replica=1.0, qps_window_s=20.0)

    assert answers(SkyServe(ITS_OWN, quick), 15 * [40] + 15 * [80], ready=1) == 14 * [1] + 15 * [2] + [4]

    down = SkyServeSettings(target_qps_per_replica=1.0, qps_window_s=20.0, downscale_delay_s=300.0)
    assert answers(SkyServe(ITS_OWN, down), 15 * [40] + 15 * [20], ready=4) == 14 * [4] + 15 * [2] + [1]


def test_at_zero_it_takes_what_is_wanted_at_once() -> None:
    rival = SkyServe(a_task(min_replicas=0, interval_s=20.0), ONE)

    assert answers(rival, [0, 0, 61], ready=0) == [0, 0, 2]


def test_it_goes_to_zero_as_to_any_other_count() -> None:
    rival = SkyServe(a_task(min_replicas=0, interval_s=20.0), ONE)

    assert answers(rival, 61 * [0], ready=2) == 59 * [2] + [0, 0]


@pytest.mark.parametrize(("interval_s", "turns"), [(15.0, 20), (20.0, 15), (7.0, 42), (60.0, 5), (600.0, 1)])
def test_a_delay_is_as_many_questions_as_fit_into_it(interval_s: float, turns: int) -> None:
    settings = SkyServeSettings(target_qps_per_replica=1.0, qps_window_s=interval_s)
    rival = SkyServe(a_task(interval_s=interval_s), settings)
    arrived = round(4 * interval_s)

    counts = answers(rival, turns * [arrived], ready=1, interval_s=interval_s)
    assert counts == (turns - 1) * [1] + [4]


def test_what_is_wanted_is_within_the_bounds() -> None:
    eager = SkyServeSettings(target_qps_per_replica=1.0, upscale_delay_s=0.0, downscale_delay_s=0.0)
    rival = SkyServe(a_task(min_replicas=2, max_replicas=5, interval_s=20.0), eager)

    assert answers(rival, [900, 0, 0, 0], ready=1) == [5, 5, 5, 2]
