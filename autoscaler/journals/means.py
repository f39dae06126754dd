"""Minute means: what is left of a service's ticks once their detail is gone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from autoscaler.journals.codec import DamageError
from autoscaler.journals.retention import ServiceFacts

HOUR_S: Final = 3600
MINUTE_S: Final = 60
FIELDS: Final = 4  # demand, replicas_set, replicas_ready, usd_per_hour
ROW: Final = struct.Struct(f"<{2 + 2 * FIELDS}d")  # minute of the hour, ticks, then sum and count of each


@dataclass(frozen=True, slots=True)
class MinuteMean:
    """Means over one minute of one service; None where no tick of that minute knew.

    ``at`` is the minute's first second. Demand is in capacity units, cost in USD per hour.
    """

    service: str
    at: float
    ticks: int
    demand: float | None
    replicas_set: float | None
    replicas_ready: float | None
    usd_per_hour: float | None


def hour_of(at: float) -> int:
    """Hours since the epoch: the unit in which means are stored."""
    return int(at // HOUR_S)


class HourMeans:
    """The sums of one service's minutes within one hour. Adding is associative: parts may come later."""

    def __init__(self, stored: bytes | None = None) -> None:
        # minute of the hour -> [ticks, then sum and count of each field]
        self._minutes: dict[int, list[float]] = {}
        if stored is not None:
            self._load(stored)

    def _load(self, stored: bytes) -> None:
        try:
            for minute, *sums in ROW.iter_unpack(zlib.decompress(stored)):
                self._minutes[int(minute)] = sums
        except (zlib.error, struct.error, TypeError, ValueError) as error:
            raise DamageError(f"minute means cannot be read: {error}") from error

    def add(self, at: float, facts: ServiceFacts) -> None:
        """Count the facts of one tick at ``at``."""
        minute = int(at % HOUR_S // MINUTE_S)
        sums = self._minutes.setdefault(minute, [0.0] * (1 + 2 * FIELDS))
        sums[0] += 1
        values = (facts.demand, facts.replicas_set, facts.replicas_ready, facts.usd_per_hour)
        for index, value in enumerate(values):
            if value is not None:
                sums[1 + 2 * index] = round(sums[1 + 2 * index] + value, 6)
                sums[2 + 2 * index] += 1

    def merge(self, other: HourMeans) -> None:
        """Add the sums of another part of the same hour."""
        for minute, sums in other._minutes.items():
            mine = self._minutes.get(minute)
            self._minutes[minute] = (
                sums if mine is None else [round(a + b, 6) for a, b in zip(mine, sums, strict=True)]
            )

    def stored(self) -> bytes:
        """Bytes from which the same sums can be had again."""
        rows = [ROW.pack(minute, *sums) for minute, sums in sorted(self._minutes.items())]
        return zlib.compress(b"".join(rows))

    def means(self, hour: int, service: str) -> Iterator[MinuteMean]:
        """The means, oldest minute first."""
        for minute, sums in sorted(self._minutes.items()):
            demand, replicas_set, replicas_ready, usd_per_hour = (
                sums[1 + 2 * index] / sums[2 + 2 * index] if sums[2 + 2 * index] else None
                for index in range(FIELDS)
            )
            yield MinuteMean(
                service=service,
                at=float(hour * HOUR_S + minute * MINUTE_S),
                ticks=int(sums[0]),
                demand=demand,
                replicas_set=replicas_set,
                replicas_ready=replicas_ready,
                usd_per_hour=usd_per_hour,
            )
