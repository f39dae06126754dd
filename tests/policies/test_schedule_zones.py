"""In every zone that changes its clocks in 2025 to 2027, a schedule agrees with every minute's clock.

The oracle does not know how the policy works. It writes down the wall clock of every minute around a change,
and the two rules for changes as: a window has begun once the clock has *ever* shown its start or later, and
is over once it will *never again* show less than its end, nor come to its end. In the missing hour that is
the first instant after it; in the repeated hour the first start and the second end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.policies.schedules import Said, a_schedule, proposals, said

FROM = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
UNTIL = int(datetime(2028, 1, 1, tzinfo=UTC).timestamp())
WEEK_S = 7 * 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BY_MACHINE = {"localtime", "posixrules", "Factory"}

LOOK_MIN = 25 * 60  # minutes before and after a change at which answers are compared
MARGIN_MIN = 25 * 60  # and further ones, so that the oracle knows what was and will be shown


def _offset_s(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


@cache
def changes(name: str) -> tuple[int, ...]:
    """When the zone's clocks change, to the second; those are at whole minutes in these years."""
    zone = ZoneInfo(name)
    found = []
    for week in range(FROM, UNTIL, WEEK_S):
        low, high = week, week + WEEK_S
        if _offset_s(low, zone) == _offset_s(high, zone):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset_s(middle, zone) == _offset_s(low, zone) else (low, middle)
        found.append(high)
    return tuple(found)


ZONES = sorted(name for name in available_timezones() - BY_MACHINE if changes(name))


class Clock(NamedTuple):
    """Minutes around a change: instants, and the wall clock's extremes before and after each."""

    at: Sequence[int]
    latest_so_far: Sequence[datetime]
    earliest_to_come: Sequence[datetime]


@lru_cache(maxsize=8)
def clock(name: str, change: int) -> Clock:
    zone = ZoneInfo(name)
    reach = (LOOK_MIN + MARGIN_MIN) * 60
    at = range(change - reach, change + reach, 60)
    walls = [datetime.fromtimestamp(t, zone).replace(tzinfo=None) for t in at]
    to_come = list(accumulate(reversed(walls), min))
    return Clock(at, list(accumulate(walls, max)), to_come[::-1])


def _starts_on(window: dict[str, Any], day: date) -> bool:
    return (
        WEEKDAYS[day.weekday()] in window.get("days", WEEKDAYS)
        and window.get("from", date.min) <= day <= window.get("until", date.max)
        and day not in window.get("except_dates", ())
    )


def inside(window: dict[str, Any], clocks: Clock) -> list[bool]:
    """Whether the window is open, minute by minute."""
    open_ = [False] * len(clocks.at)
    first, last = clocks.latest_so_far[0].date(), clocks.latest_so_far[-1].date()
    for n in range(-3, (last - first).days + 4):  # each sequence rises, so minutes inside are in one piece
        day = first + timedelta(days=n)
        if not _starts_on(window, day):
            continue
        start, end = (_wall(day, window[key]) for key in ("start", "end"))
        if end <= start:
            end += timedelta(days=1)
        begun = bisect_left(clocks.latest_so_far, start)
        over = max(bisect_left(clocks.earliest_to_come, end), bisect_right(clocks.earliest_to_come, end) - 1)
        open_[begun:over] = [True] * max(0, over - begun)
    return open_


def _wall(day: date, text: str) -> datetime:
    hours, minutes = map(int, text.split(":"))
    return datetime.combine(day, datetime.min.time()) + timedelta(hours=hours, minutes=minutes)


def expected(windows: list[dict[str, Any]], clocks: Clock) -> list[Said]:
    """Ceilings and floors of all open windows, but of those that say exactly only the strongest's."""
    columns = [inside(window, clocks) for window in windows]
    rows = list(zip(*columns, strict=True))
    answers = {row: _answer(windows, row) for row in set(rows)}
    return [answers[row] for row in rows]


