"""How long one request runs on a replica of speed 1, in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from autoscaler.world.trace import Row


class ServiceTime(Protocol):
    """A lognormal service time whose mean may depend on the row of the trace."""

    @property
    def variation(self) -> float:
        """Coefficient of variation: standard deviation over mean."""
        ...

    def mean_s(self, row: Row) -> float:
        """Mean seconds of the requests of this row."""
        ...


@dataclass(frozen=True, slots=True)
class MeanServiceTime:
    """The same mean always; by default 8 s with a coefficient of variation of 1."""

    seconds: float = 8.0
    variation: float = 1.0

    def __post_init__(self) -> None:
        _check(self.variation, self.seconds)

    def mean_s(self, row: Row) -> float:
        """The same for every row."""
        del row
        return self.seconds


@dataclass(frozen=True, slots=True)
class TokenServiceTime:
    """Reading the prompt, then writing the answer, from the row's mean tokens per request.

    ``otherwise_s`` is the mean where a row has no requests or no tokens. ``slow_down`` multiplies.
    """

    prompt_tokens_per_s: float = 8000.0
    output_tokens_per_s: float = 40.0
    variation: float = 0.8
    otherwise_s: float = 8.0
    slow_down: float = 1.0

    def __post_init__(self) -> None:
        _check(
            self.variation,
            self.prompt_tokens_per_s,
            self.output_tokens_per_s,
            self.otherwise_s,
            self.slow_down,
        )

    def mean_s(self, row: Row) -> float:
        """From the tokens of this row."""
        if row.prompt_tokens is None or row.output_tokens is None or row.requests <= 0:
            return self.otherwise_s * self.slow_down
        work_s = row.prompt_tokens / self.prompt_tokens_per_s + row.output_tokens / self.output_tokens_per_s
        return self.slow_down * work_s / row.requests


def lognormal(mean: float, variation: float) -> tuple[float, float]:
    """Mean and deviation of the logarithm of a lognormal law with this mean and variation."""
    variance = math.log1p(variation * variation)
    return math.log(mean) - variance / 2, math.sqrt(variance)


def _check(variation: float, *positive: float) -> None:
    if not 0 <= variation < math.inf or not all(0 < number < math.inf for number in positive):
        raise ValueError("service times need a variation >= 0 and means and speeds > 0, all finite")
