"""Who watches: a terminal, a pipe, or a program that wants the summary only."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import typer

from autoscaler.demo import words
from autoscaler.demo.play import Stage
from autoscaler.demo.tally import Line


class Audience(Protocol):
    """What is shown while the demo runs."""

    def open(self, on: Stage, folder: Path) -> None:
        """The run begins."""
        ...

    def tell(self, line: Line) -> None:
        """A decision that changes something, or an event."""
        ...

    def watch(self, on: Stage) -> None:
        """Called a few times a second."""
        ...

    def close(self) -> None:
        """The run has ended; the summary comes next."""
        ...


class Silent:
    """Nothing at all: for ``--json``."""

    def open(self, on: Stage, folder: Path) -> None:
        """Nothing."""

    def tell(self, line: Line) -> None:
        """Nothing."""

    def watch(self, on: Stage) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Lines:
    """One line each, for a pipe or a file."""

    def open(self, on: Stage, folder: Path) -> None:
        """What a person should know while it runs."""
        for text in words.opening(on.url, folder, on.wish.speed):
            typer.echo(text)
        typer.echo("")

    def tell(self, line: Line) -> None:
        """The line."""
        typer.echo(words.line(line))

    def watch(self, on: Stage) -> None:
        """Nothing: lines are told as they come."""

    def close(self) -> None:
        """An empty line before the summary."""
        typer.echo("")
