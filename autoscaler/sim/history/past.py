"""What a journal says about demand, start-up times and what was there: worked out before any run."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import Price, Sample, Snapshot
from autoscaler.daemon.recall import recall
from autoscaler.journals import open_journal
from autoscaler.ports import Record
from autoscaler.sim.demand import Demand
from autoscaler.sim.history.ticks import RecordedTick, recorded_ticks, replicas_of
from autoscaler.world.service_time import MeanServiceTime
from autoscaler.world.trace import Row

QUEUED: Final = "queued"
RUNNING: Final = "running"
ARRIVED: Final = "arrived_total"
STARTED: Final = "started_total"

SERVICE_S_MIN: Final = 0.05
GAP_S_MAX: Final = 900.0
"""A longer time without a sample is taken as one without demand: nobody knows what there was."""


class NoHistory(ValueError):
    """The journal does not hold what a simulation needs; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """GPUs of a deployment as the vendor told them; None was never told."""

    gpu_type: str | None
    gpus_per_replica: int
    usd_per_gpu_hour: float | None


@dataclass(frozen=True, slots=True)
class Past:
    """What was recorded, from the first tick to the last. Instants are epoch seconds.

    ``demands`` is by service. ``initial`` are replicas at the first tick, ``hardware`` and ``start_ups_s``
    what was told and learned, by ``"service/deployment"``. ``gaps_s`` is time in which a service's demand is
    not known, by service.
    """

    path: Path
    instants: array[float]
    demands: Mapping[str, Demand]
    initial: Mapping[str, int]
    hardware: Mapping[str, Hardware]
    start_ups_s: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    gaps_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def starts_at(self) -> float:
        """The first tick."""
        return self.instants[0]

    @property
    def length_s(self) -> float:
        """From the first tick to one interval after the last."""
        last = self.instants[-1]
        return last - self.starts_at + (last - self.instants[-2] if len(self.instants) > 1 else 1.0)

    def ticks(self) -> Iterator[RecordedTick]:
        """The ticks, read again."""
        return recorded_ticks(self.path, self.instants[0], self.instants[-1])


@dataclass(slots=True)
class _Meter:
    """One service's signals on their way to arrivals: from sample to sample, and what lies between."""

    service_s: float | None = None  # stated; None: measured, or usual
    rows: list[tuple[float, float, float]] = field(default_factory=list)  # from, seconds, arrivals or work
    before: Mapping[str, Sample] = field(default_factory=dict)
    busy_s: float = 0.0  # requests running x time
    started: float = 0.0
    gap_s: float = 0.0
    counted: bool = False  # whether any row comes from a counter

    def take(self, signals: Mapping[str, Sample]) -> None:
        before, self.before = self.before, {**self.before, **signals}
        running, queued = signals.get(RUNNING), signals.get(QUEUED)
        if RUNNING in before and running is not None:
            self.busy_s += (before[RUNNING].value + running.value) / 2 * _apart(before[RUNNING], running)
        self.started += _rise(before.get(STARTED), signals.get(STARTED)) or 0.0
        arrived = _rise(before.get(ARRIVED), signals.get(ARRIVED))
        if arrived is not None:
            self.counted = True
            self._add(before[ARRIVED].at, signals[ARRIVED].at, arrived)
        elif ARRIVED not in self.before and queued is not None and QUEUED in before:
            # Without a counter: what runs is served at its own pace, and what the queue grew by came on top.
            span_s = _apart(before[QUEUED], queued)
            served = running.value * span_s / (self.service_s or 1.0) if running is not None else 0.0
            self._add(before[QUEUED].at, queued.at, max(0.0, served + queued.value - before[QUEUED].value))

    def _add(self, since: float, until: float, arrivals: float) -> None:
        span_s = until - since
        if span_s <= 0:
            return
        if span_s > GAP_S_MAX:
            self.gap_s += span_s
            return
        self.rows.append((since, span_s, arrivals))

    def mean_service_s(self, usual_s: float) -> float:
        if self.service_s is not None:
            return self.service_s
        if self.started > 0 and self.busy_s > 0:
            return max(SERVICE_S_MIN, self.busy_s / self.started)
        return usual_s


def _apart(before: Sample, after: Sample) -> float:
    return max(0.0, after.at - before.at)


