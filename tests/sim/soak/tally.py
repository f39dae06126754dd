"""What a run of many seeds has really met: faults by kind, and reasons of decisions."""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from tests.sim.soak.referee import REASONS
from tests.sim.soak.scenario import What

KINDS = ("queue_depth", "schedule", "gpu_price")


def tables(struck: Counter[str], reasons: Counter[str]) -> tuple[Table, Table]:
    """How often each kind of trouble struck, and each reason was given; what never came is named as such."""
    return (
        _table("trouble", {what.value: struck[what.value] for what in What}),
        _table("reason", {reason: reasons[reason] for reason in sorted(REASONS | {*KINDS})}),
    )


def never(struck: Counter[str], reasons: Counter[str]) -> tuple[list[str], list[str]]:
    """Kinds of trouble and reasons that did not occur."""
    return (
        [what.value for what in What if not struck[what.value]],
        sorted(reason for reason in REASONS | {*KINDS} if not reasons[reason]),
    )


def _table(title: str, counts: dict[str, int]) -> Table:
    table = Table(title, "times", box=None)
    for name, count in counts.items():
        table.add_row(name, str(count) if count else "[red]never[/red]")
    return table
