"""The table of runs as cells of text, and the sentences below it; terminal and page show the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from autoscaler.core.promises import PROMISES
from autoscaler.durations import spoken
from autoscaler.sim.report.figures import Figures, clairvoyant, lower_bound_usd, services_of
from autoscaler.sim.result import RunResult

UNKNOWN: Final = "?"
"""Not known; never zero."""
NONE: Final = "-"
"""There is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Column:
    """A head of two lines, the second mostly the unit, and the cell under it."""

    head: str
    unit: str
    cell: Callable[[Figures], str]


def columns(figures: Sequence[Figures]) -> tuple[Column, ...]:
    """Every column but the run's name; the lower bound's only where it is known."""
    return _COLUMNS if all(one.bound_ratio is None for one in figures) else (*_COLUMNS, _BOUND)


def on_time_percent(one: Figures) -> str:
    """Two decimals, never rounded up: one late request in a million is not 100 %."""
    if not one.requests:
        return UNKNOWN
    hundredths = (one.requests - one.late) * 10_000 // one.requests
    return f"{hundredths // 100}.{hundredths % 100:02}"


def span_of(runs: Sequence[RunResult]) -> str:
    """What was played, in one sentence: for how long, from when, how much."""
    first = runs[0]
    begin = datetime.fromtimestamp(first.starts_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    promised = ", ".join(
        f"{name} {spoken(first.services[name].promise_wait_s)}"
        for name in services_of(runs)
        if name in first.services
    )
    return (
        f"{spoken(first.length_s)} from {begin}, {first.requests:,} requests, a decision every "
        f"{spoken(first.interval_s)}. Promised wait: {promised}."
    )


def broken(run: RunResult) -> str | None:
    """Which promises the run broke, and how often; None for none."""
    if not run.violations:
        return None
    told = "; ".join(
        f"promise {number}{f' ({PROMISES[number]})' if number in PROMISES else ''}, "
        f"{'once' if count == 1 else f'{count} times'}"
        for number, count in run.violations.items()
    )
    return f"{run.name} broke {told}"


def remarks(runs: Sequence[RunResult]) -> Iterator[str]:
    """What a reader must know to read the table right, then the notes of the runs, each once."""
    yield "In time is the share of requests that waited no longer than was promised, p50 to p99 are waits."
    if len(services_of(runs)) > 1:
        yield "Waits in the table of all services are those of the service that waits longest."
    ideal, bound = clairvoyant(runs), lower_bound_usd(runs)
    if ideal is not None:
        yield f"Ideal is {ideal.name}, which knew the demand: a ratio of 1.50 pays half as much again."
    if bound is not None:
        yield f"No plan that keeps the promises can pay less than the bound of {money(bound)} USD."
    notes: dict[str, list[str]] = {}
    for run in runs:
        for note in dict.fromkeys(run.notes):
            notes.setdefault(note, []).append(run.name)
    for note, names in notes.items():
        yield f"{'All runs' if len(names) == len(runs) > 1 else ', '.join(names)}: {note}"


def money(value: float | None) -> str:
    """USD with two decimals; four below ten cents, none from 100,000 on."""
    return _fixed(value, 4 if value is not None and 0 < abs(value) < 0.1 else 2, width=9)


def _fixed(value: float | None, digits: int, unknown: str = UNKNOWN, width: int = 7) -> str:
    """With so many decimals, or none where that is too wide: a column must not push others off the screen."""
    if value is None:
        return unknown
    text = f"{value:,.{digits}f}"
    return text if len(text) <= width else f"{value:,.0f}"


_COLUMNS: Final = (
    Column("cost", "USD", lambda one: money(one.usd)),
    Column("GPU", "hours", lambda one: _fixed(one.gpu_hours, 1)),
    Column("in time", "%", on_time_percent),
    Column("p50", "s", lambda one: _fixed(one.p50_s, 1)),
    Column("p95", "s", lambda one: _fixed(one.p95_s, 1)),
    Column("p99", "s", lambda one: _fixed(one.p99_s, 1)),
    Column("changes", "per h", lambda one: _fixed(one.changes_per_hour, 2)),
    Column("ratio", "ideal", lambda one: _fixed(one.cost_ratio, 2, NONE)),
)
_BOUND: Final = Column("ratio", "bound", lambda one: _fixed(one.bound_ratio, 2, NONE))
