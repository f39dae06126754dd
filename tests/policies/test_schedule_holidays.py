"""Windows that know holidays: by a country's law, and by calendar files as people export them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autoscaler.policies.schedule import Schedule
from autoscaler.policies.schedule.days_off import EVENTS_MAX, REPEATING_MAX
from tests.policies.schedules import ZURICH, Said, a_schedule, instant, said

NOTHING = Said(0, None)
WORK = {"days": ["mon", "tue", "wed", "thu", "fri"], "at_least": 2, "lead_s": 0, "on_holidays": "skip"}
OFF = {"exactly": 0, "on_holidays": "only"}


def _noon(day: str | date, zone: str = ZURICH) -> float:
    return instant(f"{day} 12:00", zone)


def _calendar(*events: str) -> str:
    body = "\r\n".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{body}\r\nEND:VCALENDAR\r\n"


def _by_file(text: str, zone: str = ZURICH) -> Schedule:
    return a_schedule(WORK, OFF, zone=zone, holidays={"calendar_file": "x.ics"}, files={"x.ics": text})


def _days_off(schedule: Schedule, first: str, last: str) -> list[str]:
    """The dates at whose noon the window of holidays holds."""
    day, until, found = date.fromisoformat(first), date.fromisoformat(last), []
    while day <= until:
        if said(schedule, _noon(day, schedule.time_zone)).at_most == 0:
            found.append(day.isoformat())
        day += timedelta(days=1)
    return found


# --- by law ---------------------------------------------------------------------------------------


def test_a_country_has_its_holidays() -> None:
    schedule = a_schedule(WORK, OFF, holidays={"country": "CH"})

    assert said(schedule, _noon("2027-01-01")) == Said(0, 0)
    assert said(schedule, _noon("2027-01-04")) == Said(2, None)
    assert said(schedule, _noon("2027-01-03")) == NOTHING  # a Sunday, and no holiday


def test_a_subdivision_has_more_of_its_own() -> None:
    labour_day = "2026-05-01"

    assert _days_off(a_schedule(OFF, holidays={"country": "CH"}), labour_day, labour_day) == []
    zurich = a_schedule(OFF, holidays={"country": "CH", "subdivision": "ZH"})
    assert _days_off(zurich, labour_day, labour_day) == [labour_day]


def test_keep_is_the_default_and_ignores_holidays() -> None:
    schedule = a_schedule({"at_least": 2, "lead_s": 0}, holidays={"country": "CH"})

    assert said(schedule, _noon("2027-01-01")) == Said(2, None)


def test_a_night_window_belongs_to_the_day_of_its_start() -> None:
    night = {"start": "22:00", "end": "06:00", "at_least": 1, "lead_s": 0, "on_holidays": "skip"}
    schedule = a_schedule(night, holidays={"country": "CH"})

    assert said(schedule, instant("2027-01-01 03:00", ZURICH)) == Said(1, None)  # of New Year's Eve
    assert said(schedule, instant("2027-01-02 03:00", ZURICH)) == NOTHING  # of New Year's Day


def test_the_lead_of_a_window_knows_its_holiday() -> None:
    schedule = a_schedule(WORK | {"lead_s": 3600}, holidays={"country": "CH"})

    assert said(schedule, instant("2026-12-31 23:30", ZURICH)) == Said(2, None)  # Thursday's own
    assert said(schedule, instant("2027-01-03 23:30", ZURICH)) == Said(2, None)
    assert said(schedule, instant("2027-05-05 23:30", ZURICH)) == Said(2, None)
    assert said(schedule, instant("2026-12-24 23:59", ZURICH)) == Said(2, None)
    assert [e.at for e in schedule.edges(_noon("2026-12-31"), 2)] == [
        instant("2027-01-01", ZURICH),
        instant("2027-01-03 23:00", ZURICH),
    ]


# --- by a calendar file ---------------------------------------------------------------------------


def test_an_all_day_event_is_its_days_and_not_the_one_after() -> None:
    one = "UID:1\r\nDTSTART;VALUE=DATE:20261223\r\nDTEND;VALUE=DATE:20261224\r\nSUMMARY:Party"
    several = "UID:2\r\nDTSTART;VALUE=DATE:20261228\r\nDTEND;VALUE=DATE:20270102\r\nSUMMARY:Shut"
    bare = "UID:3\r\nDTSTART;VALUE=DATE:20270104\r\nSUMMARY:Stocktaking"

    assert _days_off(_by_file(_calendar(one, several, bare)), "2026-12-20", "2027-01-10") == [
        "2026-12-23",
        *(f"2026-12-{day}" for day in (28, 29, 30, 31)),
        "2027-01-01",
        "2027-01-04",
    ]


def test_an_event_that_repeats_is_there_each_year_but_on_its_exceptions() -> None:
    first, but = "DTSTART;VALUE=DATE:20200801", "EXDATE;VALUE=DATE:20270801"
    yearly = f"UID:1\r\n{first}\r\nRRULE:FREQ=YEARLY\r\n{but}\r\nSUMMARY:Day"
    schedule = _by_file(_calendar(yearly))

    assert [_days_off(schedule, f"{year}-07-30", f"{year}-08-03") for year in (2026, 2027, 2028, 2040)] == [
        ["2026-08-01"],
        [],
        ["2028-08-01"],
        ["2040-08-01"],
    ]


def test_a_cancelled_event_is_none_neither_alone_nor_of_a_series() -> None:
    alone = "UID:1\r\nDTSTART;VALUE=DATE:20261223\r\nSTATUS:CANCELLED\r\nSUMMARY:Party"
    series = "UID:2\r\nDTSTART;VALUE=DATE:20261207\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\nSUMMARY:Mondays"
    but_one = "UID:2\r\nRECURRENCE-ID;VALUE=DATE:20261214\r\nDTSTART;VALUE=DATE:20261214\r\nSTATUS:CANCELLED"

    assert _days_off(_by_file(_calendar(alone, series, but_one)), "2026-12-01", "2026-12-31") == [
        "2026-12-07",
        "2026-12-21",
        "2026-12-28",
    ]


def test_an_event_with_times_covers_the_dates_that_it_touches_in_the_schedules_zone() -> None:
    evening = "UID:1\r\nDTSTART:20261222T230000Z\r\nDTEND:20261223T010000Z\r\nSUMMARY:Gala"
    to_midnight = "UID:2\r\nDTSTART:20261228T080000\r\nDTEND:20261229T000000\r\nSUMMARY:Outing"
    text = _calendar(evening, to_midnight)

    assert _days_off(_by_file(text), "2026-12-20", "2026-12-30") == ["2026-12-23", "2026-12-28"]
    assert _days_off(_by_file(text, "America/New_York"), "2026-12-20", "2026-12-30") == [
        "2026-12-22",
        "2026-12-28",
    ]


def test_an_event_over_new_year_is_in_both_years() -> None:
    shut = "UID:1\r\nDTSTART;VALUE=DATE:20251220\r\nDTEND;VALUE=DATE:20270110\r\nSUMMARY:A long rest"
    schedule = _by_file(_calendar(shut))

    assert len(_days_off(schedule, "2025-12-01", "2027-02-01")) == 12 + 365 + 9


def test_country_and_file_add_up() -> None:
    party = _calendar("UID:1\r\nDTSTART;VALUE=DATE:20261223\r\nSUMMARY:Party")
    both = {"country": "CH", "calendar_file": "x.ics"}
    schedule = a_schedule(OFF, holidays=both, files={"x.ics": party})

    assert _days_off(schedule, "2026-12-20", "2026-12-26") == ["2026-12-23", "2026-12-25"]


@given(st.lists(st.tuples(st.integers(0, 700), st.integers(1, 40)), min_size=1, max_size=8))
def test_days_off_are_those_of_the_events(events: list[tuple[int, int]]) -> None:
    first = date(2026, 1, 1)
    spans = [(first + timedelta(days=start), first + timedelta(days=start + days)) for start, days in events]
    text = _calendar(
        *(
            f"UID:{i}\r\nDTSTART;VALUE=DATE:{a:%Y%m%d}\r\nDTEND;VALUE=DATE:{b:%Y%m%d}"
            for i, (a, b) in enumerate(spans)
        )
    )
    holidays = _by_file(text).holidays
    assert holidays is not None
    days_off = holidays.days_off(ZoneInfo(ZURICH))

    for by in range(760):
        day = first + timedelta(days=by)
        assert (day.toordinal() in days_off) == any(a <= day < b for a, b in spans)


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not an iCalendar file"),
        ("garbage", "is not an iCalendar file"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "is not an iCalendar file"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR\n", "has no events"),
        (_calendar("DTSTART:nonsense\r\nSUMMARY:Party"), "event 'Party': DTSTART"),
        (_calendar("SUMMARY:Party"), "event 'Party': DTSTART: is missing"),
        (_calendar("DTSTART:20261223T000000Z\r\nRRULE:FREQ=SECONDLY"), "repeats within a day"),
        (_calendar("DTSTART:20261223T000000Z\r\nRRULE:FREQ=DAILY;BYMINUTE=1,2"), "repeats within a day"),
        (_calendar("DTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=YEARLY;INTERVAL=0"), "INTERVAL"),
        (_calendar("DTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "such a day"),
        (_calendar("DTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=3"), "BYMONTHDAY"),
        (_calendar("DTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=YEARLY;BYWEEKNO=54"), "BYWEEKNO"),
        (_calendar("DTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=9"), "BYSETPOS"),
        (_calendar("DTSTART;VALUE=DATE:19000101\r\nRRULE:FREQ=DAILY"), "since before 2000"),
        (_calendar(*["DTSTART;VALUE=DATE:20261223"] * (EVENTS_MAX + 1)), f"allowed are {EVENTS_MAX}"),
        (
            _calendar(*["DTSTART;VALUE=DATE:20261223\r\nRRULE:FREQ=YEARLY"] * (REPEATING_MAX + 1)),
            f"allowed are {REPEATING_MAX}",
        ),
    ],
)
def test_a_calendar_that_is_none_is_told_when_it_is_read(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _by_file(text)

    assert words in str(caught.value)
    assert caught.value.errors()[0]["loc"] == ("holidays", "calendar_file")


@pytest.mark.parametrize(
    ("holidays", "words"),
    [
        ({"country": "XX"}, "unknown country"),
        ({"country": "ch"}, "did you mean CH"),
        ({"country": "CH", "subdivision": "ZUG"}, "unknown subdivision ZUG of CH"),
        ({"subdivision": "ZH"}, "subdivision needs a country"),
        ({}, "says nothing"),
        ({"country": "CH", "city": "Zurich"}, "city"),
        ({"calendar_file": "not-read.ics"}, "was not read"),
        ({"calendar_file": 3}, "not a path"),
    ],
)
def test_what_is_wrong_with_holidays_is_told(holidays: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        a_schedule(OFF, holidays=holidays)

    assert words in str(caught.value)


def test_a_calendar_is_another_configuration_when_its_content_is() -> None:
    party, wake = (_calendar(f"DTSTART;VALUE=DATE:20261223\r\nSUMMARY:{what}") for what in ("Party", "Wake"))

    assert _by_file(party).model_dump(mode="json") == _by_file(party).model_dump(mode="json")
    assert _by_file(party).model_dump(mode="json") != _by_file(wake).model_dump(mode="json")
    assert "x.ics" not in _by_file(party).model_dump_json()
