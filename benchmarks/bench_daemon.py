"""The daemon as a process: time to ready, CPU when idle, resident memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, cpu_s, resident_mb, show
from benchmarks.plants import config_of, free_port, running_plant, wait_for, write_config


@contextmanager
def running_daemon(directory: Path, config: Path, port: int) -> Iterator[tuple[int, float]]:
    """``autoscaler run`` with this configuration: its pid, and the seconds until it was ready."""
    started = time.perf_counter()
    with (directory / "daemon.log").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "autoscaler.cli", "run", "--config", str(config)], stdout=log, stderr=log
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            yield child.pid, time.perf_counter() - started
        finally:
            child.terminate()
            child.wait(15)


def ready_and_idle(count: int, idle_s: float) -> tuple[float, float]:
    """Seconds to ready, and the share of a core used over ``idle_s`` at the default interval."""
    with tempfile.TemporaryDirectory() as name, running_plant(count) as plant:
        directory, port = Path(name), free_port()
        config = write_config(directory, config_of(count, plant, port))
        with running_daemon(directory, config, port) as (pid, ready_s):
            before = cpu_s(pid)
            time.sleep(idle_s)
            return ready_s, (cpu_s(pid) - before) / idle_s


def memory_mb(count: int, ticks_s: float) -> tuple[float, float]:
    """Resident memory after ``ticks_s`` of ticks each second, and of it after a scrape and a page."""
    with tempfile.TemporaryDirectory() as name, running_plant(count) as plant:
        directory, port = Path(name), free_port()
        config = write_config(directory, config_of(count, plant, port, 1.0))
        with running_daemon(directory, config, port) as (pid, _):
            time.sleep(ticks_s)
            before = resident_mb(pid)
            for path in ("/metrics", "/", "/v1/services"):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
                    reply.read()
            return before, resident_mb(pid)


def main() -> None:
    """Print the figures."""
    ready_s, share = ready_and_idle(100, 60.0)
    before_mb, after_mb = memory_mb(500, 60.0)
    show(
        "The daemon as a process",
        [
            Figure("ready after start, 100 deployments", f"{ready_s:.2f} s", "at most 1.5 s", ready_s <= 1.5),
            Figure(
                "CPU when idle, 100 deployments, 15 s", f"{share:.1%} of a core", "below 2 %", share < 0.02
            ),
            Figure(
                "resident memory, 500 deployments, 60 ticks",
                f"{before_mb:.0f} MB",
                "at most 110 MB",
                before_mb <= 110,
            ),
            Figure(
                "the same after a scrape and the page",
                f"{after_mb:.0f} MB",
                "at most 110 MB",
                after_mb <= 110,
            ),
        ],
    )


if __name__ == "__main__":
    main()
