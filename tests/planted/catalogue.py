"""The planted bugs as data: ``bugs/*.toml``, a file for each area, read and checked."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ROOT: Final = Path(__file__).resolve().parents[2]
BUGS: Final = Path(__file__).with_name("bugs")
LINES_MAX: Final = 3
"""A planted bug is a slip of the pen. What takes more lines is another program."""

Text = Annotated[str, Field(min_length=1)]


class Bug(BaseModel):
    """One slip: ``old``, which occurs once in ``file``, becomes ``new``.

    ``tests`` are node ids; each must fail. One without brackets stands for all its parameters, of which at
    least one must fail. ``fails_with`` are exceptions, by name, in which they may end apart from a failed
    assertion.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    breaks: Annotated[str, Field(pattern=r"^[^\n]+\.$")]
    file: Annotated[str, Field(pattern=r"^autoscaler/[a-z0-9_/]+\.py$")]
    old: Text
    new: str
    tests: Annotated[tuple[Text, ...], Field(min_length=1)]
    fails_with: tuple[Text, ...] = ()
    area: str = ""  # the file that tells of it

    @property
    def name(self) -> str:
        """Area and id, as a person selects it."""
        return f"{self.area}/{self.id}"

    def planted(self, text: str) -> str:
        """The program's text with the bug in it. Raises: ValueError where it does not apply any more."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(
                f"{self.name} does not apply any more: {self.file} has this text {found} times "
                f"instead of once: {self.old.strip()!r}"
            )
        return text.replace(self.old, self.new)


def load(folder: Path = BUGS) -> tuple[Bug, ...]:
    """All bugs in the order of the files. Raises: ValueError that names the file and the bug."""
    bugs: list[Bug] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            entries = tomllib.loads(path.read_text(encoding="utf-8"))["bugs"]
        except (tomllib.TOMLDecodeError, KeyError) as error:
            raise ValueError(f"{path.name}: not TOML with [[bugs]] tables: {error}") from error
        for position, entry in enumerate(entries, start=1):
            try:
                bugs.append(Bug(**entry, area=path.stem))
            except ValidationError as error:
                raise ValueError(f"{path.name}, bug {entry.get('id', position)}: {error}") from error
    return tuple(bugs)


def problems(bug: Bug, root: Path = ROOT) -> Iterator[str]:
    """Why this bug cannot be planted, or cannot be caught, as far as that shows without running anything."""
    path = root / bug.file
    if not path.is_file():
        yield f"{bug.name}: there is no {bug.file}"
        return
    if bug.old == bug.new:
        yield f"{bug.name}: it changes nothing"
    if max(len(text.strip("\n").splitlines()) for text in (bug.old, bug.new)) > LINES_MAX:
        yield f"{bug.name}: it is longer than {LINES_MAX} lines"
    try:
        ast.parse(bug.planted(path.read_text(encoding="utf-8")))
    except SyntaxError as error:
        yield f"{bug.name}: the new text is no Python: {error}"
    except ValueError as error:
        yield str(error)
    for test in bug.tests:
        file, _, name = test.partition("::")
        if not (root / file).is_file():
            yield f"{bug.name}: there is no {file}"
        elif name.partition("[")[0] not in _tests_of(root / file):
            yield f"{bug.name}: {file} has no test {name.partition('[')[0]}"


@cache
def _tests_of(path: Path) -> frozenset[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
