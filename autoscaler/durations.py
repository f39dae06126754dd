"""How long: the units that people write, the longest that is taken, and how a duration is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

DURATION_S_MAX: Final = 2_592_000
"""30 days: no pause, override or setting is longer."""

UNIT_S: Final[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
"""Seconds by the letter behind a number; none is seconds."""


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
