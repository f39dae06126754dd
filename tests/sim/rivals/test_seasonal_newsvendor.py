from __future__ import annotations

import pytest

from autoscaler.sim.rivals.seasonal_newsvendor import SeasonalNewsvendor, SeasonalNewsvendorSettings
from tests.sim.rivals.asking import a_task, facts

TASK = a_task()  # 8 s a request, 4 at once per replica
EVEN = SeasonalNewsvendorSettings(shortage_cost=1.0)  # the quantile is the mean
DAY_S = 86_400


def test_where_missing_and_idle_places_cost_the_same_the_mean_is_covered() -> None:
    # 30 in 15 s are 2 a second, 16 at once, 4 replicas; one more request asks for a fifth
    assert SeasonalNewsvendor(TASK, EVEN).tick(facts(arrived=30, ready=1)) == 4
    assert SeasonalNewsvendor(TASK, EVEN).tick(facts(arrived=31, ready=1)) == 5


@pytest.mark.parametrize(
    ("arrived", "replicas"),
    [
        (30, 6),  # 16 + 1.645 x 4 = 22.6 places
        (120, 20),  # 64 + 1.645 x 8 = 77.2 places: the margin grows with the root
    ],
)
def test_a_shortage_of_19_times_covers_19_of_20(arrived: int, replicas: int) -> None:
    assert SeasonalNewsvendor(TASK).tick(facts(arrived=arrived, ready=1)) == replicas


def test_before_a_day_is_known_the_recent_rate_is_the_forecast() -> None:
    rival = SeasonalNewsvendor(TASK, EVEN)
    answers = [rival.tick(facts(15.0 * turn, arrived=30 if turn < 20 else 0, ready=4)) for turn in range(41)]

    assert answers[:20] == 20 * [4]
    assert answers[20] == 4  # 19/20 of 16 are 15.2
    assert answers[29] == 2  # half
    assert answers[40] == 1


def test_before_there_is_a_rate_nothing_is_given_back() -> None:
    rival = SeasonalNewsvendor(TASK, EVEN)
    answers = [rival.tick(facts(15.0 * turn, arrived=0, ready=4)) for turn in range(22)]

    assert answers[:20] == 20 * [4]
    assert answers[20] == 1


def test_the_last_day_is_repeated_ahead_of_time() -> None:
    rival = SeasonalNewsvendor(TASK, EVEN)
    for at in range(0, DAY_S, 15):
        rival.tick(facts(at, arrived=30 if 3600 < at <= 4200 else 0, ready=1))
    answers = {at: rival.tick(facts(DAY_S + at, ready=1)) for at in range(0, 4515, 15)}

    assert answers[3300] == 1  # 3300 to 3600 of the day before: nothing
    assert answers[3450] == 2  # half of 16
    assert answers[3600] == 4
    assert answers[3900] == 4
    assert answers[4200] == 1


def test_a_rate_above_the_last_days_is_followed() -> None:
    rival = SeasonalNewsvendor(TASK, SeasonalNewsvendorSettings(shortage_cost=1.0, recent_s=15.0))
    for at in range(0, DAY_S, 15):
        rival.tick(facts(at, arrived=15, ready=2))

    assert rival.tick(facts(DAY_S, arrived=15, ready=2)) == 2
    assert rival.tick(facts(DAY_S + 15, arrived=60, ready=2)) == 8


def test_a_cheap_shortage_leaves_places_out_but_never_below_none() -> None:
    cheap = SeasonalNewsvendorSettings(shortage_cost=0.01)
    rival = SeasonalNewsvendor(a_task(min_replicas=0), cheap)

    assert rival.tick(facts(arrived=1)) == 0


def test_one_replica_stays_while_there_is_work() -> None:
    rival = SeasonalNewsvendor(a_task(min_replicas=0))
    rival.tick(facts(0, arrived=1, queued=1))

    assert rival.tick(facts(900, queued=1, starting=1)) == 1
    assert rival.tick(facts(915, running=1, ready=1)) == 1
    assert rival.tick(facts(930, ready=1)) == 0
