"""Policy files: every ``*.toml`` of a folder is a policy, named by its stem."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from autoscaler.config.document import Document, Keys, read_document
from autoscaler.config.models import NAME_PATTERN
from autoscaler.config.named_files import Contents, with_files
from autoscaler.config.problems import ConfigError, Problem, listed, nearest, shown
from autoscaler.config.reader import Reader
from autoscaler.core.proposals import Policy
from autoscaler.policies.files import CONTEXT

FILES_MAX: Final = 1000


@runtime_checkable
class MayLack(Protocol):
    """A policy of which some keys need what may not be installed.

    Such a file may lie in the folder all the same; only a service that names it makes that an error.
    """

    def lacks(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Keys that cannot work here, and why."""
        ...


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file that holds a policy of a known kind; ``policy`` None: its keys are wrong."""

    document: Document
    kind: type[Policy]
    policy: Policy | None

    @property
    def table(self) -> Mapping[str, Any]:
        """Its keys but ``kind``."""
        return {key: value for key, value in self.document.table.items() if key != "kind"}


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """What was found. ``names`` also has the files that could not be used; ``problems`` says why."""

    path: Path
    names: frozenset[str]
    files: Mapping[str, PolicyFile]
    problems: tuple[Problem, ...]

    def missing(self, name: str) -> str:
        """The message for a name that is no file here."""
        meant = nearest(name, self.names)
        hint = f"did you mean {meant}?" if meant else f"there are {listed(self.names)}"
        return f"no such policy file, {self.path / name}.toml; {hint}"


def read_policies(folder: Path, kinds: Mapping[str, type[Policy]]) -> PolicyFolder:
    """All policies of a folder, with the problems of all of its files.

    Raises: ConfigError where the folder cannot be read.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.name[0] != ".")
    except OSError as error:
        raise ConfigError([Problem(str(folder), "", None, f"cannot be read: {error.strerror}")]) from None
    if len(found) > FILES_MAX:
        raise ConfigError([Problem(str(folder), "", None, f"holds more than {FILES_MAX} policy files")])
    files: dict[str, PolicyFile] = {}
    problems: list[Problem] = []
    for path in found:
        try:
            files[path.stem] = _read(path, kinds, problems)
        except ConfigError as error:
            problems.extend(error.problems)
    return PolicyFolder(folder, frozenset(path.stem for path in found), files, tuple(problems))


def _read(path: Path, kinds: Mapping[str, type[Policy]], problems: list[Problem]) -> PolicyFile:
    if not re.fullmatch(NAME_PATTERN, path.stem):
        raise ConfigError(
            [Problem(str(path), "", None, f"the file's name is the policy's; allowed is {NAME_PATTERN}.toml")]
        )
    document = read_document(path)
    word = document.table.get("kind")
    if word is None:
        raise _bad_kind(document, None, f"is required; known kinds are {listed(kinds)}")
    if not isinstance(word, str) or word not in kinds:
        hint = "" if kinds else "; is the package installed, with its entry points?"
        raise _bad_kind(document, shown(word), f"unknown kind of policy; known are {listed(kinds)}{hint}")
    kind = kinds[word]
    reader = Reader(document, {}, path.parent, reads_secrets=False)
    contents: Contents = {}
    written = {key: value for key, value in document.table.items() if key != "kind"}
    table = with_files(kind, written, path.parent, contents)
    policy = reader.model(kind, table, (), {CONTEXT: contents})
    problems.extend(reader.problems)
    return PolicyFile(document, kind, policy)


def _bad_kind(document: Document, value: str | None, message: str) -> ConfigError:
    return ConfigError([Problem(document.file, "kind", value, message, document.line_of(("kind",)))])


def used(file: PolicyFile, changes: Mapping[str, Any], reader: Reader, keys: Keys) -> Policy | None:
    """The file's policy as a service names it, with some keys replaced; None, and problems, where wrong."""
    policy = _overridden(file, changes, reader, keys) if changes else file.policy
    if not isinstance(policy, MayLack):
        return policy
    for place, why in policy.lacks():
        if place[0] in changes:
            reader.problem((*keys, *place), why)
        else:
            document = file.document
            value = shown(document.get(place))
            reader.adopt(
                [Problem(document.file, document.spoken(place), value, why, document.line_of(place))]
            )
    return policy


def _overridden(file: PolicyFile, changes: Mapping[str, Any], reader: Reader, keys: Keys) -> Policy | None:
    """The policy checked as a whole; problems are of the configuration, as paths in what it replaces are."""
    if file.policy is None:
        return None  # Told for the file itself.
    if "kind" in changes:
        reader.problem(
            (*keys, "kind"),
            "a policy's kind cannot be overridden; write another policy file",
            changes["kind"],
        )
        return None
    contents: Contents = {}
    table = {
        **with_files(file.kind, file.table, Path(file.document.file).parent, contents),
        **with_files(file.kind, changes, reader.base, contents),
    }
    return reader.model(file.kind, table, keys, {CONTEXT: contents})
