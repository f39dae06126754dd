"""What was seen over the last seconds, when it was seen once per question."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

DIGITS: Final = 9
"""Means are rounded to a billionth, so that a sum of parts does not carry a ``ceil`` one replica too far."""


class Held:
    """A number seen at each question, which stands for the interval before that question.

    Where nothing was seen the number is zero. When nothing was seen for as long as what is kept, it starts
    anew. The window may be of any length: of an interval that reaches beyond it, the part inside counts.
    """

    def __init__(self, interval_s: float, keep_s: float) -> None:
        self._interval_s = interval_s
        self._keep_s = keep_s
        self._parts: deque[tuple[float, float, float]] = deque()  # (from, to, value), no overlaps
        self._since = 0.0  # start of the first part since it started anew

    def see(self, at: float, value: float) -> None:
        """``value`` was so during the interval that ends at ``at`` (epoch seconds)."""
        begins = at - self._interval_s
        last = self._parts[-1][1] if self._parts else None
        if last is None or at - last >= max(self._keep_s, 2 * self._interval_s):
            self._parts.clear()
            self._since = begins
        elif last > begins:
            begins = last
        self._parts.append((begins, at, value))
        while self._parts[0][1] <= at - self._keep_s:
            self._parts.popleft()

    def mean(self, at: float, window_s: float) -> float | None:
        """Over the window that ends at ``at``, or over the part of it since the start.

        None where nothing was seen in the whole window.
        """
        seen_s = weighted = 0.0
        for seconds, value, _ in self._inside(at, window_s):
            seen_s += seconds
            weighted += seconds * value
        return round(weighted / min(window_s, at - self._since), DIGITS) if seen_s else None

    def total(self, at: float, window_s: float) -> float:
        """For a count per interval: how many in the window, a part of an interval counted as its share."""
        return round(sum(value * part for _, value, part in self._inside(at, window_s)), DIGITS)

    def _inside(self, at: float, window_s: float) -> Iterator[tuple[float, float, float]]:
        """The newest first: seconds in the window, the value, and the seconds as a share of its interval."""
        window_begins = at - window_s
        for begins, ends, value in reversed(self._parts):
            if ends <= window_begins:
                return
            seconds = ends - max(begins, window_begins)
            yield seconds, value, seconds / (ends - begins)


class Largest:
    """The largest number of those that were noted late enough."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, int]] = deque()  # (when, number); older ones are larger

    def with_new(self, when: float, number: int, after: float) -> int:
        """The largest of this one and those noted later than ``after``, which never goes back."""
        while self._noted and self._noted[-1][1] <= number:
            self._noted.pop()  # A newer one that is as large outlives it.
        self._noted.append((when, number))
        while len(self._noted) > 1 and self._noted[0][0] <= after:
            self._noted.popleft()
        return self._noted[0][1]
