"""``python -m benchmarks.quality TRACES``: the table of decision quality; ``--write``: into the docs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console

from autoscaler.cli.terminal.progress import progress
from autoscaler.sim.contest import Entry, contest, processors
from autoscaler.sim.result import RunResult
from benchmarks.quality.policies import FIXED, PLAN, contestants
from benchmarks.quality.scenario import SCENARIOS, design, trace_files
from benchmarks.quality.score import TraceScore, Yardstick, kept_ratio, score
from benchmarks.quality.table import markdown, rich_table, trace_markdown

DOCS = Path(__file__).parents[2] / "docs" / "quality.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print, and where asked write."""
    options = _options(argv)
    traces = [
        (name, path) for name, path in trace_files(options.traces) if not options.only or name in options.only
    ]
    if not traces:
        print(
            f"quality: no traces in {options.traces}; docs/quality.md says where to get them", file=sys.stderr
        )
        return 2
    scenario = SCENARIOS[options.scenario]
    named = contestants()
    chosen = [name for name in named if not options.policies or name in {PLAN, FIXED, *options.policies}]
    entries = []
    for trace, path in traces:
        made = design(path, scenario, options.seed)
        entries += [Entry(f"{trace} {name}", partial(named[name], made)) for name in chosen]
    with progress(f"{len(entries)} runs") as show:
        results = contest(entries, options.jobs, lambda shares: show(sum(shares) / len(shares)))
    found = dict(zip([entry.name for entry in entries], results, strict=True))
    yardsticks = {trace: _yardstick(found, trace) for trace, _ in traces}
    scores = {
        name: {trace: _score(found[f"{trace} {name}"]) for trace, _ in traces}
        for name in chosen
        if name != FIXED
    }
    rows = {name: score(by_trace, yardsticks) for name, by_trace in scores.items()}
    Console(width=120).print(rich_table(scenario.name, rows))
    if options.json:
        options.json.write_text(
            json.dumps(
                {
                    "scenario": scenario.name,
                    "yardsticks": {trace: asdict(one) for trace, one in yardsticks.items()},
                    "scores": {
                        name: {trace: asdict(one) for trace, one in by_trace.items()}
                        for name, by_trace in scores.items()
                    },
                },
                indent=1,
            )
        )
    if options.write:
        ratios = {
            name: {trace: kept_ratio(one, yardsticks[trace]) for trace, one in by_trace.items()}
            for name, by_trace in scores.items()
        }
        _write(DOCS, scenario.name, markdown(rows) + "\n" + trace_markdown(scores, ratios))
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.quality", description=__doc__)
    parser.add_argument("traces", type=Path, help="folder of CSV traces, with or without manifest.json")
    parser.add_argument("--scenario", choices=SCENARIOS, default="base", help="plant; default: base")
    parser.add_argument("--only", nargs="*", default=[], metavar="TRACE", help="these traces alone")
    parser.add_argument("--policies", nargs="*", default=[], metavar="NAME", help="these policies alone")
    parser.add_argument("--seed", type=int, default=0, help="another number is another chance")
    parser.add_argument(
        "--jobs", type=int, default=processors(), help="runs at once; default: one per processor"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every score here")
    parser.add_argument("--write", action="store_true", help="write the table into docs/quality.md")
    return parser.parse_args(argv)


def _yardstick(found: Mapping[str, RunResult], trace: str) -> Yardstick:
    plan = found[f"{trace} {PLAN}"]
    return Yardstick(
        plan_replica_s=_replica_s(plan),
        fixed_replica_s=_replica_s(found[f"{trace} {FIXED}"]),
        bound_replica_s=(plan.usd_lower_bound or 0.0) * 3600,
    )


def _score(result: RunResult) -> TraceScore:
    share = result.on_time_share
    return TraceScore(_replica_s(result), 1.0 if share is None else share, result.changes_per_hour)


def _replica_s(result: RunResult) -> float:
    return sum(one.billed_replica_s for one in result.services.values())


def _write(path: Path, scenario: str, text: str) -> None:
    page = path.read_text(encoding="utf-8")
    begin, end = f"<!-- scores: {scenario} -->", "<!-- end scores -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
