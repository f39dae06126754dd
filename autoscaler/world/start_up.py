"""How long a replica takes from the request for it until it serves."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final

_Z95: Final = 1.6448536269514722  # 95th percentile of the standard normal law


@dataclass(frozen=True, slots=True)
class StartUp:
    """A lognormal start-up time, by its median and its 95th percentile, in seconds.

    Equal values are a fixed time. Raises: ValueError for negative or disordered values.
    """

    median_s: float
    p95_s: float

    def __post_init__(self) -> None:
        if not (0 <= self.median_s <= self.p95_s < math.inf):
            raise ValueError(
                f"start-up times need 0 <= median_s <= p95_s, finite; not {self.median_s} and {self.p95_s}"
            )
        if self.median_s == 0 < self.p95_s:
            raise ValueError("a median start-up time of 0 s must be fixed: p95_s must be 0 too")

    @classmethod
    def fixed(cls, seconds: float) -> StartUp:
        """Always the same time."""
        return cls(seconds, seconds)

    def draw_s(self, chance: random.Random) -> float:
        """One start-up time in seconds. Takes one number from ``chance``, also when fixed."""
        z = chance.normalvariate(0.0, 1.0)
        if self.median_s == self.p95_s:
            return self.median_s
        return self.median_s * math.exp(z * math.log(self.p95_s / self.median_s) / _Z95)
