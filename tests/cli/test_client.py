"""Whatever answers at the daemon's address: a sentence and the right exit status."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoscaler.cli.reach.moments import moment, present
from autoscaler.clock import SystemClock
from autoscaler.config import load
from tests.cli.support import invoke, write_config


@contextmanager
def answering(reply: bytes, pause_s: float = 0.0) -> Iterator[tuple[int, list[bytes]]]:
    """A server that says this to everyone, byte by byte where it pauses; gives its port and what it heard."""
    heard: list[bytes] = []
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)

        def serve() -> None:
            while not ended.is_set():
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                with peer:
                    peer.settimeout(2)
                    try:
                        heard.append(_request(peer))
                        for piece in (
                            [reply] if not pause_s else [reply[i : i + 1] for i in range(len(reply))]
                        ):
                            peer.sendall(piece)
                            if ended.wait(pause_s):
                                break
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            ended.set()
            thread.join(timeout=10)


def _request(peer: socket.socket) -> bytes:
    """All of a request: the headers, and a body of the length that they say."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += peer.recv(65536)
    length = re.search(rb"Content-Length: (\d+)", text)
    while length is not None and len(text.split(b"\r\n\r\n", 1)[1]) < int(length[1]):
        text += peer.recv(65536)
    return text


def http(status: str, body: str) -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n"
        f"Connection: close\r\n\r\n{body}"
    ).encode()


@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        (http("401 Unauthorized", '{"error": "a valid token is needed"}'), 2, "another one"),
        (http("403 Forbidden", '{"error": "no token"}'), 2, "has no http.admin_token"),
        (
            http("409 Conflict", '{"error": "9 is above max_replicas", "allowed": {"max_replicas": 6}}'),
            1,
            "refused: 9 is above max_replicas (max_replicas 6)",
        ),
        (
            http("404 Not Found", '{"error": "no such", "allowed": ["chat", "code"]}'),
            2,
            "there is chat, code",
        ),
        (
            http("400 Bad Request", '{"error": "for_s is odd", "allowed": "a number"}'),
            2,
            "allowed is a number",
        ),
        (http("503 Service Unavailable", '{"error": "the journal cannot be written"}'), 3, "journal cannot"),
        (http("500 Oops", '{"error": "internal"}'), 3, "internal"),
        (http("200 OK", "<html>"), 3, "is not the daemon"),
        (http("200 OK", "[]"), 3, "is not the daemon"),
        (b"SSH-2.0-OpenSSH\r\n", 3, "is not the daemon"),
        (b"", 3, "daemon"),
    ],
)
def test_a_human_act_that_is_not_taken_says_why(
    tmp_path: Path, reply: bytes, status: int, words: str
) -> None:
    with answering(reply) as (port, _):
        done = invoke("pause", "--config", write_config(tmp_path, port=port))

    assert (done.exit_code, done.stdout) == (status, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_daemon_that_answers_drop_by_drop_is_given_up_after_two_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    with answering(http("200 OK", "{" + " " * 10_000 + "}"), pause_s=0.05) as (port, _):
        done = invoke("status", "--config", write_config(tmp_path, port=port))

    assert done.exit_code == 3
    assert "within 2 s" in done.stderr
    assert time.monotonic() - started < 5


def test_nobody_there_is_status_3(tmp_path: Path) -> None:
    done = invoke("resume", "--config", write_config(tmp_path))

    assert done.exit_code == 3
    assert "no daemon at http://127.0.0.1:9" in done.stderr


def test_what_is_sent_names_the_act_and_the_person(tmp_path: Path) -> None:
    until = "2026-11-21T13:00:00Z"
    body = f'{{"service": "chat", "direction": "down", "until": "{until}", "reason": "x", "actor": "anna"}}'
    with answering(http("200 OK", body)) as (port, heard):
        done = invoke(
            *("pause", "chat", "--down", "--for", "30m", "--reason", "load test", "--actor", "anna"),
            *("--config", write_config(tmp_path, port=port)),
        )

    assert done.exit_code == 0
    assert done.stdout == "Decreases are paused for chat until 2026-11-21 13:00:00 UTC, by anna.\n"
    (request,) = heard
    assert request.startswith(b"POST /v1/pause HTTP/1.1\r\n")
    assert b"Authorization: Bearer the-admin-token-of-tests\r\n" in request
    assert request.endswith(
        b'{"service": "chat", "direction": "down", "for_s": 1800.0, "reason": "load test", "actor": "anna"}'
    )


def a_fleet(at: str, now: str) -> str:
    return json.dumps(
        {
            "at": at,
            "now": now,
            "usd_per_hour": 0.0,
            "usd_per_hour_complete": True,
            "budget_usd_per_hour": None,
            "brake": [],
            "pauses": [],
            "services": [],
        }
    )


def test_an_age_is_told_by_the_daemons_own_clock(tmp_path: Path) -> None:
    fleet = a_fleet("2026-06-01T08:41:00Z", "2026-06-01T08:41:12Z")
    with answering(http("200 OK", fleet)) as (port, _):
        done = invoke("status", "--config", write_config(tmp_path, port=port))

    assert "its tick of 2026-06-01 08:41:00 UTC, 12 s ago." in done.stdout


def test_back_from_now_counts_from_the_daemons_now(tmp_path: Path) -> None:
    fleet = a_fleet("2026-06-01T08:41:00Z", "2026-06-01T08:41:12Z")
    with answering(http("200 OK", fleet)) as (port, _):
        config = load(write_config(tmp_path, port=port), environ={})

        assert moment("--since", "-1h", present(config)) == 1780299672.0  # 07:41:12
    assert abs(present(config) - SystemClock().now()) < 5  # nobody answers any more


def test_proxies_of_the_environment_are_not_used_and_odd_names_stay_one_path(tmp_path: Path) -> None:
    with answering(http("200 OK", "{}")) as (port, heard):
        invoke(
            *("why", "a/../b?c", "--config", write_config(tmp_path, port=port)),
            env={"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"},
        )

    assert heard[0].startswith(b"GET /v1/services/a%2F..%2Fb%3Fc/why HTTP/1.1\r\n")


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")])
def test_an_address_that_means_everywhere_is_asked_at_home(tmp_path: Path, host: str, asked: str) -> None:
    done = invoke("resume", "--config", write_config(tmp_path), env={"AUTOSCALER_HTTP__HOST": host})

    assert f"no daemon at http://{asked}:9" in done.stderr


def test_without_a_token_nothing_is_sent(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace('admin_token = "the-admin-token-of-tests"', ""))
    done = invoke("pause", "--config", path)

    assert done.exit_code == 2
    assert "http.admin_token is not configured" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--replicas"),
        (("--replicas", "2", "--at-least", "1"), "either"),
        (("--at-least", "3", "--at-most", "2"), "above"),
        (("--clear", "--replicas", "2"), "--clear"),
        (("--replicas", "-1"), "--replicas"),
        (("--replicas", "2", "--for", "0s"), "out of range"),
        (("--replicas", "2", "--for", "soon"), "no duration"),
    ],
)
def test_an_override_that_makes_no_sense_is_a_usage_error(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = invoke("override", "chat", *words, "--config", write_config(tmp_path))

    assert done.exit_code == 2
    assert said in done.stderr


def test_who_has_no_login_name_is_known_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from autoscaler.cli.commands import people

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)

    assert people.login_name() == "uid 4000000"


def test_the_actor_is_the_login_name_made_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    from autoscaler.cli.commands import people

    monkeypatch.setenv("LOGNAME", " an\x07na\n")

    assert people.login_name() == "anna"
