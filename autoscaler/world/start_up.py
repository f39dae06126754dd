"""How long a replica takes from the request for it until it serves."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final, Protocol

_Z95: Final = 1.6448536269514722  # 95th percentile of the standard normal law


class StartUpTime(Protocol):
    """A law of start-up times."""

    def draw_s(self, chance: random.Random) -> float:
        """One start-up time in seconds, from this source of chance."""
        ...


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


@dataclass(frozen=True, slots=True)
class LearnedStartUp:
    """Start-up times as they were measured, in seconds: each draw is one of the samples, with replacement,
    all of them equally likely.

    That is the empirical distribution, as in the bootstrap (Efron, Annals of Statistics 7, 1979): mean and
    quantiles are the samples', and nothing longer than the longest is ever drawn, so a tail that was not
    seen is missing. Raises: ValueError without samples, or for one that is negative or not finite.
    """

    samples_s: tuple[float, ...]

    def __post_init__(self) -> None:
        wrong = [sample for sample in self.samples_s if not 0 <= sample < math.inf]
        if not self.samples_s or wrong:
            raise ValueError(
                "measured start-up times need at least one sample, each finite and 0 or more; not"
                f" {wrong[0] if wrong else 'none'}"
            )

    def draw_s(self, chance: random.Random) -> float:
        """One of the samples. Takes one number from ``chance``, whatever the number of samples."""
        return self.samples_s[int(chance.random() * len(self.samples_s))]
