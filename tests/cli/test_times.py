"""Durations and instants as people type and read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.cli.reach.moments import moment
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.times import clock_text, duration_s
from autoscaler.clock import SystemClock
from autoscaler.durations import DURATION_S_MAX, UNIT_S, spoken


@given(st.integers(1, 40_000), st.sampled_from(sorted(UNIT_S)))
def test_a_duration_is_its_number_times_its_unit(count: int, unit: str) -> None:
    seconds = count * UNIT_S[unit]
    if seconds <= DURATION_S_MAX:
        assert duration_s(f"{count}{unit}") == seconds
    else:
        with pytest.raises(ValueError, match="out of range"):
            duration_s(f"{count}{unit}")


@given(st.text(max_size=12))
def test_any_text_is_a_duration_in_range_or_an_error_that_says_what_is_allowed(text: str) -> None:
    try:
        seconds = duration_s(text)
    except ValueError as error:
        assert "allowed" in str(error)  # noqa: PT017 - either end is right
    else:
        assert 1 <= seconds <= DURATION_S_MAX


@pytest.mark.parametrize(
    "text", ["", "h", "-1h", "1.5.2h", "1 h", "inf", "nan", "1e3", "0", "0s", "31d", "٣h", "1H"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        duration_s(text)


@given(st.floats(0, 10_000_000))
def test_a_spoken_duration_is_near_the_truth(seconds: float) -> None:
    units = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    words = spoken(seconds).split()
    told = sum(float(count) * units[unit] for count, unit in zip(words[::2], words[1::2], strict=True))

    assert told <= seconds + 0.51
    assert math.isclose(told, seconds, rel_tol=0.05, abs_tol=0.51)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0.4 s"),
        (45, "45 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (3601, "1 h"),
        (90_000, "1 d 1 h"),
        (59.7, "1 min"),
    ],
)
def test_durations_are_said_in_their_two_largest_units(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_instants_are_read_to_the_second() -> None:
    assert clock_text("2026-11-21T12:00:00.250Z") == "2026-11-21 12:00:00 UTC"
    assert clock_text("yesterday") == "yesterday"


@given(st.integers(0, 999), st.sampled_from("smhd"))
def test_a_relative_time_is_that_long_ago(count: int, unit: str) -> None:
    now = SystemClock().now()
    at = moment("--at", f"-{count}{unit}")

    assert at is not None
    assert abs(now - count * UNIT_S[unit] - at) < 5


@given(st.floats(0, 4e9))
def test_an_iso_time_is_that_instant(at: float) -> None:
    from autoscaler.core.codec import instant_text

    found = moment("--at", instant_text(at))
    assert found is not None
    assert abs(found - at) <= 0.001


@given(st.text(max_size=20))
def test_any_other_text_is_refused_in_a_sentence(text: str) -> None:
    found = None
    try:
        moment("--at", text)
    except Trouble as trouble:
        found = trouble
    assert found is None or (found.status is Exit.USAGE and str(found).startswith("--at: "))


@pytest.mark.parametrize("text", ["", "2h", "-2", "-2w", "2026-11-21T12:00:00", "2026-11-21", "now", "--2h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    if text == "-2":
        assert moment("--at", text) is not None  # seconds
        return
    with pytest.raises(Trouble, match=r"--since: .* is no time"):
        moment("--since", text)
