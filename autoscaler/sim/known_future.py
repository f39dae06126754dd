"""The run of the plan that knew every arrival, service by service, in the same plant as everybody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from autoscaler.sim.clairvoyant import PlannedRival, plan
from autoscaler.sim.design import task_of
from autoscaler.sim.plant import Design, PlantService
from autoscaler.sim.result import RunResult
from autoscaler.sim.run import every, run
from autoscaler.sim.scaler import RivalScaler
from autoscaler.world.chance import stream

NAME: Final = "clairvoyant"
START_UPS_MAX: Final = 20_000
"""How many start-up times the plan is told ahead."""
PLANNED: Final = 0.9
"""Share of the work that planning is, for the progress."""


def clairvoyant_run(
    design: Design,
    interval_s: float,
    *,
    share: float = 0.99,
    progress: Callable[[float], None] = lambda _: None,
) -> RunResult:
    """Plan each service's deployment with the cheapest place, then run the plans. The promise is that
    ``share`` of the requests start within the service's promised wait.

    Raises: what :func:`autoscaler.sim.clairvoyant.plan` raises where numpy is missing.
    """
    rivals: dict[str, PlannedRival] = {}
    bound_usd = 0.0
    notes: list[str] = []
    for index, service in enumerate(design.services.values()):

        def told(done: float, index: int = index) -> None:
            progress(PLANNED * (index + done) / len(design.services))

        alone = replace(design, services={service.name: service})
        made = plan(
            service.demand.known(service.name, design.seed, design.starts_at),
            task_of(service, interval_s),
            starts_at=design.starts_at,
            length_s=design.length_s,
            start_ups_s=start_ups_s(service, design.seed),
            promise_wait_s=service.promise_wait_s,
            share=share,
            exact=_exact(alone, service.name, interval_s),
            progress=told,
        )
        rivals[service.name] = PlannedRival(made.targets)
        bound_usd += made.lower_bound_replica_s * service.main.usd_per_replica_hour / 3600
        if made.on_time_share < share:
            notes.append(
                f"{service.name}: even who knows the future keeps only {made.on_time_share:.2%} on time"
            )
    result = run(
        NAME,
        "clairvoyant",
        design,
        RivalScaler(rivals),
        interval_s,
        progress=lambda done: progress(PLANNED + (1 - PLANNED) * done),
        notes=tuple(notes),
    )
    return replace(result, usd_lower_bound=bound_usd)


def start_ups_s(service: PlantService, seed: int) -> Sequence[float]:
    """The start-up times that the world will draw, in order of start."""
    spec = service.main.spec
    chance = stream(seed, "start-up", spec.id)
    return list(islice(iter(lambda: spec.start_up.draw_s(chance), None), START_UPS_MAX))


def _exact(design: Design, service: str, interval_s: float) -> Callable[[Sequence[int]], tuple[float, float]]:
    """On-time share and billed replica-seconds of these targets, one per tick, in the plant itself."""
    ticks = sum(1 for _ in every(interval_s, design))

    def exact(targets: Sequence[int]) -> tuple[float, float]:
        assert len(targets) >= ticks, "a target for every tick"
        result = run(NAME, "clairvoyant", design, RivalScaler({service: PlannedRival(targets)}), interval_s)
        on_time = result.on_time_share
        return 1.0 if on_time is None else on_time, result.services[service].billed_replica_s

    return exact
