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


def read_trace(path: Path | str) -> Iterator[Row]:
    """The rows of a trace, read as they are needed; ``.gz`` files are unpacked.

    Columns ``t_s,requests`` with or without ``prompt_tokens,output_tokens`` (which may be empty), in
    any order; steps of one length without gaps; at least two rows. Raises: TraceError, OSError.
    """
    path = Path(path)
    try:
        with _open(path) as file:
            yield from _with_steps(path, _cells(path, csv.reader(file)))
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: not readable as text or gzip: {error}") from error


def _open(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _cells(path: Path, reader: Iterable[list[str]]) -> Iterator[tuple[int, dict[str, float | None]]]:
    """Line number and checked numbers of each line after the header."""
    names: tuple[str, ...] | None = None
    line = 0
    lines = iter(reader)
    while True:
        line += 1
        try:
            cells = next(lines)
        except StopIteration:
            break
        except csv.Error as error:
            raise TraceError(f"{path}, line {line}: {error}") from error
        if not cells:
            continue
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
        number = float(text)
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
