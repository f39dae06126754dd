"""What goes to which stream: answers to standard output, everything else to standard error."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import typer

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def answer(text: str) -> None:
    """The command's result."""
    typer.echo(clean(text))


def answer_json(body: Mapping[str, Any]) -> None:
    """The command's result as JSON and nothing else."""
    sys.stdout.write(json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Something that a person should know beside the result."""
    typer.echo(clean(text), err=True)


def clean(text: str) -> str:
    """Without what would steer the terminal: vendors' words and log lines are shown to people."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
