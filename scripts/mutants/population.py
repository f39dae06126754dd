"""All mutants of the code under test, as cosmic-ray makes them, and a sample of them.

Why cosmic-ray: it makes mutants one by one, each named by its module, operator and occurrence, of any code
of a module, constants and decorated functions included. mutmut 3 makes all mutants of a function side by
side, in a file that it runs itself, and passes over constants and most decorated functions.
"""

from __future__ import annotations

import ast
import difflib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change to one place. ``file`` is relative to the repository; ``line`` counts from 1."""

    file: str
    line: int
    column: int
    operator: str
    occurrence: int

    @property
    def key(self) -> str:
        """What names it, as long as its file stays as it is."""
        return f"{self.file}:{self.line}:{self.column}:{self.operator}:{self.occurrence}"

    def text(self, source: str) -> str:
        """The module with this change. Raises: ValueError where there is no such place any more."""
        changed = mutate_code(source.encode(), get_operator(self.operator)(), self.occurrence)
        if changed is None:
            raise ValueError(f"{self.key} is no place in the file as it is")
        return str(changed)

    def diff(self, source: str) -> str:
        """The lines that change, before and after."""
        lines = difflib.unified_diff(source.splitlines(), self.text(source).splitlines(), lineterm="", n=0)
        return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def population(root: Path, packages: Iterable[str]) -> tuple[Mutant, ...]:
    """Every mutant of these packages that can make a difference.

    Left out are places in annotations, which nothing executes.
    """
    files = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    work = WorkDB(":memory:", WorkDB.Mode.create)
    init(files, work, {})
    specs: dict[Path, list[MutationSpec]] = {}
    for item in work.work_items:
        for spec in item.mutations:
            specs.setdefault(Path(spec.module_path), []).append(spec)
    found: list[Mutant] = []
    for path in files:
        annotated = _annotations(path.read_text(encoding="utf-8"))
        for spec in specs.get(path, []):
            line, column = spec.start_pos
            if not any(start <= (line, column) < end for start, end in annotated):
                file = path.relative_to(root).as_posix()
                found.append(Mutant(file, line, column, spec.operator_name, spec.occurrence))
    return tuple(sorted(found))


def sample(mutants: Sequence[Mutant], count: int, seed: int, root: Path) -> tuple[Mutant, ...]:
    """``count`` of them, each as likely as any other; a smaller sample is the beginning of a larger one.

    What is no Python is passed over: nobody could commit it, and it would count as killed.
    """
    shuffled = list(mutants)
    random.Random(seed).shuffle(shuffled)
    found: list[Mutant] = []
    for mutant in shuffled:
        if len(found) == count:
            break
        if _is_python(mutant.text((root / mutant.file).read_text(encoding="utf-8"))):
            found.append(mutant)
    return tuple(found)


def _is_python(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


Place = tuple[int, int]


def _annotations(source: str) -> list[tuple[Place, Place]]:
    """Where annotations begin and end."""
    spans: list[tuple[Place, Place]] = []
    for node in ast.walk(ast.parse(source)):
        for name in ("annotation", "returns"):
            note = getattr(node, name, None)
            if isinstance(note, ast.expr) and note.end_lineno is not None:
                spans.append(((note.lineno, note.col_offset), (note.end_lineno, note.end_col_offset or 0)))
    return spans
