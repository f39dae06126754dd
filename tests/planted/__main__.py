"""``python -m tests.planted``: plant each bug by itself in a copy, and see that its tests fail.

Exit status 1 when any is not caught, or does not apply any more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.table import Table

from tests.planted.catalogue import ROOT, Bug, load
from tests.planted.tree import Copy
from tests.planted.trial import TrialError, escapes, run

FIRST_LOOK_S_MAX = 600.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one bug; ``escape`` is empty where it was caught."""

    bug: Bug
    escape: str
    took_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as told; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("-k", dest="word", default="", help="only bugs whose area/id contains this")
    parser.add_argument(
        "--jobs", type=int, default=2, choices=range(1, 65), metavar="N", help="copies at work (2)"
    )
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    options = parser.parse_args(arguments)
    bugs = [bug for bug in load() if options.word in bug.name]
    if not bugs:
        print(f"no bug's area/id contains {options.word!r}", file=sys.stderr)
        return 1
    if options.list:
        for bug in bugs:
            print(f"{bug.name}: {bug.breaks}")
        return 0
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        return _try_all(bugs, Path(folder), min(options.jobs, len(bugs)))


def _try_all(bugs: Sequence[Bug], folder: Path, jobs: int) -> int:
    began = time.monotonic()
    first = Copy.of(ROOT, folder / "1")
    tests = tuple(dict.fromkeys(test for bug in bugs for test in bug.tests))
    print(f"{len(tests)} tests named by {len(bugs)} bugs, on the program as it is ...", flush=True)
    if not _pass_untouched(first, tests):
        return 1
    print(f"all pass ({time.monotonic() - began:.0f} s)", flush=True)
    copies: SimpleQueue[Copy] = SimpleQueue()
    copies.put(first)
    for number in range(2, jobs + 1):
        copies.put(first.again(folder / str(number)))
    results: list[Result] = []
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as workers:
        for done in as_completed([workers.submit(_try, bug, copies) for bug in bugs]):
            results.append(done.result())
            _tell(results, len(bugs), time.monotonic() - began)
    order = {bug.name: place for place, bug in enumerate(bugs)}
    results.sort(key=lambda result: order[result.bug.name])
    _show(results)
    return 1 if any(result.escape for result in results) else 0


def _pass_untouched(copy: Copy, tests: Sequence[str]) -> bool:
    """A test that fails anyway catches nothing."""
    try:
        fates = run(copy, tests, FIRST_LOOK_S_MAX)
    except TrialError as error:
        print(error, file=sys.stderr)
        return False
    failing = [test for test, fate in fates.items() if not fate.passed]
    for test in failing:
        print(f"{test} fails on the program as it is", file=sys.stderr)
    return not failing


def _try(bug: Bug, copies: SimpleQueue[Copy]) -> Result:
    copy = copies.get()
    began = time.monotonic()
    try:
        escape = escapes(bug, copy)
    except ValueError as error:
        escape = str(error)
    finally:
        copies.put(copy)
    return Result(bug, escape, time.monotonic() - began)


def _tell(results: Sequence[Result], count: int, elapsed_s: float) -> None:
    last = results[-1]
    left_s = elapsed_s / len(results) * (count - len(results))
    what = "NOT CAUGHT" if last.escape else "caught"
    print(f"{len(results):3}/{count}  {what}  {last.bug.name}  ({left_s:.0f} s left)", flush=True)


def _show(results: Sequence[Result]) -> None:
    table = Table(title="planted bugs", title_justify="left")
    table.add_column("bug", no_wrap=True)
    table.add_column("breaks")
    table.add_column("s", justify="right")
    table.add_column("")
    for result in results:
        found = result.escape or "caught"
        table.add_row(result.bug.name, result.bug.breaks, f"{result.took_s:.1f}", found)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    caught = sum(not result.escape for result in results)
    print(f"{caught} of {len(results)} planted bugs are caught")


if __name__ == "__main__":
    sys.exit(main())
