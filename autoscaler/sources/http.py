"""What all sources that speak HTTP share: their settings, one bounded session, failures as absences.

A source whose settings name one server takes :class:`HttpSettings`; one of a vendor, with addresses of its
own, starts from :class:`ConnectionSettings`. A source calls :meth:`HttpReader.fetch` and catches
:class:`ReadError`, whose ``absence`` says what went wrong in one of our words. Nothing that it says contains
a secret, even where the server repeats one.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlencode

from pydantic import Field, SecretStr, field_validator, model_validator
from yarl import URL

from autoscaler.core.model import Absence
from autoscaler.durations import DURATION_S_MAX
from autoscaler.ports import Clock
from autoscaler.sources.kinds import SourceSettings

if TYPE_CHECKING:
    import aiohttp

CONNECTIONS_MAX: Final = 8
KEEPALIVE_S: Final = 5.0  # shorter than any usual server's, so that no request meets a closing connection
DETAIL_CHARS_MAX: Final = 200

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class ConnectionSettings(SourceSettings):
    """Keys of a ``[sources.NAME]`` table that every source over HTTP takes, and what it sends."""

    ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities to trust instead of the system's."
    )
    deadline_s: float = Field(
        default=5.0,
        gt=0,
        le=DURATION_S_MAX,
        allow_inf_nan=False,
        description="Seconds for reading all signals of this source; keep it below 0.4 x interval_s.",
    )
    reply_bytes_max: int = Field(
        default=1_048_576, ge=1, le=67_108_864, description="A longer reply is not read."
    )

    def base(self) -> str:
        """What every path follows; empty where whole addresses are fetched."""
        return ""

    def request_headers(self) -> dict[str, str]:
        """All headers to send; contains the secrets."""
        return {}

    def secrets(self) -> tuple[str, ...]:
        """Every text that must not be repeated, longest first."""
        return ()


class HttpSettings(ConnectionSettings):
    """Keys of a source that asks one server, and proves who it is in one of the usual ways."""

    url: str = Field(
        max_length=2048,
        description="Where the server answers: http:// or https://, without credentials and query.",
    )
    username: str | None = Field(
        default=None, min_length=1, max_length=256, description="For basic authentication."
    )
    password: SecretStr | None = Field(default=None, description="For basic authentication.")
    bearer_token: SecretStr | None = Field(
        default=None, description="Sent as `Authorization: Bearer ...`; not together with a username."
    )
    headers: Mapping[str, SecretStr] = Field(
        default_factory=dict,
        max_length=32,
        description="Sent with each request, for example a tenant; the values are kept secret.",
    )

    @field_validator("url")
    @classmethod
    def _is_a_plain_base(cls, text: str) -> str:
        return plain_base(text)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header")
            if _CONTROL.search(value.get_secret_value()):
                raise ValueError(f"the value of {name} contains a control character, such as a line's end")
        return headers

    @field_validator("bearer_token", "password")
    @classmethod
    def _is_one_line(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and _CONTROL.search(secret.get_secret_value()):
            raise ValueError("contains a control character, such as a line's end")
        return secret

    @model_validator(mode="after")
    def _has_one_credential(self) -> Self:
        if self.password is not None and self.username is None:
            raise ValueError("password needs a username")
        credentials = [self.bearer_token is not None, self.username is not None]
        credentials.append(any(name.lower() == "authorization" for name in self.headers))
        if sum(credentials) > 1:
            raise ValueError("only one of bearer_token, username and the header Authorization is allowed")
        return self

    def base(self) -> str:
        """What every path follows."""
        return self.url

    def request_headers(self) -> dict[str, str]:
        """All headers to send; contains the secrets."""
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        if self.bearer_token is not None:
            headers["Authorization"] = f"Bearer {self.bearer_token.get_secret_value()}"
        if self.username is not None:
            headers["Authorization"] = f"Basic {self._basic()}"
        return headers

    def secrets(self) -> tuple[str, ...]:
        """Every text that must not be repeated, longest first."""
        texts = [secret.get_secret_value() for secret in self.headers.values()]
        texts += [secret.get_secret_value() for secret in (self.bearer_token, self.password) if secret]
        if self.username is not None:
            texts.append(self._basic())
        return tuple(sorted((text for text in texts if text), key=len, reverse=True))

    def _basic(self) -> str:
        password = self.password.get_secret_value() if self.password is not None else ""
        return base64.b64encode(f"{self.username}:{password}".encode()).decode()


def plain_base(text: str) -> str:
    """The address without a slash at its end. Raises: ValueError where it is more or less than that."""
    expected = "must be http://HOST[:PORT][/PATH] or https://..., without credentials, query or fragment"
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        raise ValueError(expected) from None
    if url.scheme not in ("http", "https") or not url.host or port is None:
        raise ValueError(expected)
    if url.user is not None or url.password is not None or "?" in text or "#" in text:
        raise ValueError(f"{expected}; credentials have keys of their own")
    return text.rstrip("/")


class ReadError(Exception):
    """A read that gave no value; ``absence`` says why, without a secret."""

    def __init__(self, reason: str, detail: str) -> None:
        self.absence = Absence(reason, detail)
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Any status: some servers explain their errors in the body.

    ``retry_after`` is the header of that name, as it was sent.
    """

    status: int
    body: bytes
    retry_after: str | None = None


