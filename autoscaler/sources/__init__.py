"""Where demand is read: one module per kind, one line each in :data:`SOURCES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from autoscaler.ports import Clock, SignalSource
from autoscaler.sources.prometheus import PrometheusSettings, PrometheusSignal, PrometheusSource
from autoscaler.sources.push import PushSettings, PushSignal, PushSource


@dataclass(frozen=True, slots=True)
class SourceKind:
    """How one kind of source is configured and made.

    ``settings`` is the model of its ``[sources.NAME]`` table, ``signal_options`` that of the keys that its
    signals take besides ``source``, ``max_age_s`` and ``exists_at_zero``. ``create`` takes the source's
    name, its settings and the clock; it opens no connection, and raises ValueError for a file that
    the settings name and that cannot be used.
    """

    settings: type[BaseModel]
    signal_options: type[BaseModel]
    create: Callable[[str, Any, Clock], SignalSource]


SOURCES: Final[Mapping[str, SourceKind]] = MappingProxyType(
    {
        "prometheus": SourceKind(PrometheusSettings, PrometheusSignal, PrometheusSource),
        "push": SourceKind(PushSettings, PushSignal, lambda name, _, clock: PushSource(name, clock)),
    }
)
"""All kinds of source, by the word that a ``[sources.NAME]`` table has as its ``kind``."""
