"""Independent, reproducible sources of chance."""

from __future__ import annotations

import hashlib
import random


def stream(seed: int, *names: str) -> random.Random:
    """The random numbers that belong to these names under this seed.

    Each name has a sequence of its own, so that adding one never reshuffles another.
    """
    text = "\x00".join((str(seed), *names))
    return random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 - simulation, not secrets
