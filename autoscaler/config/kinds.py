"""Which kinds of provider, source and policy a configuration may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.config.problems import ConfigError, Problem
from autoscaler.core.proposals import Policy
from autoscaler.policies.registry import GROUP, PolicyKindError, load_policies
from autoscaler.providers import PROVIDERS, ProviderKind
from autoscaler.sources import SOURCES, SourceKind


@dataclass(frozen=True, slots=True)
class Kinds:
    """The registries, by the word that stands as ``kind`` in a table."""

    providers: Mapping[str, ProviderKind]
    sources: Mapping[str, SourceKind]
    policies: Mapping[str, type[Policy]]


def installed() -> Kinds:
    """Everything that this installation knows.

    Raises: ConfigError where an installed distribution offers a policy that cannot be loaded; the text
    names the distribution.
    """
    try:
        policies = load_policies()
    except PolicyKindError as error:
        place = f"entry points {GROUP}"
        raise ConfigError(Problem(place, "", None, line) for line in str(error).splitlines()) from None
    return Kinds(PROVIDERS, SOURCES, policies)
