"""``autoscaler simulate`` as a person calls it: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path

import pytest

from autoscaler.sim.rivals import RIVALS
from tests.cli.support import invoke, write_config

HOUR = "t_s,requests\n" + "".join(f"{60 * minute},{30 + 20 * (minute % 30)}\n" for minute in range(60))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "hour.csv"
    path.write_text(HOUR)
    return path


def _json(*words: str | Path) -> dict[str, dict[str, float]]:
    result = invoke("simulate", *words, "--json", "--jobs", "1")
    assert result.exit_code == 0, result.output
    return {run["name"]: run for run in json.loads(result.stdout)["runs"]}


def test_the_table_has_our_configuration_and_the_rivals(config: Path, trace: Path) -> None:
    result = invoke("simulate", "-c", config, "--trace", trace, "--rivals", "hpa,fixed-peak", "--jobs", "1")
    assert result.exit_code == 0, result.output
    for word in ("config", "hpa", "fixed-peak", "USD"):
        assert word in result.stdout


def test_all_rivals_run_on_the_same_requests(config: Path, trace: Path) -> None:
    runs = _json("-c", config, "--trace", trace, "--rivals", "all")
    assert set(runs) == {"config", "clairvoyant", *RIVALS}
    assert len({run["requests"] for run in runs.values()}) == 1


def test_two_configurations_are_compared_by_their_stems(tmp_path: Path, config: Path, trace: Path) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text(config.read_text())
    new.write_text(config.read_text().replace("max_replicas = 6", "max_replicas = 6\nmin_replicas = 5"))
    runs = _json("-c", old, "-c", new, "--trace", trace, "--rivals", "none")
    assert runs["new"]["usd"] > 1.05 * runs["old"]["usd"]
    gate = ("--fail-if", "new.cost > 1.05 * old.cost")
    words = ("simulate", "-c", old, "-c", new, "--trace", trace, "--rivals", "none", "--jobs", "1")
    failed = invoke(*words, *gate)
    assert failed.exit_code == 1
    assert "failed: new.cost > 1.05 * old.cost" in failed.stderr
    assert invoke(*words, "--fail-if", "new.cost < old.cost").exit_code == 0


def test_the_same_seed_prints_the_same(config: Path) -> None:
    words = ("simulate", "-c", config, "--shape", "bursty", "--for", "3h", "--rivals", "none")
    first = invoke(*words)
    assert first.stdout == invoke(*words).stdout
    assert first.stdout != invoke(*words, "--seed", "1").stdout


def test_a_report_is_one_file(config: Path, trace: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = invoke("simulate", "-c", config, "--trace", trace, "--rivals", "hpa", "--html", page)
    assert result.exit_code == 0, result.output
    assert page.read_text().lower().startswith("<!doctype html>")


def test_a_kept_journal_answers_why(config: Path, trace: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    result = invoke("simulate", "-c", config, "--trace", trace, "--rivals", "none", "--keep", kept)
    assert result.exit_code == 0, result.output
    there = config.with_name("there.toml")
    there.write_text(
        config.read_text().replace("interval_s = 15", f'interval_s = 15\njournal = "sqlite:{kept}/config.db"')
    )
    why = invoke("why", "chat", "-c", there, "--at", "2026-01-05T00:30:00Z")
    assert why.exit_code == 0, why.output
    assert "exo-a5000" in why.stdout


def test_a_shape_needs_no_trace_and_says_so(config: Path) -> None:
    result = invoke("simulate", "-c", config, "--for", "2h", "--rivals", "none")
    assert result.exit_code == 0, result.output
    assert "weekly" in result.stdout


def test_a_gzipped_trace_is_read(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "hour.csv.gz"
    path.write_bytes(gzip.compress(HOUR.encode()))
    assert _json("-c", config, "--trace", path, "--rivals", "none")["config"]["requests"] > 1000


def test_a_plant_file_changes_the_bill(config: Path, trace: Path, tmp_path: Path) -> None:
    plant = tmp_path / "plant.toml"
    plant.write_text("[services.chat.deployments.exo-a5000]\nusd_per_gpu_hour = 11.0\n")
    words = ("-c", config, "--trace", trace, "--rivals", "none")
    usual, dear = _json(*words)["config"], _json(*words, "--plant", plant)["config"]
    assert dear["usd"] == pytest.approx(10 * usual["usd"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rivals", "hpaa"), "'hpaa' is no rival; allowed are all, none and fixed-peak"),
        (("--shape", "sine"), "'sine' is no shape; allowed are diurnal"),
        (("--trace", "code=x.csv"), "there is no service 'code'; there is chat"),
        (("--trace", "none.csv"), "No such file"),
        (("--scale", "2", "--peak", "3"), "give one of them"),
        (("--start-up", "fast"), "MEDIAN or MEDIAN,P95"),
        (("--start-up", "300,200"), "MEDIAN or MEDIAN,P95"),
        (("--fail-if", "nobody.cost > 1", "--rivals", "none"), "unknown run"),
        (("--fail-if", "config.cost +", "--rivals", "none"), "--fail-if"),
        (("--start", "yesterday"), "--start: 'yesterday' is no time"),
        (("--journal", "j.db", "--shape", "step"), "give one of them"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(config: Path, words: tuple[str, ...], said: str) -> None:
    result = invoke("simulate", "-c", config, "--for", "1h", *words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("t_s,requests\n0,1\n60,2\n180,3\n", "line 4"),  # a gap
        ("t_s,requests\n0,1\n60,2\n30,3\n", "line 4"),  # out of order
        ("t_s,requests\n0,1\n60,-2\n", "line 3"),
        ("t_s,requests\n0,1\n60,nan\n", "line 3"),
        ("time,count\n0,1\n", "line 1"),
        ("", "line 1"),
    ],
)
def test_a_wrong_trace_is_told_with_its_line(config: Path, tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    result = invoke("simulate", "-c", config, "--trace", path, "--rivals", "none")
    assert result.exit_code == 2, result.output
    assert f"{path}, {line}" in result.stderr


def test_windows_line_ends_are_read(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "crlf.csv"
    path.write_bytes(HOUR.replace("\n", "\r\n").encode())
    assert _json("-c", config, "--trace", path, "--rivals", "none")["config"]["requests"] > 1000


def test_a_misspelt_name_in_a_plant_file_is_not_ignored(config: Path, tmp_path: Path) -> None:
    plant = tmp_path / "plant.toml"
    plant.write_text("[services.chat.deployments.exo-a500]\nspeed = 2.0\n")
    result = invoke("simulate", "-c", config, "--plant", plant)
    assert result.exit_code == 2
    assert "'chat/exo-a500' is in none of the configurations; there is chat/exo-a5000" in result.stderr


def test_demand_beyond_what_fits_is_told(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "much.csv"
    path.write_text("t_s,requests\n0,10000\n60,10000\n")
    result = invoke("simulate", "-c", config, "--trace", path, "--rivals", "none")
    assert "max_replicas hold 96: whatever decides, requests wait" in result.stdout


def test_a_journal_of_a_newer_version_is_refused(config: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    words = ("simulate", "-c", config, "--for", "1h", "--rivals", "none")
    assert invoke(*words, "--keep", kept).exit_code == 0
    path = kept / "config.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    result = invoke("simulate", "-c", config, "--journal", path)
    assert result.exit_code == 3, result.output
    assert "has version 99; this program reads versions 1 to" in result.stderr


def test_a_kept_journal_can_be_simulated_again_with_the_same_decisions(config: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    words = ("simulate", "-c", config, "--shape", "step", "--for", "2h", "--rivals", "none")
    assert invoke(*words, "--keep", kept).exit_code == 0
    result = invoke("simulate", "-c", config, "--journal", kept / "config.db", "--rivals", "none")
    assert result.exit_code == 0, result.output
    assert "writes what was written then, at every tick" in result.stdout
    assert "recorded" in result.stdout
