"""The test infrastructure's own promises: real servers that run, end, and are missed loudly."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import Prometheus, free_port, program, running_prometheus

SCRAPES_ITSELF = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def test_a_prometheus_runs_with_the_config_of_the_test(start_prometheus: Callable[..., Prometheus]) -> None:
    server = start_prometheus(SCRAPES_ITSELF.format(port=free_port()))
    with urllib.request.urlopen(f"{server.url}/api/v1/status/config", timeout=5) as reply:
        assert b"job_name: itself" in reply.read()


def test_a_prometheus_is_gone_after_its_block(tmp_path: Path) -> None:
    with running_prometheus(tmp_path) as server:
        urllib.request.urlopen(f"{server.url}/-/healthy", timeout=5).close()

    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{server.url}/-/healthy", timeout=5)


def test_a_wrong_config_fails_with_what_prometheus_said(tmp_path: Path) -> None:
    with (
        pytest.raises(pytest.fail.Exception, match="no_such_key"),
        running_prometheus(tmp_path, "no_such_key: 1"),
    ):
        pass


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_program_skips_on_a_laptop_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "/nonexistent")  # neither the program nor apt-get
    with pytest.raises(outcome, match="apt-get install --no-install-recommends no-such-package"):
        program("no-such-program", "no-such-package")


def test_promtool_is_a_program(promtool: str) -> None:
    assert shutil.which(promtool)
