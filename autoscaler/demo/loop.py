"""An event loop that counts its own work up to a limit: a slow machine makes the demo slow, not wrong."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

COUNTED_S: Final = 1.0
"""Simulated seconds that one round of the loop may take for its work, and be late in waking."""
_FASTEST: Final = 360.0
"""Beyond this speed a round counts less: there are more rounds in a deadline than it has seconds."""


class _PatientSelector(selectors.DefaultSelector):
    def __init__(self, counted_s: float) -> None:
        super().__init__()
        self.threads_at_work = 0
        self._counted_s = counted_s
        self._now_s = time.monotonic()
        self._resumed_s = self._now_s

    def now_s(self) -> float:
        return self._now_s + min(time.monotonic() - self._resumed_s, self._counted_s)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._now_s = self.now_s()
        before_s = time.monotonic()
        events = super().select(timeout)
        self._resumed_s = time.monotonic()
        waited_s = self._resumed_s - before_s
        if self.threads_at_work:
            waited_s = min(waited_s, self._counted_s)
        elif timeout is not None:
            waited_s = min(waited_s, max(0.0, timeout) + self._counted_s)
        self._now_s += waited_s
        return events


class PatientLoop(asyncio.SelectorEventLoop):
    """Its time is the machine's, less what the machine was too busy for.

    Sped up 360 times, a deadline of 6 s is 17 ms of the machine: another process that takes the processor,
    a slow disk or a page that is drawn would look like an outage of a vendor. So a round of the loop
    counts at most one simulated second of work, and waking late or waiting for a thread (the journal's) no
    more than that.
    """

    def __init__(self, speed: float) -> None:
        self._patient = _PatientSelector(COUNTED_S / speed * min(1.0, _FASTEST / speed))
        super().__init__(self._patient)

    def time(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        return self._patient.now_s()

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As every loop's; the clock waits for the thread."""
        future = super().run_in_executor(executor, func, *args)
        self._patient.threads_at_work += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._patient.threads_at_work -= 1
