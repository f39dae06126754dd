"""The plants that policies are scored on: how large, how fast to start, how demand is scaled to them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final

from autoscaler.sim.demand import Demand, scaled_to_peak
from autoscaler.sim.design import FULL
from autoscaler.sim.plant import COUNTERS, Design, PlantDeployment, PlantService
from autoscaler.sim.signals import signals_of
from autoscaler.world.plant import DeploymentSpec
from autoscaler.world.service_time import MeanServiceTime, ServiceTime, TokenServiceTime
from autoscaler.world.start_up import StartUp
from autoscaler.world.trace import Row, read_trace

CONCURRENCY: Final = 4
INTERVAL_S: Final = 15.0
LENGTH_S: Final = 7 * 86_400.0
PROMISE_WAIT_S: Final = 10.0
SHARE: Final = 0.99
SERVICE_S: Final = 8.0
"""The mean service time without tokens, and the least mean that a trace with tokens is slowed to."""
SMOOTHED_S: Final = 900.0
"""A trace whose counts are too small to be thinned has its rate smoothed over this before it is raised."""
SERVICE: Final = "chat"
DEPLOYMENT: Final = "gpu"
STARTS_AT: Final = 1_767_571_200.0  # 2026-01-05T00:00:00Z; traces have no weekday of their own


@dataclass(frozen=True, slots=True)
class Scenario:
    """One size and speed of plant. ``peak_replicas`` full replicas carry the busiest minute."""

    name: str
    peak_replicas: int
    min_replicas: int
    max_replicas: int
    start_up: StartUp


SCENARIOS: Final = {
    one.name: one
    for one in (
        Scenario("base", 12, 1, 24, StartUp(180.0, 400.0)),
        Scenario("small", 3, 0, 8, StartUp(180.0, 400.0)),
        Scenario("cold45", 12, 1, 24, StartUp(45.0, 100.0)),
        Scenario("cold600", 12, 1, 24, StartUp(600.0, 1333.0)),
    )
}


def trace_files(folder: Path) -> list[tuple[str, Path]]:
    """Name and file of every trace, in the manifest's order, or all files by name where there is none."""
    manifest = folder / "manifest.json"
    if manifest.is_file():
        listed = json.loads(manifest.read_text(encoding="utf-8"))["traces"]
        return [(one["name"], folder / one["file"]) for one in listed]
    files = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    return [(path.name.removesuffix(".gz").removesuffix(".csv"), path) for path in files]


def design(path: Path, scenario: Scenario, seed: int = 0) -> Design:
    """The plant of this scenario under this trace: its first seven days, or all of a shorter one."""
    demand = _demand(path, scenario)
    first = math.ceil(demand.summary().first_at_once / FULL / CONCURRENCY)
    spec = DeploymentSpec(
        id=f"{SERVICE}/{DEPLOYMENT}",
        name=DEPLOYMENT,
        gpu_type="gpu",
        concurrency=CONCURRENCY,
        usd_per_gpu_hour=1.0,
        start_up=scenario.start_up,
        initial_replicas=max(scenario.min_replicas, min(scenario.max_replicas, first)),
    )
    deployment = PlantDeployment(
        SERVICE, DEPLOYMENT, "vendor", spec, scenario.min_replicas, scenario.max_replicas
    )
    service = PlantService(
        name=SERVICE,
        demand=demand,
        deployments=(deployment,),
        signals=signals_of(SERVICE, COUNTERS, {}),
        promise_wait_s=PROMISE_WAIT_S,
    )
    return Design({SERVICE: service}, STARTS_AT, demand.length_s, seed)


def _demand(path: Path, scenario: Scenario) -> Demand:
    rows = tuple(_minutes(takewhile(lambda row: row.t_s < LENGTH_S, read_trace(path))))
    length_s = min(LENGTH_S, rows[-1].t_s + rows[-1].step_s)
    demand = Demand(lambda: rows, length_s, _service_time(rows), source=path.name)
    peak = float(scenario.peak_replicas * CONCURRENCY)
    scaled = scaled_to_peak(demand, peak)
    if scaled.scale <= 1.0:
        return scaled
    smooth = tuple(_smoothed(rows))
    return scaled_to_peak(replace(demand, rows=lambda: smooth), peak)


def _minutes(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of a minute: the peak is the busiest minute's, whatever the trace's own step."""
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if sum(one.step_s for one in held) >= 60.0:
            yield _sum(held)
            held = []
    if held:
        yield _sum(held)


def _sum(rows: list[Row]) -> Row:
    return Row(
        t_s=rows[0].t_s,
        step_s=sum(row.step_s for row in rows),
        requests=sum(row.requests for row in rows),
        prompt_tokens=_total([row.prompt_tokens for row in rows]),
        output_tokens=_total([row.output_tokens for row in rows]),
    )


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _service_time(rows: tuple[Row, ...]) -> ServiceTime:
    if all(row.output_tokens is None for row in rows):
        return MeanServiceTime(SERVICE_S, 1.0)
    plain = TokenServiceTime()
    requests = sum(row.requests for row in rows)
    mean_s = sum(row.requests * plain.mean_s(row) for row in rows) / requests
    return TokenServiceTime(slow_down=max(1.0, SERVICE_S / mean_s))


def _smoothed(rows: tuple[Row, ...]) -> Iterator[Row]:
    """A centred moving mean of the counts; tokens, where there are some, stay in proportion."""
    half = int(SMOOTHED_S / rows[0].step_s / 2)
    for index, row in enumerate(rows):
        near = rows[max(0, index - half) : index + half + 1]
        requests = sum(one.requests for one in near) / len(near)
        share = requests / row.requests if row.requests else 0.0
        yield replace(
            row,
            requests=requests,
            prompt_tokens=None if row.prompt_tokens is None else row.prompt_tokens * share,
            output_tokens=None if row.output_tokens is None else row.output_tokens * share,
        )
