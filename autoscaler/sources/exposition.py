"""Metrics as a server exports them, in Prometheus' text format: sums of the series that a selector means.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4). Instants that
a line may carry are not used: they are of the server's clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from autoscaler.core.model import Absence
from autoscaler.sources.selector import Selector

LINE_CHARS_MAX: Final = 4096
"""A longer line of a metric that is asked for is not read: reading takes the square of its length."""

_NAME: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*[{ \t]", re.ASCII)

_ESCAPED: Final = frozenset('\\"\n')

Labels = frozenset[tuple[str, str]]


class Exposition:
    """One whole export. Lines are sorted by metric at once, and read only where they are asked for."""

    def __init__(self, body: bytes) -> None:
        """Raises: ValueError for what is no export, or not a whole one."""
        text = body.decode("utf-8")  # UnicodeDecodeError is a ValueError
        # The format ends each line, the last one too: without that, a number may have lost digits.
        if text and not text.endswith("\n"):
            raise ValueError("the export is cut off: its last line has no end")
        self._lines: dict[str, list[str]] = {}
        for line in map(str.strip, text.split("\n")):
            if not line or line.startswith("#"):
                continue
            name = _NAME.match(line)
            if name is None:
                raise ValueError("the reply is not in Prometheus' text format")
            self._lines.setdefault(name[1], []).append(line)
        self._by_value: dict[str, _ByValue] = {}
        self._totals: dict[Selector, float | Absence] = {}

    def total(self, selector: Selector) -> float | Absence:
        """The sum of all series that match, of either sign, NaN or infinite; or why there is none."""
        if selector not in self._totals:
            self._totals[selector] = self._added_up(selector)
        return self._totals[selector]

    def _added_up(self, selector: Selector) -> float | Absence:
        lines = self._lines.get(selector.name, ())
        try:
            series = _series(self._candidates(selector), selector)
        except ValueError as error:
            return Absence("bad_reply", f"{selector.name}: {error}")
        if not series:
            known = f"{len(lines)} series of other labels" if lines else "no series at all"
            return Absence("empty", f"{selector} matches nothing: the export has {known}")
        return sum(series.values())

    def _candidates(self, selector: Selector) -> Sequence[str]:
        """The lines that may match, by the value that the fewest of them have."""
        lines = self._lines.get(selector.name, [])
        plain = [value for _, value in selector.matchers if value and not set(value) & _ESCAPED]
        if not plain:
            return lines
        if selector.name not in self._by_value:
            self._by_value[selector.name] = _ByValue(lines)
        return min((self._by_value[selector.name].having(value) for value in plain), key=len)


class _ByValue:
    """The lines of one metric by the values of their labels: a fleet asks for each of its deployments."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines: dict[str, list[str]] = {}
        self._odd: list[str] = []  # escaped or broken: they may have any value
        for line in lines:
            if "\\" in line or line.count('"') % 2:
                self._odd.append(line)
                continue
            for value in dict.fromkeys(line.split('"')[1::2]):
                self._lines.setdefault(value, []).append(line)

    def having(self, value: str) -> Sequence[str]:
        """The lines that may have this value, which needs no escaping."""
        return [*self._lines.get(value, ()), *self._odd]


def _series(lines: Iterable[str], selector: Selector) -> dict[Labels, float]:
    """The value of each series. Raises: ValueError for a line that is none, or one that comes twice."""
    # Only who reads an export pays for its parser.
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[Labels, float] = {}
    for line in lines:
        if len(line) > LINE_CHARS_MAX:
            raise ValueError(f"a line is longer than {LINE_CHARS_MAX} characters")
        # Line by line and without its TYPE: the parser would else give counters another name.
        try:
            samples = [
                one for family in text_string_to_metric_families(f"{line}\n") for one in family.samples
            ]
        except (ValueError, IndexError):
            raise ValueError("a line is not in Prometheus' text format") from None
        if len(samples) != 1 or samples[0].name != selector.name:
            raise ValueError("a line is not in Prometheus' text format")
        labels = samples[0].labels
        if not selector.matches(labels):
            continue
        key = frozenset(labels.items())
        if key in found:
            raise ValueError("a series is there twice")
        found[key] = _number(samples[0].value)
    return found


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # more digits than a float has
        return float("inf") if value > 0 else float("-inf")
