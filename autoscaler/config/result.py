"""The configuration as everything else uses it: frozen, whole, every reference good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, SecretStr

from autoscaler.config.gpus import StatedGpus
from autoscaler.config.models import DaemonSettings, HttpSettings, Mode
from autoscaler.config.problems import Problem
from autoscaler.core.fleet import Fleet
from autoscaler.ports import Ref, SignalQuery
from autoscaler.providers import ProviderSettings
from autoscaler.sources import SourceSettings


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration file with its policies, secrets and environment.

    All paths are absolute. ``providers`` and ``sources`` hold the settings model of each table's kind
    (``.kind`` is the word); both are empty when read for ``decide``, which calls nobody. ``refs`` is by
    provider, ``queries`` by source, ``modes`` and ``labels`` by service, ``gpus`` by deployment key.
    ``shadows`` holds, by service that has one, the service alone with its shadow policies.
    """

    path: Path
    daemon: DaemonSettings
    http: HttpSettings
    fleet: Fleet
    providers: Mapping[str, ProviderSettings]
    refs: Mapping[str, tuple[Ref, ...]]
    sources: Mapping[str, SourceSettings]
    queries: Mapping[str, tuple[SignalQuery, ...]]
    modes: Mapping[str, Mode]
    gpus: Mapping[str, StatedGpus] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    shadows: Mapping[str, Fleet] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()

    def secrets(self) -> tuple[str, ...]:
        """Every secret text, for the logs' redaction and for nothing else."""
        models = (self.http, *self.providers.values(), *self.sources.values())
        return tuple(sorted({text for model in models for text in _secrets(model)}))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        yield from _secrets(dict(value))
    elif isinstance(value, Mapping):
        yield from _secrets(tuple(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _secrets(item)
