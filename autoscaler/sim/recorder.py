"""Notes of a run: one value per tick, and the bill and the waits at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from autoscaler.sim.plant import Plant, PlantService
from autoscaler.sim.result import DeploymentSeries, ServiceResult, ServiceSeries


class Recorder:
    """Follows one plant through a run."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._series = {name: _empty(service) for name, service in plant.design.services.items()}

    def note(self, reasons: Mapping[str, str]) -> None:
        """The plant as it is after the scaler has spoken. ``reasons`` is by service."""
        plant = self._plant
        for name, service in plant.design.services.items():
            series = self._series[name]
            counters = plant.gateways[name].counters
            series.at.append(plant.world.now)
            series.queued.append(counters.queued)
            series.running.append(counters.running)
            series.arrived_total.append(counters.arrived_total)
            series.late_total.append(counters.late_total)
            usd = 0.0
            for deployment in service.deployments:
                status = plant.status(deployment.key)
                lines = series.deployments[deployment.name]
                lines.replicas_set.append(status.replicas_set)
                lines.ready.append(status.ready)
                lines.starting.append(status.starting)
                usd += status.billed_usd
            series.usd_total.append(usd)
            series.reason.append(_index(series.reasons, reasons[name]))

    def results(self) -> dict[str, ServiceResult]:
        """The end of the run, by service."""
        return {name: self._result(service) for name, service in self._plant.design.services.items()}

    def _result(self, service: PlantService) -> ServiceResult:
        plant = self._plant
        statuses = [(one.spec.gpus_per_replica, plant.status(one.key)) for one in service.deployments]
        waits = plant.gateways[service.name].report()
        series = self._series[service.name]
        return ServiceResult(
            name=service.name,
            promise_wait_s=service.promise_wait_s,
            requests=waits.requests,
            late=waits.late,
            p50_s=waits.p50_s,
            p95_s=waits.p95_s,
            p99_s=waits.p99_s,
            usd=sum(status.billed_usd for _, status in statuses),
            gpu_hours=sum(gpus * status.billed_replica_s for gpus, status in statuses) / 3600,
            billed_replica_s=sum(status.billed_replica_s for _, status in statuses),
            changes=plant.changes[service.name],
            reasons=Counter(series.reasons[index] for index in series.reason),
            series=series,
        )


def _empty(service: PlantService) -> ServiceSeries:
    return ServiceSeries(
        {one.name: DeploymentSeries(one.provider, float(one.spec.concurrency)) for one in service.deployments}
    )


def _index(words: list[str], word: str) -> int:
    """Where a word stands in the list, at its end if it is new. There are few of them."""
    try:
        return words.index(word)
    except ValueError:
        words.append(word)
        return len(words) - 1
