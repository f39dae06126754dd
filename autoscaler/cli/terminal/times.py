"""Durations and instants as people type them, and as they read them."""

from __future__ import annotations

import re
from typing import Final

from autoscaler.durations import DURATION_S_MAX, UNIT_S

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


def clock_text(instant: str) -> str:
    """An ISO 8601 instant in UTC, to the second, for reading: ``2026-11-21 12:00:00 UTC``; else as it is."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z", instant)
    return f"{match[1]} {match[2]} UTC" if match else instant
