"""The table of scores, for a terminal and for the docs."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from benchmarks.quality.score import Score, TraceScore

HEADS = ("policy", "cost / plan", "on time %", "kept", "kept cost", "J", "changes/h")


def _cells(name: str, row: Score) -> tuple[str, ...]:
    return (
        name,
        f"{row.cost_over_plan:.2f}",
        f"{100 * row.on_time:.2f}",
        f"{row.kept}/{row.traces}",
        f"{row.kept_cost:.2f}",
        f"{row.j:.2f}",
        f"{row.changes_per_hour:.1f}",
    )


def rich_table(scenario: str, rows: Mapping[str, Score]) -> Table:
    """For a terminal."""
    table = Table(title=f"decision quality, plant {scenario}", title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head == "policy" else "right")
    for name, row in rows.items():
        table.add_row(*_cells(name, row))
    return table


def markdown(rows: Mapping[str, Score]) -> str:
    """For the docs."""
    lines = [_line(HEADS), _line(["---"] + ["---:"] * (len(HEADS) - 1))]
    lines += [_line(_cells(name, row)) for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def trace_markdown(
    scores: Mapping[str, Mapping[str, TraceScore]], ratios: Mapping[str, Mapping[str, float]]
) -> str:
    """Kept cost of each policy on each trace, with the share on time where the promise was missed."""
    traces = list(next(iter(scores.values())))
    lines = [_line(["policy", *traces]), _line(["---"] + ["---:"] * len(traces))]
    for name, by_trace in scores.items():
        cells = [
            f"{ratios[name][trace]:.2f}" + ("" if one.kept else f" ({100 * one.on_time:.1f} %)")
            for trace, one in by_trace.items()
        ]
        lines.append(_line([name, *cells]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
