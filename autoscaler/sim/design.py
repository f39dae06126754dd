"""From a configuration, demands and what is known of the plant to the design of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.sim.demand import Demand, Summary
from autoscaler.sim.facts import Task
from autoscaler.sim.plant import Design, PlantDeployment, PlantService
from autoscaler.sim.plant_file import DeploymentFacts, PlantFile
from autoscaler.sim.signals import signals_of
from autoscaler.world.happenings import Happening, PriceChange, StockChange
from autoscaler.world.plant import DeploymentSpec
from autoscaler.world.start_up import StartUp, StartUpTime

USUAL_SPREAD: Final = 400.0 / 180.0
"""95th percentile over median of a start-up time of which only the middle is stated."""

USD_WHERE_UNKNOWN: Final = 1.0
GPU_WHERE_UNKNOWN: Final = "gpu"
FULL: Final = 0.8
"""How full the replicas are at the first tick, where nobody says how many there are."""


class Gpus(Protocol):
    """What a configuration tells of a deployment's GPUs; None is not told."""

    @property
    def gpu_type(self) -> str | None:
        """The vendor's word."""
        ...

    @property
    def gpus_per_replica(self) -> int:
        """How many."""
        ...

    @property
    def usd_per_gpu_hour(self) -> float | None:
        """List price."""
        ...


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds for every configuration that is compared.

    ``start_ups`` are laws learned elsewhere, by ``"service/deployment"``; ``start_up`` is for all that have
    none. ``initial`` are replicas at the first tick, by the same key. ``starts_at`` is epoch seconds.
    """

    starts_at: float
    length_s: float
    promise_wait_s: float = 10.0
    seed: int = 0
    plant: PlantFile = field(default_factory=PlantFile)
    start_up: StartUpTime | None = None
    start_ups: Mapping[str, StartUpTime] = field(default_factory=dict)
    initial: Mapping[str, int] = field(default_factory=dict)


def design_of(
    fleet: Fleet, gpus: Mapping[str, Gpus], demands: Mapping[str, Demand], around: Circumstances
) -> tuple[Design, tuple[str, ...]]:
    """The design for this configuration, and what had to be assumed. Raises: UnknownSignal."""
    notes: list[str] = []
    services = {
        name: _service(service, gpus, fleet.fixed_prices, demands[name], around, notes)
        for name, service in fleet.services.items()
        if name in demands
    }
    plant = around.plant
    happenings: tuple[Happening, ...] = (
        *(
            PriceChange(around.starts_at + one.at_s, one.deployment, one.usd_per_gpu_hour)
            for one in plant.price_changes
        ),
        *(StockChange(around.starts_at + one.at_s, one.gpu_type, one.gpus) for one in plant.stock_changes),
    )
    design = Design(
        services=services,
        starts_at=around.starts_at,
        length_s=around.length_s,
        seed=around.seed,
        stock=plant.stock,
        happenings=happenings,
    )
    return design, tuple(dict.fromkeys(notes))


def simulated_fleet(fleet: Fleet, services: Mapping[str, object]) -> Fleet:
    """The fleet as it decides in a simulation: these services alone, all of which may write."""
    return replace(
        fleet,
        services={
            name: replace(service, mode="act") for name, service in fleet.services.items() if name in services
        },
    )


def task_of(service: PlantService, interval_s: float) -> Task:
    """What a rival is set up with for this service."""
    main = service.main
    summary = service.demand.summary()
    return Task(
        min_replicas=main.min_replicas,
        max_replicas=main.max_replicas,
        concurrency=main.spec.concurrency,
        interval_s=interval_s,
        initial_replicas=min(main.spec.initial_replicas, main.max_replicas),
        peak_at_once=summary.peak_at_once,
        service_s=summary.mean_service_s,
    )


def _service(
    service: Service,
    gpus: Mapping[str, Gpus],
    fixed_prices: Mapping[str, float],
    demand: Demand,
    around: Circumstances,
    notes: list[str],
) -> PlantService:
    facts = around.plant.service(service.name)
    summary = demand.summary()
    deployments = [
        _deployment(one, gpus.get(one.key), fixed_prices, around, notes) for one in service.deployments
    ]
    _note_room(service.name, deployments, summary, notes)
    return PlantService(
        name=service.name,
        demand=demand,
        deployments=_staffed(deployments, summary, around),
        signals=signals_of(service.name, tuple(service.signals), facts.signals),
        promise_wait_s=around.promise_wait_s if facts.promise_wait_s is None else facts.promise_wait_s,
    )


def _deployment(
    deployment: Deployment,
    gpus: Gpus | None,
    fixed_prices: Mapping[str, float],
    around: Circumstances,
    notes: list[str],
) -> PlantDeployment:
    facts = around.plant.deployment(deployment.service, deployment.name)
    gpu_type = facts.gpu_type or (gpus.gpu_type if gpus is not None else None) or GPU_WHERE_UNKNOWN
    # The configuration's own price of this GPU type wins over what a vendor told, as it does live.
    price = facts.usd_per_gpu_hour
    if price is None:
        price = fixed_prices.get(f"{deployment.provider}/{gpu_type}")
    if price is None and gpus is not None:
        price = gpus.usd_per_gpu_hour
    if price is None:
        price = USD_WHERE_UNKNOWN
        notes.append(
            f"the price of {deployment.key} is not known: {price:.2f} USD per GPU-hour is assumed; "
            "[[prices]] of the configuration or usd_per_gpu_hour of a plant file say it"
        )
    spec = DeploymentSpec(
        id=deployment.key,
        name=deployment.key,
        gpu_type=gpu_type,
        gpus_per_replica=facts.gpus_per_replica or (gpus.gpus_per_replica if gpus is not None else 1),
        concurrency=facts.concurrency or max(1, math.floor(deployment.capacity_per_replica)),
        usd_per_gpu_hour=price,
        start_up=_start_up(deployment, facts, around),
        initial_replicas=0,
        speed=facts.speed,
        billing_block_s=facts.billing_block_s,
        mean_life_s=facts.mean_life_s,
        start_up_failure_share=facts.start_up_failure_share,
    )
    return PlantDeployment(
        service=deployment.service,
        name=deployment.name,
        provider=deployment.provider,
        spec=spec,
        min_replicas=deployment.min_replicas,
        max_replicas=deployment.max_replicas,
    )


def _start_up(deployment: Deployment, facts: DeploymentFacts, around: Circumstances) -> StartUpTime:
    """What the plant file states, else what was learned, else what holds for all, else ``start_up_s``."""
    if facts.start_up_median_s is not None:
        median_s = facts.start_up_median_s
        return StartUp(
            median_s, median_s * USUAL_SPREAD if facts.start_up_p95_s is None else facts.start_up_p95_s
        )
    learned = around.start_ups.get(deployment.key) or around.start_up
    if learned is not None:
        return learned
    return StartUp(deployment.start_up_s, deployment.start_up_s * USUAL_SPREAD)


def _staffed(
    deployments: list[PlantDeployment], summary: Summary, around: Circumstances
) -> tuple[PlantDeployment, ...]:
    """With the replicas of the first tick: as stated, else what the first minutes need, cheapest first."""
    open_at_once = summary.first_at_once / FULL
    staffed: dict[str, PlantDeployment] = {}
    for one in sorted(deployments, key=lambda one: (one.usd_per_place_hour, one.name)):
        stated = around.initial.get(one.key, around.plant.deployment(one.service, one.name).initial_replicas)
        replicas = math.ceil(round(open_at_once / one.spec.concurrency, 9)) if stated is None else stated
        if stated is None:
            replicas = max(one.min_replicas, min(one.max_replicas, replicas))
        open_at_once = max(0.0, open_at_once - replicas * one.spec.concurrency)
        staffed[one.name] = replace(one, spec=replace(one.spec, initial_replicas=replicas))
    return tuple(staffed[one.name] for one in deployments)


def _note_room(service: str, deployments: list[PlantDeployment], summary: Summary, notes: list[str]) -> None:
    room = sum(one.max_replicas * one.spec.concurrency * one.spec.speed for one in deployments)
    if summary.peak_at_once > room:
        notes.append(
            f"{service}: the busiest step offers {summary.peak_at_once:.0f} requests at once, and "
            f"max_replicas hold {room:.0f}: whatever decides, requests wait then; --peak scales the demand"
        )
