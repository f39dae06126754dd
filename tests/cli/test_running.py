"""The program as its user has it: emulator, daemon and questions, each a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.support import ADMIN, command, environment, invoke, run, running, wait_until, write_config
from tests.servers import free_port


@dataclass(frozen=True, slots=True)
class Daemon:
    config: Path
    port: int
    process: subprocess.Popen[str]

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def push(self, name: str, value: float) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/signals/chat/{name}",
            json.dumps({"value": value}).encode(),
            {"Authorization": f"Bearer {ADMIN}"},
        )
        with urllib.request.urlopen(request, timeout=5) as reply:
            assert reply.status == 200


@contextmanager
def daemon(folder: Path, base_url: str, chat_id: str) -> Iterator[Daemon]:
    port = free_port()
    config = write_config(folder, port=port, base_url=base_url, deployment_id=chat_id)
    config.write_text(config.read_text().replace("interval_s = 15", "interval_s = 1"))
    with running("run", "--config", config) as process:
        found = Daemon(config, port, process)
        wait_until(lambda: process.poll() is not None or found.get("/readyz") == 200, "the first tick")
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, base_url: str, chat_id: str) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("daemon"), base_url, chat_id) as found:
        yield found


# --- questions and acts -------------------------------------------------------------------------


def test_status_comes_from_the_daemon_and_says_so(shared: Daemon) -> None:
    done = invoke("status", "--config", shared.config)
    as_json = json.loads(invoke("status", "--json", "--config", shared.config).stdout)

    assert done.exit_code == 0
    assert done.stdout.startswith(f"From the daemon at http://127.0.0.1:{shared.port}, its tick of ")
    assert "chat/exo-a5000" in done.stdout
    assert "Total " in done.stdout
    assert as_json["source"] == "daemon"
    assert as_json["age_s"] < 10


def test_why_comes_from_the_daemon(shared: Daemon) -> None:
    done = invoke("why", "chat", "--config", shared.config)

    assert done.exit_code == 0
    assert done.stdout.startswith("chat at ")
    assert json.loads(invoke("why", "chat", "--json", "--config", shared.config).stdout)["service"] == "chat"


def test_why_of_an_unknown_service_names_those_that_there_are(shared: Daemon) -> None:
    done = invoke("why", "nope", "--config", shared.config)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "there is chat" in done.stderr


def test_why_before_the_first_tick_is_a_negative_answer(shared: Daemon) -> None:
    assert invoke("why", "chat", "--at", "-2h", "--config", shared.config).exit_code == 1


def test_plan_reads_the_journal_of_a_running_daemon_and_changes_nothing(shared: Daemon) -> None:
    shared.push("queued", 3)
    shared.push("running", 20)
    wait_until(
        lambda: '"demand": 23' in invoke("status", "--json", "--config", shared.config).stdout, "a tick"
    )
    done = invoke("plan", "--config", shared.config)
    as_json = json.loads(invoke("plan", "--json", "--config", shared.config).stdout)

    assert done.exit_code == 0, done.output
    assert "Nothing was changed." in done.stdout
    assert "23 requests at once" in done.stdout or "queued" in done.stdout
    assert as_json["journal_read"] is True
    assert as_json["promises_broken"] == []
    assert as_json["decisions"][0]["reason"] != "blind"


def test_people_act_and_the_daemon_shows_it(shared: Daemon) -> None:
    def state() -> str:
        return invoke("status", "--config", shared.config).stdout

    config = ("--config", shared.config)
    assert (
        invoke("pause", "chat", "--for", "10m", "--reason", "a test", "--actor", "anna", *config).exit_code
        == 0
    )
    wait_until(lambda: "paused by anna until" in state(), "paused")
    assert invoke("resume", "chat", *config).exit_code == 0
    wait_until(lambda: "paused by anna" not in state(), "resumed")
    done = invoke("override", "chat", "--at-least", "1", "--at-most", "4", "--for", "5m", *config)
    assert "at least 1 and at most 4 replicas of chat" in done.stdout
    wait_until(lambda: "override at least 1 at most 4" in state(), "the override")
    refused = invoke("override", "chat", "--replicas", "7", *config)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "max_replicas 6" in refused.stderr
    assert invoke("override", "chat", "--clear", *config).exit_code == 0
    wait_until(lambda: "override" not in state(), "cleared")
    assert invoke("pause", "nope", *config).exit_code == 2


def test_a_second_daemon_is_told_who_holds_the_journal(shared: Daemon) -> None:
    done = run("run", "--config", shared.config)

    assert done.returncode == 4
    assert f"is held by process {shared.process.pid}" in done.stderr
    assert "Traceback" not in done.stderr


def test_tables_are_not_cut_for_a_pipe(shared: Daemon) -> None:
    done = subprocess.run(
        command("status", "--config", shared.config),
        capture_output=True,
        text=True,
        env={**environment(), "COLUMNS": "20"},
        check=True,
    )

    assert any("chat/exo-a5000" in line and "gpua5000" in line for line in done.stdout.splitlines())


# --- the daemon's life --------------------------------------------------------------------------


def test_sigterm_ends_it_in_order_and_the_journal_answers_afterwards(
    tmp_path: Path, base_url: str, chat_id: str
) -> None:
    with daemon(tmp_path, base_url, chat_id) as found:
        found.process.send_signal(signal.SIGTERM)
        assert found.process.wait(timeout=15) == 0
        assert found.process.stderr is not None
        assert '"event": "stopped"' in found.process.stderr.read()
        config = found.config
    status, why = invoke("status", "--config", config), invoke("why", "chat", "--config", config)

    assert status.exit_code == 0
    assert "From the journal " in status.stdout
    assert json.loads(invoke("status", "--json", "--config", config).stdout)["source"] == "journal"
    assert why.exit_code == 0
    assert "from the journal" in why.stderr
    assert why.stdout.startswith("chat at ")
    assert "there is chat" in invoke("why", "nope", "--config", config).stderr


def test_ctrl_c_ends_it_in_order(tmp_path: Path, base_url: str, chat_id: str) -> None:
    with daemon(tmp_path, base_url, chat_id) as found:
        found.process.send_signal(signal.SIGINT)
        assert found.process.wait(timeout=15) == 0


def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        base_url = f"http://127.0.0.1:{silent.getsockname()[1]}/v2"
        config = write_config(tmp_path, port=free_port(), base_url=base_url)
        with running("run", "--config", config) as process:
            assert process.stderr is not None
            next(line for line in process.stderr if '"event": "started"' in line)
            with silent.accept()[0]:  # the daemon asks, and its tick waits
                process.send_signal(signal.SIGINT)
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(timeout=0.5)
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=2) == -signal.SIGINT


def test_sighup_reads_the_configuration_again_and_refuses_a_wrong_one(
    tmp_path: Path, base_url: str, chat_id: str
) -> None:
    with daemon(tmp_path, base_url, chat_id) as found:
        text = found.config.read_text()
        found.config.write_text(text + "\nnonsense = 1\n")
        found.process.send_signal(signal.SIGHUP)
        assert found.process.stderr is not None
        assert "refused" in _line(found, "configuration")
        found.config.write_text(text.replace("max_replicas = 6", "max_replicas = 5"))
        found.process.send_signal(signal.SIGHUP)
        assert "read again" in _line(found, "configuration")
        assert found.process.poll() is None
        assert found.get("/healthz") == 200


def _line(found: Daemon, word: str) -> str:
    assert found.process.stderr is not None
    for line in found.process.stderr:
        if word in line and '"event"' in line:
            return line
    raise AssertionError(f"no line with {word}")


def test_a_port_that_is_taken_is_named(tmp_path: Path, base_url: str, chat_id: str) -> None:
    port = int(base_url.rsplit(":", 1)[1].removesuffix("/v2"))
    done = run("run", "--config", write_config(tmp_path, port=port, base_url=base_url, deployment_id=chat_id))

    assert done.returncode == 3
    assert f"127.0.0.1:{port} is taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(
        path.read_text().replace("[daemon]", '[daemon]\njournal = "sqlite:/proc/nowhere/journal.db"')
    )
    done = run("run", "--config", path)

    assert done.returncode == 3
    assert "/proc/nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_source_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    (tmp_path / "empty.pem").write_text("no certificate")
    source = f'kind = "prometheus"\nurl = "https://127.0.0.1:9"\nca_file = "{tmp_path / "empty.pem"}"'
    text = path.read_text().replace('kind = "push"', source).replace('"gateway",', '"gateway", query = "up",')
    path.write_text(text)
    done = run("run", "--config", path)

    assert done.returncode == 2
    assert "sources.gateway" in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_without_a_vendor_says_so(tmp_path: Path) -> None:
    done = invoke("plan", "--config", write_config(tmp_path))

    assert done.exit_code == 3
    assert "could not be read" in done.output


# --- emulators ----------------------------------------------------------------------------------


def test_the_printed_configuration_works_as_it_is(tmp_path: Path, emulator: str) -> None:
    write_config(tmp_path)
    (tmp_path / "config.toml").write_text(emulator + "capacity_per_replica = 64\nmax_replicas = 6\n")
    done = invoke("check", "--online", "--config", tmp_path / "config.toml")

    assert done.exit_code == 0, done.output
    assert "Online: all well." in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--fleet", "/nowhere.toml"), 2, "/nowhere.toml"),
        (("--port", "70000"), 2, "--port"),
        (("--speed", "0"), 2, "speed"),
        (("--host", "192.0.2.1", "--port", "0"), 3, "cannot listen"),
    ],
)
def test_emulators_that_cannot_start_say_why(words: tuple[str, ...], status: int, said: str) -> None:
    done = run("emulate", *words)

    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
