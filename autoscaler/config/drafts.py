"""Services as read, one by one; whether they fit together is checked afterwards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from autoscaler.config.document import Keys
from autoscaler.config.environment import layered
from autoscaler.config.kinds import Kinds
from autoscaler.config.models import (
    NAME_CHARS_MAX,
    NAME_PATTERN,
    SIGNAL_PATTERN,
    DeploymentSettings,
    ServiceSettings,
    SignalSettings,
)
from autoscaler.config.policy_files import PolicyFolder, used
from autoscaler.config.problems import listed, nearest
from autoscaler.config.reader import Reader
from autoscaler.core.fleet import NamedPolicy
from autoscaler.core.proposals import Policy


@dataclass(frozen=True, slots=True)
class SignalDraft:
    """One signal, and its source kind's own keys (empty where they are wrong)."""

    settings: SignalSettings
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeploymentDraft:
    """One deployment, the vendor's ids of it (empty where they are wrong), and where it stands."""

    settings: DeploymentSettings
    ids: Mapping[str, str]
    keys: Keys


@dataclass(frozen=True, slots=True)
class ServiceDraft:
    """One service as far as it could be read. ``whole`` False: parts are missing, and that was told."""

    name: str
    keys: Keys
    settings: ServiceSettings
    policies: tuple[NamedPolicy, ...]
    signals: Mapping[str, SignalDraft]
    deployments: tuple[DeploymentDraft, ...]
    whole: bool
    shadow: tuple[NamedPolicy, ...] = ()

    @property
    def replicas_max(self) -> int:
        """The sum of ``max_replicas``."""
        return sum(deployment.settings.max_replicas for deployment in self.deployments)


@dataclass(slots=True)
class Known:
    """What the tables of a service may refer to: names of providers and sources, with their kinds' words.

    A kind of None is unknown; that has been told.
    """

    kinds: Kinds
    policies: PolicyFolder | None
    providers: dict[str, str | None] = field(default_factory=dict)
    sources: dict[str, str | None] = field(default_factory=dict)


def read_service(
    reader: Reader, name: str, table: Mapping[str, Any], defaults: Mapping[str, Any], known: Known
) -> ServiceDraft:
    """One ``[services.NAME]`` table over ``[defaults]``; its own keys are defaults where one is wrong."""
    keys: Keys = ("services", name)
    before = reader.problems_count
    check_name(reader, name, keys)
    inherited = _inherited(defaults, table)
    merged = layered({"service": inherited}, {"service": dict(table)})["service"]
    settings = reader.model(ServiceSettings, merged, keys)
    signals = _read_signals(reader, merged.get("signals", {}), (*keys, "signals"), known)
    deployments = _read_deployments(reader, table, keys, known)
    policies = _read_policies(reader, merged.get("policies"), (*keys, "policies"), known)
    shadow = _read_policies(reader, merged.get("shadow"), (*keys, "shadow"), known)
    if settings is None:
        # The parts can still be compared with each other, and with other services.
        settings = ServiceSettings.model_construct(policies=(), signals=merged.get("signals", {}))
    whole = reader.problems_count == before
    return ServiceDraft(name, keys, settings, policies, signals, deployments, whole, shadow)


