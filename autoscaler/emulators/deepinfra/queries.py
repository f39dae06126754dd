"""Arguments in the query of a request. Each reading raises ``Refused`` for what DeepInfra would refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from autoscaler.emulators.deepinfra.refusals import invalid, refused
from autoscaler.emulators.deepinfra.windows import instant, unix_time

STATUSES: Final = frozenset(
    {"initializing", "downloading", "deploying", "running", "stopped", "failed", "deleted"}
)
"""What the list may be limited to. Source: DeepInfra's page for GET /deploy/list."""

LOG_LINES_MAX: Final = 1000
LOG_SPAN_MAX_S: Final = 31 * 86400.0


@dataclass(frozen=True, slots=True)
class Window:
    """From one instant (epoch seconds) to another."""

    begin: float
    end: float


def statuses(request: web.Request) -> frozenset[str] | None:
    """The statuses that are asked for; None for all. Raises: Refused (400) for another word."""
    told = request.query.get("status")
    if not told:
        return None
    words = frozenset(word.strip() for word in told.split(","))
    if unknown := sorted(words - STATUSES):
        raise refused(400, f"unknown status {unknown[0][:40]!r}; there are {', '.join(sorted(STATUSES))}")
    return words


def window(request: web.Request, now: float) -> Window:
    """``from``, which is required, and ``to``, by default now. Raises: Refused (422)."""
    begin = _instant("from", required(request, "from"), now)
    end = _instant("to", request.query.get("to", "now"), now)
    if begin > end:
        raise invalid(("query", "from"), "from is after to")
    return Window(begin, end)


def rent_window(request: web.Request, now: float) -> Window:
    """Whole unix seconds, ``to`` by default now. Raises: Refused (422)."""
    begin = _whole("from", required(request, "from"))
    to = request.query.get("to")
    return Window(begin, now if to is None else _whole("to", to))


def log_window(request: web.Request, now: float) -> Window:
    """Unix seconds with a fraction; by default all. Raises: Refused (400, 422)."""
    begin, end = request.query.get("from"), request.query.get("to")
    found = Window(
        now - LOG_SPAN_MAX_S if begin is None else _unix("from", begin),
        now if end is None else _unix("to", end),
    )
    if found.begin > found.end:
        raise refused(400, "from is after to")
    if found.end - found.begin > LOG_SPAN_MAX_S:
        raise refused(400, "from and to are more than a month apart")
    return found


def log_limit(request: web.Request) -> int:
    """1 to 1000 lines, by default 100. Raises: Refused (422)."""
    limit = _whole("limit", request.query.get("limit", "100"))
    if not 1 <= limit <= LOG_LINES_MAX:
        raise invalid(("query", "limit"), f"limit is 1 to {LOG_LINES_MAX}")
    return limit


def required(request: web.Request, name: str) -> str:
    """An argument that must be there. Raises: Refused (422)."""
    told = request.query.get(name)
    if told is None:
        raise invalid(("query", name), "Field required", "missing")
    return told


def _instant(name: str, text: str, now: float) -> float:
    found = instant(text, now)
    if found is None:
        raise invalid(("query", name), "neither unix time nor now-<number><s|m|h|d|w|M>")
    return found


def _unix(name: str, text: str) -> float:
    found = unix_time(text)
    if found is None:
        raise invalid(("query", name), "not a unix time")
    return found


def _whole(name: str, text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15):
        raise invalid(("query", name), "Input should be a valid integer", "int_parsing")
    return int(text)
