"""Demand is the same for the same seed, and has the laws that it states."""

from __future__ import annotations

import math
import statistics

import pytest

from autoscaler.world.chance import stream
from autoscaler.world.default_day import day_rows
from autoscaler.world.demand import arrivals, scale_to_work
from autoscaler.world.service_time import MeanServiceTime, TokenServiceTime, lognormal
from autoscaler.world.trace import Row

ROWS = [Row(0, 60, 600), Row(60, 60, 0), Row(120, 60, 6000)]


def test_arrivals_are_poisson_inside_their_row_in_order_and_scaled() -> None:
    service = MeanServiceTime(8.0, 1.0)
    requests = [one for batch in arrivals(ROWS, service, seed=4, scale=2.0, starts_at=1e9) for one in batch]
    times = [at - 1e9 for at, _ in requests]

    assert times == sorted(times)
    assert not any(60 <= t < 120 for t in times)
    assert sum(t < 60 for t in times) == pytest.approx(1200, abs=5 * 1200**0.5)
    assert sum(t >= 120 for t in times) == pytest.approx(12000, abs=5 * 12000**0.5)
    per_s = [0] * 60
    for t in times:
        if t >= 120:
            per_s[int(t - 120)] += 1
    assert statistics.variance(per_s) / statistics.mean(per_s) == pytest.approx(1.0, abs=0.6)


def test_service_times_have_the_mean_and_the_variation_asked_for() -> None:
    service = MeanServiceTime(8.0, 1.0)
    times = [service_s for batch in arrivals([Row(0, 60, 100_000)], service) for _, service_s in batch]

    assert statistics.mean(times) == pytest.approx(8.0, rel=0.03)
    assert statistics.pstdev(times) / statistics.mean(times) == pytest.approx(1.0, rel=0.1)


def test_what_is_drawn_is_what_the_library_draws_number_for_number() -> None:
    service = MeanServiceTime(8.0, 0.7)
    when, how_long = stream(4, "arrivals", "chat"), stream(4, "service", "chat")
    mu, sigma = lognormal(8.0, 0.7)
    expected, begin = [], 0.0
    for row in ROWS:
        at = begin
        while row.requests and (at := at + when.expovariate(row.requests / 60)) < begin + 60:
            expected.append((at, math.exp(how_long.gauss(mu, sigma))))
        begin += 60

    assert [one for batch in arrivals(ROWS, service, seed=4, name="chat") for one in batch] == expected


def test_tokens_make_the_service_time() -> None:
    service = TokenServiceTime(prompt_tokens_per_s=8000, output_tokens_per_s=40, otherwise_s=5)
    assert service.mean_s(Row(0, 60, 2, 16000, 160)) == pytest.approx(1 + 2)
    assert service.mean_s(Row(0, 60, 2)) == 5
    assert service.mean_s(Row(0, 60, 0, 0, 0)) == 5


def test_arrivals_do_not_change_with_the_service_time_and_each_service_has_its_own() -> None:
    def times(service: MeanServiceTime, name: str = "chat") -> list[float]:
        return [at for batch in arrivals(ROWS, service, seed=4, name=name) for at, _ in batch]

    assert times(MeanServiceTime(8.0)) == times(MeanServiceTime(2.0, 0.5))
    assert times(MeanServiceTime(), "chat") != times(MeanServiceTime(), "code")


def test_a_trace_is_scaled_to_the_work_wanted() -> None:
    assert scale_to_work(ROWS, MeanServiceTime(8.0), 48.0) == pytest.approx(0.06)
    with pytest.raises(ValueError, match="no requests"):
        scale_to_work([Row(0, 60, 0)], MeanServiceTime(8.0), 10.0)


def test_the_default_day_has_the_statistics_it_claims() -> None:
    rows = list(day_rows(peak_per_s=10.0, seed=3, days=7, bursts_per_day=0.5))
    assert [row.t_s for row in rows] == [60.0 * n for n in range(7 * 1440)]

    for day in range(5):
        counts = [row.requests for row in rows[day * 1440 : (day + 1) * 1440]]
        hours = [statistics.mean(counts[h * 60 : h * 60 + 60]) for h in range(24)]
        assert 2.0 <= max(counts) / statistics.mean(counts) <= 4.2  # a burst on the peak is allowed
        assert 0.02 <= statistics.mean(hours[1:6]) / max(hours) <= 0.07
        assert 0.45 <= hours[12] / max(hours[9:12]) <= 0.95
        assert 0.25 <= statistics.mean(hours[19:22]) / max(hours) <= 0.66
    weekday = statistics.mean(row.requests for row in rows[: 5 * 1440])
    weekend = statistics.mean(row.requests for row in rows[5 * 1440 :])
    assert weekend / weekday == pytest.approx(0.5, abs=0.08)


def test_each_day_has_its_own_sequence_and_seeds_differ() -> None:
    one = list(day_rows(peak_per_s=10.0, seed=3))
    assert one == list(day_rows(peak_per_s=10.0, seed=3, days=2))[:1440]
    assert one != list(day_rows(peak_per_s=10.0, seed=4))
