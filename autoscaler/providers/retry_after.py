"""How long a vendor asks us to wait."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_AFTER_MIN_S: Final = 1.0
RETRY_AFTER_MAX_S: Final = 3600.0
RETRY_AFTER_DEFAULT_S: Final = 30.0

_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")  # the standard has no fractions; some servers do


def retry_after_s(header: str | None, now: float) -> float:
    """Seconds to wait, within 1 to 3600; 30 where the header is absent or not readable.

    ``header`` is seconds or an HTTP date; ``now`` is seconds since the Unix epoch.
    Source: RFC 9110, 10.2.3.
    """
    if header is None:
        return RETRY_AFTER_DEFAULT_S
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return bounded(float(text))
    try:
        return bounded(parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return RETRY_AFTER_DEFAULT_S


def bounded(seconds: float) -> float:
    """The seconds, or the nearest wait that we accept."""
    return min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
