"""Says once when trouble with a provider starts and once when it ends, however many calls fail between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from autoscaler.core.model import ErrorKind

_QUIET_S: Final = 60.0

log = structlog.stdlib.get_logger("autoscaler.provider")


@dataclass(slots=True)
class _Trouble:
    since: float
    last_error: float
    failing: set[str] = field(default_factory=set)  # operations
    errors: int = 0


class TroubleLog:
    """Trouble per provider and kind of error, over ``monotonic`` seconds.

    It has ended when each operation that failed has succeeded again and no such error came for
    ``quiet_s``: one deployment that always answers "not found" among ten that are well is one trouble.
    """

    def __init__(self, monotonic: Callable[[], float], quiet_s: float = _QUIET_S) -> None:
        self._monotonic = monotonic
        self.quiet_s = quiet_s
        self._troubles: dict[tuple[str, ErrorKind], _Trouble] = {}

    def request(self, provider: str, operation: str, error: ErrorKind | None) -> None:
        """One call ended."""
        now = self._monotonic()
        for (name, kind), trouble in self._troubles.items():
            if name == provider and kind != error:
                trouble.failing.discard(operation)
        # Busy is the ordinary answer while a change is applied; it is counted, and not news.
        if error is not None and error is not ErrorKind.BUSY:
            self._failed(provider, operation, error, now)
        self.settle()

    def _failed(self, provider: str, operation: str, error: ErrorKind, now: float) -> None:
        trouble = self._troubles.get((provider, error))
        if trouble is None:
            trouble = self._troubles[provider, error] = _Trouble(since=now, last_error=now)
            log.warning("provider trouble began", provider=provider, kind=str(error), operation=operation)
        trouble.last_error = now
        trouble.errors += 1
        trouble.failing.add(operation)

    def settle(self) -> None:
        """Say what has ended; called by every request and every tick."""
        now = self._monotonic()
        for (provider, kind), trouble in list(self._troubles.items()):
            if not trouble.failing and now - trouble.last_error >= self.quiet_s:
                del self._troubles[provider, kind]
                log.info(
                    "provider trouble ended",
                    provider=provider,
                    kind=str(kind),
                    lasted_s=round(trouble.last_error - trouble.since, 1),
                    errors=trouble.errors,
                )

    def forget_all_but(self, providers: frozenset[str]) -> None:
        """Providers that left the configuration have no trouble any more."""
        for key in [key for key in self._troubles if key[0] not in providers]:
            del self._troubles[key]
