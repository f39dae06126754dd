"""Real time, possibly sped up: the only place that reads the machine's clocks."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager


class SystemClock:
    """The machine's clock. With ``speed`` 60 an hour of this clock passes in a minute.

    Scaled, it starts at ``starts_at`` (default: now) and follows the monotonic clock; unscaled, ``now``
    is the wall's and may jump as the wall's does.
    """

    def __init__(self, speed: float = 1.0, starts_at: float | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above zero, not {speed}")
        self.speed = speed
        self._virtual = speed != 1.0 or starts_at is not None
        self._wall_0 = starts_at if starts_at is not None else time.time()  # noqa: TID251
        self._mono_0 = self._seconds()

    @staticmethod
    def _seconds() -> float:
        # The loop's clock where one runs, so that a virtual loop moves both sleeps and timestamps.
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return time.monotonic()

    def now(self) -> float:
        """Seconds since the Unix epoch, rounded to a millisecond."""
        if not self._virtual:
            return round(time.time(), 3)  # noqa: TID251
        return round(self._wall_0 + (self._seconds() - self._mono_0) * self.speed, 3)

    def monotonic(self) -> float:
        """Seconds of this clock from an arbitrary start."""
        return self._seconds() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Let this many of this clock's seconds pass."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    def deadline(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """TimeoutError inside the block once this many of this clock's seconds have passed."""
        return asyncio.timeout(max(0.0, seconds) / self.speed)
