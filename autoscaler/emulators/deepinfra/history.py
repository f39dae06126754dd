"""What a deployment has done and cost until any recent instant: statistics are differences of two."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from autoscaler.emulators.load import Loads
from autoscaler.world.plant import World

STEP_S: Final = 10.0
"""How often totals are written down, in seconds: the resolution of statistics."""

_FINE_KEPT: Final = 8640  # a day
_COARSE_S: Final = 3600.0
_COARSE_KEPT: Final = 24 * 40  # more than a month


@dataclass(frozen=True, slots=True)
class Totals:
    """Since the emulator began: requests that ended, the time these took, instances' time, USD."""

    at: float
    requests: float = 0.0
    busy_s: float = 0.0
    instance_s: float = 0.0
    reserved_s: float = 0.0  # instances' time that a stopped deployment held back
    usd: float = 0.0


class History:
    """One deployment's totals, every 10 s for a day and every hour for 40 days.

    ``reserved`` tells how many instances are held back at this moment.
    """

    def __init__(self, world: World, loads: Loads, deployment_id: str, reserved: Callable[[], int]) -> None:
        self._world = world
        self._loads = loads
        self._id = deployment_id
        self._reserved = reserved
        self._fine: deque[Totals] = deque([Totals(world.now)], maxlen=_FINE_KEPT)
        self._coarse: deque[Totals] = deque(self._fine, maxlen=_COARSE_KEPT)
        self._fine[0] = self._coarse[0] = self._now()
        world.call_at(world.now + STEP_S, self._step)

    def note(self) -> None:
        """Write down what is now; before and after anything that changes what is held back."""
        self._fine.append(self._now())

    def until(self, at: float) -> Totals:
        """The totals at the last note of this instant or before; the present ones at present."""
        if at >= self._world.now:
            return self._now()
        notes = self._fine if at >= self._fine[0].at else self._coarse
        return notes[max(0, bisect_right(notes, at, key=lambda note: note.at) - 1)]

    def _now(self) -> Totals:
        last, now = self._fine[-1], self._world.now
        if self._id not in self._world.deployment_ids:
            return last  # Deleted: its figures stay as they were.
        load, status = self._loads.of(self._id), self._world.status(self._id)
        return Totals(
            now,
            load.finished_total,
            load.finished_busy_s,
            status.billed_replica_s,
            last.reserved_s + self._reserved() * (now - last.at),
            status.billed_usd,
        )

    def _step(self, at: float) -> None:
        if self._id not in self._world.deployment_ids:
            return
        self.note()
        if at - self._coarse[-1].at >= _COARSE_S:
            self._coarse.append(self._fine[-1])
        self._world.call_at(at + STEP_S, self._step)
