"""Which GPUs a deployment has, and at which price, as far as the file tells: before any vendor was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.config.drafts import DeploymentDraft, ServiceDraft
from autoscaler.config.models import PriceSettings
from autoscaler.core.model import key_of


@dataclass(frozen=True, slots=True)
class StatedGpus:
    """GPUs of one replica. ``gpu_type`` and the price are None where the file does not tell them."""

    gpu_type: str | None
    gpus_per_replica: int
    usd_per_gpu_hour: float | None


def stated_gpus(deployment: DeploymentDraft, prices: Sequence[PriceSettings]) -> StatedGpus:
    """By the deployment's own ``gpu_type``, or else by the provider's only one in ``[[prices]]``."""
    settings = deployment.settings
    own = {price.gpu_type: price.usd_per_gpu_hour for price in prices if price.provider == settings.provider}
    gpu_type = settings.gpu_type
    if gpu_type is None and len(own) == 1:
        (gpu_type,) = own
    price = None if gpu_type is None else own.get(gpu_type)
    return StatedGpus(gpu_type, settings.gpus_per_replica, price)


def gpus_of(services: Sequence[ServiceDraft], prices: Sequence[PriceSettings]) -> Mapping[str, StatedGpus]:
    """By ``"service/deployment"``."""
    return MappingProxyType(
        {
            key_of(service.name, one.settings.name): stated_gpus(one, prices)
            for service in services
            for one in service.deployments
        }
    )
