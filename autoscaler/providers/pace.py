"""Calls in a row without meeting a vendor's limit per second: the rest waits for its turn."""

from __future__ import annotations

from collections import deque

from autoscaler.ports import Clock

PERIOD_S = 1.0


class Pace:
    """Lets at most ``calls_per_s`` calls of one operation begin in any second of the clock.

    As many may come at once; so a few calls never wait, and many are spread.
    """

    def __init__(self, clock: Clock, calls_per_s: int) -> None:
        self._clock = clock
        self._calls_per_s = calls_per_s
        self._begins: dict[str, deque[float]] = {}  # of the last calls of each operation, the coming ones too

    async def turn(self, operation: str) -> None:
        """Wait until one more call of this operation may begin."""
        begins = self._begins.setdefault(operation, deque(maxlen=self._calls_per_s))
        now = self._clock.monotonic()
        begin = max(now, begins[0] + PERIOD_S) if len(begins) == self._calls_per_s else now
        begins.append(begin)
        if begin > now:
            await self._clock.sleep(begin - now)
