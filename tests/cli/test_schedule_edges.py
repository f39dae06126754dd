"""``autoscaler check`` shows the next edges of each schedule, for a person to see that they are right."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from autoscaler.cli.commands.schedule_edges import calendars_of, edges_json, print_edges
from autoscaler.config import load
from tests.cli.support import invoke, write_config
from tests.policies.schedules import NEW_YORK, instant

NIGHTS = """
kind = "schedule"
time_zone = "America/New_York"
[[windows]]
name = "Small hours"
start = "02:30"
end = "04:00"
at_least = 2
at_most = 2
"""

SECOND = """
[services.{name}]
policies = ["nights"]
start_up_s = {start_up_s}
[[services.{name}.deployments]]
name = "d"
provider = "exo"
id = "5f3c2b1a-0000-4000-8000-00000000000{n}"
capacity_per_replica = 16
max_replicas = 6
"""


def _config(folder: Path, *more: str, nights: str = NIGHTS) -> Path:
    path = write_config(folder, more="".join(more))
    (folder / "policies" / "nights.toml").write_text(nights)
    return path


def test_edges_are_shown_in_local_time_with_its_offset_and_in_utc(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _config(tmp_path, SECOND.format(name="code", n=2, start_up_s=180))
    (calendar,) = calendars_of(load(path, {}).fleet)

    print_edges(calendar, instant("2026-03-07 12:00", NEW_YORK))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "nights of code, in America/New_York; floors open 180 s early, by start_up_s until more is learned:"
    )
    table = [" ".join(line.split()) for line in lines[4:]]
    assert table[:6] == [
        "sat 2026-03-07 12:00 -05:00 2026-03-07 17:00 no limit now",
        "sun 2026-03-08 01:57 -05:00 2026-03-08 06:57 at least 2 Small hours (its floor, 180 s early) opens",
        "sun 2026-03-08 03:00 -04:00 2026-03-08 07:00 exactly 2 Small hours opens",
        "sun 2026-03-08 04:00 -04:00 2026-03-08 08:00 no limit Small hours closes",
        "mon 2026-03-09 02:27 -04:00 2026-03-09 06:27 at least 2 Small hours (its floor, 180 s early) opens",
        "mon 2026-03-09 02:30 -04:00 2026-03-09 06:30 exactly 2 Small hours opens",
    ]
    assert len([line for line in table if line]) == 11


def test_a_schedule_that_services_share_is_shown_once_and_another_lead_apart(tmp_path: Path) -> None:
    path = _config(
        tmp_path,
        SECOND.format(name="a", n=2, start_up_s=600),
        SECOND.format(name="b", n=3, start_up_s=600),
        SECOND.format(name="c", n=4, start_up_s=60),
    )

    found = [(one.services, one.lead_s) for one in calendars_of(load(path, {}).fleet)]

    assert found == [(("a", "b"), 600.0), (("c",), 60.0)]


def test_where_no_lead_is_learned_all_services_share(tmp_path: Path) -> None:
    path = _config(
        tmp_path,
        SECOND.format(name="a", n=2, start_up_s=600),
        SECOND.format(name="b", n=3, start_up_s=60),
        nights=NIGHTS + "lead_s = 30\n",
    )

    assert [one.services for one in calendars_of(load(path, {}).fleet)] == [("a", "b")]


def test_check_prints_ten_edges_and_json_has_them_too(tmp_path: Path) -> None:
    path = _config(tmp_path, SECOND.format(name="code", n=2, start_up_s=600))

    text = invoke("check", "--config", path)
    body = json.loads(invoke("check", "--json", "--config", path).stdout)

    assert text.exit_code == 0
    assert text.stdout.count("Small hours") >= 10
    assert "The configuration is right" in text.stdout
    (calendar,) = body["schedules"]
    assert calendar["policy"] == "nights"
    assert len(calendar["edges"]) == 10
    for edge in calendar["edges"]:
        assert datetime.fromisoformat(edge["at"]) == datetime.fromisoformat(edge["local"])


def test_json_says_what_holds(tmp_path: Path) -> None:
    path = _config(tmp_path, SECOND.format(name="code", n=2, start_up_s=60))
    (calendar,) = calendars_of(load(path, {}).fleet)

    body = edges_json(calendar, instant("2026-11-01 00:00", NEW_YORK))

    assert body["now"] == {"at": "2026-11-01T04:00:00Z", "at_least": 0, "at_most": None}
    assert body["edges"][1] == {
        "at": "2026-11-01T07:30:00Z",
        "local": "2026-11-01T02:30:00-05:00",
        "at_least": 2,
        "at_most": 2,
        "opens": ["Small hours"],
        "closes": [],
    }


def test_cron_windows_and_the_end_of_all_edges_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nights = (
        'kind = "schedule"\ntime_zone = "Europe/Zurich"\n[[windows]]\ncron = "0 8 * * *"\nfor_s = 3600\n'
        'at_most = 1\nuntil = "2026-11-22"\n'
    )
    path = _config(tmp_path, SECOND.format(name="code", n=2, start_up_s=60), nights=nights)
    (calendar,) = calendars_of(load(path, {}).fleet)

    print_edges(calendar, instant("2026-11-21 12:00"))

    told = capsys.readouterr().out
    assert "No further change of nights is in sight." in told
    assert "follow APScheduler's CronTrigger as it is" in told


def test_without_a_schedule_there_is_nothing_about_any(tmp_path: Path) -> None:
    path = write_config(tmp_path)

    assert "UTC" not in invoke("check", "--config", path).stdout
    assert json.loads(invoke("check", "--json", "--config", path).stdout)["schedules"] == []
