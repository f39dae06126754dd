"""HTTP with a vendor: one session, bounded in time, size and connections; our errors only.

This is the one place that knows aiohttp's errors and HTTP's status codes.
"""

from __future__ import annotations

import json
import ssl
from asyncio import CancelledError
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from autoscaler import __version__
from autoscaler.core.model import ErrorKind
from autoscaler.credentials import is_loopback
from autoscaler.ports import (
    BadReply,
    Busy,
    Clock,
    NotFound,
    ProviderError,
    RateLimited,
    Rejected,
    Telemetry,
    Unauthorized,
    Unavailable,
)
from autoscaler.providers.fields import json_of
from autoscaler.providers.kinds import ProviderSettings
from autoscaler.providers.pace import Pace
from autoscaler.providers.plain_text import plain_text
from autoscaler.providers.retry_after import bounded, retry_after_s

T = TypeVar("T")

ERROR_BYTES_MAX: Final = 16 * 1024
_CHUNK_BYTES: Final = 64 * 1024

STATUSES: Final[Mapping[int, type[ProviderError]]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    407: Unavailable,  # the proxy's credentials, not the vendor's
    408: Unavailable,
    409: Busy,
    410: NotFound,
    425: Unavailable,
}
"""What a status means at every vendor; else 4xx is Rejected and 5xx Unavailable. 429 is RateLimited."""


class HttpClientError(Exception):
    """What the HTTP client said, as text.

    It stands in for aiohttp's own error as the cause, because those carry the request: its
    ``Authorization`` header, and the proxy's password.
    """


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a vendor. ``operation`` is a metric's label: a closed set, without ids.

    ``path`` is percent-encoded and follows the base URL's; ``query`` is not encoded yet.
    """

    operation: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A call as it goes over the wire, for whoever signs it: whole path, and the bytes of the body."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: bytes


Authorize = Callable[[Outgoing], Mapping[str, str]]
"""The headers that prove who we are."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    content_type: str
    retry_after: str | None
    content: bytes


@dataclass(frozen=True, slots=True, repr=False)
class _Proxy:
    url: URL
    tunnel_headers: Mapping[str, str]
    call_headers: Mapping[str, str]


class _TooLongError(Exception):
    """The reply is longer than we read."""


