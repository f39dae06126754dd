from __future__ import annotations

from autoscaler.sim.rivals.seasonal import SeasonalRate


def arrivals(counts: list[int], season_s: float = 150.0) -> SeasonalRate:
    """Ten seconds a count, the first one ends at 10."""
    rates = SeasonalRate(10.0, season_s)
    for turn, count in enumerate(counts, start=1):
        rates.see(10.0 * turn, count)
    return rates


def test_the_recent_rate_is_of_what_is_known() -> None:
    assert SeasonalRate(10.0).recent(0.0, 60.0) == 0
    assert arrivals([30]).recent(10.0, 60.0) == 3
    assert arrivals([30, 10]).recent(20.0, 60.0) == 2
    assert arrivals([90, 30, 10]).recent(30.0, 20.0) == 2


def test_the_last_season_is_not_known_before_a_whole_one_has_passed() -> None:
    assert arrivals(14 * [10]).last_season(140.0, 20.0) is None
    assert arrivals(15 * [10]).last_season(150.0, 20.0) == 1


def test_the_last_season_is_what_followed_the_same_time() -> None:
    rates = arrivals([0, 0, 30, 50, 0, *(12 * [7])])

    assert rates.last_season(170.0, 20.0) == 4  # 20 to 40 seconds: 30 and 50
    assert rates.last_season(170.0, 10.0) == 3


def test_the_time_ahead_is_at_most_a_season() -> None:
    assert arrivals(15 * [10]).last_season(150.0, 9000.0) == 1


def test_old_arrivals_are_forgotten_and_nothing_changes() -> None:
    rates = arrivals([*(980 * [999]), 0, 0, 30, *(14 * [1])])

    assert rates.last_season(9970.0, 10.0) == 3  # 9820 to 9830
    assert rates.recent(9970.0, 30.0) == 0.1
    assert len(rates._at) <= 3 * 15 + 1
