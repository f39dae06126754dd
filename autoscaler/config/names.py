"""Which names the environment may use for a given file: its tables decide, so that a typo is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from autoscaler.config.environment import PREFIX, Names, name_of
from autoscaler.config.kinds import Kinds
from autoscaler.config.models import (
    NAME_CHARS_MAX,
    BudgetSettings,
    DaemonSettings,
    HttpSettings,
    ServiceSettings,
    SignalSettings,
)

SECTIONS: Final = frozenset(
    {"daemon", "http", "budget", "providers", "sources", "prices", "defaults", "services"}
)

_LISTS: Final = frozenset({"signals", "deployments"})


def names_for(tables: Mapping[str, Any], environ: Mapping[str, str], kinds: Kinds) -> Names:
    """Every name for a file with these tables.

    A provider or source that the file does not name exists where the environment gives its ``kind``.
    """
    names = Names()
    for section, kind in (("daemon", DaemonSettings), ("http", HttpSettings), ("budget", BudgetSettings)):
        names.add_model(kind, (section,), tables.get(section))
    for section, known in (("providers", kinds.providers), ("sources", kinds.sources)):
        _add_adapters(names, section, tables.get(section, {}), environ, known)
    words = {
        name: _word(("sources", name), table, environ) for name, table in tables.get("sources", {}).items()
    }
    services: Mapping[str, Any] = tables.get("services", {})
    defaults: Mapping[str, Any] = tables.get("defaults", {})
    _add_service(names, ("defaults",), defaults, {}, words, kinds)
    for name, table in services.items():
        _add_service(names, ("services", name), table, defaults, words, kinds)
    return names


def _add_adapters(
    names: Names,
    section: str,
    tables: Mapping[str, Any],
    environ: Mapping[str, str],
    known: Mapping[str, Any],
) -> None:
    for name in (*tables, *_new_names(section, tables, environ)):
        table = tables.get(name)
        word = _word((section, name), table, environ)
        if word is not None and word in known:
            names.add_model(known[word].settings, (section, name), table)
            continue
        names.add((section, name, "kind"), {"type": "string"})
        names.skip((section, name))


def _new_names(section: str, tables: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    taken = {name_of((section, name)) for name in tables}
    start, end = f"{PREFIX}{section.upper()}__", "__KIND"
    for name in sorted(environ):
        middle = name.removeprefix(start).removesuffix(end)
        if name == f"{start}{middle}{end}" and "__" not in middle and start + middle not in taken:
            yield middle.lower().replace("_", "-")[:NAME_CHARS_MAX]


def _word(keys: tuple[str, str], table: object, environ: Mapping[str, str]) -> str | None:
    word = environ.get(name_of((*keys, "kind")))
    if word is None and isinstance(table, Mapping):
        word = table.get("kind")
    return word if isinstance(word, str) else None


def _add_service(
    names: Names,
    keys: tuple[str, ...],
    table: object,
    defaults: Mapping[str, Any],
    words: Mapping[str, str | None],
    kinds: Kinds,
) -> None:
    own = table if isinstance(table, Mapping) else {}
    names.add_model(ServiceSettings, keys, own, without=_LISTS)
    signals = {**_mapping(defaults.get("signals")), **_mapping(own.get("signals"))}
    for name, signal in signals.items():
        place = (*keys, "signals", name)
        names.add_model(SignalSettings, place, signal)
        source = _mapping(_mapping(defaults.get("signals")).get(name)).get("source")
        source = _mapping(signal).get("source", source)
        word = words.get(source) if isinstance(source, str) else None
        if word is not None and word in kinds.sources:
            names.add_model(kinds.sources[word].signal_options, place, signal)
        else:
            names.skip(place)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
