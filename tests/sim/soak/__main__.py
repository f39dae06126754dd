"""``python -m tests.sim.soak``: many seeds at once, or one seed or scenario again."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.sim.soak.crew import Job, played
from tests.sim.soak.draw import Kind, draw
from tests.sim.soak.play import Verdict, play
from tests.sim.soak.scenario import Scenario
from tests.sim.soak.shrink import shrunk
from tests.sim.soak.tally import tables

HTTP_SHARE: Final = 20
"""Every so many seeds one goes over HTTP, unless ``--http-seeds`` says otherwise."""

FAILURES_TOLD: Final = 10


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds, from --first on.")] = 50,
    first: Annotated[int, typer.Option(help="The first seed.")] = 0,
    http_seeds: Annotated[int | None, typer.Option(help="How many of them over HTTP.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
    seed: Annotated[int | None, typer.Option(help="This seed alone, and tell all about it.")] = None,
    http: Annotated[bool, typer.Option(help="With --seed: over HTTP.")] = False,
    short: Annotated[bool, typer.Option(help="Short storms at long intervals, as CI plays them.")] = False,
    scenario: Annotated[Path | None, typer.Option(help="Play this scenario file.")] = None,
    shrink: Annotated[bool, typer.Option(help="Cut a failing seed or scenario down.")] = False,
    folder: Annotated[Path, typer.Option(help="Where scenario files go.")] = Path(".soak"),
) -> None:
    """Play seeds in virtual time; exit status 1 where a promise is broken."""
    console = Console()
    usual = Kind.SHORT if short else Kind.LONG
    if scenario is not None or seed is not None:
        played = (
            Scenario.read(scenario) if scenario is not None else draw(seed or 0, Kind.HTTP if http else usual)
        )
        raise typer.Exit(_one(console, played, folder, cut=shrink))
    over_http = seeds // HTTP_SHARE if http_seeds is None else http_seeds
    verdicts = _many(
        console, [(first + n, Kind.HTTP if n < over_http else usual) for n in range(seeds)], jobs
    )
    _summary(console, verdicts)
    raise typer.Exit(int(any(verdict.fouls for _, verdict in verdicts)))


def _one(console: Console, scenario: Scenario, folder: Path, *, cut: bool) -> int:
    verdict = play(scenario)
    console.print(
        f"seed {scenario.seed}: {verdict.ticks} ticks, {verdict.writes} writes, {verdict.fingerprint}"
    )
    if not verdict.fouls:
        return 0
    _told(console, verdict)
    if cut:
        with console.status("cutting it down"):
            scenario = shrunk(scenario, verdict)
        _told(console, play(scenario))
    console.print(f"python -m tests.sim.soak --scenario {_filed(scenario, folder)}", soft_wrap=True)
    return 1


def _told(console: Console, verdict: Verdict) -> None:
    for foul in verdict.fouls[:FAILURES_TOLD]:
        console.print(
            f"  {foul.check} at tick {verdict.fouled_at_tick}: {foul.text}", markup=False, soft_wrap=True
        )


def _filed(scenario: Scenario, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"seed-{scenario.seed}{'-http' if scenario.http else ''}.json"
    scenario.write(path)
    return path


def _many(console: Console, todo: list[Job], jobs: int) -> list[tuple[Job, Verdict]]:
    verdicts: list[tuple[Job, Verdict]] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("soak", total=len(todo))
        for job, verdict in played(todo, jobs):
            verdicts.append((job, verdict))
            if verdict.fouls:
                progress.console.print(
                    f"seed {job[0]} fails: {verdict.check}: {verdict.fouls[0].text[:300]}", markup=False
                )
            progress.advance(bar)
    return sorted(verdicts, key=lambda pair: pair[0])


def _summary(console: Console, verdicts: list[tuple[Job, Verdict]]) -> None:
    struck: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for _, verdict in verdicts:
        struck.update(verdict.struck)
        reasons.update(verdict.reasons)
    for table in tables(struck, reasons):
        console.print(table)
    ticks = sum(verdict.ticks for _, verdict in verdicts)
    writes = sum(verdict.writes for _, verdict in verdicts)
    failed = [(job, verdict) for job, verdict in verdicts if verdict.fouls]
    console.print(f"{len(verdicts)} seeds, {ticks} ticks, {writes} writes, {len(failed)} seeds failed")
    for (seed, kind), verdict in failed[:FAILURES_TOLD]:
        console.print(f"seed {seed}: {verdict.check}")
        _told(console, verdict)
        option = "" if kind is Kind.LONG else f" --{kind}"
        again = f"python -m tests.sim.soak --seed {seed}{option} --shrink"
        console.print(f"  {again}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
