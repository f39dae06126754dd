"""One scrape of an export, shared by every signal that is read from it, and never asked for too often."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from autoscaler.core.model import Absence
from autoscaler.ports import Clock
from autoscaler.sources.exposition import Exposition
from autoscaler.sources.http import HttpReader, ReadError, refusal
from autoscaler.sources.patience import Patience

EARLY_S: Final = 1.0
"""A tick comes by this much early and is not made to wait for the next one."""


@dataclass(frozen=True, slots=True)
class Scraped:
    """The last export that could be read, and what has gone wrong since then, if anything.

    ``sent_at`` is when it was asked for, in seconds since the epoch by our clock.
    """

    exposition: Exposition | None = None
    sent_at: float = 0.0
    trouble: Absence | None = None


class SharedScrape:
    """The export at one address, as of the last scrape.

    Scrapes are ``interval_s`` apart, from request to request. They are also ``apart_s_min`` apart from the
    end of one to the start of the next: then they are so at the server, however long each is under way.
    """

    def __init__(
        self, http: HttpReader, clock: Clock, address: str, *, interval_s: float, apart_s_min: float
    ) -> None:
        self._http = http
        self._clock = clock
        self._address = address
        self._interval_s = interval_s
        self._apart_s_min = apart_s_min
        self._patience = Patience(clock)
        self._order = asyncio.Lock()
        self._began: float | None = None
        self._ended: float | None = None
        self._last = Scraped()

    async def latest(self, within_s: float) -> Scraped:
        """What is known after ``within_s`` at most; scrapes where that is due and nobody else is at it."""
        ends_at = self._clock.monotonic() + within_s
        try:
            async with self._clock.deadline(within_s):
                await self._order.acquire()
        except TimeoutError:
            return self._last  # Whoever is at it takes too long; what was known is still known.
        try:
            if self._is_due():
                await self._scrape(ends_at - self._clock.monotonic())
        finally:
            self._order.release()
        return self._last

    def _is_due(self) -> bool:
        if self._patience.waiting() is not None:
            return False
        now = self._clock.monotonic()
        if self._began is None or self._ended is None:
            return True
        return now - self._began >= self._interval_s - EARLY_S and now - self._ended >= self._apart_s_min

    async def _scrape(self, within_s: float) -> None:
        self._began, sent_at = self._clock.monotonic(), self._clock.now()
        try:
            reply = await self._http.fetch("GET", self._address, within_s=within_s)
        except ReadError as error:
            self._failed(error.absence)
            return
        finally:
            self._ended = self._clock.monotonic()  # Also where whoever waits has given up.
        self._patience.heed(reply)
        if reply.status != 200:
            self._failed(self._patience.waiting() or refusal(reply.status))
            return
        try:
            self._last = Scraped(Exposition(reply.body), sent_at)
        except ValueError as error:
            text = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
            self._failed(Absence("bad_reply", text))

    def _failed(self, trouble: Absence) -> None:
        self._last = Scraped(self._last.exposition, self._last.sent_at, trouble)
