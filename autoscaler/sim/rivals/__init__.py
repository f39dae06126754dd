"""Other autoscalers, as their sources have them, to compare ours with: one file each, pure.

Each is a class made from a ``Task`` and frozen settings whose defaults are the peer's own. ``RIVALS``
makes them as the benchmark does: with the settings that cost least on the training traces while keeping the
promise, frozen since. ``docs/rivals.md`` says what each does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from autoscaler.sim.facts import Rival, Task
from autoscaler.sim.rivals.dynamo import Dynamo, DynamoSettings
from autoscaler.sim.rivals.fixed_peak import FixedPeak
from autoscaler.sim.rivals.hosted import Hosted, HostedSettings
from autoscaler.sim.rivals.hpa import Hpa, HpaSettings
from autoscaler.sim.rivals.keda import Keda, KedaSettings
from autoscaler.sim.rivals.knative import Knative, KnativeSettings
from autoscaler.sim.rivals.ray_serve import RayServe, RayServeSettings
from autoscaler.sim.rivals.seasonal_newsvendor import SeasonalNewsvendor, SeasonalNewsvendorSettings
from autoscaler.sim.rivals.skyserve import SkyServe, SkyServeSettings

__all__ = ["RIVALS", "RivalKind"]


@dataclass(frozen=True, slots=True)
class RivalKind:
    """One way to scale: what it is in a line, how to make it, and its settings for a table."""

    description: str
    make: Callable[[Task], Rival]
    setting: str


def _hpa(task: Task) -> Rival:
    return Hpa(task, HpaSettings(target=0.9 * task.concurrency))


def _keda(task: Task) -> Rival:
    return Keda(task, KedaSettings(hpa=HpaSettings(target=0.9 * task.concurrency)))


def _knative(task: Task) -> Rival:
    return Knative(task, KnativeSettings(utilisation=0.75, scale_down_delay_s=300.0))


def _ray_serve(task: Task) -> Rival:
    return RayServe(
        task, RayServeSettings(target_ongoing_requests=0.6 * task.concurrency, downscale_delay_s=150.0)
    )


def _skyserve(task: Task) -> Rival:
    full = task.concurrency / task.service_s  # requests per second of a replica that is never idle
    return SkyServe(
        task,
        SkyServeSettings(target_qps_per_replica=0.65 * full, upscale_delay_s=0.0, downscale_delay_s=300.0),
    )


def _dynamo(task: Task) -> Rival:
    return Dynamo(task, DynamoSettings(engine_utilisation=0.7))


def _seasonal_newsvendor(task: Task) -> Rival:
    return SeasonalNewsvendor(task, SeasonalNewsvendorSettings(shortage_cost=49.0))


def _hosted(task: Task) -> Rival:
    return Hosted(
        task,
        HostedSettings(concurrency_target=task.concurrency, utilisation=0.8, scale_down_delay_s=300.0),
    )


RIVALS: Final[Mapping[str, RivalKind]] = MappingProxyType(
    {
        "fixed-peak": RivalKind("A fixed count, sized for nearly the peak", FixedPeak, "0.92 of the peak"),
        "hpa": RivalKind("Kubernetes HPA on queued and running requests", _hpa, "u 0.9, window 300 s"),
        "keda": RivalKind(
            "KEDA: to and from zero, and the HPA for the rest", _keda, "queue + running, u 0.9"
        ),
        "knative": RivalKind("Knative's KPA on concurrency", _knative, "u 0.75, delay 300 s"),
        "ray-serve": RivalKind("Ray Serve's default autoscaling", _ray_serve, "u 0.6, up 30 s, down 150 s"),
        "skyserve": RivalKind("SkyServe's request-rate autoscaler", _skyserve, "u 0.65, up 0 s, down 300 s"),
        "dynamo": RivalKind(
            "NVIDIA Dynamo's planner, one pool", _dynamo, "load loop + seasonal floor, u 0.7"
        ),
        "hosted": RivalKind("A hosted vendor's own autoscaler", _hosted, "u 0.8, window 60 s, delay 300 s"),
        "seasonal-newsvendor": RivalKind(
            "The last day again, with a newsvendor's margin", _seasonal_newsvendor, "shortage costs 49 x idle"
        ),
    }
)
"""By name, in the order of tables."""
