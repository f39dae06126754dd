"""The live view in a terminal: services, deployments, decisions and events, drawn a few times a second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autoscaler.daemon.status import service_status
from autoscaler.demo import words
from autoscaler.demo.play import Stage
from autoscaler.demo.summary import cost_usd, fixed_cost_usd
from autoscaler.demo.tally import Line
from autoscaler.demo.traffic import Street

_SPARKS: Final = " ▁▂▃▄▅▆▇█"
_OTHER_COLUMNS: Final = 72  # what the table needs beside the sparkline
_LINES_BESIDE: Final = 7  # header, table's own, rule, footer
_ONE_ROW: Final = 100  # columns from which a decision and its reason share a row
_PLAIN_REASONS: Final = frozenset({"hold", "queue_depth", "stabilised", "bounds", "step", "baseline"})


class Screen:
    """Draws on the terminal's other screen, which gives back what was there before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._folder = Path()

    def open(self, on: Stage, folder: Path) -> None:
        """Take the screen."""
        self._folder = folder
        self._live.start()
        self.watch(on)

    def tell(self, line: Line) -> None:
        """Nothing: the next drawing shows it."""

    def watch(self, on: Stage) -> None:
        """Draw."""
        self._live.update(draw(on, self._folder, self._console.width, self._console.height), refresh=True)

    def close(self) -> None:
        """Give the screen back."""
        self._live.stop()


def draw(on: Stage, folder: Path, width: int, height: int) -> RenderableType:
    """The whole view, at most ``height`` lines."""
    rows = sum(1 + len(street.service.deployments) for street in on.streets)
    parts: list[RenderableType] = [_header(on, width), _hint(folder, width)]
    report = on.tally.latest
    if report is None:
        return Group(*parts, Text("\nThe first tick has not ended yet."))
    table = _table(max(8, width - _OTHER_COLUMNS))
    for street in on.streets:
        _add(table, on, street, service_status(report, street.service.name), max(8, width - _OTHER_COLUMNS))
    told = _told(on.tally.lines, width, max(1, height - rows - _LINES_BESIDE))
    return Group(*parts, Text(), table, Text("─" * width, style="dim"), *told, _footer(on, width))


