"""``autoscaler decide``: the decision function as a filter over JSON lines.

A line in, a line out, at once. What cannot be used is answered with an error in its own place, and
changes nothing.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

from autoscaler.cli.collector import settle
from autoscaler.cli.reach.settings import public
from autoscaler.cli.terminal.exits import Exit
from autoscaler.core.codec import AT_MAX, BadLine, line_of_plan, memory_from_json, snapshot_from_json
from autoscaler.core.decide import step
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory

LINE_BYTES_MAX: Final = 64 * 1024 * 1024
GAP_INTERVALS: Final = 4.0
GAP_MIN_S: Final = 120.0
GAPS_IN_A_ROW: Final = 3

_encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def run_decide(option: Path | None) -> int:
    """Answer every line of standard input. Raises: Trouble for the configuration, BrokenPipeError."""
    decider = Decider(public(option).fleet, _warn)
    settle()
    filter_lines(decider, sys.stdin.buffer, sys.stdout.buffer)
    return Exit.OK


def _warn(text: str) -> None:
    print(f"autoscaler decide: {text}", file=sys.stderr, flush=True)  # noqa: T201


def filter_lines(decider: Decider, lines: IO[bytes], answers: IO[bytes]) -> None:
    """One answer per line, flushed at once."""
    while raw := lines.readline(LINE_BYTES_MAX + 1):
        if len(raw) > LINE_BYTES_MAX and not raw.endswith(b"\n"):
            _skip_line(lines)
            answer = _error(f"the line is longer than {LINE_BYTES_MAX} bytes")
        else:
            answer = decider.answer(raw)
        answers.write(answer.encode("ascii") + b"\n")
        answers.flush()


def _skip_line(lines: IO[bytes]) -> None:
    while piece := lines.readline(LINE_BYTES_MAX):
        if piece.endswith(b"\n"):
            return


class Decider:
    """The daemon's decision without the daemon; its memory is what earlier lines left."""

    def __init__(self, fleet: Fleet, warn: Callable[[str], None]) -> None:
        self._fleet = fleet
        self._warn = warn
        self._memory = Memory()
        self._begun = False  # whether a line has been decided
        self._gaps = 0  # in a row
        self._gap_s = max(GAP_INTERVALS * fleet.interval_s, GAP_MIN_S)

    def answer(self, raw: bytes) -> str:
        """The output line of an input line: a plan, or an error, after which memory is as before."""
        try:
            line = parse_line(raw)
            memory = self._memory if self._begun else _carried(line)
            snapshot = snapshot_from_json(line)
            if not 0 <= snapshot.at <= AT_MAX:
                raise BadLine(f"at: {line['at']} is before 1970 or after 9999 in UTC")
            if memory.at is not None and snapshot.at < memory.at:
                raise BadLine(f"at: {line['at']} goes back; the line before it was later")
            plan, after = step(memory, snapshot, self._fleet)
            answer = _encode(line_of_plan(plan))
        except BadLine as error:
            return _error(str(error))
        except Exception as error:  # noqa: BLE001 - one line that we cannot carry must not end the loop of others
            self._warn(f"a line failed in a way that it should not; please report this: {error!r}")
            return _error(f"internal error: {type(error).__name__}")
        if not self._begun:
            self._compare(line)
        self._begun = True
        self._watch_gaps(memory.at, snapshot.at)
        self._memory = after
        return answer

    def _compare(self, line: Mapping[str, Any]) -> None:
        written = line.get("config")
        if isinstance(written, str) and written != self._fleet.config_hash:
            self._warn(
                f"the lines were recorded with configuration {written[:64]}, this is "
                f"{self._fleet.config_hash}: plans may differ from those that were made then"
            )

    def _watch_gaps(self, before: float | None, at: float) -> None:
        is_gap = before is not None and at - before > self._gap_s
        self._gaps = self._gaps + 1 if is_gap else 0
        if self._gaps == GAPS_IN_A_ROW:
            self._warn(
                f"{GAPS_IN_A_ROW} gaps of over {self._gap_s:g} s between lines in a row: nothing decreases "
                "after a gap; set daemon.interval_s to the spacing of the lines"
            )


def parse_line(raw: bytes) -> dict[str, Any]:
    """A line as JSON, read strictly. Raises: BadLine."""
    if not raw.strip():
        raise BadLine("the line is empty; a snapshot as a JSON object is allowed")
    try:
        line = json.loads(
            raw.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_distinct
        )
    except BadLine:
        raise
    except UnicodeDecodeError as error:
        raise BadLine(f"the line is not UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise BadLine(f"malformed JSON: {error.msg} (column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise BadLine("malformed JSON: a number too long, or nested too deeply") from error
    if not isinstance(line, dict):
        raise BadLine("the line is no JSON object")
    return line


def _no_constant(word: str) -> float:
    raise BadLine(f"malformed JSON: {word} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BadLine(f"{text[:40]} is too large a number")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Which of the two was meant? Nobody knows, so neither is taken.
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadLine(f"malformed JSON: the key {twice[:60]!r} is there twice")
    return fields


def _carried(line: Mapping[str, Any]) -> Memory:
    """The memory that the first line may bring."""
    carried = line.get("memory")
    return Memory() if carried is None else memory_from_json(carried)


def _error(text: str) -> str:
    return _encode({"error": text})
