"""DeepInfra dedicated deployments: a pair of bounds, and the vendor's own autoscaler between them.

Source: https://docs.deepinfra.com (the pages of ``/deploy``) and the OpenAPI document of
https://api.deepinfra.com. What these leave open is told to ``Telemetry.first_sight`` when it is seen.
"""

from __future__ import annotations

from typing import Final

from autoscaler.ports import Clock, Provider, Telemetry
from autoscaler.providers.deepinfra.settings import DeepInfraIds, DeepInfraSettings
from autoscaler.providers.kinds import ProviderKind, ProviderSettings

__all__ = ["KIND", "DeepInfraIds", "DeepInfraSettings"]


def _create(name: str, settings: ProviderSettings, clock: Clock, telemetry: Telemetry) -> Provider:
    # Only who calls the vendor pays for the HTTP client.
    from autoscaler.providers.deepinfra.adapter import create

    return create(name, settings, clock, telemetry)


KIND: Final = ProviderKind(DeepInfraSettings, DeepInfraIds, _create)
