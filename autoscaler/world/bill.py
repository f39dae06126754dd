"""What a deployment's replicas cost so far: by the second, or by the block."""

from __future__ import annotations

import heapq
from typing import Protocol


class Bill(Protocol):
    """Adds up as time passes; never falls. Replicas are named by their numbers.

    ``replica_s`` are the seconds billed, ``usd`` is what they cost. ``usd_per_replica_hour`` may be set at
    any time and counts from where the bill is settled to.
    """

    replica_s: float
    usd: float
    usd_per_replica_hour: float

    def begin(self, replica: int, at: float) -> None:
        """This replica is billed from now."""
        ...

    def end(self, replica: int, at: float) -> None:
        """It is billed no more."""
        ...

    def settle(self, until: float) -> None:
        """Count what there is up to this instant; one that lies before the last changes nothing."""
        ...


class BySecond:
    """Each replica from its begin to its end."""

    def __init__(self, usd_per_replica_hour: float, now: float) -> None:
        self.replica_s = 0.0
        self.usd = 0.0
        self.usd_per_replica_hour = usd_per_replica_hour
        self._replicas = 0
        self._settled_at = now

    def begin(self, replica: int, at: float) -> None:
        """This replica is billed from now."""
        del replica  # all cost the same
        self.settle(at)
        self._replicas += 1

    def end(self, replica: int, at: float) -> None:
        """It is billed no more."""
        del replica
        self.settle(at)
        self._replicas -= 1

    def settle(self, until: float) -> None:
        """Count what there is up to this instant."""
        if until > self._settled_at:
            replica_s = (until - self._settled_at) * self._replicas
            self.replica_s += replica_s
            self.usd += replica_s * self.usd_per_replica_hour / 3600
            self._settled_at = until


class ByBlock:
    """Each replica from its begin to its end, rounded up to whole blocks.

    A block is charged in full as soon as time has gone into it, at the price of its first instant. So the
    bill of a replica that still runs is its age rounded up to blocks, the last of which may be unused yet;
    and one that ends exactly where a block ends does not pay the next.
    """

    def __init__(self, usd_per_replica_hour: float, block_s: float) -> None:
        self.replica_s = 0.0
        self.usd = 0.0
        self.usd_per_replica_hour = usd_per_replica_hour
        self._block_s = block_s
        self._replicas: set[int] = set()
        # The next block of each: when it begins, how many were before it, since when, and whose it is.
        self._next: list[tuple[float, int, float, int]] = []

    def begin(self, replica: int, at: float) -> None:
        """This replica is billed from now."""
        self._replicas.add(replica)
        heapq.heappush(self._next, (at, 0, at, replica))

    def end(self, replica: int, at: float) -> None:
        """It is billed no more."""
        self.settle(at)
        self._replicas.discard(replica)

    def settle(self, until: float) -> None:
        """Charge the blocks that have begun before this instant."""
        while self._next and self._next[0][0] < until:
            _, blocks, since, replica = heapq.heappop(self._next)
            if replica not in self._replicas:
                continue
            self.replica_s += self._block_s
            self.usd += self._block_s * self.usd_per_replica_hour / 3600
            # From where it began, not from block to block, which would add up rounding errors.
            begins = since + (blocks + 1) * self._block_s
            heapq.heappush(self._next, (begins, blocks + 1, since, replica))
