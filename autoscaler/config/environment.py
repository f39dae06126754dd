"""Values from the environment: which names there are, and what each one's value means.

``AUTOSCALER_`` and the path of a key, joined by ``__``, in capitals, ``-`` as ``_``. Only names with ``__``
after a section are ours: a container's environment holds others, such as ``AUTOSCALER_PORT_9464_TCP``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from autoscaler.config import allowed
from autoscaler.config.document import Keys
from autoscaler.config.problems import HIDDEN, Problem, listed, nearest, shown, sounds_secret
from autoscaler.config.reader import ENVIRONMENT, names_of

PREFIX: Final = "AUTOSCALER_"
NAMES_COMPARED_MAX: Final = 1000
LISTS_ONLY_IN_FILES: Final = "arrays of tables come from the file only"

_INTEGER: Final = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def segment(name: str) -> str:
    """One name as it is written in the environment."""
    return name.upper().replace("-", "_")


def name_of(keys: Keys) -> str:
    """The environment's name of a key: ``AUTOSCALER_PROVIDERS__EXO__API_KEY``."""
    return PREFIX + "__".join(segment(str(key)) for key in keys)


@dataclass(slots=True)
class Names:
    """Every name that the environment may use, given the tables of the file.

    ``free`` are tables whose keys are free, such as labels: by the name up to and including the last ``__``.
    ``skipped`` are tables of a kind that nobody knows: a problem has been noted for those.
    """

    keys: dict[str, list[tuple[Keys, allowed.Schema]]] = field(default_factory=dict)
    free: dict[str, tuple[Keys, Mapping[str, Any]]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def add_model(
        self, kind: type[BaseModel], keys: Keys, table: object, *, without: frozenset[str] = frozenset()
    ) -> None:
        """All keys of a model whose table is at ``keys``."""
        fields = allowed.fields_of(kind)
        for key in sorted(names_of(kind) - without):
            schema = fields.get(key, {"type": "string"})
            self.add((*keys, key), schema)
            if "object" in allowed.types_of(schema):
                held = table.get(key) if isinstance(table, Mapping) else None
                self.free[name_of((*keys, key)) + "__"] = (
                    (*keys, key),
                    held if isinstance(held, Mapping) else {},
                )

    def add(self, keys: Keys, schema: allowed.Schema) -> None:
        """One key; two keys that differ only in ``-`` and ``_`` share a name."""
        self.keys.setdefault(name_of(keys), []).append((keys, schema))

    def skip(self, keys: Keys) -> None:
        """Whatever is below here is not judged."""
        self.skipped.append(name_of(keys) + "__")

    def find(self, name: str) -> list[tuple[Keys, allowed.Schema]]:
        """The keys that a name of the environment means: none, one, or several by accident."""
        if found := self.keys.get(name):
            return found
        for prefix, (keys, held) in self.free.items():
            last = name.removeprefix(prefix)
            if last != name and last and last == last.upper() and "__" not in last:
                existing = [key for key in held if segment(key) == last] or [last.lower()]
                return [((*keys, key), {"type": "string"}) for key in existing]
        return []


@dataclass(frozen=True, slots=True)
class Overlay:
    """What the environment adds: a table like the file's, and the name behind each value in it."""

    table: Mapping[str, Any]
    names: Mapping[Keys, str]
    problems: tuple[Problem, ...]


def ours(environ: Mapping[str, str], sections: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Names and values that are meant for us, in name order."""
    starts = tuple(f"{PREFIX}{section.upper()}__" for section in sections)
    return ((name, environ[name]) for name in sorted(environ) if name.startswith(starts))


def overlay(environ: Mapping[str, str], names: Names, sections: frozenset[str]) -> Overlay:
    """Read the environment strictly: a name of ours that means nothing is a problem."""
    table: dict[str, Any] = {}
    used: dict[Keys, str] = {}
    problems: list[Problem] = []
    for name, text in ours(environ, sections):
        found = names.find(name)
        if len(found) == 1:
            keys, schema = found[0]
            _put(table, keys, converted(text, schema))
            used[keys] = name
        elif not name.startswith(tuple(names.skipped)):
            problems.append(_unknown(name, text, found, names))
    return Overlay(table, used, tuple(problems))


def _unknown(name: str, text: str, found: list[tuple[Keys, allowed.Schema]], names: Names) -> Problem:
    value = HIDDEN if _may_be_secret(name) else shown(text)
    if found:
        places = listed(".".join(map(str, keys)) for keys, _ in found)
        return Problem(ENVIRONMENT, name, value, f"means more than one key; set {places} in the file")
    if name.startswith(f"{PREFIX}PRICES__") or "__DEPLOYMENTS" in name:
        return Problem(ENVIRONMENT, name, value, f"unknown name; {LISTS_ONLY_IN_FILES}")
    meant = _meant(name.upper(), names)
    return Problem(
        ENVIRONMENT,
        name,
        value,
        f"unknown name; did you mean {meant}?"
        if meant
        else "unknown name; allowed are paths of the file's keys",
    )


def _meant(name: str, names: Names) -> str | None:
    """The nearest name: of the same table, else the same key of another; a fleet may have thousands."""
    table, key = name.rpartition("__")[::2]
    for near in (
        [one for one in names.keys if one.startswith(f"{table}__")],
        [one for one in names.keys if one.endswith(f"__{key}")],
        list(names.keys)[:NAMES_COMPARED_MAX],
    ):
        if found := nearest(name, near):
            return found
    return None


def _may_be_secret(name: str) -> bool:
    return sounds_secret(name) or name.startswith(
        tuple(PREFIX + one for one in ("PROVIDERS", "SOURCES", "HTTP"))
    )


def _put(table: dict[str, Any], keys: Keys, value: object) -> None:
    for key in keys[:-1]:
        table = table.setdefault(str(key), {})
    table[str(keys[-1])] = value


def converted(text: str, schema: allowed.Schema) -> object:
    """The text as the type that the key has; as it is where it cannot be, which is then the problem."""
    types = allowed.types_of(schema)
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    if types & {"integer", "number"} and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text):
        return float(text)
    if types & {"array", "object"} and text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def layered(file: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    """The file's tables with the environment's values over them, key by key."""

    class Layered(BaseSettings):
        model_config = SettingsConfigDict(extra="allow")

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_others: Any, **_named: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            # Strongest first. The library's own source for the environment would ignore mistyped names.
            return (
                InitSettingsSource(settings_cls, init_kwargs=dict(environment)),
                InitSettingsSource(settings_cls, init_kwargs=dict(file)),
            )

    return dict(Layered().model_extra or {})
