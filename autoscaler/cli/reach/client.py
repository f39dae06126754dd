"""The running daemon over HTTP, as the commands of a person need it: one call, one deadline."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.config import Config

DEADLINE_S: Final = 2.0
ACT_DEADLINE_S: Final = 10.0  # an act waits for its place between ticks, and for the journal
REPLY_BYTES_MAX: Final = 64 * 1024 * 1024
PIECE_BYTES: Final = 64 * 1024
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what we do not call


class NoDaemon(Trouble):
    """Nobody answers there, or no daemon that has ended a tick."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the daemon answered."""

    status: int
    body: Mapping[str, Any]


class Client:
    """Calls the daemon that this configuration describes. Proxies of the environment are not used."""

    def __init__(self, config: Config) -> None:
        self._host = _EVERYWHERE.get(config.http.host, config.http.host)
        self._port = config.http.port
        token = config.http.admin_token
        self._token = None if token is None else token.get_secret_value()

    @property
    def address(self) -> str:
        """Where the daemon should be."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def get(self, *parts: str, **query: str | None) -> Mapping[str, Any]:
        """The answer's JSON. Raises: NoDaemon; Trouble for a refusal."""
        asked = {name: value for name, value in query.items() if value is not None}
        reply = self._call("GET", _path(parts) + (f"?{urlencode(asked)}" if asked else ""), None, DEADLINE_S)
        if reply.status == 503:
            raise NoDaemon(f"the daemon at {self.address} cannot say yet: {_error(reply)}")
        if reply.status == 400:
            raise Trouble(_error(reply), Exit.NO)  # well asked, but there is no answer: no tick that early
        return _accepted(reply)

    def act(self, method: str, *parts: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask for a human act. Raises: NoDaemon; Trouble for a refusal."""
        if self._token is None:
            raise Trouble("http.admin_token is not configured: without it the daemon takes no human acts")
        sent = {name: value for name, value in body.items() if value is not None}
        reply = self._call(method, _path(parts), sent, ACT_DEADLINE_S)
        if reply.status == 503:
            raise Trouble(f"the daemon at {self.address}: {_error(reply)}", Exit.UNREACHABLE)
        return _accepted(reply)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None, deadline_s: float) -> Reply:
        if self._port == 0:
            raise NoDaemon("http.port is 0, so nobody can know where the daemon listens")
        headers = {"Accept": "application/json", "Connection": "close"}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers |= {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        connection = http.client.HTTPConnection(self._host, self._port, timeout=deadline_s)
        late = threading.Event()
        try:
            connection.connect()
            with _hung_up_after(deadline_s, connection.sock, late):
                connection.request(method, path, content, headers)
                answer = connection.getresponse()
                text = _read(answer)
        except (OSError, http.client.HTTPException) as error:
            raise NoDaemon(self._no_answer(error, deadline_s, late=late.is_set())) from error
        finally:
            connection.close()
        if late.is_set():
            raise NoDaemon(self._no_answer(TimeoutError(), deadline_s, late=True))
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NoDaemon(f"what answers at {self.address} is not the daemon") from error
        if not isinstance(parsed, dict):
            raise NoDaemon(f"what answers at {self.address} is not the daemon")
        return Reply(answer.status, parsed)

    def _no_answer(self, error: Exception, deadline_s: float, *, late: bool) -> str:
        if late or isinstance(error, TimeoutError):
            return f"no answer from {self.address} within {deadline_s:g} s"
        if isinstance(error, http.client.HTTPException):
            return f"what answers at {self.address} is not the daemon"
        return f"no daemon at {self.address}: {getattr(error, 'strerror', None) or error}"


@contextmanager
def _hung_up_after(deadline_s: float, sock: socket.socket, late: threading.Event) -> Iterator[None]:
    """The socket's own timeout is for one wait; this one is for the whole answer, drop by drop or not."""

    def hang_up() -> None:
        late.set()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(deadline_s, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _path(parts: tuple[str, ...]) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _read(answer: http.client.HTTPResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := answer.read1(PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > REPLY_BYTES_MAX:
            raise http.client.HTTPException
    return b"".join(pieces)


def _accepted(reply: Reply) -> Mapping[str, Any]:
    if 200 <= reply.status < 300:
        return reply.body
    text = _error(reply)
    if reply.status == 401:
        raise Trouble("the daemon does not take this http.admin_token: it runs with another one")
    if reply.status == 403:
        raise Trouble("the running daemon has no http.admin_token, so it takes no human acts")
    if reply.status == 409:
        raise Trouble(f"refused: {text}", Exit.NO)
    raise Trouble(text, Exit.USAGE if reply.status in (400, 404) else Exit.UNREACHABLE)


def _error(reply: Reply) -> str:
    text = str(reply.body.get("error", f"status {reply.status}"))
    allowed = reply.body.get("allowed")
    if isinstance(allowed, list):
        return f"{text}; there is {', '.join(map(str, allowed)) or 'none'}"
    if isinstance(allowed, Mapping):
        return f"{text} ({', '.join(f'{name} {value}' for name, value in allowed.items())})"
    return text if allowed is None else f"{text}; allowed is {allowed}"
