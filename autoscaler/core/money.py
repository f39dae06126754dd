"""Prices, and what replicas cost, in integer micro-USD so that sums are exact and plans repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from autoscaler.core.fleet import Deployment, Fleet
from autoscaler.core.memory import DeploymentMemory
from autoscaler.core.model import Price
from autoscaler.core.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class ReplicaPrice:
    """What one replica of one deployment costs per hour.

    ``micro_usd`` None: never known. ``age_s`` is 0 for a price fixed in the configuration, which never ages.
    """

    micro_usd: int | None
    usd_per_gpu_hour: float | None
    age_s: float | None


USD_PER_GPU_HOUR_MAX: Final = 1e9
"""Above this, a price is a defect of its source."""

UNKNOWN = ReplicaPrice(None, None, None)


def replica_price(
    deployment: Deployment,
    memory: DeploymentMemory | None,
    prices: Mapping[str, Price],
    fleet: Fleet,
    at: float,
) -> ReplicaPrice:
    """Price of one replica now: the configuration's, else the last one seen, else unknown.

    The price of the replica's whole instance type is closer than that of its GPU type.
    """
    if memory is None or memory.last.gpu_type is None:
        return UNKNOWN
    last = memory.last
    gpus = last.gpus_per_replica or 1
    keys = [f"{deployment.provider}/{last.gpu_type}"]
    if last.instance_type is not None and last.instance_type != last.gpu_type:
        keys.insert(0, f"{deployment.provider}/{last.instance_type}")
    for key in keys:
        fixed = fleet.fixed_prices.get(key)
        if fixed is not None and is_price(fixed):
            return ReplicaPrice(micro_usd(fixed * gpus), fixed, 0.0)
    for key in keys:
        price = prices.get(key)
        if price is not None and is_price(price.usd_per_gpu_hour):
            usd_per_gpu_hour = price.usd_per_gpu_hour
            return ReplicaPrice(micro_usd(usd_per_gpu_hour * gpus), usd_per_gpu_hour, max(0.0, at - price.at))
    return UNKNOWN


def is_price(usd_per_gpu_hour: float) -> bool:
    """Whether this can be a price at all; what cannot is not known."""
    return 0.0 <= usd_per_gpu_hour <= USD_PER_GPU_HOUR_MAX


def micro_usd(usd: float) -> int:
    """USD as whole millionths."""
    return round(usd * 1_000_000)


def usd(micro: int) -> float:
    """Millionths as USD."""
    return micro / 1_000_000
