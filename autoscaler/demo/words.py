"""How the demo writes numbers, instants and whole reports for people: plain text, no colour."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from autoscaler.demo.summary import ServiceSummary, Summary
from autoscaler.demo.tally import Line


def hour(at: float) -> str:
    """An instant as the demo tells it: Mon 09:41."""
    return datetime.fromtimestamp(at, UTC).strftime("%a %H:%M")


def span(seconds: float) -> str:
    """A duration with two units: 24 h 00 min, 4 min 03 s, 12 s."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def wait(seconds: float | None) -> str:
    """A wait: 0 s, 4.1 s, 210 s; a dash where nobody came."""
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"


def percent(share: float | None, digits: int = 0) -> str:
    """A share, rounded down where it is not whole, so that 99.97 is never told as 100."""
    if share is None:
        return "-"
    scale = 10**digits * 100
    return f"{int(share * scale + (1e-9 if share >= 0 else -1e-9)) / (10**digits):.{digits}f} %"


def line(one: Line) -> str:
    """One decision or event."""
    if one.decision is None:
        return f"{hour(one.at)}  * {one.text}"
    return f"{hour(one.at)}  {change(one)}  {one.decision.reason}: {one.text}"


def change(one: Line) -> str:
    """What a decision changes: chat/a5000 3 -> 4; where only the vendor's bounds change, those."""
    decision = one.decision
    assert decision is not None
    if decision.replicas_from == decision.replicas_to and decision.range_from and decision.range_to:
        bounds = [f"{low}-{high}" for low, high in (decision.range_from, decision.range_to)]
        return f"{decision.service}/{decision.deployment} bounds {' -> '.join(bounds)}"
    return f"{decision.service}/{decision.deployment} {decision.replicas_from} -> {decision.replicas_to}"


def opening(url: str, folder: Path, speed: float) -> Iterator[str]:
    """What a person should know while it runs."""
    yield f"autoscaler demo: three emulated vendors and a day of demand, {speed:g} times as fast"
    yield f"page   {url}   metrics {url}metrics"
    yield f"files  {folder}: configuration, policies, journal, log; gone at the end"
    yield f"ask    {ask(folder)}"
    yield "Ctrl-C ends it and prints a summary."


def ask(folder: Path) -> str:
    """A command that works while the demo runs."""
    return f"{program()} why chat --at -2h --config {folder / 'config.toml'}"


def program() -> str:
    """How to call this program from the same folder; ``make demo`` runs one that is not on the PATH."""
    called = Path(sys.argv[0])
    if called.name != "autoscaler" or shutil.which("autoscaler") is not None:
        return "autoscaler"
    here = os.path.relpath(called)
    return str(called) if here.startswith("..") else here


def closing(summary: Summary) -> Iterator[str]:
    """The summary, for 80 columns."""
    yield (
        f"{span(summary.simulated_s)} ({hour(summary.starts_at)} to {hour(summary.ends_at)})"
        f" in {span(summary.wall_s)}: {summary.ticks:,} ticks,"
        f" {_count(summary.broken_promises, 'promise')} broken"
    )
    if summary.broken_promises:
        yield "A broken promise is a bug of ours: please report it, with the seed that you used."
    yield ""
    yield from _events(summary)
    yield from _table(_reasons(summary))
    yield ""
    yield from _writes(summary)
    yield ""
    yield from _table(_services(summary))
    yield ""
    yield "USD      billed by the emulated vendors: replicas from the request to their end"
    yield "fixed    the cheapest replicas that carry the busiest 10 minutes (batch: hour)"
    yield "         at the policy's utilisation, all the time, at the prices of the start:"
    for one in summary.services:
        yield f"         {one.service} {_replicas(one)}"
    yield "in time  share of all who came that waited up to 10 s (batch: 1 h); those in"
    yield "         the queue count with their wait so far"
    yield ""
    yield "Next:"
    name = program()
    yield f"  {name} demo --speed 60         slower: try the command that it shows"
    yield f"  {name} demo --trace FILE.csv   your own demand; columns t_s,requests"
    yield f"  {name} emulate                 the emulated vendors alone"


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"


def _events(summary: Summary) -> Iterator[str]:
    for at, text in summary.events:
        yield f"{hour(at)}  {text}"
    if summary.events:
        yield ""


def _reasons(summary: Summary) -> Iterator[Sequence[str]]:
    yield "decided", "decisions", "changes"
    for reason, count in summary.decisions.items():
        changes = summary.changes.get(reason, 0)
        yield reason, f"{count:,}", f"{changes:,}" if changes else ""


def _writes(summary: Summary) -> Iterator[str]:
    up, down = summary.directions.get("up", 0), summary.directions.get("down", 0)
    sent = ", ".join(f"{count:,} {word}" for word, count in sorted(summary.outcomes.items())) or "none"
    yield f"Decided to change replicas {up + down:,} times: {up:,} up, {down:,} down; writes: {sent}."
    if summary.drifts:
        yield f"Somebody else changed replicas: {summary.drifts} (left alone for a while)."


def _services(summary: Summary) -> Iterator[Sequence[str]]:
    yield "service", "USD", "fixed USD", "saved", "requests", "in time", "wait p50", "p95", "p99"
    for one in summary.services:
        saved = 1 - one.cost_usd / one.fixed_cost_usd if one.fixed_cost_usd else None
        yield (
            one.service,
            f"{one.cost_usd:,.2f}",
            f"{one.fixed_cost_usd:,.2f}",
            percent(saved),
            f"{one.requests:,}",
            percent(one.in_time_share, 1),
            wait(one.wait_p50_s),
            wait(one.wait_p95_s),
            wait(one.wait_p99_s),
        )
    yield (
        "all",
        f"{summary.cost_usd:,.2f}",
        f"{summary.fixed_cost_usd:,.2f}",
        percent(summary.saved_share),
        f"{sum(one.requests for one in summary.services):,}",
        *("", "", "", ""),
    )


def _replicas(one: ServiceSummary) -> str:
    return " + ".join(f"{n} {name}" for name, n in one.fixed_replicas.items() if n) or "none: nobody came"


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as needed: the first to the left, numbers to the right."""
    kept = list(rows)
    widths = [max(len(row[column]) for row in kept) for column in range(len(kept[0]))]
    for row in kept:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join((first, *rest)).rstrip()
