"""Exoscale Dedicated Inference: exact replica counts, changed by one asynchronous call.

Source: https://community.exoscale.com/reference/api/ai/ and the official Python package ``exoscale``
0.16.4. What the vendor's pages leave open is told to ``Telemetry.first_sight`` when it is seen.
"""

from __future__ import annotations

from typing import Final

from autoscaler.ports import Clock, Provider, Telemetry
from autoscaler.providers.exoscale.settings import ExoscaleIds, ExoscaleSettings
from autoscaler.providers.kinds import ProviderKind, ProviderSettings

__all__ = ["KIND", "ExoscaleIds", "ExoscaleSettings"]


def _create(name: str, settings: ProviderSettings, clock: Clock, telemetry: Telemetry) -> Provider:
    # Only who calls the vendor pays for the HTTP client: reading a configuration starts in half the time.
    from autoscaler.providers.exoscale.adapter import create

    return create(name, settings, clock, telemetry)


KIND: Final = ProviderKind(ExoscaleSettings, ExoscaleIds, _create)
