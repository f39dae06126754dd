"""Demand traces: a CSV of requests per step."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_SHORT: Final = ("t_s", "requests")
_LINE_MAX: Final = 4096  # characters
_LONG: Final = ("t_s", "requests", "prompt_tokens", "output_tokens")


class TraceError(ValueError):
    """The trace cannot be used; the text names file and line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step: when it starts, how long it is, what arrived in it. Tokens are sums over the step."""

    t_s: float
    step_s: float
    requests: float
    prompt_tokens: float | None = None
    output_tokens: float | None = None


def read_trace(path: Path | str, *, length_s: float | None = None) -> Iterator[Row]:
    """The rows of a trace, read as they are needed; ``.gz`` files are unpacked.

    Columns ``t_s,requests`` with or without ``prompt_tokens,output_tokens`` (which may be empty), in
    any order; steps of one length without gaps; at least two rows. With ``length_s`` only rows that begin
    within so many seconds of the first; what follows is not read, and so not checked.

    One row is held at a time, and lines have a limit, so that a file of any size can be read.
    Raises: TraceError, OSError; ValueError where ``length_s`` is not above 0.
    """
    if length_s is not None and not length_s > 0:
        raise ValueError(f"length_s is {length_s}; it must be above 0")
    return _rows(Path(path), math.inf if length_s is None else length_s)


def _rows(path: Path, length_s: float) -> Iterator[Row]:
    lines = _Lines(path)
    try:
        with _open(path) as file:
            first_s: float | None = None
            for row in _with_steps(path, _cells(path, lines, csv.reader(lines.of(file)))):
                first_s = row.t_s if first_s is None else first_s
                if row.t_s - first_s >= length_s:
                    return
                yield row
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TraceError(
            f"{path}, after line {lines.number}: not readable as text or gzip: {error}"
        ) from error


def _open(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


class _Lines:
    """Lines of a file, counted, and none longer than a row of numbers can be: a file without line ends is
    refused before it fills the memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0

    def of(self, file: IO[str]) -> Iterator[str]:
        """One by one."""
        while line := file.readline(_LINE_MAX + 1):
            self.number += 1
            if len(line) > _LINE_MAX:
                raise TraceError(
                    f"{self.path}, line {self.number}: begins with {line[:40]!r} and is longer than"
                    f" {_LINE_MAX} characters"
                )
            yield line


def _cells(
    path: Path, lines: _Lines, records: Iterator[list[str]]
) -> Iterator[tuple[int, dict[str, float | None]]]:
    """Line number and checked numbers of each line after the header."""
    names: tuple[str, ...] | None = None
    while True:
        try:
            cells = next(records, None)
        except csv.Error as error:
            raise TraceError(f"{path}, line {lines.number}: {error}") from error
        if cells is None:
            break
        if not cells:
            continue
        line = lines.number
        if names is None:
            names = _header(path, line, cells)
        elif len(cells) != len(names):
            raise TraceError(f"{path}, line {line}: {len(cells)} values for {len(names)} columns")
        else:
            yield (
                line,
                {name: _number(path, line, name, cell) for name, cell in zip(names, cells, strict=True)},
            )
    if names is None:
        raise TraceError(f"{path}, line 1: empty; the first line names the columns {','.join(_SHORT)}")


def _header(path: Path, line: int, cells: list[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    if sorted(names) not in (sorted(_SHORT), sorted(_LONG)):
        raise TraceError(
            f"{path}, line {line}: columns {','.join(names)!r}; allowed are {','.join(_SHORT)!r}"
            f" and {','.join(_LONG)!r}"
        )
    return names


def _number(path: Path, line: int, name: str, cell: str) -> float | None:
    text = cell.strip()
    if not text and name in _LONG[2:]:
        return None
    try:
        number = math.nan if "_" in text else float(text)  # Python reads 1_0 as ten
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise TraceError(f"{path}, line {line}: {name} is {cell!r}; allowed is a finite number >= 0")
    return number


def _with_steps(path: Path, lines: Iterable[tuple[int, dict[str, float | None]]]) -> Iterator[Row]:
    """Rows one line late, because the first step is known only from the second line."""
    step_s = 0.0
    held: dict[str, float | None] | None = None
    line = 1
    for line, cells in lines:
        if held is not None:
            gap_s = _known(cells, "t_s") - _known(held, "t_s")
            step_s = step_s or gap_s
            if gap_s <= 0 or abs(gap_s - step_s) > 1e-6 * step_s:
                raise TraceError(
                    f"{path}, line {line}: t_s is {_known(cells, 't_s'):g} after {_known(held, 't_s'):g};"
                    f" rows must be in order, one step apart, without gaps"
                )
            yield _row(held, step_s)
        held = cells
    if held is None or not step_s:
        raise TraceError(f"{path}, line {line}: at least two rows are needed")
    yield _row(held, step_s)


def _known(cells: dict[str, float | None], name: str) -> float:
    value = cells[name]
    assert value is not None, name
    return value


def _row(cells: dict[str, float | None], step_s: float) -> Row:
    return Row(
        t_s=_known(cells, "t_s"),
        step_s=step_s,
        requests=_known(cells, "requests"),
        prompt_tokens=cells.get("prompt_tokens"),
        output_tokens=cells.get("output_tokens"),
    )
