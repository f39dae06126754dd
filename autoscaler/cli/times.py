"""Durations and instants as people type them, and as they read them."""

from __future__ import annotations

import math
import re
from typing import Final

DURATION_S_MAX: Final = 2_592_000
UNIT_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)", re.ASCII)


def duration_s(text: str) -> float:
    """Seconds of ``90s``, ``30m``, ``2h``, ``3d`` or plain seconds.

    Raises: ValueError, saying what is allowed.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; 90s, 30m, 2h, 3d or a number of seconds is allowed")
    seconds = float(match[1]) * UNIT_S[match[2]]
    if not 1 <= seconds <= DURATION_S_MAX:
        raise ValueError(f"{text!r} is out of range; 1s to 30d is allowed")
    return seconds


def spoken(seconds: float) -> str:
    """A duration as a person says it, its two largest units: ``2 h``, ``1 h 30 min``, ``45 s``, ``0.4 s``."""
    if seconds < 0:
        return f"-{spoken(-seconds)}"
    if seconds < 10 and seconds != math.floor(seconds):
        return f"{seconds:.1f} s"
    rest = round(seconds)
    parts = []
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}")
        if parts and (len(parts) == 2 or not count):
            break
    return " ".join(parts) or "0 s"


def clock_text(instant: str) -> str:
    """An ISO 8601 instant in UTC, to the second, for reading: ``2026-11-21 12:00:00 UTC``; else as it is."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z", instant)
    return f"{match[1]} {match[2]} UTC" if match else instant
