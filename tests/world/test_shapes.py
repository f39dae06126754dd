"""Shapes of demand are what they say, for every seed."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.world.demand import arrivals
from autoscaler.world.service_time import MeanServiceTime
from autoscaler.world.shapes import SHAPES, shape_rows

DAY_S = 86_400.0

every_shape = pytest.mark.parametrize("shape", SHAPES)
seeds = st.integers(0, 10_000)


def rates(shape: str, *, days: float = 1.0, seed: int = 0, step_s: float = 60.0) -> list[float]:
    """Requests per second, step by step, at a peak of one."""
    rows = shape_rows(shape, peak_per_s=1.0, length_s=days * DAY_S, seed=seed, step_s=step_s)
    return [row.requests / row.step_s for row in rows]


def hour(shape_rates: list[float], of_day: int, day: int = 0) -> float:
    begin = (day * 24 + of_day) * 60
    return statistics.mean(shape_rates[begin : begin + 60])


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(SHAPES)),
    st.floats(0.001, 1000.0),
    st.floats(1.0, 1.5 * DAY_S),
    seeds,
    st.sampled_from([1.0, 60.0, 600.0]),
)
def test_rows_follow_each_other_to_the_length_and_none_is_above_the_peak(
    shape: str, peak_per_s: float, length_s: float, seed: int, step_s: float
) -> None:
    length_s = min(length_s, 3000 * step_s)
    rows = list(shape_rows(shape, peak_per_s=peak_per_s, length_s=length_s, seed=seed, step_s=step_s))
    assert [row.t_s for row in rows] == [n * step_s for n in range(math.ceil(length_s / step_s))]
    assert {row.step_s for row in rows} == {step_s}
    top = max(row.requests for row in rows)
    assert top == pytest.approx(peak_per_s * step_s) or (shape, top) == ("idle-night", 0.0)
    assert min(row.requests for row in rows) >= 0


@every_shape
def test_the_same_seed_gives_the_same_rows_and_another_one_others(shape: str) -> None:
    assert rates(shape, seed=1) == rates(shape, seed=1)
    assert (rates(shape, seed=1) != rates(shape, seed=2)) == (shape != "step")


@every_shape
def test_a_shape_says_what_it_is_in_one_line(shape: str) -> None:
    assert 20 < len(SHAPES[shape].line) < 90
    assert "\n" not in SHAPES[shape].line


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_diurnal_has_the_same_day_again_and_a_quiet_night(seed: int) -> None:
    week = rates("diurnal", days=7, seed=seed)
    for day in range(7):
        assert hour(week, 3, day) < 0.1 * hour(week, 10, day)
    weekdays = statistics.mean(week[: 5 * 1440])
    assert statistics.mean(week[5 * 1440 :]) == pytest.approx(weekdays, rel=0.2)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_weekly_has_quiet_weekends(seed: int) -> None:
    week = rates("weekly", days=7, seed=seed)
    weekdays = statistics.mean(week[: 5 * 1440])
    assert statistics.mean(week[5 * 1440 :]) == pytest.approx(0.5 * weekdays, rel=0.2)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_idle_night_has_no_request_at_all_at_night_and_many_by_day(seed: int) -> None:
    two_days = rates("idle-night", days=2, seed=seed)
    for minute, rate in enumerate(two_days):
        if 7 * 60 <= minute % 1440 < 20 * 60:
            assert rate > 0
        else:
            assert rate == 0
    assert hour(two_days, 10, 1) > 0.7


@settings(max_examples=50, deadline=None)
@given(seeds, st.sampled_from([0.25, 1.0, 7.0]))
def test_flash_crowd_has_one_crowd_that_comes_fast_and_goes_slowly(seed: int, days: float) -> None:
    found = rates("flash-crowd", days=days, seed=seed)
    top = found.index(max(found))
    assert 0.25 <= top / len(found) <= 0.8
    calm = statistics.median(found[: top - 10])
    assert 10 < 1 / calm < 20
    assert max(found[: top - 6]) < 2 * calm
    assert 0.35 < found[top + 20] < 0.8
    assert found[top + 90 :] == [] or max(found[top + 90 :]) < 0.25


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_bursty_is_above_twice_its_calm_level_often_and_not_for_long(seed: int) -> None:
    week = rates("bursty", days=7, seed=seed)
    calm = statistics.quantiles(week, n=10)[1]
    high = [rate > 1.8 * calm for rate in week]
    assert 0.08 < statistics.mean(high) < 0.25
    begins = sum(now and not before for before, now in pairwise(high))
    assert 150 < begins < 400


def test_step_is_a_third_low_a_third_high_a_third_low() -> None:
    assert rates("step", days=9 / 1440) == [
        pytest.approx(level) for level in [0.2] * 3 + [1.0] * 3 + [0.2] * 3
    ]


def test_requests_are_drawn_from_a_shape_as_from_a_trace() -> None:
    rows = list(shape_rows("idle-night", peak_per_s=0.5, length_s=DAY_S))
    count = sum(len(batch) for batch in arrivals(rows, MeanServiceTime(), seed=3))
    expected = sum(row.requests for row in rows)
    assert count == pytest.approx(expected, abs=5 * expected**0.5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"shape": "square"}, "shape is 'square'; allowed are diurnal, weekly"),
        ({"peak_per_s": 0.0}, "peak_per_s is 0.0"),
        ({"peak_per_s": math.nan}, "peak_per_s is nan"),
        ({"length_s": math.inf}, "length_s is inf"),
        ({"length_s": 400 * DAY_S}, "length_s is 34560000.0"),
        ({"length_s": -1.0}, "length_s is -1.0"),
        ({"step_s": 0.5}, "step_s is 0.5"),
        ({"step_s": 7.0}, "step_s is 7.0; it must divide a day"),
        ({"step_s": 900.0}, "step_s is 900.0"),
        ({"step_s": math.nan}, "step_s is nan"),
    ],
)
def test_impossible_shapes_are_refused_at_once(changes: dict[str, object], says: str) -> None:
    values: dict[str, object] = {"shape": "step", "peak_per_s": 1.0, "length_s": 600.0}
    with pytest.raises(ValueError, match=says):
        shape_rows(**(values | changes))  # type: ignore[arg-type]


def test_the_page_about_the_world_has_a_line_for_every_shape() -> None:
    page = (Path(__file__).parents[2] / "docs" / "world.md").read_text(encoding="utf-8")
    for name, shape in SHAPES.items():
        assert f"| `{name}` | {shape.line} |" in page
