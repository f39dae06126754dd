"""What the page about schedules shows is so."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from autoscaler.policies.schedule import Schedule
from autoscaler.policies.schedule.days_off import Holidays
from autoscaler.policies.schedule.windows import Window
from tests.policies.schedules import a_schedule, instant, open_times, proposals

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/policies/schedule.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CHANGES = re.findall(
    r"^\| `([\w/]+)` \| (\d{4}-\d\d-\d\d)[^|]* \| (\d\d:\d\d) to (\d\d:\d\d) \| ([^|]+) \|$",
    PAGE,
    re.MULTILINE,
)


def _section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def _keys(text: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def test_the_tables_of_keys_are_those_of_the_models() -> None:
    of_schedule, of_window = _section("Keys").split("Of each window:")
    written = [field.alias or name for name, field in Window.model_fields.items()]

    assert _keys(of_schedule) == list(Schedule.model_fields)
    assert _keys(of_window) == written
    assert _keys(_section("Holidays")) == list(Holidays.model_fields)


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_load_and_change_something(text: str) -> None:
    table = tomllib.loads(text)
    assert table.pop("kind") == "schedule"

    assert len(Schedule.model_validate(table).edges(instant("2026-11-21"), 10)) == 10


@pytest.mark.parametrize(("zone", "day", "start", "end", "said"), CHANGES)
def test_the_table_of_changes_is_what_happens(zone: str, day: str, start: str, end: str, said: str) -> None:
    schedule = a_schedule(
        {"start": start, "end": end, "at_least": 1, "lead_s": 0, "from": day, "until": day}, zone=zone
    )
    noon = datetime.fromisoformat(day)
    around = [(noon + timedelta(hours=by)).isoformat() for by in (-24, 36)]
    found = open_times(schedule, *around)

    if said == "not at all":
        assert found == []
        return
    ((first, last),) = found
    before = "the day before" in said
    assert said == f"{first[6:]} to {last[6:]}{' the day before' if before else ''}"
    assert before == (first[:5] != day[5:])


def test_the_table_of_changes_is_read() -> None:
    assert len(CHANGES) == 8


@pytest.mark.parametrize("name", ["office-hours", "weekends-off", "night-cap", "holiday"])
def test_every_ready_made_schedule_is_in_the_table(name: str) -> None:
    assert f"| `{name}.toml` |" in PAGE
    assert tomllib.loads((ROOT / "policies" / f"{name}.toml").read_text())["kind"] == "schedule"


def test_the_sentences_are_said() -> None:
    office = {"days": ["mon", "tue", "wed", "thu", "fri"], "start": "08:00", "end": "19:00", "at_least": 2}
    named = a_schedule(office | {"name": "Office hours"})
    night = a_schedule({"start": "22:00", "end": "06:00", "at_most": 1})
    start = instant("2026-11-23 08:00", "Europe/Zurich")
    reasons = [
        proposals(named, start)[0].reason,
        proposals(night, start + 15 * 3600)[0].reason,
        proposals(named, start - 10, p90_s=300.0)[0].reason,
    ]

    assert re.findall(r"^\| `([^`]+)` \|", _section("What it says"), re.MULTILINE) == reasons
