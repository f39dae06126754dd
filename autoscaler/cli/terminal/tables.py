"""Tables for a terminal, and for anything else: there nothing is cut or wrapped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autoscaler.cli.terminal.say import clean

UNCUT_COLUMNS: Final = 10_000
UNKNOWN: Final = "?"
"""Not known; never zero."""

RIGHT: Final = ">"


def show(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table. A heading that begins with ``>`` is right-aligned and never wrapped."""
    on_terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if on_terminal else UNCUT_COLUMNS,
    )
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
    )
    for heading in headings:
        if heading.startswith(RIGHT):
            table.add_column(
                Text(heading.removeprefix(RIGHT)), justify="right", no_wrap=True, overflow="fold"
            )
        else:
            table.add_column(Text(heading), overflow="fold")
    for row in rows:
        assert len(row) == len(headings), "a cell for each heading"
        table.add_row(*(Text(clean(cell)) for cell in row))
    with console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    sys.stdout.write("\n".join(lines) + "\n\n")


def number(value: float | int | None, digits: int = 3) -> str:
    """A count or amount as people write it; what is not known is ``?``."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int) or value == int(value):
        return f"{value:.0f}"
    return f"{value:.{digits}g}" if abs(value) < 100 else f"{value:.0f}"


def usd(value: float | None) -> str:
    """Money with two decimals; four for prices below a cent and a half."""
    if value is None:
        return UNKNOWN
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.015 else f"{value:.4f}"
