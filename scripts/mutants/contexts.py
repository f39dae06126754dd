"""Which tests execute which line, and how long each takes: one run with pytest-cov's contexts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

from tests.planted.tree import Copy
from tests.planted.trial import TrialError, run


@dataclass(frozen=True, slots=True)
class Contexts:
    """By file and line the tests that execute it; by test its seconds."""

    lines: dict[str, dict[int, list[str]]]
    took_s: dict[str, float]

    def of(self, file: str, line: int) -> list[str]:
        """The tests that can notice a change of this line, quickest first.

        What only an import executes (a constant, a decorator) every test of the module may notice.
        """
        lines = self.lines.get(file, {})
        tests = lines.get(line) or list({test for tests in lines.values() for test in tests})
        return sorted(tests, key=lambda test: (round(self.took_s.get(test, 1.0), 2), test))

    def save(self, path: Path) -> None:
        """As JSON, in which tests are told by their place among all."""
        names = sorted(self.took_s)
        place = {name: number for number, name in enumerate(names)}
        lines = {
            file: {line: [place[test] for test in tests] for line, tests in lines.items()}
            for file, lines in self.lines.items()
        }
        took_s = [self.took_s[name] for name in names]
        path.write_text(json.dumps({"tests": names, "took_s": took_s, "lines": lines}), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Contexts:
        """What ``save`` wrote."""
        body = json.loads(path.read_text(encoding="utf-8"))
        names = body["tests"]
        lines = {
            file: {int(line): [names[number] for number in tests] for line, tests in lines.items()}
            for file, lines in body["lines"].items()
        }
        return cls(lines, dict(zip(names, body["took_s"], strict=True)))


def observe(copy: Copy, packages: Sequence[str], tests: Sequence[str]) -> Contexts:
    """Run these tests on the copy as it is. Raises: TrialError when one does not pass."""
    data, report = copy.root / ".coverage", copy.root / "contexts.json"
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy.root),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PLANTED_REPORT": str(report),
        "COVERAGE_FILE": str(data),
    }
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "--hypothesis-seed=0"]
    command += ["-p", "scripts.mutants.no_caches", "-p", "tests.planted.witness", "-p", "no:cacheprovider"]
    command += ["--cov-context=test", "--cov-report=", *(f"--cov={package}" for package in packages), *tests]
    done = subprocess.run(
        command, cwd=copy.root, env=environment, capture_output=True, text=True, check=False
    )
    if not report.exists():
        raise TrialError(f"pytest broke off: {done.stdout[-2000:]}{done.stderr[-500:]}")
    seen = json.loads(report.read_text(encoding="utf-8"))["seen"]
    # What fails without caches is asked again with them.
    failed = [one["test"] for one in seen if one["outcome"] == "failed"]
    if failed and (still := [test for test, fate in run(copy, failed).items() if not fate.passed]):
        raise TrialError(f"fails on the program as it is: {', '.join(still)}")
    took_s: dict[str, float] = {}
    for one in seen:
        took_s[one["test"]] = round(took_s.get(one["test"], 0.0) + one["took_s"], 4)
    return Contexts(dict(_lines_of(data, copy.root)), took_s)


def _lines_of(data: Path, root: Path) -> Iterator[tuple[str, dict[int, list[str]]]]:
    measured = CoverageData(str(data))
    measured.read()
    for file in sorted(measured.measured_files()):
        lines = {
            line: sorted({context.partition("|")[0] for context in contexts if context})
            for line, contexts in measured.contexts_by_lineno(file).items()
        }
        yield Path(file).relative_to(root.resolve()).as_posix(), lines
