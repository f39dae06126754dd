"""How long start-ups took, as Baseten measured it: a better prior than a configured guess.

A decision can do without. So it costs little time, and never a tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from autoscaler.ports import Clock, ProviderError
from autoscaler.providers.baseten import calls
from autoscaler.providers.baseten.replies import parse_start_ups
from autoscaler.providers.http import HttpApi

READ_EVERY_S: Final = 3600.0
WINDOW_S: Final = 7 * 86_400
_READERS: Final = 4

Key = tuple[str, str]
"""Model id and deployment id."""


@dataclass(slots=True)
class _Figures:
    tried_at: float
    p50_s: float | None = None
    p90_s: float | None = None


class StartUps:
    """Percentiles of the last seven days by deployment, each read once an hour at most."""

    def __init__(self, http: HttpApi, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._known: dict[Key, _Figures] = {}

    def of(self, key: Key) -> tuple[float | None, float | None]:
        """Median and 90th percentile in seconds; None where not known."""
        known = self._known.get(key)
        return (None, None) if known is None else (known.p50_s, known.p90_s)

    async def refresh(self, keys: Sequence[Key], budget_s: float) -> None:
        """Read those that are due, and forget the others; what the budget leaves is for the next tick."""
        self._known = {key: self._known[key] for key in keys if key in self._known}
        now = self._clock.monotonic()
        due = [key for key in keys if key not in self._known or self._is_due(key, now)]

        async def reader() -> None:
            while due:
                await self._read(due.pop())

        with suppress(TimeoutError):
            async with self._clock.deadline(budget_s):
                await asyncio.gather(*(reader() for _ in range(min(_READERS, len(due)))))

    def _is_due(self, key: Key, now: float) -> bool:
        return now - self._known[key].tried_at >= READ_EVERY_S

    async def _read(self, key: Key) -> None:
        # What was measured last week is not undone by one failed read: it stays until a better one.
        figures = self._known.setdefault(key, _Figures(0.0))
        figures.tried_at = self._clock.monotonic()
        now = self._clock.now()
        call = calls.start_ups(*key, int((now - WINDOW_S) * 1000), int(now * 1000))
        with suppress(ProviderError):
            figures.p50_s, figures.p90_s = await self._http.call(call, parse_start_ups)
