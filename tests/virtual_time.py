"""An event loop whose time jumps to the next timer: a week of ticks passes in a second or two.

The clock starts at 0 and the epoch is added apart (``SystemClock(starts_at=...)``): at 1.7e9 a float is
too coarse for the loop's own arithmetic. Sockets of this process work as they are. Time stands still
while a thread of ``run_in_executor`` is at work, and inside :meth:`VirtualTimeLoop.standstill`, which
is for waiting on another process.
"""

from __future__ import annotations

import asyncio
import math
import os
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class JumpingSelector(selectors.DefaultSelector):
    """Polls; where nothing is ready the time that should have been waited is added to ``now_s``."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.holds = 0  # what real time must finish before virtual time may go on

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)  # None blocks: only another thread or process can wake us
        events = super().select(0)
        if not events:
            os.sched_yield()  # on a busy machine the kernel may still be carrying our own bytes
            events = super().select(0)
        if events:
            return events
        if self.holds:
            return super().select(None)
        self.now_s += timeout
        if math.ulp(self.now_s) > 1e-10:  # too coarse for the loop's 1 ns of tolerance: go just beyond
            self.now_s = math.nextafter(self.now_s, math.inf)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Starts at 0 s; ``time()`` moves only by jumps to the next timer."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """Virtual time does not move inside, so no timer outruns another process."""
        self._jumping.holds += 1
        try:
            yield
        finally:
            self._jumping.holds -= 1

    def _release(self, _: object) -> None:
        self._jumping.holds -= 1

    def run_in_executor(  # a thread does not advance with virtual time, so time waits for it
        self, executor: Any, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._jumping.holds += 1
        future.add_done_callback(self._release)
        return future

    async def shutdown_default_executor(self, *args: Any, **options: Any) -> None:
        with self.standstill():  # newer Pythons give the threads a deadline, which would pass at once
            await super().shutdown_default_executor(*args, **options)
