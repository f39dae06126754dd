"""Real processes: the emulator, a Prometheus that scrapes and is asked, a small exporter, and the daemon."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from exoscale.api.v2 import Client as Official

from autoscaler.emulators.exoscale.emulator import API_KEY
from autoscaler.emulators.fleet import VendorAccount
from tests.e2e.emulator_process import CHAT
from tests.servers import Prometheus, free_port

ROOT = Path(__file__).resolve().parents[2]
ADMIN_TOKEN = "an-admin-token-of-the-test"
ACCOUNT = VendorAccount()
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

CONFIG = """
[daemon]
interval_s = 1
journal = "sqlite:journal.db"
shutdown_deadline_s = 5

[http]
port = {port}
admin_token = "{token}"

[providers.exo]
kind = "exoscale"
zone = "at-vie-2"
api_key = "{key}"
api_secret = "{secret}"
base_url = "{base_url}"

[sources.prom]
kind = "prometheus"
url = "{prometheus}"

[[prices]]
provider = "exo"
gpu_type = "gpua5000"
usd_per_gpu_hour = 1.1

[services.chat]
policies = ["queue-depth"]
stabilise_down_s = 3
signals.queued = {{ source = "prom", query = "sum(gateway_queued)", exists_at_zero = true }}
[services.chat.signals.running]
source = "prom"
query = "sum(gateway_running)"
age_query = "time() - min(timestamp(gateway_running))"

[[services.chat.deployments]]
name = "exo-a5000"
provider = "exo"
id = "{id}"
capacity_per_replica = 16
max_replicas = 6
"""


class Exporter:
    """A gateway's metrics: what a test says is queued and runs."""

    def __init__(self) -> None:
        self.values = {"gateway_queued": 0, "gateway_running": 10}
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = "".join(f"{name} {value}\n" for name, value in exporter.values.items()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def demand(self, queued: int, running: int) -> None:
        self.values = {"gateway_queued": queued, "gateway_running": running}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class DaemonProcess:
    """One ``autoscaler run``."""

    process: subprocess.Popen[bytes]
    log: Path

    def end(self, number: int = signal.SIGTERM, within_s: float = 10.0) -> int:
        """Send this signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(within_s)


@dataclass
class Stage:
    """What all tests share, and one folder with the configuration and the journal."""

    folder: Path
    emulator_url: str
    prometheus: Prometheus
    exporter: Exporter
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write_config(self, folder: Path, change: Callable[[str], str] = lambda text: text) -> Path:
        """A configuration in this folder, with its policy."""
        (folder / "policies").mkdir(exist_ok=True)
        (folder / "policies" / "queue-depth.toml").write_text('kind = "queue_depth"\nidle_s = 3\n')
        path = folder / "config.toml"
        text = CONFIG.format(
            port=self.port,
            token=ADMIN_TOKEN,
            key=API_KEY,
            secret=ACCOUNT.api_secret.get_secret_value(),
            base_url=self.emulator_url,
            prometheus=self.prometheus.url,
            id=CHAT.deployment_id,
        )
        path.write_text(change(text))
        return path

    @contextmanager
    def daemon(self, config: Path) -> Iterator[DaemonProcess]:
        """``autoscaler run`` on this configuration, ready; killed at the end if it still runs."""
        log = config.parent / "log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                autoscaler("run", "--config", str(config)), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            until(lambda: process.poll() is not None or self.get("/readyz")[0] == 200, 20)
            assert process.poll() is None, log.read_text()
            yield DaemonProcess(process, log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)

    # --- asking ---------------------------------------------------------------------------------

    def get(self, path: str) -> tuple[int, str]:
        """Status and body from the daemon; status 0 where nobody answers."""
        return fetch(self.url + path)

    def status(self) -> Mapping[str, Any]:
        deployments = json.loads(self.get("/v1/services/chat")[1])["deployments"]
        found: Mapping[str, Any] = deployments[0]
        return found

    def post(self, path: str, body: Mapping[str, Any]) -> int:
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"},
        )
        with _OPENER.open(request, timeout=5) as reply:
            return int(reply.status)

    def world(self) -> Mapping[str, Any]:
        """The emulator's own account of the deployment."""
        root = self.emulator_url.removesuffix("/v2")
        body = json.loads(fetch(f"{root}/_emulator/world")[1])
        found: Mapping[str, Any] = next(d for d in body["deployments"] if d["id"] == CHAT.deployment_id)
        return found

    def replicas(self) -> int:
        return int(self.world()["replicas_set"])

    def writes(self) -> int:
        root = self.emulator_url.removesuffix("/v2")
        return int(json.loads(fetch(f"{root}/_emulator/requests")[1])["writes"])

    def set_faults(self, *faults: Mapping[str, Any]) -> None:
        """These switches of the emulator and no others."""
        url = self.emulator_url.removesuffix("/v2") + "/_emulator/faults"
        body = json.dumps({"faults": faults}).encode()
        with _OPENER.open(urllib.request.Request(url, body, method="PUT"), timeout=5) as reply:
            assert reply.status == 200

    def official(self) -> Mapping[str, Any]:
        """The deployment as the vendor's own Python package reads it."""
        client = Official(API_KEY, ACCOUNT.api_secret.get_secret_value(), url=self.emulator_url)
        try:
            found: Mapping[str, Any] = client.get_deployment(id=CHAT.deployment_id)
            return found
        finally:
            client.http_client.close()

    def query(self, expression: str) -> list[Any]:
        """What Prometheus answers."""
        url = f"{self.prometheus.url}/api/v1/query?{urlencode({'query': expression})}"
        result: list[Any] = json.loads(fetch(url)[1])["data"]["result"]
        return result


def autoscaler(*arguments: str) -> list[str]:
    """The command line of the program under test."""
    return [sys.executable, "-m", "autoscaler.cli", *arguments]


def fetch(url: str) -> tuple[int, str]:
    """Status and body; status 0 where nobody answers."""
    try:
        with _OPENER.open(url, timeout=5) as reply:
            return int(reply.status), reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def until(condition: Callable[[], object], within_s: float) -> None:
    """Wait until this is true. Raises: AssertionError when it is not in time."""
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, f"not within {within_s} s"
        time.sleep(0.05)


@contextmanager
def emulator() -> Iterator[str]:
    """The emulator's base URL."""
    command = [sys.executable, "-m", "tests.e2e.emulator_process"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def prometheus_config(exporter_port: int, daemon_port: int) -> str:
    """Scrapes the gateway and the daemon every second."""
    return f"""
global: {{ scrape_interval: 1s }}
scrape_configs:
- job_name: gateway
  static_configs: [{{ targets: ["127.0.0.1:{exporter_port}"] }}]
- job_name: autoscaler
  static_configs: [{{ targets: ["127.0.0.1:{daemon_port}"] }}]
"""


@contextmanager
def set_up(folder: Path, start_prometheus: Callable[..., Prometheus]) -> Iterator[Stage]:
    """Everything but the daemon; Prometheus has scraped the gateway once."""
    exporter = Exporter()
    try:
        port = free_port()
        prometheus = start_prometheus(prometheus_config(exporter.port, port))
        with emulator() as emulator_url:
            stage = Stage(folder, emulator_url, prometheus, exporter, port)
            until(lambda: stage.query("gateway_running"), 20)
            yield stage
    finally:
        exporter.close()
