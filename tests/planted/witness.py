"""A plugin of pytest: what became of each test, by which error, how long it took, and whose code it was.

Writes one JSON object to the file that the environment's PLANTED_REPORT names.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_seen: list[dict[str, Any]] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the outcome, and the name of what was raised: the report itself has only its text."""
    report = yield
    errors = [] if call.excinfo is None else sorted(_names(call.excinfo.value))
    facts = {"test": item.nodeid, "when": report.when, "outcome": report.outcome}
    _seen.append({**facts, "errors": errors, "took_s": report.duration})
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file that cannot be collected is told, and is no failed test."""
    if report.failed:
        _seen.append(
            {"test": report.nodeid, "when": "collect", "outcome": "failed", "errors": [], "took_s": 0.0}
        )


def pytest_sessionfinish() -> None:
    """Write down what was seen."""
    here = Path.cwd().resolve()
    strays = sorted(
        name
        for name, module in sys.modules.items()
        if name.partition(".")[0] in ("autoscaler", "tests")
        and (file := getattr(module, "__file__", None)) is not None
        and not Path(file).resolve().is_relative_to(here)
    )
    report = {"seen": _seen, "strays": strays, "tested": sys.modules["autoscaler"].__file__}
    Path(os.environ["PLANTED_REPORT"]).write_text(json.dumps(report), encoding="utf-8")


def _names(error: BaseException) -> set[str]:
    if isinstance(error, BaseExceptionGroup):
        return set().union(*(_names(one) for one in error.exceptions))
    return {type(error).__name__}
