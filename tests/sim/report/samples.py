"""Results as a simulation leaves them: small ones with exact figures, and a believable day or week."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from operator import sub
from typing import Final, Literal

from autoscaler.sim.result import DeploymentSeries, RunResult, ServiceResult, ServiceSeries
from autoscaler.world.chance import stream

AT: Final = 1_795_392_000.0  # 2026-11-23 00:00:00 UTC, a Monday
INTERVAL_S: Final = 15.0
DAY_TICKS: Final = 5760

Kind = Literal["config", "rival", "clairvoyant"]


def a_service(name: str = "chat", **changes: object) -> ServiceResult:
    """100 requests, 2 late, 12 USD."""
    plain = ServiceResult(
        name=name,
        promise_wait_s=10.0,
        requests=100,
        late=2,
        p50_s=0.0,
        p95_s=4.5,
        p99_s=12.25,
        usd=12.0,
        gpu_hours=10.0,
        billed_replica_s=36_000.0,
        changes=4,
        reasons={"hold": 230, "queue_depth": 10},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def a_run(
    name: str = "new",
    *services: ServiceResult,
    kind: Kind = "config",
    length_s: float = 3600.0,
    **changes: object,
) -> RunResult:
    """An hour from Monday midnight."""
    run = RunResult(
        name=name,
        kind=kind,
        starts_at=AT,
        length_s=length_s,
        interval_s=INTERVAL_S,
        services={one.name: one for one in services or (a_service(),)},
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def a_series(
    demand: Sequence[int],
    ready: Mapping[str, Sequence[int]],
    *,
    queued: Sequence[int] | None = None,
    late: Sequence[int] | None = None,
    starting: Mapping[str, Sequence[int]] | None = None,
    usd_per_tick: float = 0.01,
    reasons: Sequence[str] | None = None,
    capacity: float = 16.0,
    interval_s: float = INTERVAL_S,
) -> ServiceSeries:
    """One value per tick as given; the total of late requests adds ``late`` up."""
    ticks = len(demand)
    queued = [0] * ticks if queued is None else queued
    late = [0] * ticks if late is None else late
    words = ["hold"] * ticks if reasons is None else reasons
    series = ServiceSeries(
        deployments={name: DeploymentSeries("exo", capacity) for name in ready},
        reasons=list(dict.fromkeys(words)),
    )
    late_total = 0
    for tick in range(ticks):
        late_total += late[tick]
        series.at.append(AT + interval_s * tick)
        series.queued.append(queued[tick])
        series.running.append(demand[tick] - queued[tick])
        series.arrived_total.append(tick)
        series.late_total.append(late_total)
        series.usd_total.append(usd_per_tick * (tick + 1))
        series.reason.append(series.reasons.index(words[tick]))
        for name, one in series.deployments.items():
            begun = 0 if starting is None else starting[name][tick]
            one.ready.append(ready[name][tick])
            one.starting.append(begun)
            one.replicas_set.append(ready[name][tick] + begun)
    return series


def recorded(series: ServiceSeries, name: str = "chat") -> ServiceResult:
    """The service that left this series."""
    counts = Counter(series.reasons[index] for index in series.reason)
    return a_service(name, series=series, reasons=dict(counts), usd=series.usd_total[-1])


def demands(ticks: int, seed: int) -> list[float]:
    """Requests at once: two humps a day over a quiet night, lower at the weekend, a crowd on Wednesday."""
    draw, noise, told = stream(seed, "sample"), 0.0, []
    for tick in range(ticks):
        noise = 0.9 * noise + draw.gauss(0, 0.05)
        day, hour = tick // DAY_TICKS, tick * INTERVAL_S / 3600 % 24
        shape = 0.08 + 0.6 * _hump(hour, 10.5, 2.6) + 0.8 * _hump(hour, 15.5, 3.2)
        crowd = 150 * _hump(hour, 13.2, 0.15) if day in (0, 2) else 0.0
        told.append(max(0.0, (120 * shape * (0.55 if day >= 5 else 1.0) + crowd) * (1 + noise)))
    return told


def _hump(hour: float, at: float, width: float) -> float:
    return math.exp(-(((hour - at) / width) ** 2))


SITES: Final = (
    ("exo-a5000", 16.0, 4, 1.10, 12),
    ("di-l40s", 24.0, 4, 1.90, 20),
    ("bt-h100", 64.0, 3, 6.50, 28),
)
"""Name, capacity of a replica, most replicas, USD per replica-hour, ticks until one serves."""


def a_scaled_service(
    ticks: int, *, headroom: float, hold: int, ahead: int = 0, seed: int = 1, name: str = "chat"
) -> ServiceResult:
    """What a simple scaler leaves: the most of ``hold`` ticks back and ``ahead`` forth, over ``headroom``."""
    load = demands(ticks, seed)
    need = [max(load[max(0, tick - hold) : tick + ahead + 1]) / headroom for tick in range(ticks)]
    series, left, ready_in_all, changes = _watched(load, need, headroom), need, [0.0] * ticks, 0
    usd_per_tick = [0.0] * ticks
    for site, capacity, most, usd_h, start_up in SITES:
        asked = [max(int(site == SITES[0][0]), min(most, math.ceil(rest / capacity))) for rest in left]
        serving = [min(asked[max(0, tick - start_up) : tick + 1]) for tick in range(ticks)]
        left = [rest - count * capacity for rest, count in zip(left, asked, strict=True)]
        ready_in_all = [all_ + count * capacity for all_, count in zip(ready_in_all, serving, strict=True)]
        usd_per_tick = [
            usd + count * usd_h * INTERVAL_S / 3600 for usd, count in zip(usd_per_tick, asked, strict=True)
        ]
        changes += sum(abs(after - before) for before, after in pairwise(asked))
        series.deployments[site] = DeploymentSeries(
            site[:2], capacity, array("i", asked), array("i", serving), array("i", map(sub, asked, serving))
        )
    series.usd_total.extend(accumulate(usd_per_tick))
    waits = _queue(series, load, ready_in_all)
    return a_service(
        name,
        series=series,
        requests=ticks * 30,
        late=series.late_total[-1],
        p50_s=waits[ticks // 2],
        p95_s=waits[ticks * 95 // 100],
        p99_s=waits[ticks * 99 // 100],
        usd=series.usd_total[-1],
        gpu_hours=series.usd_total[-1] / 1.6,
        changes=changes,
        reasons=dict(Counter(series.reasons[index] for index in series.reason)),
    )


def _watched(load: Sequence[float], need: Sequence[float], headroom: float) -> ServiceSeries:
    """Times and reasons: a rise by the policy, held in the window, now and then a move."""
    series = ServiceSeries(deployments={}, reasons=["hold", "queue_depth", "stabilised", "moving"])
    for tick, (now, wanted) in enumerate(zip(load, need, strict=True)):
        rises = tick > 0 and wanted > need[tick - 1]
        held = wanted > 1.3 * now / headroom
        series.at.append(AT + INTERVAL_S * tick)
        series.arrived_total.append(tick * 30)
        series.reason.append(3 if tick % 911 < 3 else 1 if rises else 2 if held else 0)
    return series


def _queue(series: ServiceSeries, load: Sequence[float], ready: Sequence[float]) -> list[float]:
    """Fill in what runs, waits and is late; gives the waits in order, seconds."""
    backlog, late = 0.0, 0
    for now, capacity in zip(load, ready, strict=True):
        backlog = max(0.0, backlog + (now - capacity) * 0.6)
        late += round(backlog * 0.2) if backlog > 12 else 0
        series.queued.append(round(backlog))
        series.running.append(round(min(now, capacity)))
        series.late_total.append(late)
    return sorted(queued / 6 for queued in series.queued)


def a_comparison(ticks: int = DAY_TICKS, services: Sequence[str] = ("chat",)) -> list[RunResult]:
    """Two configurations, two rivals and the plan that knew, over the same demand."""
    scalers: list[tuple[str, Kind, float, int, int]] = [
        ("candidate-policy", "config", 0.8, 20, 0),
        ("config.example", "config", 0.65, 60, 0),
        ("knative", "rival", 0.75, 20, 0),
        ("fixed-peak", "rival", 0.2, 5760, 5760),
        ("clairvoyant", "clairvoyant", 0.97, 0, 28),
    ]
    runs = []
    for name, kind, headroom, hold, ahead in scalers:
        results = [
            a_scaled_service(ticks, headroom=headroom, hold=hold, ahead=ahead, seed=at + 1, name=service)
            for at, service in enumerate(services)
        ]
        runs.append(a_run(name, *results, kind=kind, length_s=ticks * INTERVAL_S, took_s=3.2))
    runs[1] = replace(runs[1], violations={"7": 2}, notes=("Replicas fail once a day.",))
    return runs
