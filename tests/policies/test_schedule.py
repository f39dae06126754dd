"""What a schedule says: windows where clocks change, several windows at once, floors that open early."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autoscaler.policies.schedule import Schedule
from autoscaler.policies.schedule.wall import first_instant, last_instant
from tests.policies.schedules import NEW_YORK, ZURICH, Said, a_schedule, instant, open_times, proposals, said
from tests.policies.views import a_view

WEEK = ["mon", "tue", "wed", "thu", "fri"]
OFFICE = {"days": WEEK, "start": "08:00", "end": "19:00", "at_least": 2, "at_most": 6}
NOTHING = Said(0, None)


def _floor(start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "at_least": 1, "lead_s": 0, **more}


# --- days on which clocks change ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "start", "end", "first", "last", "expected"),
    [
        # Clocks skip 02:00 to 03:00.
        (NEW_YORK, "02:30", "04:00", "2026-03-08", "2026-03-09", [("03-08 07:00", "03-08 08:00")]),
        (NEW_YORK, "01:00", "02:30", "2026-03-08", "2026-03-09", [("03-08 06:00", "03-08 07:00")]),
        (NEW_YORK, "02:15", "02:45", "2026-03-08", "2026-03-09", []),
        (ZURICH, "02:30", "04:00", "2026-03-28 12:00", "2026-03-29 12:00", [("03-29 01:00", "03-29 02:00")]),
        (ZURICH, "01:00", "02:30", "2026-03-28 12:00", "2026-03-29 12:00", [("03-29 00:00", "03-29 01:00")]),
        # Clocks show 01:00 to 02:00 (02:00 to 03:00 in Zurich) twice: the first start, the second end.
        (NEW_YORK, "01:30", "03:00", "2026-11-01", "2026-11-02", [("11-01 05:30", "11-01 08:00")]),
        (NEW_YORK, "00:30", "01:30", "2026-11-01", "2026-11-02", [("11-01 04:30", "11-01 06:30")]),
        (NEW_YORK, "02:30", "03:30", "2026-11-01", "2026-11-02", [("11-01 07:30", "11-01 08:30")]),
        (NEW_YORK, "01:30", "01:45", "2026-11-01", "2026-11-02", [("11-01 05:30", "11-01 06:45")]),
        (ZURICH, "02:30", "04:00", "2026-10-24 12:00", "2026-10-25 12:00", [("10-25 00:30", "10-25 03:00")]),
        (ZURICH, "00:00", "02:30", "2026-10-24 12:00", "2026-10-25 12:00", [("10-24 22:00", "10-25 01:30")]),
        # The whole night, whose length is another one then.
        (ZURICH, "22:00", "06:00", "2026-03-28 12:00", "2026-03-29 12:00", [("03-28 21:00", "03-29 04:00")]),
        (ZURICH, "22:00", "06:00", "2026-10-24 12:00", "2026-10-25 12:00", [("10-24 20:00", "10-25 05:00")]),
        # Half an hour: 02:00 to 02:30 is skipped on 4 October, 01:30 to 02:00 repeated on 5 April.
        (
            "Australia/Lord_Howe",
            *("02:15", "03:00", "2026-10-03 06:00", "2026-10-04 06:00"),
            [("10-03 15:30", "10-03 16:00")],
        ),
        (
            "Australia/Lord_Howe",
            *("01:45", "02:30", "2026-04-04 06:00", "2026-04-05 06:00"),
            [("04-04 14:45", "04-04 16:00")],
        ),
        # At midnight: Cairo skips 00:00 to 01:00 on Friday 24 April, repeats 23:00 to 24:00 on 29 October.
        (
            "Africa/Cairo",
            *("00:30", "02:00", "2026-04-23 12:00", "2026-04-24 12:00"),
            [("04-23 22:00", "04-23 23:00")],
        ),
        (
            "Africa/Cairo",
            *("22:00", "24:00", "2026-04-23 12:00", "2026-04-24 12:00"),
            [("04-23 20:00", "04-23 22:00")],
        ),
        (
            "Africa/Cairo",
            *("23:30", "00:30", "2026-10-29 12:00", "2026-10-30 12:00"),
            [("10-29 20:30", "10-29 22:30")],
        ),
    ],
)
def test_a_window_where_clocks_change(
    zone: str, start: str, end: str, first: str, last: str, expected: list[tuple[str, str]]
) -> None:
    schedule = a_schedule(_floor(start, end), zone=zone)

    assert open_times(schedule, first, last) == expected


def test_a_day_that_a_zone_skips_has_no_windows_and_ends_those_of_the_day_before() -> None:
    # Samoa had no 30 December 2011: after Thursday 29th, 24:00, came Saturday 31st.
    zone = "Pacific/Apia"
    skip = "12-30 10:00"
    between = ("2011-12-29 11:00", "2011-12-31 11:00")

    assert open_times(a_schedule(_floor("08:00", "19:00", days=["fri"]), zone=zone), *between) == []
    assert open_times(a_schedule(_floor("00:00", "24:00", days=["fri"]), zone=zone), *between) == []
    assert open_times(a_schedule(_floor("22:00", "06:00", days=["thu"]), zone=zone), *between) == [
        ("12-30 08:00", skip)
    ]
    assert open_times(a_schedule(_floor("22:00", "06:00", days=["fri"]), zone=zone), *between) == [
        (skip, "12-30 16:00")
    ]


def test_kwajalein_skipped_a_saturday() -> None:
    zone = "Pacific/Kwajalein"  # 21 August 1993

    skipped = a_schedule(_floor("08:00", "19:00", days=["sat"]), zone=zone)
    sunday = a_schedule(_floor("08:00", "09:00", days=["sun"]), zone=zone)

    assert open_times(skipped, "1993-08-19 00:00", "1993-08-23 00:00") == []
    assert open_times(sunday, "1993-08-20 00:00", "1993-08-22 12:00") == [("08-21 20:00", "08-21 21:00")]


# --- windows of any day ---------------------------------------------------------------------------


def test_a_window_holds_from_its_start_until_just_before_its_end() -> None:
    schedule = a_schedule(OFFICE | {"lead_s": 0})
    start, end = instant("2026-11-23 08:00", ZURICH), instant("2026-11-23 19:00", ZURICH)

    assert [said(schedule, at) for at in (start - 0.001, start, end - 0.001, end)] == [
        NOTHING,
        Said(2, 6),
        Said(2, 6),
        NOTHING,
    ]


def test_nothing_is_said_where_no_window_is_open() -> None:
    assert proposals(a_schedule(OFFICE), instant("2026-11-22 12:00", ZURICH)) == ()


def test_a_window_over_midnight_belongs_to_the_day_of_its_start() -> None:
    schedule = a_schedule(_floor("22:00", "06:00", days=["fri"]))

    assert open_times(schedule, "2026-11-20", "2026-11-23") == [("11-20 21:00", "11-21 05:00")]


def test_equal_start_and_end_are_a_whole_day() -> None:
    schedule = a_schedule(_floor("08:00", "08:00", days=["mon"]))

    assert open_times(schedule, "2026-11-22", "2026-11-26") == [("11-23 07:00", "11-24 07:00")]


def test_without_times_a_window_is_whole_days_and_without_days_every_day() -> None:
    sunday = a_schedule({"days": ["sun"], "at_most": 0})
    always = a_schedule({"at_least": 1})

    assert said(sunday, instant("2026-11-22 00:00", ZURICH)) == Said(0, 0)
    assert said(sunday, instant("2026-11-23 00:00", ZURICH)) == NOTHING
    assert always.edges(instant("2026-11-22 00:00"), 10) == ()
    assert always.limits_at(instant("2026-11-22 00:00")) == (1, None)


def test_dates_bound_the_days_of_the_start() -> None:
    schedule = a_schedule(
        _floor(
            "22:00", "02:00", **{"from": "2026-12-24", "until": "2026-12-26", "except_dates": ["2026-12-25"]}
        )
    )

    assert open_times(schedule, "2026-12-20", "2026-12-30") == [
        ("12-24 21:00", "12-25 01:00"),
        ("12-26 21:00", "12-27 01:00"),
    ]


def test_a_window_years_ahead_is_an_edge_and_one_of_the_past_is_none() -> None:
    ahead = a_schedule(_floor("08:00", "09:00", **{"from": "2029-02-28", "until": "2029-02-28"}))
    past = a_schedule(_floor("08:00", "09:00", until="2020-01-01"))
    now = instant("2026-11-21 12:00")

    assert [edge.at for edge in ahead.edges(now, 10)] == [
        instant("2029-02-28 08:00", ZURICH),
        instant("2029-02-28 09:00", ZURICH),
    ]
    assert past.edges(now, 10) == ()


# --- several windows ------------------------------------------------------------------------------


def test_of_several_windows_the_largest_floor_and_the_smallest_ceiling_count() -> None:
    schedule = a_schedule(
        {"at_least": 2, "at_most": 8}, {"at_least": 3}, {"at_most": 6}, {"at_most": 9, "at_least": 1}
    )

    assert said(schedule, instant("2026-11-21 12:00")) == Said(3, 6)


def test_of_several_exactly_the_highest_priority_counts_and_of_equals_the_larger() -> None:
    at = instant("2026-11-21 12:00")

    assert said(a_schedule({"exactly": 5}, {"exactly": 1, "priority": 1}), at) == Said(1, 1)
    assert said(a_schedule({"exactly": 1, "priority": 1}, {"exactly": 3, "priority": 1}), at) == Said(3, 3)


def test_a_floor_of_another_window_beats_the_ceiling_of_an_exactly() -> None:
    schedule = a_schedule({"exactly": 0}, {"at_least": 2})
    at = instant("2026-11-21 12:00")

    assert said(schedule, at) == Said(2, 0)  # as proposed; the decision folds floors last
    assert schedule.limits_at(at) == (2, 2)


# --- floors that open early -----------------------------------------------------------------------


def test_a_lead_opens_floors_and_never_ceilings() -> None:
    schedule = a_schedule(OFFICE | {"lead_s": 600})
    start = instant("2026-11-23 08:00", ZURICH)

    assert [said(schedule, start + by) for by in (-600.001, -600, -1, 0)] == [
        NOTHING,
        Said(2, None),
        Said(2, None),
        Said(2, 6),
    ]


def test_an_exactly_opens_its_floor_early_and_closes_on_time() -> None:
    schedule = a_schedule(OFFICE | {"lead_s": 600, "exactly": 3, "at_least": None, "at_most": None})
    start = instant("2026-11-23 08:00", ZURICH)

    assert said(schedule, start - 600) == Said(3, None)
    assert said(schedule, start) == Said(3, 3)


def test_an_early_floor_beats_a_lower_ceiling_that_is_still_in_force() -> None:
    night = {"start": "22:00", "end": "08:00", "at_most": 1}
    schedule = a_schedule(OFFICE | {"lead_s": 600}, night)
    early = instant("2026-11-23 07:55", ZURICH)

    assert said(schedule, early) == Said(2, 1)
    assert schedule.limits_at(early) == (2, 2)
    assert schedule.limits_at(early - 600) == (0, 1)


def test_no_replica_is_started_early_for_a_window_that_will_be_outvoted() -> None:
    closed = {"days": ["mon"], "exactly": 0, "priority": 1}
    schedule = a_schedule({"days": WEEK, "start": "08:00", "end": "19:00", "exactly": 4}, closed)

    assert said(schedule, instant("2026-11-23 07:55", ZURICH), p90_s=600) == Said(0, 0)
    assert said(schedule, instant("2026-11-24 07:55", ZURICH), p90_s=600) == Said(4, None)


def test_a_lead_longer_than_the_time_between_two_occurrences_joins_them() -> None:
    schedule = a_schedule(_floor("08:00", "19:00", lead_s=13 * 3600))
    night = instant("2026-11-23 23:00", ZURICH)

    assert said(schedule, night) == Said(1, None)
    # Thirteen hours of every night but the one in autumn that has fourteen.
    edges = schedule.edges(night, 2)
    assert [edge.at for edge in edges] == [
        instant("2027-10-30 19:00", ZURICH),
        instant("2027-10-30 20:00", ZURICH),
    ]


def test_by_default_the_lead_is_the_learned_start_up_time() -> None:
    schedule = a_schedule(OFFICE)
    start = instant("2026-11-23 08:00", ZURICH)

    assert said(schedule, start - 301, p90_s=300) == NOTHING
    assert said(schedule, start - 300, p90_s=300) == Said(2, None)
    assert said(schedule, start - 1, p90_s=0) == NOTHING


def _remembered(schedule: Schedule, at: float, p90_s: float, state: Any = None) -> Any:
    return schedule.remember(state or {}, a_view(at=at, start_up_p90_s=p90_s, state=state))


def test_a_lead_is_fixed_at_its_first_effect_and_forgotten_with_the_occurrence() -> None:
    schedule = a_schedule(OFFICE)
    start = instant("2026-11-23 08:00", ZURICH)

    before = _remembered(schedule, start - 301, 300)
    fixed = _remembered(schedule, start - 300, 300)
    later = _remembered(schedule, start - 100, 30, fixed)
    after = _remembered(schedule, start, 30, later)

    assert before == {}
    assert fixed == later == {"v": 1, "leads": {str(int(start)): 300.0}}
    assert after == {}
    assert said(schedule, start - 100, p90_s=30) == NOTHING
    assert said(schedule, start - 100, p90_s=30, state=fixed) == Said(2, None)


@pytest.mark.parametrize(
    "state",
    [
        {"v": 2, "leads": {"1795417200": 9e5}},
        {"v": 1},
        {"v": 1, "leads": [1]},
        {"v": 1, "leads": {"1795417200": True, "x": 9e5, "-1": 9e5, "²": 9e5}},
        {"v": 1, "leads": {"1795417200": "900000"}},
        {"v": 1, "leads": {"1795417200": 1e300}},
        {"v": 1, "leads": {"1795417200": float("nan")}},
    ],
)
def test_a_state_that_is_none_is_not_used(state: dict[str, Any]) -> None:
    schedule = a_schedule(OFFICE)
    assert instant("2026-11-23 08:00", ZURICH) == 1_795_417_200

    assert said(schedule, 1_795_417_200 - 900, p90_s=300, state=state) == NOTHING
    assert json.dumps(_remembered(schedule, 1_795_417_200 - 100, 300, state), allow_nan=False)


def test_what_is_remembered_is_bounded() -> None:
    windows = [
        {
            "start": f"{n // 60:02d}:{n % 60:02d}",
            "end": "24:00",
            "at_least": 1 + n,
            "except_dates": ["2026-11-21"],
        }
        for n in range(200)
    ]
    state: Any = {"v": 1, "leads": {str(1_800_000_000 + n): 1e6 for n in range(5000)}}
    for minute in range(3):
        state = _remembered(a_schedule(*windows), instant("2026-11-21 12:00") + 60 * minute, 86_400.0, state)

    assert 200 <= len(state["leads"]) <= 400
    assert len(json.dumps(state)) < 16_384


def test_a_schedule_without_learned_leads_remembers_nothing() -> None:
    schedule = a_schedule(OFFICE | {"lead_s": 60}, {"at_most": 3})

    assert _remembered(schedule, instant("2026-11-23 07:59:30", ZURICH), 300) == {}
    assert not schedule.learns_lead


# --- what is said ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "at", "reason"),
    [
        (
            OFFICE | {"name": "Office hours"},
            "2026-11-23 12:00",
            "Office hours (mon-fri 08:00-19:00 Europe/Zurich) until 19:00",
        ),
        (OFFICE, "2026-11-23 12:00", "mon-fri 08:00-19:00 Europe/Zurich, until 19:00"),
        (
            OFFICE | {"name": "Office hours", "lead_s": 600},
            "2026-11-23 07:55",
            "Office hours (mon-fri 08:00-19:00 Europe/Zurich) from mon 08:00, opened 600 s early to start up",
        ),
        (
            {"start": "22:00", "end": "06:00", "at_most": 1},
            "2026-11-23 23:00",
            "daily 22:00-06:00 Europe/Zurich, until tue 06:00",
        ),
        (
            {"days": ["sat", "sun"], "at_most": 0},
            "2026-11-21 12:00",
            "sat,sun 00:00-24:00 Europe/Zurich, until mon 00:00",
        ),
        ({"at_least": 1}, "2026-11-21 12:00", "daily 00:00-24:00 Europe/Zurich"),
        (
            {"cron": "0 19 * * fri", "for_s": 219_600, "exactly": 0},
            "2026-11-21 12:00",
            'cron "0 19 * * fri" for 219600 s Europe/Zurich, until mon 08:00',
        ),
        (
            {"days": ["mon", "wed", "thu", "fri"], "at_most": 2, "from": "2026-11-01", "until": "2026-12-01"},
            "2026-11-23 12:00",
            "mon,wed-fri 00:00-24:00 Europe/Zurich from 2026-11-01 until 2026-12-01, until tue 00:00",
        ),
        (
            {"cron": "0 0 1 * *", "for_s": 1_209_600, "at_most": 2},
            "2026-11-02 12:00",
            'cron "0 0 1 * *" for 1209600 s Europe/Zurich, until 2026-11-15 00:00',
        ),
    ],
)
def test_the_reason_is_a_sentence_that_a_person_likes(window: dict[str, Any], at: str, reason: str) -> None:
    (proposal,) = proposals(a_schedule(window), instant(at, ZURICH))

    assert proposal.reason == reason


def test_floor_and_ceiling_of_different_windows_have_reasons_of_their_own() -> None:
    schedule = a_schedule(OFFICE | {"name": "Office"}, {"name": "Thrift", "at_most": 3})
    floor, ceiling = proposals(schedule, instant("2026-11-23 12:00", ZURICH))

    assert (floor.at_least, floor.at_most, floor.reason[:6]) == (2, None, "Office")
    assert (ceiling.at_least, ceiling.at_most, ceiling.reason) == (
        None,
        3,
        "Thrift (daily 00:00-24:00 Europe/Zurich)",
    )


def test_a_schedule_measures_no_demand_and_wants_nothing() -> None:
    (proposal,) = proposals(a_schedule(OFFICE), instant("2026-11-23 12:00", ZURICH))

    assert not Schedule.demand
    assert (proposal.want, proposal.demand, proposal.blind, proposal.deployment) == (None, None, False, None)


# --- edges ----------------------------------------------------------------------------------------


def test_edges_say_when_what_opens_and_closes_and_what_holds_then() -> None:
    schedule = a_schedule(
        OFFICE | {"name": "Office"}, {"name": "Night", "start": "22:00", "end": "06:00", "at_most": 1}
    )
    edges = schedule.edges(instant("2026-11-22 12:00", ZURICH), 6, 300)

    assert [
        (datetime.fromtimestamp(e.at, UTC).strftime("%d %H:%M"), e.opens, e.closes, e.at_least, e.at_most)
        for e in edges
    ] == [
        ("22 21:00", ("Night",), (), 0, 1),
        ("23 05:00", (), ("Night",), 0, None),
        ("23 06:55", ("Office (its floor, 300 s early)",), (), 2, None),
        ("23 07:00", ("Office",), (), 2, 6),
        ("23 18:00", (), ("Office",), 0, None),
        ("23 21:00", ("Night",), (), 0, 1),
    ]


@given(
    by_s=st.integers(0, 40 * 86_400),
    lead_s=st.sampled_from([0.0, 1.0, 90.5, 3600.0, 50_000.0, 200_000.0]),
    windows=st.lists(
        st.sampled_from(
            [
                OFFICE,
                {"start": "22:00", "end": "06:00", "exactly": 1},
                {"days": ["sat", "sun"], "exactly": 0, "priority": 2},
                {"cron": "15 */6 * * *", "for_s": 5400, "at_least": 5},
                {
                    "days": ["wed"],
                    "start": "09:00",
                    "end": "09:00",
                    "exactly": 4,
                    "priority": 1,
                    "lead_s": 7200,
                },
            ]
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_edges_are_where_the_answer_changes_also_with_leads(
    by_s: int, lead_s: float, windows: list[dict[str, Any]]
) -> None:
    schedule, at = a_schedule(*windows), instant("2026-10-10 00:00") + by_s
    edges = schedule.edges(at, 5, lead_s)

    before = schedule.limits_at(at, lead_s)
    for edge in edges:
        assert edge.at > at
        assert schedule.limits_at((at + edge.at) // 2, lead_s) == before
        assert schedule.limits_at(edge.at - 1, lead_s) == before
        before, at = schedule.limits_at(edge.at, lead_s), edge.at
        assert before == (edge.at_least, edge.at_most)
        floor, ceiling = said(schedule, edge.at, p90_s=lead_s)
        assert before == (floor, None if ceiling is None else max(floor, ceiling))


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"time_zone": "Zurich"}, "did you mean Europe/Zurich?"),
        ({"time_zone": "Europe/Zürich"}, "did you mean Europe/Zurich?"),
        ({"time_zone": "america/new york"}, "did you mean America/New_York?"),
        ({"time_zone": "localtime"}, "IANA name"),
        ({"time_zone": "../../etc/passwd"}, "IANA name"),
        ({"time_zone": "right/Europe/Zurich"}, "did you mean Europe/Zurich?"),
        ({"time_zone": ""}, "at least 1 character"),
        ({"windows": []}, "0 windows; allowed are 1 to 200"),
        ({"windows": [{"at_least": 1}] * 201}, "201 windows; allowed are 1 to 200"),
        ({"windows": [{}]}, "a window without a limit"),
        ({"windows": [{"at_least": 3, "at_most": 2}]}, "at_least 3 is above at_most 2"),
        ({"windows": [{"exactly": 3, "at_most": 3}]}, "exactly excludes"),
        ({"windows": [{"at_least": 1, "start": "8:00"}]}, "start"),
        ({"windows": [{"at_least": 1, "start": "24:00"}]}, "start"),
        ({"windows": [{"at_least": 1, "end": "24:01"}]}, "end"),
        ({"windows": [{"at_least": 1, "days": []}]}, "days"),
        ({"windows": [{"at_least": 1, "days": ["monday"]}]}, "days"),
        ({"windows": [{"at_least": True}]}, "at_least"),
        ({"windows": [{"at_least": -1}]}, "at_least"),
        ({"windows": [{"at_most": 10_001}]}, "at_most"),
        ({"windows": [{"at_least": 1, "cron": "0 8 * * *"}]}, "cron and for_s belong together"),
        ({"windows": [{"at_least": 1, "for_s": 60}]}, "cron and for_s belong together"),
        ({"windows": [{"at_least": 1, "cron": "0 8 * * *", "for_s": 60, "start": "08:00"}]}, "cron excludes"),
        ({"windows": [{"at_least": 1, "cron": "0 8 * *", "for_s": 60}]}, "got 4, expected 5"),
        ({"windows": [{"at_least": 1, "cron": "0 25 * * *", "for_s": 60}]}, "not a cron line"),
        ({"windows": [{"at_least": 1, "cron": "0 0 31 2 *", "for_s": 60}]}, "never fires"),
        ({"windows": [{"at_least": 1, "cron": "0 " * 101, "for_s": 60}]}, "longer than 200"),
        ({"windows": [{"at_least": 1, "from": "2026-02-02", "until": "2026-02-01"}]}, "is after until"),
        ({"windows": [{"at_least": 1, "on_holidays": "skip"}]}, "no [holidays] table"),
        ({"windows": [{"at_least": 1, "lead_s": -1}]}, "lead_s"),
        ({"windows": [{"at_least": 1, "lead_s": "soon"}]}, "lead_s"),
        ({"windows": [{"at_least": 1, "name": "{supply}"}]}, "name"),
        ({"windows": [{"at_least": 1, "colour": "red"}]}, "colour"),
    ],
)
def test_what_is_wrong_is_told(table: dict[str, Any], words: str) -> None:
    whole = {"time_zone": ZURICH, "windows": [{"at_least": 1}], **table}

    with pytest.raises(ValidationError) as caught:
        Schedule.model_validate(whole)

    assert words in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_for_a_zone_or_a_cron_line_is_taken_or_told(text: str) -> None:
    for table in (
        {"time_zone": text, "windows": [{"at_least": 1}]},
        {"time_zone": ZURICH, "windows": [{"at_least": 1, "cron": text, "for_s": 60}]},
    ):
        with suppress(ValidationError):
            Schedule.model_validate(table)


def test_schedules_are_compared_by_their_keys_and_not_by_what_they_have_worked_out() -> None:
    asked, fresh, other = a_schedule(OFFICE), a_schedule(OFFICE), a_schedule(OFFICE | {"at_least": 3})
    proposals(asked, instant("2026-11-23 12:00"))

    assert asked == fresh != other


def test_zones_are_there_without_those_of_the_system() -> None:
    program = (
        "import zoneinfo; assert not zoneinfo.TZPATH\n"
        "from autoscaler.policies.schedule import Schedule\n"
        "windows = [{'end': '08:00', 'at_least': 1}]\n"
        "s = Schedule.model_validate({'time_zone': 'Europe/Zurich', 'windows': windows})\n"
        "print(s.edges(1774742400, 1)[0].at)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONTZPATH": "", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ended.stdout.strip(), ended.stderr) == (str(int(instant("2026-03-29 08:00", ZURICH))), "")


def test_dates_may_be_dates_of_toml() -> None:
    table = tomllib.loads(
        'time_zone = "Europe/Zurich"\n[[windows]]\nat_least = 1\nfrom = 2026-12-24\nuntil = "2026-12-26"\n'
    )
    schedule = Schedule.model_validate(table)

    assert [edge.at for edge in schedule.edges(instant("2026-11-21"), 5)] == [
        instant("2026-12-24 00:00", ZURICH),
        instant("2026-12-27 00:00", ZURICH),
    ]


def test_a_window_of_ten_years_ahead_is_an_edge() -> None:
    schedule = a_schedule({"start": "08:00", "end": "18:00", "at_least": 2, "from": "2037-06-01"})

    (opens,) = schedule.edges(instant("2026-11-21 12:00"), 1)

    assert opens.at == instant("2037-06-01 08:00", ZURICH)


def test_a_zone_of_a_known_city_in_a_wrong_place_is_suggested() -> None:
    with pytest.raises(ValidationError, match="did you mean Europe/Zurich"):
        Schedule.model_validate({"time_zone": "Switzerland/Zurich", "windows": [{"at_least": 1}]})


@pytest.mark.parametrize("year", range(2024, 2060, 3))
def test_edges_are_found_from_any_year(year: int) -> None:
    schedule = a_schedule({"start": "08:00", "end": "18:00", "at_least": 2})

    (opens,) = schedule.edges(instant(f"{year}-03-01 00:00", ZURICH), 1)

    assert opens.at == instant(f"{year}-03-01 08:00", ZURICH)


@pytest.mark.parametrize("asked", [first_instant, last_instant])
def test_an_instant_that_was_worked_out_is_looked_up(asked: Any) -> None:
    zone = ZoneInfo(ZURICH)
    asked(740_000, 17, zone)
    known = asked.cache_info().hits

    asked(740_000, 17, zone)

    assert asked.cache_info().hits == known + 1
