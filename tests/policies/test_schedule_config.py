"""Schedules as the configuration's loader reads them: problems, calendar files, what is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autoscaler.config import Config, Kinds, load, load_for_decide
from autoscaler.config.named_files import BYTES_MAX
from autoscaler.policies.schedule import Schedule
from tests.config.files import KINDS, Folder
from tests.policies.schedules import ZURICH, instant

WITH_CALENDAR = """
kind = "schedule"
time_zone = "Europe/Zurich"
[holidays]
calendar_file = "days/off.ics"
[[windows]]
exactly = 0
on_holidays = "only"
"""

EVENT = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:2026{}\nEND:VEVENT\nEND:VCALENDAR\n"


class ScheduleFolder(Folder):
    """A configuration whose service follows ``calendar.toml``."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(path)
        self.policy("calendar", text)
        self.change(('policies = ["queue-depth"]', 'policies = ["queue-depth", "calendar"]'))

    kinds = Kinds(KINDS.providers, KINDS.sources, {**KINDS.policies, "schedule": Schedule})

    def load(self, environ: object = None) -> Config:
        return load(self.file, {}, self.kinds)

    def calendar(self, text: str) -> None:
        folder = self.path / "policies" / "days"
        folder.mkdir(exist_ok=True)
        (folder / "off.ics").write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> ScheduleFolder:
    made = ScheduleFolder(tmp_path, WITH_CALENDAR)
    made.calendar(EVENT.format("1223"))
    return made


def _schedule(config: Config) -> Schedule:
    policy = config.fleet.services["chat"].policies[1].policy
    assert isinstance(policy, Schedule)
    return policy


def test_a_calendar_file_lies_beside_its_policy_file(folder: ScheduleFolder) -> None:
    schedule = _schedule(folder.load())

    assert schedule.limits_at(instant("2026-12-23 12:00", ZURICH)) == (0, 0)
    assert schedule.limits_at(instant("2026-12-24 12:00", ZURICH)) == (0, None)


def test_a_changed_calendar_is_a_changed_configuration_and_its_place_is_none(
    folder: ScheduleFolder, tmp_path: Path
) -> None:
    before = folder.load().fleet.config_hash
    elsewhere = ScheduleFolder(tmp_path / "elsewhere", WITH_CALENDAR)
    elsewhere.calendar(EVENT.format("1223"))
    folder.calendar(EVENT.format("1224"))

    assert elsewhere.load().fleet.config_hash == before
    assert folder.load().fleet.config_hash != before
    assert load_for_decide(elsewhere.file, {}, folder.kinds).fleet.config_hash == before


def test_deciding_reads_no_file(folder: ScheduleFolder) -> None:
    schedule = _schedule(folder.load())
    (folder.path / "policies" / "days" / "off.ics").unlink()

    assert schedule.limits_at(instant("2026-12-23 12:00", ZURICH)) == (0, 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory; allowed is the path of a text file from "),
        (b"\xff\xfe\x00", "is not UTF-8 text; allowed is a text file"),
        (b"x" * (BYTES_MAX + 1), f"is larger than {BYTES_MAX} bytes; allowed is a smaller file"),
        (b"no calendar", "is not an iCalendar file: "),
        (b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", "has no events; allowed is an iCalendar file with VEVENTs"),
    ],
)
def test_a_calendar_that_cannot_be_used_is_a_problem_with_file_line_and_key(
    folder: ScheduleFolder, content: bytes | None, words: str
) -> None:
    path = folder.path / "policies" / "days" / "off.ics"
    path.unlink() if content is None else path.write_bytes(content)

    (problem,) = folder.problems()

    where = 'policies/calendar.toml:5: holidays.calendar_file = "days/off.ics": '
    assert problem.startswith(where + words)


def test_a_folder_is_no_calendar(folder: ScheduleFolder) -> None:
    folder.policy("calendar", WITH_CALENDAR.replace("days/off.ics", "days"))

    assert "cannot be read: Is a directory" in folder.problems()[0]


def test_a_service_may_name_another_calendar_relative_to_the_configuration(folder: ScheduleFolder) -> None:
    (folder.path / "own.ics").write_text(EVENT.format("1230"))
    folder.change(('"calendar"]', '{ name = "calendar", holidays = { calendar_file = "own.ics" } }]'))

    schedule = _schedule(folder.load())

    assert schedule.limits_at(instant("2026-12-30 12:00", ZURICH)) == (0, 0)
    assert schedule.limits_at(instant("2026-12-23 12:00", ZURICH)) == (0, None)