def _inherited(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """What a service takes from [defaults]; a signal that names its own source takes nothing."""
    found = {key: value for key, value in defaults.items() if key != "deployments"}
    signals, own = found.get("signals"), table.get("signals")
    if isinstance(signals, Mapping) and isinstance(own, Mapping):
        replaced = {
            name for name, signal in own.items() if isinstance(signal, Mapping) and "source" in signal
        }
        found["signals"] = {name: signal for name, signal in signals.items() if name not in replaced}
    return found


def check_name(reader: Reader, name: str, keys: Keys, pattern: str = NAME_PATTERN) -> None:
    """A name that a person chose must do in metrics, paths and the environment."""
    if not re.fullmatch(pattern, name):
        reader.problem(keys, f"{name!r} is not a name; allowed is {pattern}")
    elif len(name) > NAME_CHARS_MAX:
        reader.problem(keys, f"the name is longer than {NAME_CHARS_MAX} characters")


# --- signals ------------------------------------------------------------------------------------


def _read_signals(reader: Reader, value: object, keys: Keys, known: Known) -> dict[str, SignalDraft]:
    if not isinstance(value, Mapping):
        return {}  # Told by the service's own model.
    found = {}
    for name, table in value.items():
        place = (*keys, name)
        check_name(reader, name, place, SIGNAL_PATTERN)
        draft = _read_signal(reader, reader.table(table, place), place, known)
        if draft is not None:
            found[name] = draft
    return found


def _read_signal(reader: Reader, table: Mapping[str, Any], keys: Keys, known: Known) -> SignalDraft | None:
    source = table.get("source")
    word = refer(reader, source, (*keys, "source"), known.sources, "source")
    if word is None:
        # Without its source's kind only the common keys can be judged.
        common = {key: table[key] for key in SignalSettings.model_fields if key in table}
        settings = reader.model(SignalSettings, common, keys)
        return None if settings is None else SignalDraft(settings, {})
    options = known.kinds.sources[word].signal_options
    common_part, own = reader.models((SignalSettings, options), table, keys)
    if not isinstance(common_part, SignalSettings):
        return None
    return SignalDraft(common_part, {} if own is None else own.model_dump())


def refer(reader: Reader, name: object, keys: Keys, names: Mapping[str, str | None], what: str) -> str | None:
    """The kind behind a name that must exist; None where it does not, or is no text (told by its model)."""
    if not isinstance(name, str):
        return None
    if name not in names:
        meant = nearest(name, names)
        hint = f"did you mean {meant}?" if meant else f"allowed are {listed(names)}"
        reader.problem(keys, f"no [{what}s.{name}] table; {hint}", name)
        return None
    return names[name]


# --- deployments --------------------------------------------------------------------------------


def _read_deployments(
    reader: Reader, table: Mapping[str, Any], keys: Keys, known: Known
) -> tuple[DeploymentDraft, ...]:
    place = (*keys, "deployments")
    if not table.get("deployments"):
        reader.problem(place, "is required; allowed is at least one [[services.NAME.deployments]] table")
        return ()
    found = []
    for where, entry in reader.tables(table["deployments"], place):
        draft = _read_deployment(reader, entry, where, known)
        if draft is not None:
            found.append(draft)
    return tuple(found)


def _read_deployment(
    reader: Reader, table: Mapping[str, Any], keys: Keys, known: Known
) -> DeploymentDraft | None:
    if isinstance(name := table.get("name"), str):
        check_name(reader, name, (*keys, "name"))
    word = refer(reader, table.get("provider"), (*keys, "provider"), known.providers, "provider")
    if word is None:
        common = {key: table[key] for key in DeploymentSettings.model_fields if key in table}
        settings = reader.model(DeploymentSettings, common, keys)
        return None if settings is None else DeploymentDraft(settings, {}, keys)
    common_part, ids = reader.models((DeploymentSettings, known.kinds.providers[word].ids), table, keys)
    if not isinstance(common_part, DeploymentSettings):
        return None
    return DeploymentDraft(common_part, {} if ids is None else _texts(ids), keys)


def _texts(ids: BaseModel) -> dict[str, str]:
    return {key: str(value) for key, value in ids.model_dump(mode="json", exclude_none=True).items()}


# --- policies -----------------------------------------------------------------------------------


def _read_policies(reader: Reader, value: object, keys: Keys, known: Known) -> tuple[NamedPolicy, ...]:
    if not isinstance(value, list):
        return ()  # Told by the service's own model.
    found: list[NamedPolicy] = []
    seen: set[str] = set()
    for position, entry in enumerate(value):
        place = (*keys, position)
        name, changes = _entry(reader, entry, place)
        if name is None:
            continue
        if name in seen:
            reader.problem(place, f"{name} is named twice; allowed is once per service", name)
            continue
        seen.add(name)
        policy = _policy(reader, name, changes, place, known)
        if policy is not None:
            found.append(NamedPolicy(name, policy))
    return tuple(found)


def _entry(reader: Reader, entry: object, keys: Keys) -> tuple[str | None, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
        return entry["name"], {key: value for key, value in entry.items() if key != "name"}
    reader.problem(
        keys,
        'not a policy; allowed is the name of a policy file, or { name = "...", and keys to override }',
        entry,
    )
    return None, {}


def _policy(reader: Reader, name: str, changes: Mapping[str, Any], keys: Keys, known: Known) -> Policy | None:
    folder = known.policies
    if folder is None:
        return None  # Told for the folder.
    if name not in folder.names:
        reader.problem(keys, folder.missing(name), name)
        return None
    file = folder.files.get(name)
    if file is None:
        return None  # Told for the file.
    return used(file, changes, reader, keys)
