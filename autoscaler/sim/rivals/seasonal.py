"""Arrivals remembered for a season, to ask for the rate of the same time in the last one."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

DAY_S: Final = 86_400.0


class SeasonalRate:
    """Arrivals by question. All rates are requests per second; a season is in seconds.

    Between two questions nothing is known: arrivals count at the question that told of them.
    """

    def __init__(self, interval_s: float, season_s: float = DAY_S) -> None:
        self._interval_s = interval_s
        self._season_s = season_s
        self._at: list[float] = []  # ends of intervals; the first entry is the start of the first one
        self._arrived: list[int] = []  # requests since the start, at those instants

    def see(self, at: float, arrived: int) -> None:
        """So many arrived in the interval that ends at ``at`` (epoch seconds)."""
        if not self._at:
            self._at, self._arrived = [at - self._interval_s], [0]
        self._at.append(at)
        self._arrived.append(self._arrived[-1] + arrived)
        if self._at[0] < at - 3 * self._season_s:  # Seldom, for it moves the whole list.
            old = bisect_right(self._at, at - 2 * self._season_s) - 1
            del self._at[:old], self._arrived[:old]

    def recent(self, at: float, over_s: float) -> float:
        """Over the last ``over_s``, or since the start where that is less; zero before the first question."""
        if not self._at:
            return 0.0
        begins = max(at - over_s, self._at[0])
        return self._rate(begins, at)

    def last_season(self, at: float, ahead_s: float) -> float | None:
        """In the ``ahead_s`` that followed the same time of the last season; None where it is not known.

        Of a time ahead that is longer than a season, the season up to now.
        """
        begins = at - self._season_s
        if not self._at or self._at[0] > begins:
            return None
        return self._rate(begins, min(begins + ahead_s, at))

    def _rate(self, begins: float, ends: float) -> float:
        return (self._until(ends) - self._until(begins)) / (ends - begins) if ends > begins else 0.0

    def _until(self, at: float) -> int:
        return self._arrived[bisect_right(self._at, at) - 1]
