"""How long requests waited, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

_PER_E: Final = 100.0  # bins per factor e: a bin is 1 % wide


class Waits:
    """A histogram of waits in seconds with bins 1 % wide; zero is a bin of its own."""

    def __init__(self) -> None:
        self.zeros = 0
        self.bins: Counter[int] = Counter()

    def add(self, wait_s: float) -> None:
        """One more wait."""
        if wait_s <= 0:
            self.zeros += 1
        else:
            self.bins[math.floor(math.log(wait_s) * _PER_E)] += 1

    def add_all(self, waits_s: Sequence[float]) -> None:
        """So many more."""
        waited = [math.floor(math.log(wait_s) * _PER_E) for wait_s in waits_s if wait_s > 0]
        self.zeros += len(waits_s) - len(waited)
        self.bins.update(waited)

    def copy(self) -> Waits:
        """An independent copy, to which open waits can be added."""
        other = Waits()
        other.zeros, other.bins = self.zeros, Counter(self.bins)
        return other

    @property
    def count(self) -> int:
        """Waits in all."""
        return self.zeros + self.bins.total()

    def quantile_s(self, share: float) -> float | None:
        """The smallest wait, within 1 %, that this share of the waits does not exceed; None: no waits."""
        rank = math.ceil(share * self.count)
        if self.count == 0:
            return None
        seen = self.zeros
        if rank <= seen:
            return 0.0
        edge = 0
        for edge in sorted(self.bins):
            seen += self.bins[edge]
            if seen >= rank:
                break
        return math.exp((edge + 0.5) / _PER_E)
