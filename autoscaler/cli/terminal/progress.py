"""Progress of long work, with the time left: on standard error, and only where a person looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def bars(names: Sequence[str], *, shown: bool = True) -> Iterator[Callable[[Sequence[float]], None]]:
    """A bar for each name. Gives a function that takes the shares done, 0 to 1, in that order."""
    if not shown or not sys.stderr.isatty():
        yield lambda _shares: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as lines:
        tasks = [lines.add_task(name, total=1.0) for name in names]

        def show(shares: Sequence[float]) -> None:
            for task, share in zip(tasks, shares, strict=True):
                lines.update(task, completed=share)

        yield show


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """One bar. Gives a function that takes the share that is done, 0 to 1."""
    with bars([what]) as show:
        yield lambda share: show([share])
