"""Real servers for tests: on 127.0.0.1, on a port of their own, gone at the end.

Prometheus is Debian's package. Where it is missing it is installed if that harms nobody (root on Debian
without systemd, as in a container); else the test is skipped, or fails where CI=true, because a CI
that skips its contracts proves nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web

START_S_MAX: Final = 20.0
INSTALL_S_MAX: Final = 50.0  # twice, within a test's own timeout
ATTEMPTS: Final = 3  # another process may take the port between choosing and binding it


# --- programs -----------------------------------------------------------------------------------


def program(name: str, package: str) -> str:
    """Path of a program, from its Debian package where it has to be installed first."""
    path = shutil.which(name)
    if path is None and _may_install():
        _install(package)
        path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed: apt-get install --no-install-recommends {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


def _may_install() -> bool:
    is_root_on_debian = os.geteuid() == 0 and shutil.which("apt-get") is not None
    return is_root_on_debian and not Path("/run/systemd/system").exists()  # systemd would start the server


def _install(package: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
    for command in (["apt-get", "update", "-q"], install):
        with suppress(subprocess.TimeoutExpired):  # the caller sees that the program is still missing
            subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=INSTALL_S_MAX
            )


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


# --- Prometheus ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    directory: Path  # prometheus.yml, data/ and log of this instance


@contextmanager
def running_prometheus(
    directory: Path, config: str = "{}", openmetrics: str | None = None, *options: str
) -> Iterator[Prometheus]:
    """A Prometheus with a data directory of its own under ``directory``, ready for queries.

    ``config`` is the text of prometheus.yml; the first scrape of a target comes about 5 s after the
    start, whatever the interval, so give past samples as ``openmetrics`` (with times, ending in ``# EOF``).
    """
    binary = program("prometheus", "prometheus")
    (directory / "prometheus.yml").write_text(config)
    if openmetrics is not None:
        _backfill(directory, openmetrics)
    for attempt in range(1, ATTEMPTS + 1):
        port = free_port()
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    binary,
                    f"--config.file={directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=directory,
            )
        try:
            if _becomes_ready(process, f"http://127.0.0.1:{port}/-/ready"):
                yield Prometheus(f"http://127.0.0.1:{port}", directory)
                return
        finally:
            _end(process)
        if attempt == ATTEMPTS or "address already in use" not in (directory / "log").read_text():
            break
    pytest.fail(f"prometheus did not start:\n{(directory / 'log').read_text()[-2000:]}")


def _backfill(directory: Path, openmetrics: str) -> None:
    source = directory / "backfill.txt"
    source.write_text(openmetrics)
    promtool = program("promtool", "prometheus")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(source), str(directory / "data")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        pytest.fail(f"promtool took no backfill:\n{done.stderr[-2000:]}")


def _becomes_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    give_up_at = time.monotonic() + START_S_MAX
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            with opener.open(url, timeout=2) as reply:
                if reply.status == 200:
                    return True
        except OSError:
            time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)


# --- servers in this process --------------------------------------------------------------------


@asynccontextmanager
async def serving(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """An aiohttp application behind a real socket; gives its base URL, without a trailing slash."""
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port: int = runner.addresses[0][1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
