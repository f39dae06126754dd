"""The plant's replicas under given targets: when each serves, and what is billed but for draining.

The same rules as :class:`autoscaler.world.plant.World`, for one deployment without faults.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Lives:
    """``changes`` are instants (seconds from the first tick, in order) at which a replica begins to serve
    (+1) or takes nothing new any more (-1). ``billed_s`` is without what draining adds."""

    changes: list[tuple[float, int]]
    billed_s: float


@dataclass(slots=True)
class _Fleet:
    ready: list[tuple[float, float]]  # asked at, serves from
    starting: list[tuple[float, float]] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)
    billed_s: float = 0.0

    def settle(self, now: float) -> None:
        """Who is through with starting serves."""
        for replica in [one for one in self.starting if one[1] <= now]:
            self.starting.remove(replica)
            insort(self.ready, replica)
            self.changes.append((replica[1], 1))

    def take_away(self, now: float) -> None:
        """Still-starting ones first, the newest first."""
        if self.starting:
            asked_at, _ = self.starting.pop()
        else:
            asked_at, _ = self.ready.pop()
            self.changes.append((now, -1))
        self.billed_s += now - asked_at


def lives(
    targets: Sequence[int], *, initial: int, interval_s: float, start_ups_s: Sequence[float], length_s: float
) -> Lives:
    """Play the targets, one a tick; start-up times are dealt in order, from the front again at the end."""
    fleet = _Fleet([(0.0, 0.0)] * initial)
    count, dealt = initial, 0
    for tick, target in enumerate(targets):
        if target == count:
            continue
        now = tick * interval_s
        fleet.settle(now)
        for _ in range(count, target):
            fleet.starting.append((now, now + start_ups_s[dealt % len(start_ups_s)]))
            dealt += 1
        for _ in range(target, count):
            fleet.take_away(now)
        count = target
    fleet.settle(length_s)
    fleet.billed_s += sum(length_s - asked_at for asked_at, _ in [*fleet.ready, *fleet.starting])
    return Lives(sorted(fleet.changes), fleet.billed_s)


def targets_for(
    levels: Sequence[int], *, initial: int, interval_s: float, start_ups_s: Sequence[float]
) -> list[int]:
    """What to ask for, per tick, so that so many serve in each tick.

    Each added replica is asked for as late as its start-up time allows. Where that would be before the last
    removal, the removed replica stays instead: its start would cost more than its keep. Start-up times are
    dealt in order of asking, so none is asked for later than the one after it.
    """
    asks: list[int] = []
    removals: list[int] = []
    before = initial
    for tick, level in enumerate(levels):
        removals += [tick] * (before - level)
        for _ in range(level - before):
            start_up_s = start_ups_s[len(asks) % len(start_ups_s)]
            ask = max(0, int((tick * interval_s - start_up_s) // interval_s))
            if removals and ask <= removals[-1]:
                removals.pop()
            else:
                asks.append(ask)
        before = level
    changes = [0] * len(levels)
    for ask in accumulate(reversed(asks), min):
        changes[ask] += 1
    for tick in removals:
        changes[tick] -= 1
    return list(accumulate(changes, initial=initial))[1:]
