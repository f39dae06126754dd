"""One table for all benchmarks: what was measured beside what is promised."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, already rendered with its unit."""

    name: str
    measured: str
    promised: str
    kept: bool | None = None  # None: nothing is promised


def show(title: str, figures: list[Figure]) -> None:
    """Print the figures side by side."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("promised", justify="right")
    table.add_column("")
    for figure in figures:
        mark = "" if figure.kept is None else "kept" if figure.kept else "MISSED"
        table.add_row(figure.name, figure.measured, figure.promised, mark)
    Console(width=110).print(table)


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB, from the kernel."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000.0
    raise ValueError(f"process {pid} tells no resident size")


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))
