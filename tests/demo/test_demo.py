"""The whole demo: it ends, tells the truth, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from autoscaler.demo.command import demo
from autoscaler.demo.demand import traced
from autoscaler.demo.scenario import SERVICES, deployment_id
from autoscaler.demo.summary import summarise
from tests.demo.program import finished, played, started


def _half_hour(path: Path) -> Path:
    """A trace of half an hour in minutes that rises from 100 to 200 requests."""
    rows = "".join(f"{minute * 60},{100 + minute * 100 / 29:.1f}\n" for minute in range(30))
    text = "t_s,requests\n" + rows
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def _header(process: subprocess.Popen[str]) -> tuple[str, Path]:
    """URL of the page, and the demo's folder, from its first lines."""
    assert process.stdout is not None
    head = "".join(process.stdout.readline() for _ in range(5))
    url, folder = re.search(r"http://\S+/", head), re.search(r"/\S*autoscaler-demo-\w+", head)
    assert url is not None, head
    assert folder is not None, head
    return url[0], Path(folder[0])


def _get(url: str, within_s: float = 10.0) -> str:
    """The body, once there is a server and a first tick."""
    ends = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read(), "utf-8")
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)


def test_ctrl_c_ends_a_run_at_once_with_a_summary_and_nothing_left_behind() -> None:
    with started(port=0, live=False) as process:
        url, folder = _header(process)
        assert "first tick" not in _get(url + "readyz")
        assert "chat" in _get(url)
        assert "autoscaler_replicas_set{" in _get(url + "metrics")
        assert (folder / "config.toml").is_file()
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)

    assert process.returncode == 0, err
    assert time.monotonic() - asked < 3
    assert err == ""
    assert "0 promises broken" in out
    assert "Next:" in out
    assert not folder.exists()


def test_the_summary_as_json_is_all_there_is_on_standard_output() -> None:
    done = finished(for_s=2.0, port=0, as_json=True, speed=1000.0)
    body = json.loads(done.stdout)

    assert done.returncode == 0
    assert done.stderr == ""
    assert 2.0 <= body["wall_s"] < 10.0
    assert body["broken_promises"] == 0
    assert body["ticks"] > 5
    assert [one["service"] for one in body["services"]] == ["chat", "code", "batch"]
    assert body["cost_usd"] == pytest.approx(sum(one["cost_usd"] for one in body["services"]))
    assert body["fixed_cost_usd"] == pytest.approx(sum(one["fixed_cost_usd"] for one in body["services"]))
    assert body["simulated_s"] == pytest.approx(body["ends_at"] - body["starts_at"])


def test_a_port_that_is_taken_is_told_and_another_one_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = finished(for_s=0.5, port=port, live=False)

    assert done.returncode == 0
    assert f"port {port} is taken" in done.stderr
    assert f"http://127.0.0.1:{port}/" not in done.stdout
    assert re.search(r"http://127\.0\.0\.1:\d+/", done.stdout)


def test_the_cost_told_is_what_replicas_did_in_the_world_and_what_the_daemon_saw(tmp_path: Path) -> None:
    chat = _half_hour(tmp_path / "trace.csv")
    on, _ = played(tmp_path, for_s=20.0, speed=2000.0, chat=traced(chat, 8.0))
    summary = summarise(on)

    for service in SERVICES:
        told = next(one for one in summary.services if one.service == service.name)
        low = high = 0.0
        for one in service.deployments:
            status = on.world.status(deployment_id(service.name, one.name))
            price = on.world.spec(deployment_id(service.name, one.name)).usd_per_gpu_hour
            sale = 0.95 if one.gpu_type == "L40S-48GB" else price  # for a part of the time
            low += status.billed_replica_s / 3600 * sale
            high += status.billed_replica_s / 3600 * price
        assert low - 1e-6 <= told.cost_usd <= high + 1e-6
    assert summary.cost_usd == pytest.approx(sum(one.cost_usd for one in summary.services))
    assert summary.simulated_s == pytest.approx(1800.0, abs=60.0)
    assert summary.broken_promises == 0
    assert summary.pushes_failed == 0
    exposition = asyncio.run(on.running.telemetry.exposition()).decode()
    spent = re.findall(r"^autoscaler_spend_usd_total\{.*\} (\S+)$", exposition, re.MULTILINE)
    assert summary.cost_usd == pytest.approx(sum(map(float, spent)), rel=0.05)  # which sees it tick by tick


@pytest.mark.parametrize("name", ["demand.csv", "demand.csv.gz"])
def test_a_trace_is_played_to_its_end_with_all_the_days_events(tmp_path: Path, name: str) -> None:
    done = finished(trace=str(_half_hour(tmp_path / name)), port=0, as_json=True, speed=3600.0)
    body = json.loads(done.stdout)

    assert done.returncode == 0
    assert body["simulated_s"] == pytest.approx(1800.0, abs=60.0)
    assert len(body["events"]) == 8
    assert body["services"][0]["requests"] > 5_000
    assert body["outcomes"].get("accepted", 0) > 0
    assert "timeout" not in body["outcomes"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("t_s,requests\n0,5\n60,many\n", "line 3"),
        ("t_s,requests\n0,5\n60,5\n300,5\n", "line 4"),
        ("when,requests\n0,5\n", "line 1"),
        ("t_s,requests\n0,0\n60,0\n", "no requests"),
    ],
)
def test_a_trace_that_cannot_be_played_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text(text, encoding="utf-8")

    status = demo(trace=trace, live=False)

    captured = capsys.readouterr()
    assert status == 2
    assert told in captured.err
    assert captured.out == ""


def test_a_trace_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo(trace=tmp_path / "none.csv") == 2
    assert "none.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"speed": 0.0}, "--speed"),
        ({"speed": 1e9}, "--speed"),
        ({"for_s": 0.0}, "--for"),
        ({"port": 70_000}, "--port"),
    ],
)
def test_an_option_out_of_range_is_refused_with_what_is_allowed(
    capsys: pytest.CaptureFixture[str], options: dict[str, float], told: str
) -> None:
    assert demo(**options) == 2  # type: ignore[arg-type]
    captured = capsys.readouterr().err
    assert told in captured
    assert "allowed" in captured
