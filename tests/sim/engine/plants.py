"""Small plants for tests: one service, one or two deployments, demand by the minute."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.sim.demand import Demand
from autoscaler.sim.plant import COUNTERS, Design, PlantDeployment, PlantService
from autoscaler.sim.signals import signals_of
from autoscaler.world.plant import DeploymentSpec
from autoscaler.world.service_time import MeanServiceTime
from autoscaler.world.start_up import StartUp
from autoscaler.world.trace import Row

START = 1_767_571_200.0  # a Monday, 00:00 UTC
INTERVAL_S = 15.0


def a_demand(per_minute: Sequence[float], service_s: float = 8.0) -> Demand:
    """So many requests expected in each minute."""
    rows = tuple(Row(60.0 * index, 60.0, requests) for index, requests in enumerate(per_minute))
    return Demand(lambda: rows, 60.0 * len(rows), MeanServiceTime(service_s, 0.5), source="a test")


def a_deployment(
    name: str = "a",
    usd_per_gpu_hour: float = 1.0,
    *,
    concurrency: int = 4,
    initial_replicas: int = 1,
    max_replicas: int = 10,
    min_replicas: int = 0,
    start_up_s: float = 60.0,
) -> PlantDeployment:
    """One deployment whose start-ups take a fixed time, at a provider of its own."""
    spec = DeploymentSpec(
        id=f"chat/{name}",
        name=name,
        gpu_type=f"gpu-{name}",
        concurrency=concurrency,
        usd_per_gpu_hour=usd_per_gpu_hour,
        start_up=StartUp.fixed(start_up_s),
        initial_replicas=initial_replicas,
    )
    return PlantDeployment("chat", name, f"vendor-{name}", spec, min_replicas, max_replicas)


def a_design(demand: Demand, *deployments: PlantDeployment, seed: int = 0, **stock: int) -> Design:
    """The plant of ``chat``. ``stock`` is GPUs by deployment name."""
    service = PlantService(
        name="chat",
        demand=demand,
        deployments=deployments or (a_deployment(),),
        signals=signals_of("chat", COUNTERS, {}),
    )
    return Design(
        {"chat": service},
        START,
        demand.length_s,
        seed,
        stock={f"gpu-{name}": gpus for name, gpus in stock.items()},
    )


def a_fleet(design: Design, **keys: object) -> Fleet:
    """Queue depth over the deployments of a design; ``keys`` are of the service."""
    plant = design.services["chat"]
    service = Service(
        name="chat",
        policies=(NamedPolicy("queue-depth", QueueDepth(idle_s=60.0)),),
        deployments=tuple(
            Deployment(
                "chat",
                one.name,
                one.provider,
                float(one.spec.concurrency),
                one.max_replicas,
                one.min_replicas,
            )
            for one in plant.deployments
        ),
        signals={name: SignalRule(exists_at_zero=True) for name in plant.signals},
        **keys,  # type: ignore[arg-type]
    )
    return Fleet({"chat": service}, interval_s=INTERVAL_S)
