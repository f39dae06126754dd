"""Fewer values than ticks: no peak is lost, no tick counts in two places, no gap becomes a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sim.report.buckets import Buckets, ends, extremes
from autoscaler.sim.result import ServiceSeries
from tests.sim.report.samples import AT, a_series

VALUES = st.lists(st.integers(-50, 50), min_size=1, max_size=60)


def over(count_max: int, *all_series: ServiceSeries, interval_s: float = 15.0) -> Buckets:
    return Buckets.over(all_series, interval_s, count_max)


def a_line(values: list[int], interval_s: float = 15.0) -> ServiceSeries:
    return a_series(values, {}, interval_s=interval_s)


@given(VALUES, st.integers(1, 70))
def test_every_value_lies_within_its_bucket_and_every_limit_is_a_value(values: list[int], most: int) -> None:
    series = a_line(values)
    buckets = over(most, series)
    spans = buckets.spans(series.at)

    low, high = extremes(values, spans)

    assert len(low) == len(high) == buckets.count <= most
    assert [(begin, end) for begin, end in spans if begin < end] == [
        (at, min(at + buckets.ticks_each, len(values))) for at in range(0, len(values), buckets.ticks_each)
    ]
    for (begin, end), least, top in zip(spans, low, high, strict=True):
        assert (least, top) == (min(values[begin:end]), max(values[begin:end]))


@given(VALUES)
def test_with_room_for_all_every_tick_is_told(values: list[int]) -> None:
    series = a_line(values)

    low, high = extremes(values, over(1500, series).spans(series.at))

    assert low == high == values


def test_one_tick_among_40_320_stays_visible_at_its_place() -> None:
    values = [3] * 40_320
    values[17_000] = 999
    series = a_line(values)
    buckets = over(1500, series)

    low, high = extremes(values, buckets.spans(series.at))

    assert buckets.ticks_each == 27
    assert [at for at, value in enumerate(high) if value == 999] == [17_000 // 27]
    assert set(low) == {3}


def test_instants_that_are_not_quite_even_slip_over_no_edge() -> None:
    series = a_line([1] * 12)
    for tick, error in enumerate([0.0, 0.4, 0.2, -0.3, 0.1, -0.2, 0.4, -0.4, 0.0, 0.3, -0.1, 0.2]):
        series.at[tick] += error

    spans = over(4, series).spans(series.at)

    assert spans == [(0, 3), (3, 6), (6, 9), (9, 12)]


def test_a_run_of_rarer_ticks_keeps_its_last_value_between_them() -> None:
    dense, sparse = a_line([0] * 8), a_line([5, 7], interval_s=60.0)
    spans = over(8, dense, sparse).spans(sparse.at)

    assert extremes([5, 7], spans) == ([5, 5, 5, 5, 7, None, None, None],) * 2
    assert ends([5, 7], spans) == [5, 5, 5, 5, 7, None, None, None]


def test_before_its_first_tick_and_after_its_last_a_run_has_no_value() -> None:
    long, late = a_line([0] * 6), a_line([4, 9])
    for tick in range(2):
        late.at[tick] += 30.0
    spans = over(6, long, late).spans(late.at)

    assert extremes([4, 9], spans) == ([None, None, 4, 9, None, None],) * 2
    assert ends([4, 9], spans) == [None, None, 4, 9, None, None]


def test_a_total_ends_each_bucket_with_its_last_value() -> None:
    series = a_line([0] * 7)

    assert ends([1, 2, 4, 8, 16, 32, 64], over(3, series).spans(series.at)) == [4, 32, 64]


@pytest.mark.parametrize(
    ("ticks", "most", "each", "count"), [(1, 5, 1, 1), (10, 10, 1, 10), (11, 10, 2, 6), (30, 10, 3, 10)]
)
def test_buckets_are_as_many_as_fit_and_all_alike(ticks: int, most: int, each: int, count: int) -> None:
    buckets = over(most, a_line([0] * ticks))

    assert (buckets.start, buckets.ticks_each, buckets.count) == (AT, each, count)
    assert buckets.width_s == 15.0 * each
