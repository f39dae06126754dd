"""Where demand is read: one module per kind, one line each in :data:`SOURCES`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from autoscaler.sources import baseten, deepinfra
from autoscaler.sources.kinds import Borrowing, SourceKind, SourceSettings
from autoscaler.sources.prometheus import PrometheusSettings, PrometheusSignal, PrometheusSource
from autoscaler.sources.push import PushSettings, PushSignal, PushSource

__all__ = ["SOURCES", "Borrowing", "SourceKind", "SourceSettings"]

SOURCES: Final[Mapping[str, SourceKind]] = MappingProxyType(
    {
        "baseten": baseten.KIND,
        "deepinfra": deepinfra.KIND,
        "prometheus": SourceKind(PrometheusSettings, PrometheusSignal, PrometheusSource),
        "push": SourceKind(PushSettings, PushSignal, lambda name, _, clock: PushSource(name, clock)),
    }
)
"""All kinds of source, by the word that a ``[sources.NAME]`` table has as its ``kind``."""