def _rise(before: Sample | None, after: Sample | None) -> float | None:
    """How much a counter rose; one that fell has started anew, from zero."""
    if before is None or after is None or after.at <= before.at:
        return None
    return after.value - before.value if after.value >= before.value else after.value


def read_past(
    path: Path,
    fleet: Fleet,
    *,
    since: float | None = None,
    until: float | None = None,
    service_s: Mapping[str, float] | None = None,
    usual_service_s: float = 8.0,
) -> Past:
    """Read the journal once. ``service_s`` is the stated mean time of a request, by service.

    Raises: JournalError, NoHistory.
    """
    stated = service_s or {}
    meters = {name: _Meter(stated.get(name, usual_service_s)) for name in fleet.services}
    for name, service in fleet.services.items():
        if STARTED in service.signals and name not in stated:
            meters[name].service_s = None
    instants: array[float] = array("d")
    initial: dict[str, int] = {}
    hardware: dict[str, Hardware] = {}
    prices: dict[str, Price] = {}
    keys = {one.key: one.provider for service in fleet.services.values() for one in service.deployments}
    first: Record | None = None
    for tick in recorded_ticks(path, since, until):
        first = first or tick.record
        instants.append(tick.at)
        prices.update(tick.snapshot.prices)
        for name, meter in meters.items():
            meter.take(_samples(tick.snapshot, name))
        _see(tick.snapshot, keys, initial, hardware)
    if first is None:
        raise NoHistory(f"{path}: no whole tick in this time; ticks keep their snapshots for 7 days")
    if missing := [name for name, meter in meters.items() if not meter.rows]:
        raise NoHistory(
            f"{path}: no demand of {', '.join(missing)} is recorded; a simulation needs the signal "
            f"{ARRIVED}, or {QUEUED} and {RUNNING}"
        )
    starts_at = instants[0]
    return Past(
        path=path,
        instants=instants,
        demands={
            name: _demand(meter, starts_at, instants[-1], usual_service_s, str(path))
            for name, meter in meters.items()
        },
        initial={key: initial.get(key, 0) for key in keys},
        hardware={
            key: Hardware(one.gpu_type, one.gpus_per_replica, _price(prices, keys[key], one.gpu_type))
            for key, one in hardware.items()
        },
        start_ups_s={
            key: known.start_ups_s
            for key, known in memory_at(path, fleet).deployments.items()
            if known.start_ups_s
        },
        gaps_s={name: meter.gap_s for name, meter in meters.items() if meter.gap_s},
    )


def _samples(snapshot: Snapshot, service: str) -> Mapping[str, Sample]:
    readings = snapshot.signals.get(service, {})
    return {name: one for name, one in readings.items() if isinstance(one, Sample) and one.is_usable}


def _see(
    snapshot: Snapshot, keys: Mapping[str, str], initial: dict[str, int], hardware: dict[str, Hardware]
) -> None:
    for key in keys:
        seen = snapshot.deployments.get(key)
        replicas = replicas_of(seen)
        if seen is None or replicas is None:
            continue
        initial.setdefault(key, replicas)
        if seen.gpu_type is not None:
            hardware[key] = Hardware(seen.gpu_type, seen.gpus_per_replica or 1, None)


def _price(prices: Mapping[str, Price], provider: str, gpu_type: str | None) -> float | None:
    price = prices.get(f"{provider}/{gpu_type}")
    return None if price is None else price.usd_per_gpu_hour


def _demand(meter: _Meter, starts_at: float, ends_at: float, usual_s: float, source: str) -> Demand:
    mean_s = meter.mean_service_s(usual_s)
    rows = tuple(
        Row(t_s=max(0.0, round(since - starts_at, 3)), step_s=span_s, requests=arrivals)
        for since, span_s, arrivals in meter.rows
    )
    return Demand(
        rows=lambda: rows,
        length_s=math.nextafter(ends_at - starts_at, math.inf),
        service_time=MeanServiceTime(mean_s),
        source=source,
    )


def memory_at(path: Path, fleet: Fleet, before: Record | None = None) -> Memory:
    """What the daemon knew when this tick began (None: at the end), folded with this fleet.

    Raises: JournalError.
    """

    async def ask() -> Memory:
        journal = await open_journal(f"sqlite:{path}", read_only=True)
        try:
            return (await recall(journal, fleet, before=before)).memory
        finally:
            await journal.close()

    return asyncio.run(ask())
