"""A daemon's own past as a simulation's demand: what its journal recorded, tick by tick."""

from __future__ import annotations

from autoscaler.sim.history.past import NoHistory, Past, memory_at, read_past
from autoscaler.sim.history.scalers import AsRecorded, FromHistory
from autoscaler.sim.history.ticks import RecordedTick, recorded_ticks

__all__ = [
    "AsRecorded",
    "FromHistory",
    "NoHistory",
    "Past",
    "RecordedTick",
    "memory_at",
    "read_past",
    "recorded_ticks",
]
