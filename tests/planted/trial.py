"""Run the named tests in a copy, and judge what became of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.planted.catalogue import Bug
from tests.planted.tree import Copy

ANSWER_S_MAX: Final = 120.0
"""A bug may make a test hang; that is no catch."""

_CAUGHT_BY: Final = frozenset({"AssertionError", "Failed"})  # the latter is pytest.fail and pytest.raises


class TrialError(Exception):
    """The tests could not be tried at all."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one named test: ``passed``, or the names of the errors that it ended in."""

    passed: bool
    errors: frozenset[str] = frozenset()


def run(copy: Copy, tests: Sequence[str], limit_s: float = ANSWER_S_MAX) -> dict[str, Fate]:
    """Run these node ids in the copy; of a name without brackets the worst of its parameters counts.

    Raises: TrialError when a test did not run, or when other code than the copy's was tested.
    """
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        file = Path(folder) / "report.json"
        environment = {
            **os.environ,
            "PYTHONPATH": str(copy.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PLANTED_REPORT": str(file),
        }
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "tests.planted.witness"]
        command += ["-p", "no:cacheprovider", "--hypothesis-seed=0", *dict.fromkeys(tests)]
        try:
            done = subprocess.run(
                command,
                cwd=copy.root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TrialError(f"no answer within {limit_s:.0f} s") from None
        if not file.exists():
            raise TrialError(f"pytest broke off: {(done.stderr or done.stdout).strip()[-300:]}")
        report = json.loads(file.read_text(encoding="utf-8"))
    if report["strays"] or not Path(report["tested"]).is_relative_to(copy.root.resolve()):
        raise TrialError(f"not the copy was tested but {report['tested']}, {report['strays'][:3]}")
    return {test: _fate(test, report["seen"]) for test in tests}


def _fate(test: str, seen: list[dict[str, Any]]) -> Fate:
    own = [one for one in seen if one["test"] == test or one["test"].startswith(f"{test}[")]
    if any(one["when"] != "call" and one["outcome"] == "failed" for one in own):
        raise TrialError(f"{test} was not run: what it needs failed")
    calls = [one for one in own if one["when"] == "call"]
    if not calls:
        lost = [one["test"] for one in seen if one["when"] == "collect"]
        raise TrialError(f"{test} was not run{': cannot collect ' + ', '.join(lost) if lost else ''}")
    failed = [one for one in calls if one["outcome"] == "failed"]
    return Fate(not failed, frozenset(name for one in failed for name in one["errors"]))


def escapes(bug: Bug, copy: Copy) -> str:
    """Plant the bug and run its tests: why it is not caught; empty where it is.

    Raises: ValueError where it does not apply any more.
    """
    with copy.with_bug(bug):
        try:
            fates = run(copy, bug.tests)
        except TrialError as error:
            return str(error)
    expected = _CAUGHT_BY.union(bug.fails_with)
    for test, fate in fates.items():
        if fate.passed:
            return f"{test} passes all the same"
        if not fate.errors <= expected:
            return f"{test} ends in {', '.join(sorted(fate.errors - expected))}, not in a failed assertion"
    return ""
