"""What was asked of an emulator, so that a test can say "at most one write"."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 10_000
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(slots=True)
class LoggedRequest:
    """One request; ``status`` None: not answered (yet). No headers and no bodies: no secrets."""

    at: float
    method: str
    path: str
    kind: str
    status: int | None = None


def is_write(method: str) -> bool:
    """Whether a request with this method changes something."""
    return method not in {"GET", "HEAD", "OPTIONS"}


class RequestLog:
    """Counts of all requests since the last ``clear``, and the last 10,000 of them."""

    def __init__(self) -> None:
        self.recent: deque[LoggedRequest] = deque(maxlen=_KEPT)
        self._counts: Counter[str] = Counter()
        self._writes = 0

    def add(self, at: float, method: str, path: str, name: str | None) -> LoggedRequest:
        """A request has come; ``name`` is its route's, None if there is none."""
        kind = f"{method if method in _METHODS else 'OTHER'} {name or 'unknown'}"
        logged = LoggedRequest(at, method, path[:500], kind)
        self.recent.append(logged)
        self._counts[kind] += 1
        self._writes += is_write(method)
        return logged

    @property
    def counts(self) -> Mapping[str, int]:
        """Requests by method and kind of path, such as ``POST scale``."""
        return dict(self._counts)

    @property
    def writes(self) -> int:
        """Requests that would change something, answered or not."""
        return self._writes

    def clear(self) -> None:
        """Forget everything."""
        self.recent.clear()
        self._counts.clear()
        self._writes = 0
