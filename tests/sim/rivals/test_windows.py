from __future__ import annotations

import pytest

from autoscaler.sim.rivals.windows import Held, Largest


def seen(*samples: tuple[float, float], interval_s: float = 15.0, keep_s: float = 60.0) -> Held:
    held = Held(interval_s, keep_s)
    for at, value in samples:
        held.see(at, value)
    return held


def test_what_is_seen_stands_for_the_interval_before() -> None:
    held = seen((15, 4), (30, 8))

    assert held.mean(30, 15) == 8
    assert held.mean(30, 30) == 6
    assert held.mean(30, 20) == 7  # 5 s of the 4, 15 s of the 8


def test_a_window_shorter_than_the_interval_sees_the_present_value() -> None:
    assert seen((15, 4), (30, 9)).mean(30, 6) == 9


def test_a_window_that_is_not_yet_full_is_the_part_since_the_start() -> None:
    assert seen((15, 4), (30, 8)).mean(30, 60) == 6


def test_what_left_the_window_no_longer_counts() -> None:
    held = seen((15, 100), (30, 1), (45, 1), (60, 1), (75, 1))

    assert held.mean(75, 60) == 1


def test_a_gap_shorter_than_the_window_counts_as_zero() -> None:
    held = seen((15, 8), (60, 8))  # nobody reported from 15 to 45

    assert held.mean(60, 60) == 4


def test_after_a_window_without_reports_it_starts_anew() -> None:
    held = seen((15, 100), (90, 8))

    assert held.mean(90, 60) == 8


def test_nothing_in_the_whole_window_is_no_mean() -> None:
    assert Held(15, 60).mean(0, 60) is None
    assert seen((15, 8)).mean(74, 60) is not None
    assert seen((15, 8)).mean(75, 60) is None


def test_of_a_count_that_reaches_beyond_the_window_its_share_is_in() -> None:
    held = seen((90, 9), (180, 18), interval_s=90, keep_s=200)

    assert held.total(180, 60) == 12
    assert held.total(180, 135) == pytest.approx(18 + 4.5)


def test_a_count_is_a_sum_without_rounding_trouble() -> None:
    assert seen((15, 7), (30, 7), (45, 7), (60, 7)).total(60, 60) == 28


def test_the_largest_is_of_what_was_noted_late_enough() -> None:
    largest = Largest()
    notes = [(0, 8), (15, 5), (30, 3), (45, 5), (60, 1), (75, 1)]

    # after is half a minute before: at 30 the 8 is out, at 45 the older 5, at 75 the newer one
    assert [largest.with_new(when, number, after=when - 30) for when, number in notes] == [8, 8, 5, 5, 5, 1]


def test_without_a_window_the_largest_is_the_newest() -> None:
    largest = Largest()

    assert [largest.with_new(when, number, after=when) for when, number in [(0, 8), (15, 3)]] == [8, 3]
