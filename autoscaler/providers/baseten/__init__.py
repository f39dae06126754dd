"""Baseten: dedicated deployments, environments and chainlets, scaled by their bounds.

Source: the official Python package ``baseten`` 0.13.1 (its generated client) and docs.baseten.co. What the
vendor's pages leave open is told to ``Telemetry.first_sight`` when it is seen.
"""

from __future__ import annotations

from typing import Final

from autoscaler.ports import Clock, Provider, Telemetry
from autoscaler.providers.baseten.settings import BasetenIds, BasetenSettings
from autoscaler.providers.kinds import ProviderKind, ProviderSettings

__all__ = ["KIND", "BasetenIds", "BasetenSettings"]


def _create(name: str, settings: ProviderSettings, clock: Clock, telemetry: Telemetry) -> Provider:
    # Only who calls the vendor pays for the HTTP client.
    from autoscaler.providers.baseten.adapter import create

    return create(name, settings, clock, telemetry)


KIND: Final = ProviderKind(BasetenSettings, BasetenIds, _create)
