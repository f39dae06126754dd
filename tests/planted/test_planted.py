"""The planted bugs apply to the program as it is; whether they are caught, ``make planted`` tells."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.planted import witness
from tests.planted.catalogue import BUGS, Bug, load, problems
from tests.planted.tree import Copy
from tests.planted.trial import escapes

AREAS = {
    "clock_and_world",
    "core_absorb",
    "core_allocation",
    "core_decision",
    "daemon",
    "journals",
    "policies",
    "providers",
    "schedule",
    "sources",
}
BUGS_MIN = 60

SUMS = """
import pytest
from autoscaler.sums import add

def test_two_and_two_is_four():
    assert add(2, 2) == 4

@pytest.mark.parametrize("b", [0, 1])
def test_one_and_something(b):
    assert add(1, b) == 1 + b

def test_nothing_and_nothing_is_nothing():
    assert add(0, 0) == 0
"""


def test_every_bug_applies_and_names_tests_that_exist() -> None:
    assert [problem for bug in load() for problem in problems(bug)] == []


def test_no_two_bugs_share_a_name_or_are_the_same_slip() -> None:
    bugs = load()

    assert [name for name, count in Counter(bug.id for bug in bugs).items() if count > 1] == []
    assert [slip for slip, count in Counter((b.file, b.old, b.new) for b in bugs).items() if count > 1] == []


def test_there_are_bugs_enough_in_every_area() -> None:
    bugs = load()

    assert len(bugs) >= BUGS_MIN
    assert {bug.area for bug in bugs} == AREAS
    assert {path.stem for path in BUGS.glob("*.toml")} == AREAS


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A repository of one module and its tests."""
    root = tmp_path / "program"
    for folder in ("autoscaler", "tests/planted"):
        (root / folder).mkdir(parents=True)
        (root / folder / "__init__.py").touch()
    (root / "tests" / "__init__.py").touch()
    (root / "autoscaler" / "sums.py").write_text("def add(a, b):\n    return a + b\n")
    (root / "tests" / "test_sums.py").write_text(SUMS)
    (root / "tests" / "planted" / "witness.py").write_text(Path(witness.__file__).read_text())
    return root


def a_bug(**fields: object) -> Bug:
    known: dict[str, object] = {
        "id": "minus",
        "breaks": "Sums are sums.",
        "file": "autoscaler/sums.py",
        "old": "a + b",
        "new": "a - b",
        "tests": ["tests/test_sums.py::test_two_and_two_is_four"],
        "area": "sums",
    }
    return Bug.model_validate({**known, **fields})


def test_a_bug_that_applies_has_no_problem(program: Path) -> None:
    assert list(problems(a_bug(), program)) == []
    assert ast.dump(ast.parse(a_bug().planted("c = a + b"))) == ast.dump(ast.parse("c = a - b"))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"old": "a * b"}, "has this text 0 times instead of once: 'a * b'"),
        ({"old": "b"}, "has this text 2 times"),
        ({"new": "a +"}, "the new text is no Python"),
        ({"new": "a + b"}, "it changes nothing"),
        ({"new": "(\na\n-\nb\n)"}, "longer than 3 lines"),
        ({"file": "autoscaler/gone.py"}, "there is no autoscaler/gone.py"),
        ({"tests": ["tests/test_gone.py::test_x"]}, "there is no tests/test_gone.py"),
        ({"tests": ["tests/test_sums.py::test_gone[1]"]}, "tests/test_sums.py has no test test_gone"),
    ],
)
def test_a_bug_that_does_not_apply_says_why(program: Path, fields: dict[str, object], told: str) -> None:
    assert [problem for problem in problems(a_bug(**fields), program) if told in problem]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ""),
        ({"tests": ["tests/test_sums.py::test_one_and_something"]}, ""),  # with 1, not with 0
        ({"tests": ["tests/test_sums.py::test_nothing_and_nothing_is_nothing"]}, "passes all the same"),
        ({"new": "a + c"}, "ends in NameError, not in a failed assertion"),
        ({"old": "def add", "new": "def sub"}, "was not run: cannot collect tests/test_sums.py"),
    ],
)
def test_a_bug_is_caught_by_a_failed_assertion_of_the_copy_and_by_nothing_else(
    program: Path, tmp_path: Path, fields: dict[str, object], told: str
) -> None:
    copy = Copy.of(program, tmp_path / "copy")

    found = escapes(a_bug(**fields), copy)

    assert found == told if not told else told in found
    assert "a + b" in (copy.root / "autoscaler" / "sums.py").read_text()


def test_a_test_that_writes_into_the_copy_is_told(program: Path, tmp_path: Path) -> None:
    copy = Copy.of(program, tmp_path / "copy")

    with pytest.raises(RuntimeError, match="a test wrote into it"), copy.with_bug(a_bug()):
        (copy.root / "autoscaler" / "more.py").touch()
