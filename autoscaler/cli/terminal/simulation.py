"""What ``autoscaler simulate`` tells a person: the table of runs, broken promises, and what to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.say import answer
from autoscaler.sim.report.figures import Figures, compare, compare_service, services_of
from autoscaler.sim.report.table import broken, columns, remarks, span_of
from autoscaler.sim.result import RunResult

MARK: Final = " !"
"""Behind the name of a run that broke a promise."""


def print_simulation(runs: Sequence[RunResult]) -> None:
    """To standard output: all services together, then each by itself where there are several."""
    assert runs, "a simulation is of at least one run"
    answer(span_of(runs))
    answer("")
    services = services_of(runs)
    if len(services) > 1:
        answer("All services:")
    _show(compare(runs), [run.name + (MARK if run.violations else "") for run in runs])
    if len(services) > 1:
        for service in services:
            answer(f"{service}:")
            figures = compare_service(runs, service)
            _show(figures, [one.name for one in figures])
    for run in runs:
        told = broken(run)
        if told is not None:
            answer(f"! {told}.")
    for remark in remarks(runs):
        answer(remark)


def _show(figures: Sequence[Figures], names: Sequence[str]) -> None:
    shown = columns(figures)
    tables.show(
        ("run", *(f"{tables.RIGHT}{column.head}\n{column.unit}" for column in shown)),
        [(name, *(column.cell(one) for column in shown)) for name, one in zip(names, figures, strict=True)],
    )