def _answer(windows: list[dict[str, Any]], row: tuple[bool, ...]) -> Said:
    if not any(row):
        return Said(0, None)
    open_ = [window for window, is_open in zip(windows, row, strict=True) if is_open]
    exact = [window for window in open_ if "exactly" in window]
    best = max(exact, key=lambda window: (window["priority"], window["exactly"]), default=None)
    heard = [window for window in open_ if "exactly" not in window]
    floors = [window["at_least"] for window in heard if "at_least" in window]
    ceilings = [window["at_most"] for window in heard if "at_most" in window]
    if best is not None:
        floors.append(best["exactly"])
        ceilings.append(best["exactly"])
    return Said(max(floors, default=0), min(ceilings, default=None))


@st.composite
def windows_near(draw: st.DrawFn, near: datetime) -> dict[str, Any]:
    """A window whose start and end like the hours around a change, midnight, and each other."""
    minute = near.hour * 60 + near.minute
    close = st.integers(-150, 150).map(lambda by: (minute + by) % 1440)
    start = draw(st.one_of(close, st.just(0), st.integers(0, 1439)))
    end = draw(st.one_of(close, st.just(1440), st.just(start), st.just(0), st.integers(0, 1440)))
    window: dict[str, Any] = {
        "start": f"{start // 60:02d}:{start % 60:02d}",
        "end": f"{end // 60:02d}:{end % 60:02d}",
        "priority": draw(st.integers(0, 1)),
        "lead_s": 0.0,
    }
    if draw(st.booleans()):
        window["days"] = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True))
    day = st.integers(-2, 2).map(lambda by: near.date() + timedelta(days=by))
    if draw(st.booleans()):
        window |= {"from": (first := draw(day)), "until": max(first, draw(day))}
    if draw(st.booleans()):
        window["except_dates"] = [draw(day)]
    kind = draw(st.sampled_from(("at_least", "at_most", "exactly")))
    window[kind] = draw(st.integers(0, 5))
    return window


@pytest.mark.parametrize("name", ZONES)
@settings(
    max_examples=2,
    phases=(Phase.generate, Phase.shrink),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_a_schedule_holds_while_the_local_clock_is_inside_its_windows(name: str, data: st.DataObject) -> None:
    change = data.draw(st.sampled_from(changes(name)))
    near = datetime.fromtimestamp(change, ZoneInfo(name)).replace(tzinfo=None)
    windows = data.draw(st.lists(windows_near(near), min_size=1, max_size=3))
    schedule, clocks = a_schedule(*windows, zone=name), clock(name, change)
    compared = slice(MARGIN_MIN, MARGIN_MIN + 2 * LOOK_MIN)
    minutes, oracle = clocks.at[compared], expected(windows, clocks)[compared]

    effective = [Said(a, None if b is None else max(a, b)) for a, b in oracle]
    steps = [i for i in range(1, len(minutes)) if effective[i] != effective[i - 1]]
    # Every minute of two hours, every 61st of the others, and those on both sides of each step.
    asked = {
        *range(LOOK_MIN - 90, LOOK_MIN + 90),
        *range(0, 2 * LOOK_MIN, 29),
        *steps,
        *(i - 1 for i in steps),
    }

    for i in sorted(asked):
        assert said(schedule, minutes[i]) == oracle[i]
    edges = schedule.edges(minutes[0], len(steps))
    assert [edge.at for edge in edges] == [minutes[i] for i in steps]
    assert [(edge.at_least, edge.at_most) for edge in edges] == [effective[i] for i in steps]


def test_the_zones_are_those_of_the_whole_world() -> None:
    assert len(ZONES) > 150
    assert {"Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"} < set(ZONES)
    assert {"Africa/Casablanca", "America/Santiago", "Asia/Gaza", "Europe/Dublin"} < set(ZONES)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_order_in_which_instants_are_asked_changes_no_answer(data: st.DataObject) -> None:
    near = datetime.fromisoformat("2026-03-29 03:00")
    windows = data.draw(st.lists(windows_near(near), min_size=1, max_size=4))
    start = int(datetime(2026, 3, 27, tzinfo=UTC).timestamp())
    instants = [start + 60 * n for n in data.draw(st.lists(st.integers(0, 6 * 1440), max_size=60))]
    asked = a_schedule(*windows)

    for at in instants:
        fresh = a_schedule(*windows)
        assert asked.limits_at(at) == fresh.limits_at(at)
        assert proposals(asked, at + 0.25) == proposals(fresh, at + 0.25)
