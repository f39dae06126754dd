"""Which series a signal means: ``NAME{LABEL="VALUE", ...}``, a small part of PromQL.

Nobody else evaluates these, so there is no more than is needed: one name, labels that are equal. All series
that match are added up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

CHARS_MAX: Final = 1024
ALLOWED: Final = 'allowed is NAME or NAME{LABEL="VALUE", ...}; all series that match are added up'

_NAME: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*", re.ASCII)
_LABEL: Final = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*", re.ASCII)
_VALUE: Final = re.compile(r""""((?:[^"\\\n]|\\[\\"n])*)"|'((?:[^'\\\n]|\\[\\'n])*)'""")
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric's name, and the labels that its series must have; sorted, so that equal ones are equal."""

    name: str
    matchers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        if not self.matchers:
            return self.name
        pairs = ", ".join(f'{label}="{_written(value)}"' for label, value in self.matchers)
        return f"{self.name}{{{pairs}}}"

    @property
    def labels(self) -> Mapping[str, str]:
        """The value that each label must have."""
        return dict(self.matchers)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is meant. One that it has not is empty, as in PromQL."""
        return all(labels.get(label, "") == value for label, value in self.matchers)


def parse_selector(text: str) -> Selector:
    """Read a selector. Raises: ValueError that says what is wrong and what is allowed."""
    if len(text) > CHARS_MAX:
        raise ValueError(f"is longer than {CHARS_MAX} characters; {ALLOWED}")
    name = _NAME.match(text)
    if name is None:
        raise ValueError(f"does not begin with the name of a metric; {ALLOWED}")
    end = name.end()
    if end == len(text):
        return Selector(name[1])
    if text[end] == "(":
        raise ValueError(f"calls {name[1]}(), and there are no functions here; {ALLOWED}")
    if text[end] != "{":
        raise ValueError(f"goes on with {text[end]!r} after {name[1]}; {ALLOWED}")
    matchers, end = _matchers(text, end + 1)
    rest = text[end:].strip()
    if rest:
        raise ValueError(f"goes on with {rest[:1]!r} after the labels; {ALLOWED}")
    return Selector(name[1], tuple(sorted(matchers.items())))


def _matchers(text: str, start: int) -> tuple[dict[str, str], int]:
    """Each label's value, and where the text goes on behind the closing brace."""
    found: dict[str, str] = {}
    while True:
        start = _after_space(text, start)
        if text[start : start + 1] == "}":
            return found, start + 1
        label = _LABEL.match(text, start)
        if label is None:
            raise ValueError(f"is not closed, or has something that is no label; {ALLOWED}")
        if label[2] != "=":
            raise ValueError(f"compares {label[1]} by {label[2]}; allowed is = alone, with a value in quotes")
        value = _VALUE.match(text, label.end())
        if value is None:
            raise ValueError(f'the value of {label[1]} is not in quotes; allowed is {label[1]}="VALUE"')
        if label[1] in found:
            raise ValueError(f"has {label[1]} twice; allowed is each label once")
        found[label[1]] = _read(value[1] if value[1] is not None else value[2])
        start = _after_space(text, value.end())
        if text[start : start + 1] == ",":
            start += 1
        elif text[start : start + 1] != "}":
            raise ValueError(f"has no comma or closing brace after {label[1]}; {ALLOWED}")


def _after_space(text: str, start: int) -> int:
    return len(text) - len(text[start:].lstrip())


def _read(quoted: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], quoted)


def _written(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
