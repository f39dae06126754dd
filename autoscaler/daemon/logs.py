"""Structured logs: fixed messages, facts as fields, UTC times, and no secrets.

Everything goes through here, also what libraries log by the standard module, so that one redaction
holds for all of it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Final, Literal, TextIO
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[redacted]"
_SECRET_KEY: Final = re.compile(
    r"secret|token|passw|credential|authorization|cookie|api_?key|private_?key|signature", re.IGNORECASE
)
_BEARER: Final = re.compile(r"\b(Bearer|Basic|Api-Key|EXO2-HMAC-SHA256)\s+[^\s\"',;]{6,}", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
_DEPTH_MAX: Final = 8
_SHORTEST_SECRET: Final = 4  # Shorter ones would black out ordinary words.

_secrets: set[str] = set()
_known: re.Pattern[str] | None = None


def register_secret(secret: str) -> None:
    """From now on this exact text, also where URL-encoded, is not logged. Shorter than 4 is ignored."""
    global _known
    if len(secret) < _SHORTEST_SECRET:
        return
    _secrets.update({secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]})
    longest_first = sorted(_secrets, key=len, reverse=True)
    _known = re.compile("|".join(re.escape(one) for one in longest_first))


def redact(text: str) -> str:
    """The text without registered secrets, credentials in URLs and authorisation headers."""
    if _known is not None:
        text = _known.sub(REDACTED, text)
    text = _BEARER.sub(rf"\1 {REDACTED}", text)
    return _USERINFO.sub(REDACTED, text)


def _clean(value: object, depth: int = 0) -> object:
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEPTH_MAX:
        return redact(str(value))
    if isinstance(value, Mapping):
        return {redact(str(key)): _clean_pair(str(key), one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(one, depth + 1) for one in value]
    return redact(str(value))


def _clean_pair(key: str, value: object, depth: int) -> object:
    # A number, such as a count of tokens, is no secret.
    if _SECRET_KEY.search(key) and value and not isinstance(value, bool | int | float):
        return REDACTED
    return _clean(value, depth)


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The structlog processor: every field, at any depth, exception text included."""
    kept = {key: event[key] for key in ("_record", "_from_structlog") if key in event}
    cleaned: EventDict = {key: _clean_pair(key, value, 0) for key, value in event.items() if key not in kept}
    cleaned.update(kept)
    return cleaned


def _chain() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact_event,
    ]


def configure(
    style: Literal["auto", "json", "console"] = "auto",
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Set up logging for the process; on standard error unless told otherwise.

    ``auto`` is ``console`` on a terminal, else ``json``: one object per line. Raises: ValueError for an
    unknown level.
    """
    out = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level must be one of debug, info, warning, error, critical; not {level!r}")
    console = style == "console" or (style == "auto" and out.isatty())
    renderer: Processor = (
        # Exceptions are text by now: they were formatted, then redacted.
        structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(default=str)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_chain(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    _quieten()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_chain(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a second configure, as in tests, must reach every logger
    )


def _quieten() -> None:
    # The scheduler tells of every job and the server of every scrape; neither is news.
    for name in ("apscheduler", "aiohttp.access", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
