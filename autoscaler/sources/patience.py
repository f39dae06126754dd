"""No request before the time that a server asked us to wait for."""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime
from typing import Final

from autoscaler.core.model import Absence
from autoscaler.ports import Clock
from autoscaler.sources.http import Reply
from autoscaler.sources.values import from_json

TOO_OFTEN: Final = 429
WAIT_MIN_S: Final = 1.0
WAIT_MAX_S: Final = 3600.0
WAIT_DEFAULT_S: Final = 30.0

_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)


class Patience:
    """Remembers until when a server does not want to be asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = -math.inf

    def waiting(self) -> Absence | None:
        """Why nothing is to be sent now; None: it may be."""
        left_s = self._until - self._clock.monotonic()
        if left_s <= 0.0:
            return None
        return Absence("error", f"HTTP {TOO_OFTEN}, asked too often: asked again in {math.ceil(left_s)} s")

    def heed(self, reply: Reply) -> None:
        """Take note of a reply of status 429; of others nothing."""
        if reply.status == TOO_OFTEN:
            self._until = self._clock.monotonic() + wait_s(reply, self._clock.now())


def wait_s(reply: Reply, now: float) -> float:
    """Seconds to wait, within 1 to 3600; 30 where nothing tells. ``now`` is seconds since the epoch.

    Source: RFC 9110, 10.2.3, for the header; Baseten's page on rate limits for ``retry_after`` in the body.
    """
    return min(max(_asked_s(reply, now), WAIT_MIN_S), WAIT_MAX_S)


def _asked_s(reply: Reply, now: float) -> float:
    header = (reply.retry_after or "").strip()
    if _SECONDS.fullmatch(header):
        return float(header)
    if header:
        try:
            return parsedate_to_datetime(header).timestamp() - now
        except (ValueError, TypeError, OverflowError, IndexError):
            return WAIT_DEFAULT_S
    try:
        body = from_json(reply.body)
    except ValueError:
        return WAIT_DEFAULT_S
    told = body.get("retry_after") if isinstance(body, dict) else None
    if isinstance(told, bool) or not isinstance(told, int | float):
        return WAIT_DEFAULT_S
    return float(min(told, WAIT_MAX_S))  # before it is a float: an integer may be too long for one