class HttpApi:
    """One vendor's JSON API.

    ``statuses`` are meanings that differ at this vendor. ``secrets`` are blotted out of the vendor's
    own texts. ``calls_per_s`` is what the vendor allows of one operation: more wait for their turn. Raises:
    ValueError from the constructor when ``ca_file`` cannot be read.
    """

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        base_url: str,
        authorize: Authorize,
        clock: Clock,
        telemetry: Telemetry,
        *,
        statuses: Mapping[int, type[ProviderError]] | None = None,
        secrets: tuple[str, ...] = (),
        calls_per_s: int | None = None,
    ) -> None:
        self.name = name
        self.secrets = secrets
        self._settings = settings
        self._base_url = base_url.rstrip("/")
        self._base_path = urlsplit(self._base_url).path
        self._authorize = authorize
        self._clock = clock
        self._telemetry = telemetry
        self._statuses = {**STATUSES, **(statuses or {})}
        self._ssl = trusting(settings.ca_file) if settings.ca_file is not None else None
        self._proxy = _proxy_for(self._base_url)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._pace = Pace(clock, calls_per_s) if calls_per_s is not None else None
        self._limited_until: dict[bool, float] = {}  # by whether it is a read; monotonic

    async def call(self, call: Call, parse: Callable[[Any], T]) -> T:
        """Send it once and return what ``parse`` makes of the JSON reply (None for an empty one).

        After a 429 nothing of its kind (reads, or writes) is sent until the time that it named.

        Raises: ProviderError; ``parse`` raises BadReply. A wait that ended at our own deadline is an
        Unavailable with a TimeoutError as its cause.
        """
        is_read = call.method == "GET"
        left_s = self._limited_until.get(is_read, float("-inf")) - self._clock.monotonic()
        if left_s > 0:
            raise RateLimited(f"{call.operation} is not sent: the vendor limits such calls", left_s)
        began = self._clock.monotonic()
        error: ErrorKind | None = None
        try:
            return _parsed(call.operation, parse, await self._exchange(call))
        except ProviderError as trouble:
            error = trouble.kind
            if isinstance(trouble, RateLimited):
                self._limited_until[is_read] = self._clock.monotonic() + trouble.retry_after_s
            raise
        except CancelledError:
            error = ErrorKind.UNAVAILABLE  # whoever waited has given up: that is slow, not success
            raise
        finally:
            self._telemetry.request(self.name, call.operation, self._clock.monotonic() - began, error)

    async def close(self) -> None:
        """Give back connections; calls after it are Unavailable."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, call: Call) -> Any:
        caught: Exception | None = None
        try:
            async with self._clock.deadline(self._settings.deadline_s):
                if self._pace is not None:
                    await self._pace.turn(call.operation)
                reply = await self._send(call)
        except (TimeoutError, aiohttp.ClientError, OSError, _TooLongError) as error:
            caught = error
        # Outside of the handler, so that aiohttp's error is not the context of ours.
        if caught is not None:
            trouble = self._translate(call.operation, caught)
            cause = caught if type(caught) is TimeoutError else HttpClientError(_described(caught))
            caught = None
            raise trouble from cause
        return self._judged(call.operation, reply)

    async def _send(self, call: Call) -> _Reply:
        body = b"" if call.body is None else json.dumps(call.body).encode()
        path = self._base_path + call.path
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        headers.update(self._authorize(Outgoing(call.method, path, call.query, body)))
        query = "?" + urlencode(call.query, quote_via=quote) if call.query else ""
        # Encoded already: what is sent must be, to the byte, what was signed.
        url = URL(f"{self._base_url}{call.path}{query}", encoded=True)
        through: dict[str, Any] = {}
        if self._proxy is not None:
            headers.update(self._proxy.call_headers)
            through = {"proxy": self._proxy.url, "proxy_headers": self._proxy.tunnel_headers or None}
        async with self._open_session().request(
            call.method, url, data=body or None, headers=headers, allow_redirects=False, **through
        ) as response:
            return _Reply(
                response.status,
                response.content_type,
                response.headers.get("Retry-After"),
                await self._content(response),
            )

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        if 200 <= response.status < 300:
            return await _read(response, self._settings.reply_bytes_max)
        # The status says enough: a broken error text must not hide it.
        try:
            return await _read(response, ERROR_BYTES_MAX)
        except (aiohttp.ClientError, _TooLongError):
            return b""

    def _judged(self, operation: str, reply: _Reply) -> Any:
        """The JSON of a good reply. Raises: what a bad one means."""
        status = reply.status
        if 200 <= status < 300:
            if not reply.content:
                return None
            if not _is_json(reply.content_type):
                raise BadReply(f"{operation} answered {plain_text(reply.content_type)}, not JSON")
            return _parsed(operation, json_of, reply.content)
        if status < 400:
            raise BadReply(
                f"{operation} answered {status}, a redirect, which is not followed: check base_url"
            )
        body, text = self._error_body(reply.content)
        message = f"{operation} answered {status}: {text}" if text else f"{operation} answered {status}"
        if status == 429:
            raise RateLimited(message, self._retry_after_s(reply, body))
        otherwise = Unavailable if status >= 500 else Rejected
        raise self._statuses.get(status, otherwise)(message)

    def _error_body(self, content: bytes) -> tuple[object, str]:
        """The JSON of an error, if it is that, and its text for a person."""
        raw = content.decode("utf-8", "replace")
        try:
            body = json_of(content)
        except BadReply:
            return None, plain_text(raw, secrets=self.secrets)
        if isinstance(body, dict):
            for name in ("detail", "error", "message", "title"):
                if isinstance(body.get(name), str) and body[name].strip():
                    return body, plain_text(body[name], secrets=self.secrets)
        return body, plain_text(raw, secrets=self.secrets)

    def _retry_after_s(self, reply: _Reply, body: object) -> float:
        if reply.retry_after is None and isinstance(body, dict):
            seconds = body.get("retry_after")
            if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds == seconds:
                return bounded(min(seconds, 1e9))
        return retry_after_s(reply.retry_after, self._clock.now())

    def _translate(self, operation: str, error: Exception) -> ProviderError:
        if isinstance(error, _TooLongError):
            return BadReply(f"{operation} answered over {self._settings.reply_bytes_max} bytes")
        if type(error) is TimeoutError:
            return Unavailable(f"{operation}: no answer within {self._settings.deadline_s:g} s")
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return Unavailable(f"{operation}: the proxy answered {error.status}")
        if isinstance(error, aiohttp.ClientPayloadError):
            return BadReply(f"{operation}: the reply is cut short")
        if isinstance(error, aiohttp.ClientResponseError):
            return BadReply(f"{operation}: the reply is not HTTP as we know it")
        if isinstance(error, aiohttp.ClientSSLError):
            return Unavailable(
                f"{operation}: no trusted TLS connection to {urlsplit(self._base_url).hostname}"
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            return Unavailable(f"{operation}: no connection to {urlsplit(self._base_url).netloc}")
        return Unavailable(f"{operation}: the connection was lost")

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._settings.connections_max, ssl=self._ssl if self._ssl is not None else True
                ),
                # Deadlines are the Clock's; aiohttp's own would count other seconds when it is scaled.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                # Uncompressed, so that a small reply cannot grow large in memory.
                headers={"User-Agent": f"autoscaler/{__version__}", "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _parsed(operation: str, parse: Callable[[Any], T], value: object) -> T:
    try:
        return parse(value)
    except BadReply as error:
        raise BadReply(f"{operation}: {error}") from error.__cause__


def trusting(ca_file: Path) -> ssl.SSLContext:
    """TLS that trusts the authorities of this PEM file only. Raises: ValueError naming the file."""
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"ca_file {ca_file}: not a readable PEM file of certificates") from error


def _proxy_for(base_url: str) -> _Proxy | None:
    """The environment's proxy for this address; never one between us and this machine.

    Read here and not by aiohttp's ``trust_env``, which takes a user's ``~/.netrc`` along: a password
    there for the vendor's host collides with our own credentials.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    address = getproxies().get(parts.scheme)
    if not address or is_loopback(host) or proxy_bypass(host):
        return None
    url = URL(address if "://" in address else f"http://{address}")
    if url.user is None:
        return _Proxy(url, {}, {})
    login = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    proof = {"Proxy-Authorization": f"Basic {login}"}
    # A tunnel's credentials belong to the CONNECT; without a tunnel the proxy reads the call itself.
    tunnel = parts.scheme == "https"
    return _Proxy(url.with_user(None), proof if tunnel else {}, {} if tunnel else proof)


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > bytes_max:
            response.close()
            raise _TooLongError
    return bytes(content)


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or (
        content_type.startswith("application/") and content_type.endswith("+json")
    )


def _described(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else getattr(error, "message", None)
    return plain_text(f"{type(error).__name__}: {reason}" if reason else type(error).__name__)
