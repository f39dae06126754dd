"""Run the tests that execute a mutant's line, quickest first, until one fails."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.mutants.contexts import Contexts
from scripts.mutants.population import Mutant
from tests.planted.tree import Copy

FIRST: Final = 40
"""Most mutants are noticed by one of the quickest few tests; the others wait until these have passed."""

LIMIT_S_MIN: Final = 60.0
SLOWER_MAX: Final = 20.0
"""A mutant that runs so many times longer than the tests usually take does not end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``by`` is how it was killed: test, time, or import (no test could be collected); empty: it survived."""

    by: str
    tests: int  # that were given to it


def judge(mutant: Mutant, copy: Copy, contexts: Contexts) -> Verdict:
    """Put the mutant into the copy and run what may notice it."""
    tests = contexts.of(mutant.file, mutant.line)
    path = copy.root / mutant.file
    changed = mutant.text(path.read_text(encoding="utf-8"))
    with copy.with_text(mutant.file, changed):
        for part in (tests[:FIRST], tests[FIRST:]):
            by = _run(copy, part, contexts) if part else ""
            if by:
                return Verdict(by, len(tests))
    return Verdict("", len(tests))


def _run(copy: Copy, tests: Sequence[str], contexts: Contexts) -> str:
    limit_s = LIMIT_S_MIN + SLOWER_MAX * sum(contexts.took_s.get(test, 1.0) for test in tests)
    environment = {**os.environ, "PYTHONPATH": str(copy.root), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as names:
        names.write("\n".join(tests))
        names.flush()
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "--hypothesis-seed=0"]
        command += ["-p", "no:cacheprovider", f"@{names.name}"]
        try:
            done = subprocess.run(
                command, cwd=copy.root, env=environment, capture_output=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            return "time"
    return {0: "", 1: "test"}.get(done.returncode, "import")