_REFUSALS: Final = {
    401: ": the credential is not accepted",
    403: ": the credential may not do this",
    404: ": not found",
    410: ": it has been deleted",
}


def refusal(status: int) -> Absence:
    """What a status that is no success means, to a person."""
    return Absence("error", f"HTTP {status}{_REFUSALS.get(status, '')}")


class HttpReader:
    """One server: one session, at most 8 connections, bounded replies, no redirects, no retries.

    Redirects are not followed because they would carry the credentials to another place.
    """

    def __init__(self, settings: ConnectionSettings, clock: Clock) -> None:
        """Raises: ValueError when ``ca_file`` cannot be used."""
        self._settings = settings
        self._clock = clock
        self._tls = _tls_context(settings.ca_file)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @property
    def deadline_s(self) -> float:
        """Longest wait for one whole read, in seconds."""
        return self._settings.deadline_s

    async def fetch(
        self, method: str, path: str, form: Mapping[str, str] | None = None, within_s: float | None = None
    ) -> Reply:
        """The reply to one request to the settings' ``base()`` + ``path``, whatever its status.

        ``within_s`` is what is left of a read of several requests; None is the whole ``deadline_s``.

        Raises: ReadError ``timeout`` after that (waiting for a free connection included),
        ``error`` without a connection, ``bad_reply`` for what is not HTTP, cut off or too long.
        """
        try:
            async with self._clock.deadline(self.deadline_s if within_s is None else within_s):
                return await self.exchange(method, path, form)
        except TimeoutError:
            raise self.late() from None

    def late(self) -> ReadError:
        """What is said of a request that has no answer at the deadline."""
        return ReadError("timeout", f"no answer within {self.deadline_s:g} s")

    async def exchange(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Reply:
        """As :meth:`fetch`, for who holds one deadline over a read of many requests: a deadline for each
        costs as much as a third of parsing its reply. Raises: ReadError, as there."""
        # Only who reads pays for the HTTP client: reading a configuration starts in half the time.
        import aiohttp

        try:
            return await self._exchange(method, path, form)
        except TimeoutError:  # the operating system's
            raise self.late() from None
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError):
            raise ReadError("bad_reply", "the reply was cut off or is not HTTP") from None
        except aiohttp.ClientConnectorCertificateError:
            raise ReadError("error", "the server's certificate is not trusted") from None
        except aiohttp.ClientConnectorError as error:
            cause = error.os_error.strerror or type(error.os_error).__name__
            raise ReadError("error", self.clean(f"cannot connect: {cause}")) from None
        except aiohttp.ServerDisconnectedError:
            raise ReadError("error", "the server closed the connection without an answer") from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: no such host name
            raise ReadError("error", self.clean(type(error).__name__)) from None

    async def _exchange(self, method: str, path: str, form: Mapping[str, str] | None) -> Reply:
        limit = self._settings.reply_bytes_max
        body = bytearray()
        session = self._open()
        url = _address(self._settings.base(), path)
        data = None if form is None else _encoded(tuple(form.items()))
        headers = None if form is None else _FORM
        async with session.request(method, url, data=data, headers=headers, allow_redirects=False) as reply:
            retry_after = reply.headers.get("Retry-After")
            length = reply.content_length
            if length is not None and length <= limit:
                return Reply(reply.status, await reply.read(), retry_after)
            async for chunk in reply.content.iter_any():
                body += chunk
                if len(body) > limit:
                    reply.close()  # never reuse a connection with the rest of this on it
                    raise ReadError("bad_reply", f"the reply is longer than {limit} bytes")
            return Reply(reply.status, bytes(body), retry_after)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ReadError("error", "the source is closed")
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX, keepalive_timeout=KEEPALIVE_S, ssl=self._tls
                ),
                # Uncompressed, so that a small reply cannot grow large in memory.
                headers={"Accept-Encoding": "identity", **self._settings.request_headers()},
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the clock's deadline rules
            )
        return self._session

    def clean(self, text: str) -> str:
        """``text`` from outside, fit to be shown: on one line, without our secrets, cut short."""
        for secret in self._settings.secrets():
            text = text.replace(secret, "***")
        text = " ".join(_CONTROL.sub(" ", text).split())
        return text if len(text) <= DETAIL_CHARS_MAX else text[: DETAIL_CHARS_MAX - 1] + "…"

    async def close(self) -> None:
        """Give back the connections; a second call does nothing."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()


@lru_cache(maxsize=64)
def _address(base: str, path: str) -> URL:
    return URL(base + path)


@lru_cache(maxsize=4096)
def _encoded(form: tuple[tuple[str, str], ...]) -> bytes:
    """The body of a form. The same queries are sent at every tick."""
    return urlencode(form).encode("ascii")


def _tls_context(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"ca_file {ca_file}: not a readable PEM file of certificates ({error})") from error
