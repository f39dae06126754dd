"""Windows of time in the words of DeepInfra's queries: ``now-5m``, or unix time."""

from __future__ import annotations

import math
import re
from typing import Final

_BEFORE_NOW: Final = re.compile(r"now(?:-([0-9]{1,6})([smhdwM]))?")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000}


def instant(text: str, now: float) -> float | None:
    """Epoch seconds; None for a text that is neither ``now``, ``now-<n><s|m|h|d|w|M>`` nor a number."""
    told = _BEFORE_NOW.fullmatch(text)
    if told is not None:
        count, unit = told.groups()
        return now - (int(count) * _UNITS_S[unit] if count else 0)
    return unix_time(text)


def unix_time(text: str) -> float | None:
    """Epoch seconds, with a fraction or without; None for any other text."""
    if len(text) > 40:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
