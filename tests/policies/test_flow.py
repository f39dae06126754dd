from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.model import Sample
from autoscaler.policies.flow import counter_rate, growth, mean, recent
from tests.policies.views import AT, a_view


def _samples(*values: float, every_s: float = 15.0) -> list[Sample]:
    return [Sample(value, AT + i * every_s) for i, value in enumerate(values)]


def test_a_rate_is_the_rise_per_second() -> None:
    assert counter_rate(_samples(100, 130, 145, 160, 190)) == 1.5


def test_less_than_half_a_minute_is_no_rate() -> None:
    assert counter_rate(_samples(100, 130, every_s=29)) is None
    assert counter_rate(_samples(100, 130, every_s=30)) == 1.0
    assert counter_rate([]) is None
    assert growth(_samples(5)) is None
    assert growth(_samples(100, 130, every_s=29)) is None


def test_a_counter_that_starts_again_keeps_its_rate() -> None:
    assert counter_rate(_samples(100, 115, 3, 18, 33)) == 1.0


def test_a_replica_that_leaves_a_sum_adds_nothing_to_the_rate() -> None:
    assert counter_rate(_samples(10_000, 10_015, 7_520, 7_535, 7_550)) == 1.0


def test_a_replica_whose_scrape_failed_once_adds_nothing_to_the_rate_when_it_is_back() -> None:
    assert counter_rate(_samples(10_000, 7_500, 10_030, 10_045, 10_060)) == 1.0


@given(
    st.lists(
        st.tuples(st.floats(0, 1e9), st.floats(0.001, 60)),
        max_size=20,
    )
)
def test_no_history_of_a_counter_gives_a_negative_rate(steps: list[tuple[float, float]]) -> None:
    at = AT
    samples: list[Sample] = []
    for value, wait_s in steps:
        at += wait_s
        samples.append(Sample(value, at))

    rate = counter_rate(samples)

    assert rate is None or rate >= 0.0


def test_the_last_minute_reaches_back_to_the_first_sample_that_is_a_minute_old() -> None:
    past = {float(age_s): 1.0 for age_s in (0, 15, 30, 45, 60, 75, 90)}
    view = a_view({"queued": 1}, history={"queued": past})

    assert [view.at - sample.at for sample in recent(view, "queued")] == [60, 45, 30, 15, 0]


def test_rare_samples_are_measured_over_up_to_two_minutes() -> None:
    view = a_view({"queued": 1}, history={"queued": {50.0: 1.0, 100.0: 1.0, 150.0: 1.0}})

    assert [view.at - sample.at for sample in recent(view, "queued")] == [100, 50, 0]


def test_a_sample_from_long_ago_says_nothing_about_now() -> None:
    view = a_view({"queued": 1}, history={"queued": {15.0: 1.0, 121.0: 1.0, 3000.0: 1.0}})

    assert [view.at - sample.at for sample in recent(view, "queued")] == [15, 0]


def test_a_signal_that_is_not_fresh_has_no_last_minute() -> None:
    view = a_view({}, history={"queued": {61.0: 1.0, 100.0: 1.0}})

    assert recent(view, "queued") == ()


def test_a_mean_weighs_by_time() -> None:
    samples = [Sample(0, AT), Sample(10, AT + 10), Sample(10, AT + 30)]

    assert mean(samples) == pytest.approx((50 + 200) / 30)
    assert mean(samples[:1]) == 0
    assert mean([]) is None
