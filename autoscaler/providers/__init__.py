"""Adapters for vendors, and the registry of their kinds.

Adding a vendor is one module (or package) that exports a ``KIND``, and one line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from autoscaler.providers import baseten, deepinfra, exoscale
from autoscaler.providers.kinds import ProviderKind, ProviderSettings

__all__ = ["PROVIDERS", "ProviderKind", "ProviderSettings"]

PROVIDERS: Final[Mapping[str, ProviderKind]] = MappingProxyType(
    {
        "baseten": baseten.KIND,
        "deepinfra": deepinfra.KIND,
        "exoscale": exoscale.KIND,
    }
)
"""What ``kind`` of a ``[providers.NAME]`` table may be."""
