"""What the emulated DeepInfra rents out, and for how much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

Gpu = Literal[
    "L4-24GB",
    "L40S-48GB",
    "A100-80GB",
    "H100-80GB",
    "H200-141GB",
    "B200-180GB",
    "B300-270GB",
    "RTXPRO6000-96GB",
    "other",
]

GPUS: Final[tuple[str, ...]] = get_args(Gpu)
"""Words for a GPU type. Source: DeepInfra's page for POST /deploy/llm."""

COUNTS: Final = (1, 2, 4, 8)
"""GPUs of one instance that are offered for each type."""

LIST_USD_PER_GPU_HOUR: Final[Mapping[str, float]] = {
    "L4-24GB": 0.40,
    "L40S-48GB": 0.90,
    "A100-80GB": 0.89,
    "H100-80GB": 2.20,
    "H200-141GB": 2.80,
    "B200-180GB": 3.69,
    "B300-270GB": 4.60,
    "RTXPRO6000-96GB": 1.50,
}
"""A100, H100 and B200 as in sample replies of October 2026, the rest made up; "other" has no price."""


def configuration(gpus: int, gpu: str) -> str:
    """The word for an instance of so many GPUs."""
    return f"{gpus}x{gpu}"


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per hour: of one GPU by its type, and of whole configurations that cost something else."""

    usd_per_gpu_hour: Mapping[str, float] = field(default_factory=lambda: dict(LIST_USD_PER_GPU_HOUR))
    usd_per_hour: Mapping[str, float] = field(default_factory=dict)

    def of(self, gpus: int, gpu: str) -> float | None:
        """One instance of so many GPUs, for an hour; None where it is not for rent."""
        own = self.usd_per_hour.get(configuration(gpus, gpu))
        if own is not None:
            return own
        each = self.usd_per_gpu_hour.get(gpu)
        return None if each is None else gpus * each

    def with_gpu(self, gpu: str, usd_per_gpu_hour: float) -> Prices:
        """Another price of this type, in every configuration."""
        others = {word: usd for word, usd in self.usd_per_hour.items() if word.partition("x")[2] != gpu}
        return Prices({**self.usd_per_gpu_hour, gpu: usd_per_gpu_hour}, others)

    def with_configuration(self, word: str, usd_per_hour: float) -> Prices:
        """Another price of this configuration alone."""
        return replace(self, usd_per_hour={**self.usd_per_hour, word: usd_per_hour})

    def offered(self, in_use: Iterable[tuple[int, str]]) -> list[tuple[int, str, float]]:
        """Every configuration that has a price, those in use too, with USD per hour for all its GPUs."""
        words = {(gpus, gpu) for gpu in self.usd_per_gpu_hour for gpus in COUNTS}
        order = {gpu: place for place, gpu in enumerate(GPUS)}
        rows = sorted({*words, *in_use}, key=lambda row: (order.get(row[1], len(order)), row[1], row[0]))
        return [(gpus, gpu, usd) for gpus, gpu in rows if (usd := self.of(gpus, gpu)) is not None]
