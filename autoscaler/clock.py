"""Real time, possibly sped up: the only place that reads the machine's clocks."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Literal


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
        self._wall_0 = starts_at if starts_at is not None else time.time()
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
            return round(time.time(), 3)
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


class SteadyClock:
    """A clock that never goes back, over one that may.

    After the wall clock is set back this one goes on with the monotonic clock until the wall has caught up.
    ``jumped`` tells, once per jump, what happened: "back" (by over a second) or "ahead" (by over an hour).
    """

    def __init__(self, clock: SystemClock, not_before: float | None = None) -> None:
        self._clock = clock
        self._base, self._base_monotonic = clock.now(), clock.monotonic()
        self._wall, self._wall_monotonic = self._base, self._base_monotonic
        self._jump: Literal["back", "ahead"] | None = None
        if not_before is not None and not_before >= self._base:
            self._base = not_before + 0.001
            self._jump = "back"

    @property
    def speed(self) -> float:
        """How many of this clock's seconds pass in one of the machine's."""
        return self._clock.speed

    def now(self) -> float:
        """Seconds since the Unix epoch, rounded to a millisecond; never before what it said last."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        moved = (wall - self._wall) - (monotonic - self._wall_monotonic)
        self._wall, self._wall_monotonic = wall, monotonic
        if moved < -1.0:
            self._jump = "back"
        elif moved > 3600.0:
            self._jump = "ahead"
        expected = self._base + (monotonic - self._base_monotonic)
        # Small corrections of the wall are followed; larger steps back are waited out.
        self._base = wall if wall >= self._base and wall >= expected - 1.0 else expected
        self._base_monotonic = monotonic
        return round(self._base, 3)

    def jumped(self) -> Literal["back", "ahead"] | None:
        """The jump since this was last asked, if any."""
        jump, self._jump = self._jump, None
        return jump

    def monotonic(self) -> float:
        """Seconds of this clock from an arbitrary start."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let this many of this clock's seconds pass."""
        await self._clock.sleep(seconds)

    def deadline(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """TimeoutError inside the block once this many of this clock's seconds have passed."""
        return self._clock.deadline(seconds)
