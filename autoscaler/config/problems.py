"""What is wrong with a configuration: one line for each thing, all of them at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

VALUE_CHARS_MAX: Final = 80
PROBLEMS_MAX: Final = 200
"""More problems than this are counted, not printed: the file is not a configuration then."""

HIDDEN: Final = "(hidden)"
_SOUNDS_SECRET: Final = re.compile(
    r"secret|token|passw|credential|authorization|key|signature", re.IGNORECASE
)
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong or worth a warning.

    ``value`` is as shown to a person: never a secret, cut short, None where the key is absent. ``message``
    says what is wrong, then what is allowed. ``line`` is 1 for the first line; None: not known.
    """

    file: str
    key: str
    value: str | None
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        what = self.key if self.value is None else f"{self.key} = {self.value}"
        return f"{where}: {what}: {self.message}" if what else f"{where}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; the text has one line per problem and no secret."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:PROBLEMS_MAX]]
        if len(self.problems) > PROBLEMS_MAX:
            lines.append(f"... and {len(self.problems) - PROBLEMS_MAX} more")
        super().__init__("\n".join(lines))


def shown(value: object) -> str:
    """The value as a person wrote it, on one line and cut short; tables and lists by their kind only."""
    if isinstance(value, Mapping):
        return "{...}" if value else "{}"
    if isinstance(value, list | tuple):
        return "[...]" if value else "[]"
    if isinstance(value, str):
        text = json.dumps(_USERINFO.sub("***", value), ensure_ascii=False)
        return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 4] + '..."'
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:VALUE_CHARS_MAX]


def sounds_secret(name: str) -> bool:
    """Whether a key that nobody knows may have been meant for a secret."""
    return _SOUNDS_SECRET.search(name) is not None


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that was most likely meant, if any is near."""
    found = difflib.get_close_matches(name, sorted(valid), n=1, cutoff=0.6)
    return found[0] if found else None


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: "a, b or c"; "none" where there are none."""
    ordered = sorted(names)
    if len(ordered) < 2:
        return ordered[0] if ordered else "none"
    return f"{', '.join(ordered[:-1])} or {ordered[-1]}"


def unknown(name: str, valid: Iterable[str]) -> str:
    """The message for a name that nobody knows."""
    names = sorted(valid)
    meant = nearest(name, names)
    return f"unknown key; did you mean {meant}?" if meant else f"unknown key; known are {listed(names)}"
