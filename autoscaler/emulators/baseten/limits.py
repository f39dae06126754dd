"""Baseten's rate limits: so many calls of one kind in the last so many seconds."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Limits:
    """When calls were let in, by kind. A refused call does not count."""

    _let_in: dict[str, deque[float]] = field(default_factory=dict)

    def wait_s(self, kind: str, calls: int | None, period_s: float, now: float) -> int | None:
        """Let a call in, or say how many whole seconds to wait; ``calls`` None is no limit."""
        if calls is None:
            return None
        past = self._let_in.setdefault(kind, deque(maxlen=100_000))
        while past and past[0] <= now - period_s:
            past.popleft()
        if len(past) >= calls:
            return max(1, math.ceil(past[0] + period_s - now))
        past.append(now)
        return None
