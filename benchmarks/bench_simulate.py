"""What a person waits for: a week of one service, days, services and configurations more, a hundred services.

Demand is made up (the shape ``diurnal``, one million requests a week for each service), one processor.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from autoscaler.cli.collector import settle
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.sim.demand import Demand
from autoscaler.sim.known_future import clairvoyant_run
from autoscaler.sim.plant import Design, PlantDeployment, PlantService
from autoscaler.sim.report.page import page
from autoscaler.sim.result import RunResult
from autoscaler.sim.run import run
from autoscaler.sim.scaler import OurDecision
from autoscaler.sim.signals import signals_of
from autoscaler.world.plant import DeploymentSpec
from autoscaler.world.service_time import MeanServiceTime
from autoscaler.world.shapes import shape_rows
from autoscaler.world.start_up import StartUp
from autoscaler.world.trace import Row
from benchmarks.figures import Figure, show

START = 1_767_571_200.0
DAY_S = 86_400.0
INTERVAL_S = 15.0
SERVICE_S = 8.0
PEAK_PER_S = 4.0
"""About a million requests in a week of the shape."""


def design_of(services: int, days: float, peak_per_s: float = PEAK_PER_S) -> Design:
    """So many services with one deployment each, all with demand of their own."""
    signals = signals_of("any", ("queued", "running", "arrived_total", "started_total"), {})
    built: dict[str, PlantService] = {}
    for index in range(services):
        name = f"s{index:03d}"

        def rows(seed: int = index) -> Iterator[Row]:
            return shape_rows("diurnal", peak_per_s=peak_per_s, length_s=days * DAY_S, seed=seed)

        spec = DeploymentSpec(
            id=f"{name}/a",
            name="a",
            gpu_type="gpu",
            concurrency=4,
            start_up=StartUp(180.0, 400.0),
            initial_replicas=1,
        )
        built[name] = PlantService(
            name=name,
            demand=Demand(rows, days * DAY_S, MeanServiceTime(SERVICE_S, 1.0)),
            deployments=(PlantDeployment(name, "a", "vendor", spec, 1, 24),),
            signals=signals,
        )
    return Design(built, START, days * DAY_S)


def fleet_of(design: Design) -> Fleet:
    """Queue depth for all of them, with the four signals of the example configuration."""
    services = {
        name: Service(
            name=name,
            policies=(NamedPolicy("queue-depth", QueueDepth()),),
            deployments=(Deployment(name, "a", "vendor", 4.0, 24, 1),),
            signals={signal: SignalRule(exists_at_zero=signal == "queued") for signal in one.signals},
        )
        for name, one in design.services.items()
    }
    return Fleet(services, interval_s=INTERVAL_S, fixed_prices={"vendor/gpu": 1.0})


def timed(design: Design) -> tuple[float, RunResult]:
    """Seconds of one configuration over this design, all in."""
    began = time.perf_counter()
    result = run("ours", "config", design, OurDecision(fleet_of(design)), INTERVAL_S)
    return time.perf_counter() - began, result


def main() -> None:
    """Measure and print."""
    timed(design_of(1, 0.1))
    settle()  # as the command does
    week_s, week = timed(design_of(1, 7))
    two_days_s, _ = timed(design_of(1, 2))
    four_days_s, _ = timed(design_of(1, 4))
    one_s, _ = timed(design_of(1, 1))
    four_s, _ = timed(design_of(4, 1))
    hundred_s, hundred = timed(design_of(100, 1))
    design = design_of(1, 7)
    began = time.perf_counter()
    ideal = clairvoyant_run(design, INTERVAL_S)
    ideal_s = time.perf_counter() - began
    size_mb = len(page([replace(week, name=f"run-{i}") for i in range(9)] + [ideal], "a week").encode()) / 1e6
    show(
        f"simulate: {week.requests:,} requests in the week, {hundred.requests:,} in the day of a hundred",
        [
            Figure("one service, 7 days, one configuration", f"{week_s:.1f} s", "10 s", week_s <= 10),
            Figure("100 services, one day", f"{hundred_s:.1f} s", "90 s", hundred_s <= 90),
            Figure(
                "4 days over 2 days",
                f"{four_days_s / two_days_s:.2f}",
                "linear: 2",
                four_days_s < 2.4 * two_days_s,
            ),
            Figure("4 services over 1, one day", f"{four_s / one_s:.2f}", "linear: 4", four_s < 4.8 * one_s),
            Figure("clairvoyant, 7 days", f"{ideal_s:.1f} s", "10 s", ideal_s <= 10),
            Figure("report of 7 days, ten runs", f"{size_mb:.2f} MB", "1.5 MB", size_mb <= 1.5),
        ],
    )


if __name__ == "__main__":
    main()
