"""Calls in a row without meeting a vendor's limit per second: the rest waits for its turn."""

from __future__ import annotations

from asyncio import Lock
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from autoscaler.ports import Clock

PERIOD_S: Final = 1.0


@dataclass(slots=True)
class _Line:
    """Calls of one operation: who waits, in order, and when the last ones began."""

    begun: deque[float]
    turn: Lock = field(default_factory=Lock)


class Pace:
    """Lets at most ``calls_per_s`` calls of one operation begin in any second of the clock.

    As many may come at once; so a few calls never wait, and many are spread. Who gives up while waiting
    takes nobody's turn.
    """

    def __init__(self, clock: Clock, calls_per_s: int) -> None:
        self._clock = clock
        self._calls_per_s = calls_per_s
        self._lines: dict[str, _Line] = {}

    async def turn(self, operation: str) -> None:
        """Wait until one more call of this operation may begin."""
        line = self._lines.setdefault(operation, _Line(deque(maxlen=self._calls_per_s)))
        async with line.turn:
            if len(line.begun) == self._calls_per_s:
                wait_s = line.begun[0] + PERIOD_S - self._clock.monotonic()
                if wait_s > 0:
                    await self._clock.sleep(wait_s)
            line.begun.append(self._clock.monotonic())
