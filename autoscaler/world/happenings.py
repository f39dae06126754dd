"""What happens to a plant by itself, at stated instants: prices change, and GPUs come and go."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from autoscaler.world.plant import UnknownDeployment, World


@dataclass(frozen=True, slots=True)
class PriceChange:
    """From ``at`` (epoch seconds) on, this deployment costs so many USD per GPU-hour."""

    at: float
    deployment_id: str
    usd_per_gpu_hour: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.at) or not 0 <= self.usd_per_gpu_hour < math.inf:
            raise ValueError(
                f"a price of {self.usd_per_gpu_hour} USD per GPU-hour at {self.at}:"
                " needs a finite price of 0 or more, and a finite instant"
            )


@dataclass(frozen=True, slots=True)
class StockChange:
    """From ``at`` (epoch seconds) on, there are so many GPUs of this type in all; None: without limit."""

    at: float
    gpu_type: str
    gpus: int | None

    def __post_init__(self) -> None:
        if not math.isfinite(self.at) or (self.gpus is not None and self.gpus < 0):
            raise ValueError(
                f"a stock of {self.gpus} GPUs at {self.at}:"
                " needs 0 GPUs or more, or None, and a finite instant"
            )


Happening: TypeAlias = PriceChange | StockChange


def schedule(world: World, happenings: Iterable[Happening]) -> None:
    """Let each of these happen at its instant; those of one instant in the order given.

    What lies in the past happens at the next advance. A price of a deployment that was removed meanwhile
    concerns nobody. Raises: UnknownDeployment for one that does not exist now; nothing is scheduled then.
    """
    happenings = tuple(happenings)
    for one in happenings:
        if isinstance(one, PriceChange):
            world.spec(one.deployment_id)  # raises
    for one in happenings:
        world.call_at(one.at, _effect(world, one))


def _effect(world: World, happening: Happening) -> Callable[[float], None]:
    def happens(at: float) -> None:
        if isinstance(happening, StockChange):
            world.set_stock(happening.gpu_type, happening.gpus)
            return
        try:
            world.set_price(happening.deployment_id, happening.usd_per_gpu_hour, at)
        except UnknownDeployment:
            return

    return happens
