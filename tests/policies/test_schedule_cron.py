"""Cron windows begin exactly when APScheduler's CronTrigger fires, also where clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policies.schedule import Schedule
from autoscaler.policies.schedule.crontab import CronWindow
from tests.policies.schedules import NEW_YORK, ZURICH, Said, a_schedule, instant, open_times, proposals, said

ALWAYS = (date.min.toordinal(), date.max.toordinal() - 2)


def _window(line: str, for_s: int, zone: str) -> CronWindow:
    return CronWindow(line, for_s, ZoneInfo(zone), lambda _: True, *ALWAYS)


@cache
def _fires(line: str, zone: str, day: str) -> tuple[int, ...]:
    """When the trigger fires around a change of clocks: one that is asked anew every five minutes, and one
    that is asked as a scheduler does, each time with the last time of firing, so that what clocks skip
    fires late.

    Two times that clocks skip may fire at the same instant, which opens one window.
    """
    trigger = CronTrigger.from_crontab(line, timezone=ZoneInfo(zone))
    change = datetime.fromisoformat(day).replace(tzinfo=UTC)
    found = set(_chain(trigger, change - timedelta(days=6), change + timedelta(days=3)))
    for n in range(-2 * 288, 3 * 288):
        now = change + timedelta(minutes=5 * n)
        if trigger.get_next_fire_time(None, now) == now.astimezone(ZoneInfo(zone)):
            found.add(int(now.timestamp()))
    return tuple(sorted(found))


def _chain(trigger: CronTrigger, first: datetime, until: datetime) -> list[int]:
    found: list[int] = []
    previous, now = None, first
    while (fire := trigger.get_next_fire_time(previous, now)) is not None and fire.astimezone(UTC) < until:
        found.append(int(fire.timestamp()))
        previous, now = fire, fire.astimezone(UTC)
    return found


DAYS = {  # days around changes
    NEW_YORK: ("2026-03-08", "2026-11-01"),
    ZURICH: ("2026-03-29", "2026-10-25"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "Africa/Cairo": ("2026-04-24", "2026-10-30"),
    "America/Havana": ("2026-03-08", "2026-11-01"),
}
LINES = (
    "30 2 * * *",
    "30 1 * * *",
    "*/20 * * * *",
    "15,45 2 * * *",
    "0 0 * * *",
    "45 23 * * *",
    "0 */3 * * 0,6",
)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in DAYS.items() for day in days])
def test_starts_are_the_times_of_firing(line: str, zone: str, day: str) -> None:
    first = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=2)
    until = first + timedelta(days=4)
    window, at, starts = _window(line, 600, zone), int(first.timestamp()) - 1, []
    while (start := window.around(at).next_start) is not None and start < until.timestamp():
        starts.append(start)
        at = start

    assert starts == [
        fire for fire in _fires(line, zone, day) if first.timestamp() <= fire < until.timestamp()
    ]
    assert starts


@settings(max_examples=60)
@given(data=st.data())
def test_a_cron_window_is_open_for_so_long_after_each_firing(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(sorted(DAYS)))
    line = data.draw(st.sampled_from(LINES))
    for_s = data.draw(st.sampled_from([60, 600, 1200, 5400, 86_400, 200_000]))
    day = data.draw(st.sampled_from(DAYS[zone]))
    fires = _fires(line, zone, day)
    window = _window(line, for_s, zone)
    minutes = data.draw(st.lists(st.integers(-1440, 1440), min_size=1, max_size=20))

    for minute in (*sorted(minutes), *minutes):
        at = int(instant(day)) + 60 * minute
        around = window.around(at)
        latest = max((fire for fire in fires if fire <= at < fire + for_s), default=None)
        assert (None if around.current is None else around.current.start) == latest
        assert around.next_start == min(fire for fire in fires if fire > at)  # whatever was asked before


def test_a_skipped_time_fires_once_and_late_and_a_repeated_one_twice() -> None:
    window = {"cron": "30 2 * * *", "for_s": 600, "at_least": 1, "lead_s": 0}

    assert open_times(a_schedule(window, zone=NEW_YORK), "2026-03-08", "2026-03-09") == [
        ("03-08 07:30", "03-08 07:40")
    ]
    assert open_times(a_schedule(window), "2026-10-24 12:00", "2026-10-25 12:00") == [
        ("10-25 00:30", "10-25 00:40"),
        ("10-25 01:30", "10-25 01:40"),
    ]


def test_what_the_trigger_jumps_over_when_asked_before_a_change_is_not_lost() -> None:
    # CronTrigger 3.11, asked at midnight of 8 March, says 10 March; of 1 March, says 1 May.
    midnight = a_schedule({"cron": "0 0 * * *", "for_s": 600, "at_least": 1, "lead_s": 0}, zone=NEW_YORK)
    monthly = a_schedule({"cron": "0 0 1 * *", "for_s": 600, "at_least": 1, "lead_s": 0}, zone=NEW_YORK)

    assert open_times(midnight, "2026-03-08", "2026-03-11") == [
        ("03-08 05:00", "03-08 05:10"),
        ("03-09 04:00", "03-09 04:10"),
        ("03-10 04:00", "03-10 04:10"),
    ]
    assert [edge.at for edge in monthly.edges(instant("2026-03-01 00:30", NEW_YORK), 3)] == [
        instant("2026-04-01 00:00", NEW_YORK),
        instant("2026-04-01 00:10", NEW_YORK),
        instant("2026-05-01 00:00", NEW_YORK),
    ]


def test_a_late_time_is_not_lost_on_whom_begins_to_ask_after_the_change() -> None:
    first, late = int(instant("2026-03-08 07:00")), int(instant("2026-03-08 07:30"))

    for at in (first - 1, first, first + 1, late - 1):
        assert _window("30 2 * * *", 600, NEW_YORK).around(at).next_start == late
    assert _window("30 2 * * *", 600, NEW_YORK).around(late).current == (late, late + 600)


def test_dates_and_holidays_are_of_the_day_of_firing() -> None:
    schedule = a_schedule(
        {
            "cron": "0 22 * * *",
            "for_s": 21_600,
            "at_least": 1,
            "lead_s": 0,
            "from": "2026-12-23",
            "until": "2026-12-27",
            "except_dates": ["2026-12-24"],
            "on_holidays": "skip",
        },
        holidays={"country": "CH", "subdivision": "ZH"},
    )

    # The 25th and the 26th are holidays in Zurich.
    assert open_times(schedule, "2026-12-20", "2026-12-30") == [
        ("12-23 21:00", "12-24 03:00"),
        ("12-27 21:00", "12-28 03:00"),
    ]


def test_zero_is_monday_as_the_trigger_has_it() -> None:
    schedule = a_schedule({"cron": "0 8 * * 0", "for_s": 60, "at_least": 1, "lead_s": 0})

    assert [edge.at for edge in schedule.edges(instant("2026-11-21 12:00"), 1)] == [
        instant("2026-11-23 08:00", ZURICH)
    ]


def test_a_line_that_fires_every_minute_for_longer_is_open_always_and_says_no_end() -> None:
    schedule = a_schedule({"cron": "* * * * *", "for_s": 90, "at_least": 2})
    at = instant("2026-11-21 12:00")

    assert schedule.edges(at, 3) == ()
    assert [p.reason for p in proposals(schedule, at)] == ['cron "* * * * *" for 90 s Europe/Zurich']


def test_a_cron_floor_opens_early_too() -> None:
    schedule = a_schedule({"cron": "30 7 * * mon-fri", "for_s": 3600, "at_least": 3})
    start = instant("2026-11-23 07:30", ZURICH)

    assert said(schedule, start - 300, p90_s=300) == Said(3, None)
    assert said(schedule, start - 301, p90_s=300) == Said(0, None)


def test_a_rare_line_is_found_years_ahead() -> None:
    window: dict[str, Any] = {"cron": "0 0 29 2 *", "for_s": 86_400, "at_most": 0}
    edges = a_schedule(window).edges(instant("2026-11-21"), 2)

    assert [edge.at for edge in edges] == [instant("2028-02-29", ZURICH), instant("2028-03-01", ZURICH)]


def test_the_first_time_of_a_line_that_begins_later_skips_the_days_that_are_excepted() -> None:
    days = [f"2027-01-{day:02}" for day in range(1, 15)]
    window = {"cron": "0 8 * * *", "for_s": 3600, "at_least": 2, "from": days[0], "except_dates": days}
    schedule = Schedule.model_validate({"time_zone": "UTC", "windows": [window]})

    (opens,) = schedule.edges(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp(), 1)

    assert opens.at == datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()


def test_a_line_that_no_day_allows_has_no_time_within_a_year_and_is_asked_again_later() -> None:
    at = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp())
    never = CronWindow("0 8 * * *", 3600, ZoneInfo("UTC"), lambda _day: False, 1, date.max.toordinal() - 2)

    around = never.around(at)

    assert (around.current, around.next_start) == (None, None)
    assert around.until == at + 200 * 86_400
