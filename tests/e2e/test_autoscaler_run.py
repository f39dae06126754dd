"""``autoscaler run`` as a process, against an emulator and a Prometheus that are processes too."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.stage import Stage, autoscaler, set_up, until
from tests.servers import Prometheus


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, start_prometheus: Callable[..., Prometheus]
) -> Iterator[Stage]:
    with set_up(tmp_path_factory.mktemp("e2e"), start_prometheus) as stage:
        yield stage


def test_replicas_follow_demand_and_everybody_sees_the_same(
    stage: Stage, tmp_path: Path, promtool: str
) -> None:
    stage.exporter.demand(queued=20, running=40)
    with stage.daemon(stage.write_config(tmp_path)) as daemon:
        until(lambda: stage.replicas() == 5, 15)  # 60 / 0.8 = 75 of capacity
        until(lambda: stage.status()["replicas_ready"] == 5, 10)
        assert stage.official()["replicas"] == 5
        assert stage.status()["replicas_set"] == 5

        exposition = stage.get("/metrics")[1]
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=exposition, text=True, capture_output=True, timeout=20
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        until(lambda: _number(stage, 'autoscaler_replicas_ready{service="chat"}') == 5, 10)
        assert _number(stage, 'autoscaler_scale_calls_total{provider="exo",outcome="accepted"}') == 1
        assert _number(stage, "autoscaler_build_info") == 1

        stage.exporter.demand(queued=0, running=10)
        until(lambda: stage.replicas() == 1, 15)
        assert daemon.end() == 0


def _number(stage: Stage, query: str) -> float | None:
    found = stage.query(query)
    return float(found[0]["value"][1]) if found else None


def test_kill_9_and_a_restart_write_nothing_twice_and_forget_no_override(
    stage: Stage, tmp_path: Path
) -> None:
    stage.exporter.demand(queued=0, running=10)
    config = stage.write_config(tmp_path)
    with stage.daemon(config) as daemon:
        body = {"at_least": 3, "for_s": 600, "reason": "a launch", "actor": "anna"}
        assert stage.post("/v1/services/chat/override", body) == 200
        until(lambda: stage.replicas() == 3, 10)
        daemon.end(signal.SIGKILL)
    writes = stage.writes()
    with stage.daemon(config) as daemon:
        last = stage.get("/metrics")[1]
        until(lambda: stage.get("/metrics")[1] != last, 5)
        assert stage.replicas() == 3
        assert stage.writes() == writes
        assert stage.status()["decision"]["reason"] != "drift"
        assert 'autoscaler_override_active{service="chat"} 1' in stage.get("/metrics")[1]
        assert daemon.end() == 0


def test_kill_9_while_the_vendor_applies_a_write_is_no_drift_and_no_second_write(
    stage: Stage, tmp_path: Path
) -> None:
    stage.exporter.demand(queued=0, running=10)
    config = stage.write_config(tmp_path)
    with stage.daemon(config) as daemon:
        until(lambda: stage.replicas() == 1, 15)
        stage.set_faults({"kind": "latency", "applies_to": "writes", "latency_s": 30, "after_effect": True})
        writes = stage.writes()
        stage.exporter.demand(queued=0, running=60)
        until(lambda: stage.writes() == writes + 1, 10)
        daemon.end(signal.SIGKILL)
    stage.set_faults()
    with stage.daemon(config) as daemon:
        until(lambda: stage.status()["replicas_ready"] == 5, 10)
        assert stage.writes() == writes + 1
        drifts = 'autoscaler_drift_total{deployment="exo-a5000",service="chat"}'
        assert f"{drifts} 0.0" in stage.get("/metrics")[1]
        assert daemon.end() == 0


def test_a_second_daemon_on_the_journal_says_which_process_holds_it(stage: Stage, tmp_path: Path) -> None:
    config = stage.write_config(tmp_path)
    with stage.daemon(config) as daemon:
        second = subprocess.run(
            autoscaler("run", "--config", str(config)), capture_output=True, text=True, timeout=20
        )
        assert second.returncode == 4
        assert f"process {daemon.process.pid}" in second.stderr
        assert "Traceback" not in second.stderr
        assert daemon.end() == 0


def test_sighup_reads_the_configuration_again_and_keeps_the_old_one_if_it_is_wrong(
    stage: Stage, tmp_path: Path
) -> None:
    stage.exporter.demand(queued=0, running=10)
    config = stage.write_config(tmp_path)
    with stage.daemon(config) as daemon:
        stage.write_config(tmp_path, lambda text: text.replace("max_replicas = 6", "max_replicas = -6"))
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "autoscaler_config_reload_ok 0" in stage.get("/metrics")[1], 5)
        assert stage.status()["replicas_max"] == 6
        stage.write_config(tmp_path, lambda text: text.replace("max_replicas = 6", "max_replicas = 7"))
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "autoscaler_config_reload_ok 1" in stage.get("/metrics")[1], 5)
        until(lambda: stage.status()["replicas_max"] == 7, 5)
        assert daemon.end() == 0
    log = daemon.log.read_text()
    assert "max_replicas" in log
    assert "Traceback" not in log


def test_a_wrong_configuration_ends_with_status_2_before_anything_is_sent(
    stage: Stage, tmp_path: Path
) -> None:
    config = stage.write_config(tmp_path, lambda text: text.replace("max_replicas", "max_replica"))
    done = subprocess.run(
        autoscaler("run", "--config", str(config)), capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 2
    assert "max_replica" in done.stderr
    assert not (tmp_path / "journal.db").exists()


def test_sigterm_ends_within_its_deadline_although_a_source_hangs(stage: Stage, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = stage.write_config(tmp_path, lambda text: text.replace(stage.prometheus.url, url))
        with stage.daemon(config) as daemon:
            assert daemon.end(within_s=7) == 0
