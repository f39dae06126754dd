"""The program as tests call it: in this process, or as one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from typer.testing import CliRunner, Result

from autoscaler.cli.app import app

ROOT: Final = Path(__file__).parents[2]
ANY_ID: Final = "5f3c2b1a-0000-4000-8000-000000000001"
ADMIN: Final = "the-admin-token-of-tests"

CONFIG: Final = """
[daemon]
interval_s = 15

[http]
port = {port}
admin_token = "the-admin-token-of-tests"

[providers.exo]
kind = "exoscale"
zone = "at-vie-2"
base_url = "{base_url}"
api_key = "EXOemulator0123456789abcdef"
api_secret = "emulator-secret-not-real"

[sources.gateway]
kind = "push"

[[prices]]
provider = "exo"
gpu_type = "gpua5000"
usd_per_gpu_hour = 1.10

[services.chat]
policies = [{{ name = "queue-depth", service_s = 30 }}]
signals.queued = {{ source = "gateway", exists_at_zero = true }}
signals.running = {{ source = "gateway", exists_at_zero = true }}

[[services.chat.deployments]]
name = "exo-a5000"
provider = "exo"
id = "{id}"
capacity_per_replica = 16
max_replicas = 6
"""


def write_config(
    folder: Path,
    *,
    port: int = 9,
    base_url: str = "http://127.0.0.1:9/v2",
    deployment_id: str = "",
    more: str = "",
) -> Path:
    """A small configuration with its policy; nobody listens on port 9."""
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "queue-depth.toml").write_text('kind = "queue_depth"\n')
    path = folder / "config.toml"
    text = CONFIG.format(port=port, base_url=base_url, id=deployment_id or ANY_ID)
    path.write_text(text + more)
    return path


def invoke(
    *words: str | Path, env: Mapping[str, str | None] | None = None, given: str | None = None
) -> Result:
    """The command in this process; variables of ours are not inherited."""
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("AUTOSCALER_")}
    return CliRunner().invoke(app, [str(word) for word in words], env={**clean, **(env or {})}, input=given)


def environment() -> dict[str, str]:
    """For processes of their own: this tree, and no settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOSCALER_")}
    kept.pop("PYTHONUNBUFFERED", None)  # the program flushes by itself what must not wait
    return {**kept, "PYTHONPATH": str(ROOT)}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "autoscaler.cli", *(str(word) for word in words)]


def run(*words: str | Path, given: str = "", timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        input=given,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def running(*words: str | Path, stdout: int | None = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own, ended at the end."""
    process = subprocess.Popen(
        command(*words),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def wait_until(holds: object, what: str, deadline_s: float = 20.0) -> None:
    """Calls ``holds`` until it is true."""
    assert callable(holds)
    give_up_at = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.05)
