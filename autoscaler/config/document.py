"""One TOML file: its table, and on which line a key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from autoscaler.config.problems import ConfigError, Problem

BYTES_MAX: Final = 8 * 1024 * 1024

Keys = tuple[str | int, ...]
"""Where a value is: names of tables and keys, positions in lists from 0."""

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_NAME: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"\s*(?P<open>\[\[?)\s*(?P<name>{_NAME})\s*\]")
_KEY: Final = re.compile(rf"\s*(?P<name>{_NAME})\s*=(?P<rest>.*)")


@dataclass(frozen=True, slots=True)
class Document:
    """One file as read. ``lines`` holds the keys that begin a line; the rest is found by its table."""

    file: str
    table: Mapping[str, Any]
    lines: Mapping[Keys, int] = field(default_factory=dict)

    def line_of(self, keys: Keys) -> int | None:
        """The line of this value or of the nearest thing around it."""
        while keys:
            for there in (keys, (*keys, 0)):  # An array of tables begins with its first entry.
                if there in self.lines:
                    return self.lines[there]
            keys = keys[:-1]
        return None

    def get(self, keys: Keys) -> Any:
        """The value there, or None."""
        value: Any = self.table
        for key in keys:
            if isinstance(value, Mapping) and isinstance(key, str):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
        return value

    def spoken(self, keys: Keys) -> str:
        """The place for a person: entries of lists by their name, else by their number from 1."""
        text = ""
        for position, key in enumerate(keys):
            if isinstance(key, int):
                entry = self.get(keys[: position + 1])
                name = entry.get("name") if isinstance(entry, Mapping) else entry
                text += f"[{name}]" if isinstance(name, str) and len(name) <= 64 else f"[{key + 1}]"
            else:
                text += f".{key}" if text else key
        return text


def read_document(path: Path) -> Document:
    """Read one TOML file.

    Raises: ConfigError with one problem: missing, unreadable, too large, not UTF-8, not TOML (with line
    and column).
    """
    file = str(path)
    try:
        with path.open("rb") as handle:
            content = handle.read(BYTES_MAX + 1)
    except FileNotFoundError:
        raise _failed(file, "no such file") from None
    except OSError as error:
        raise _failed(file, f"cannot be read: {error.strerror}") from None
    if len(content) > BYTES_MAX:
        raise _failed(file, f"is larger than {BYTES_MAX} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _failed(file, "is not UTF-8 text", line) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _failed(file, *_where_not_toml(str(error), text)) from None
    except RecursionError:
        raise _failed(file, "is not TOML: nested too deeply") from None
    return Document(file, table, _lines(text))


def _failed(file: str, message: str, line: int | None = None) -> ConfigError:
    return ConfigError([Problem(file, "", None, message, line)])


def _where_not_toml(message: str, text: str) -> tuple[str, int | None]:
    # The parser's text ends in "(at line 3, column 5)" or "(at end of document)".
    at = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if at is not None:
        return f"is not TOML: {message[: at.start()]} (column {at[2]})", int(at[1])
    plain = message.removesuffix(" (at end of document)")
    return f"is not TOML: {plain} (end of file)", text.count("\n") + 1


def _lines(text: str) -> dict[Keys, int]:
    """Lines of keys and table headers, good enough to point a person there."""
    found: dict[Keys, int] = {}
    last: dict[Keys, int] = {}  # position of the newest entry of each array of tables
    base: Keys = ()
    closing: str | None = None  # of a text over several lines
    for number, line in enumerate(text.splitlines(), start=1):
        if closing is not None:
            if closing in line:
                closing = None
            continue
        if header := _HEADER.match(line):
            base = _absolute(_parts(header["name"]), last, is_array=header["open"] == "[[")
            found.setdefault(base, number)
        elif key := _KEY.match(line):
            found.setdefault(base + _parts(key["name"]), number)
            closing = _opens(key["rest"])
    return found


def _opens(rest: str) -> str | None:
    return next((quotes for quotes in ('"""', "'''") if rest.count(quotes) == 1), None)


def _parts(name: str) -> Keys:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))


def _absolute(parts: Keys, last: dict[Keys, int], *, is_array: bool) -> Keys:
    keys: Keys = ()
    for position, part in enumerate(parts):
        keys += (part,)
        if is_array and position == len(parts) - 1:
            last[keys] = last.get(keys, -1) + 1
        if keys in last:
            keys += (last[keys],)
    return keys
