"""Exoscale Dedicated Inference: exact replica counts, changed by one asynchronous call.

Source: https://community.exoscale.com/reference/api/ai/ and the official Python package ``exoscale``
0.16.4. What the vendor's pages leave open is told to ``Telemetry.first_sight`` when it is seen.
"""

from __future__ import annotations

from autoscaler.providers.exoscale.adapter import KIND, Exoscale
from autoscaler.providers.exoscale.settings import ExoscaleIds, ExoscaleSettings

__all__ = ["KIND", "Exoscale", "ExoscaleIds", "ExoscaleSettings"]