def test_a_service_may_take_another_zone_and_keeps_the_calendar(folder: ScheduleFolder) -> None:
    folder.change(('"calendar"]', '{ name = "calendar", time_zone = "Asia/Tokyo" }]'))

    schedule = _schedule(folder.load())

    assert schedule.limits_at(instant("2026-12-23 00:00", "Asia/Tokyo")) == (0, 0)
    assert schedule.limits_at(instant("2026-12-22 23:59", "Asia/Tokyo")) == (0, None)


@pytest.mark.parametrize(
    ("missing", "table", "key", "extra"),
    [
        ("holidays", 'country = "CH"', 'country = "CH"', "holidays"),
        ("icalendar", 'calendar_file = "days/off.ics"', 'calendar_file = "days/off.ics"', "icalendar"),
        (
            "recurring_ical_events",
            'calendar_file = "days/off.ics"',
            'calendar_file = "days/off.ics"',
            "icalendar",
        ),
    ],
)
def test_a_library_that_is_not_installed_is_an_error_only_of_those_who_need_it(
    folder: ScheduleFolder, monkeypatch: pytest.MonkeyPatch, missing: str, table: str, key: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    folder.policy("calendar", WITH_CALENDAR.replace('calendar_file = "days/off.ics"', table))

    (problem,) = folder.problems()
    assert problem == (
        f"policies/calendar.toml:5: holidays.{key}: needs a library that is not installed; "
        f"allowed after pip install 'autoscaler[{extra}]'"
    )

    folder.change(('["queue-depth", "calendar"]', '["queue-depth"]'))
    assert folder.load().fleet.services["chat"]


def test_the_key_of_an_override_that_needs_a_library_is_named(
    folder: ScheduleFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    folder.change(('"calendar"]', '{ name = "calendar", holidays = { country = "CH" } }]'))

    (problem,) = folder.problems()

    assert "services.chat.policies[calendar].holidays.country: needs a library" in problem


def test_problems_of_windows_name_the_window_and_its_line(folder: ScheduleFolder) -> None:
    folder.policy(
        "calendar",
        'kind = "schedule"\ntime_zone = "Europe/Zurch"\n'
        '[[windows]]\nname = "Office"\nstart = "25:00"\nat_least = 2\n'
        "[[windows]]\nat_least = 4\nat_most = 3\n"
        '[[windows]]\nat_least = 1\nlead_s = "soon"\n'
        '[[windows]]\ndays = ["monday"]\nat_least = 1\n',
    )

    assert folder.problems() == [
        'policies/calendar.toml:2: time_zone = "Europe/Zurch": unknown time zone; did you mean '
        "Europe/Zurich?",
        'policies/calendar.toml:5: windows[Office].start = "25:00": not allowed; allowed is text that '
        "matches ([01][0-9]|2[0-3]):[0-5][0-9]",
        "policies/calendar.toml:7: windows[2] = {...}: at_least 4 is above at_most 3",
        'policies/calendar.toml:12: windows[3].lead_s = "soon": not allowed; allowed is a number of seconds '
        'from 0 to 2592000 or "auto"',
        'policies/calendar.toml:14: windows[4].days[monday] = "monday": not allowed; allowed is '
        '"mon" or "tue" or "wed" or "thu" or "fri" or "sat" or "sun"',
    ]


def test_limits_that_bounds_break_and_cron_windows_are_warned_of(folder: ScheduleFolder) -> None:
    folder.policy(
        "calendar",
        'kind = "schedule"\ntime_zone = "Europe/Zurich"\n'
        '[[windows]]\ndays = ["mon"]\nat_least = 7\n'
        '[[windows]]\ncron = "0 22 * * *"\nfor_s = 3600\nexactly = 0\n',
    )
    folder.change(("max_replicas = 6", "max_replicas = 6\nmin_replicas = 1"))

    told = [warning.message for warning in folder.load().warnings]

    assert "calendar asks for at least 7, above the sum of max_replicas, and gets 6" in told
    assert "calendar allows at most 0, below the sum of min_replicas, which is stronger: 1 stay" in told
    assert any("follow APScheduler's CronTrigger" in one for one in told)
