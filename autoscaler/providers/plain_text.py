"""Text of others, made fit to be shown to a person: short, on one line, without secrets."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

TEXT_CHARS_MAX: Final = 200
_CHARS_READ_MAX: Final = 20_000  # a longer text is cut before it is cleaned, not after


def plain_text(text: str, *, secrets: Iterable[str] = (), chars_max: int = TEXT_CHARS_MAX) -> str:
    """One line of at most ``chars_max`` characters, without control characters and ``secrets``."""
    text = text[:_CHARS_READ_MAX]
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    line = " ".join("".join(_printable(character) for character in text).split())
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"


def _printable(character: str) -> str:
    # C: control, direction marks, lone surrogates. Zl and Zp: line ends of Unicode.
    category = unicodedata.category(character)
    return " " if category.startswith("C") or category in ("Zl", "Zp") else character
