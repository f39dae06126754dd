"""Signals that others send: what is taken, what is refused, and that refusals change nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from autoscaler.core.model import Absence, Reading, Sample
from autoscaler.ports import SignalQuery
from autoscaler.sources.push import BadSampleError, OutOfOrderError, PushError, PushSource, UnknownSignalError
from tests.sources.conftest import SettableClock

KEY = ("chat", "queued")


@pytest.fixture
def source(clock: SettableClock) -> PushSource:
    source = PushSource("gateway", clock)
    source.expect([KEY, ("chat", "running")])
    return source


async def held(source: PushSource, key: tuple[str, str] = KEY) -> Reading:
    return (await source.read([SignalQuery(*key)]))[key]


async def test_the_last_sample_is_held_until_the_next(source: PushSource, clock: SettableClock) -> None:
    before = clock.now()
    source.push(*KEY, 3)
    stored = source.push(*KEY, 4.5)

    assert await held(source) == stored
    assert stored.value == 4.5
    assert before <= stored.at <= clock.now()


async def test_a_sample_keeps_the_time_that_its_sender_gave(source: PushSource, clock: SettableClock) -> None:
    at = clock.now() - 7.1234
    source.push(*KEY, 3, at)

    assert await held(source) == Sample(3, round(at, 3))


async def test_zero_is_held_as_zero_and_nothing_as_missing(source: PushSource) -> None:
    source.push(*KEY, 0)
    zero, missing = await held(source), await held(source, ("chat", "running"))

    assert isinstance(zero, Sample)
    assert zero.value == 0
    assert isinstance(missing, Absence)
    assert missing.reason == "missing"


@pytest.mark.parametrize("key", [("chat", "late_total"), ("code", "queued"), ("", "")])
def test_only_configured_signals_are_held(source: PushSource, key: tuple[str, str]) -> None:
    with pytest.raises(UnknownSignalError, match="has no signal"):
        source.push(*key, 3)


@pytest.mark.parametrize(
    "value", [-1, -0.001, math.nan, math.inf, -math.inf, True, False, None, "3", [3], {}, 10**400, 1j]
)
async def test_what_is_not_a_finite_number_from_zero_up_is_refused(source: PushSource, value: Any) -> None:
    source.push(*KEY, 3)
    before = await held(source)
    with pytest.raises(BadSampleError):
        source.push(*KEY, value)

    assert await held(source) == before


@pytest.mark.parametrize("at", [math.nan, math.inf, -1, True, "2026-11-21T12:00:00Z", 10**400])
def test_a_time_that_is_no_instant_is_refused(source: PushSource, at: Any) -> None:
    with pytest.raises(BadSampleError):
        source.push(*KEY, 3, at)


def test_the_future_is_refused_but_for_a_few_seconds_that_count_as_now(
    source: PushSource, clock: SettableClock
) -> None:
    assert source.push(*KEY, 3, clock.now() + 4).at <= clock.now()
    with pytest.raises(BadSampleError, match="in the future"):
        source.push(*KEY, 3, clock.now() + 6)


async def test_an_older_sample_is_ignored_and_that_is_said(source: PushSource, clock: SettableClock) -> None:
    at = clock.now() - 10
    source.push(*KEY, 3, at)
    with pytest.raises(OutOfOrderError, match=r"newer by 5\.000 s"):
        source.push(*KEY, 9, at - 5)

    assert await held(source) == Sample(3, at)


def test_the_same_sample_again_is_taken(source: PushSource, clock: SettableClock) -> None:
    at = clock.now() - 10

    assert source.push(*KEY, 3, at) == source.push(*KEY, 3, at)


@pytest.mark.parametrize("dated", [True, False])
def test_a_clock_that_was_set_back_does_not_lock_senders_out(
    source: PushSource, clock: SettableClock, dated: bool
) -> None:
    source.push(*KEY, 3)
    clock.offset_s = -3600
    taken = source.push(*KEY, 4, clock.now() if dated else None)

    assert taken.value == 4
    assert taken.at <= clock.now()


async def test_a_reload_keeps_what_stays_configured_and_forgets_the_rest(source: PushSource) -> None:
    kept = source.push(*KEY, 3)
    source.push("chat", "running", 5)
    source.expect([KEY, ("code", "queued")])

    assert await held(source) == kept
    assert await held(source, ("chat", "running")) == Absence(
        "missing", "the signal is not one of this source"
    )
    assert await held(source, ("code", "queued")) == Absence(
        "missing", "nothing has been pushed since the start"
    )


@pytest.mark.virtual_time
async def test_a_scaled_clock_dates_samples_by_its_own_time() -> None:
    clock = SystemClock(speed=60, starts_at=1_700_000_000.0)
    source = PushSource("gateway", clock)
    source.expect([KEY])
    await clock.sleep(3600)

    assert source.push(*KEY, 3).at == pytest.approx(1_700_003_600.0, abs=0.01)
    assert source.push(*KEY, 3, 1_700_003_604.0).at == pytest.approx(1_700_003_600.0, abs=0.01)


@given(
    st.lists(
        st.tuples(
            st.integers(-2, 3) | st.sampled_from([math.nan, math.inf]),
            st.none() | st.integers(-8, 8) | st.just(math.nan),
        ),
        max_size=8,
    )
)
async def test_what_is_held_is_the_last_sample_taken_and_never_goes_back(
    pushes: list[tuple[float, float | None]],
) -> None:
    clock = SettableClock()
    source = PushSource("gateway", clock)
    source.expect([KEY])
    last: Sample | None = None
    for value, age_s in pushes:
        try:
            taken = source.push(*KEY, value, None if age_s is None else clock.now() - age_s)
        except PushError:
            pass
        else:
            assert last is None or taken.at >= last.at
            assert taken.at <= clock.now()
            last = taken
        assert await held(source) == (last or Absence("missing", "nothing has been pushed since the start"))