def _header(on: Stage, width: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("autoscaler demo", style="bold")
    text.append(f"   {words.hour(on.world.now)}", style="bold cyan")
    text.append(f"   x {on.wish.speed:g}   ", style="dim")
    text.append(on.url, style="underline")
    text.append("   Ctrl-C ends it", style="dim")
    text.truncate(width)
    return text


def _hint(folder: Path, width: int) -> Text:
    text = Text(words.ask(folder), style="dim", no_wrap=True, overflow="ellipsis")
    text.truncate(width, overflow="ellipsis")
    return text


def _table(spark_width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", expand=False)
    table.add_column("service", width=16, no_wrap=True)
    table.add_column("■ ready □ starting" if spark_width >= 18 else "■ □", width=spark_width, no_wrap=True)
    table.add_column("demand", width=11, justify="right", no_wrap=True)
    table.add_column("ready/set", width=9, justify="right", no_wrap=True)
    table.add_column("USD/GPU", width=7, justify="right", no_wrap=True)
    table.add_column("USD/h", width=6, justify="right", no_wrap=True)
    table.add_column("USD", width=7, justify="right", no_wrap=True)
    table.add_column("in time", width=7, justify="right", no_wrap=True)
    return table


def _add(table: Table, on: Stage, street: Street, status: Mapping[str, Any], spark_width: int) -> None:
    deployments: Sequence[Mapping[str, Any]] = status["deployments"]
    serving = _serving(on, street.service.name)
    capacity = sum(serving[one["deployment"]] * one["capacity_per_replica"] for one in deployments)
    counters = street.gateway.counters
    in_time = 1 - counters.late_total / counters.started_total if counters.started_total else None
    demand = status["demand"]
    table.add_row(
        Text(street.service.name, style="bold"),
        Text(spark(on.tally.demand.get(street.service.name, ()), spark_width), style="cyan"),
        f"{'?' if demand is None else round(demand)} of {capacity:g}",
        "blind" if status["blind"] else "",
        "",
        f"{status['usd_per_hour']:.2f}",
        f"{cost_usd(on, street.service):,.2f}",
        words.percent(in_time, 1),
    )
    for one in deployments:
        ready, asked = serving[one["deployment"]], one["replicas_set"]
        table.add_row(
            f"  {one['deployment']}",
            _bar(one, ready),
            "",
            f"{ready}/{'?' if asked is None else asked}",
            "?" if one["price_usd_per_gpu_hour"] is None else f"{one['price_usd_per_gpu_hour']:.2f}",
            "?" if one["usd_per_hour"] is None else f"{one['usd_per_hour']:.2f}",
            "",
            "",
            style="dim" if asked == 0 else "",
        )


def _serving(on: Stage, service: str) -> dict[str, int]:
    """Replicas that the daemon counts as serving, by deployment; last known where the vendor does not say."""
    assert on.tally.latest is not None
    evidence = on.tally.latest.plan.services[service].deployments
    return {name: facts.replicas_ready or 0 for name, facts in evidence.items()}


def _bar(one: Mapping[str, Any], ready: int) -> Text:
    """A square per replica, and what holds the deployment where something does."""
    text = Text(no_wrap=True)
    text.append("■" * ready, style="green")
    text.append("□" * max(0, (one["replicas_set"] or 0) - ready), style="yellow")
    decision = one["decision"]
    if one["error"] is not None:
        text.append(f" {one['error']}", style="red")
    elif decision is not None and decision["reason"] not in _PLAIN_REASONS:
        text.append(f" {decision['reason']}", style="yellow")
    return text


def spark(values: Iterable[float], width: int) -> str:
    """The last values as blocks; the tallest is the largest of them."""
    shown = list(values)[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return _SPARKS[1] * len(shown)
    return "".join(_SPARKS[1 + round(value / top * (len(_SPARKS) - 2))] for value in shown)


def _told(lines: Iterable[Line], width: int, room: int) -> list[Text]:
    """The last lines that fit, each on one row, or two where the terminal is narrow; oldest first."""
    told: list[Text] = []
    for one in reversed(list(lines)):
        rows = _rows(one, width)
        if len(told) + len(rows) > room:
            break
        told[:0] = rows
    return [*told, *(Text() for _ in range(room - len(told)))]


def _rows(one: Line, width: int) -> list[Text]:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{words.hour(one.at)}  ", style="dim")
    if one.decision is None:
        text.append(one.text, style="bold yellow")
        rows = [text]
    else:
        went_up = (one.decision.replicas_to or 0) > (one.decision.replicas_from or 0)
        text.append(words.change(one), style="green" if went_up else "blue")
        why = Text(f"  {one.text}", no_wrap=True, overflow="ellipsis")
        narrow = width < _ONE_ROW
        rows = [text, Text(" " * 9).append_text(why)] if narrow else [text.append_text(why)]
    for row in rows:
        row.truncate(width, overflow="ellipsis")
    return rows


def _footer(on: Stage, width: int) -> RenderableType:
    share = min(1.0, on.simulated_s() / on.wish.chat.stretch.length_s)
    left_s = _left_s(on, share)
    left = Text(f"{share:.0%}, {words.span(left_s)} left", style="dim")
    cost, fixed = on.world.billed_usd(), fixed_cost_usd(on)
    saved = words.percent(1 - cost / fixed if fixed else None)
    money = Text(f"{cost:,.2f} USD, fixed peak {fixed:,.2f}: {saved} saved")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=max(4, width - len(left.plain) - len(money.plain) - 6))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_row(ProgressBar(total=1.0, completed=share), left, money)
    return grid


def _left_s(on: Stage, share: float) -> float:
    """Real seconds until the end, at the pace so far: a busy machine is slower than the speed asked for."""
    wall_s = on.wall_s()
    asked_s = (1 - share) * on.wish.chat.stretch.length_s / on.wish.speed
    left_s = wall_s / share - wall_s if share > 0.01 else asked_s
    return left_s if on.wish.for_s is None else min(left_s, max(0.0, on.wish.for_s - wall_s))
