"""Cost over time: what each deployment has cost since the daemon started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.core.fleet import Deployment
from autoscaler.daemon.report import TickReport
from autoscaler.daemon.status import replicas_paid


@dataclass(slots=True)
class _Meter:
    at: float
    replicas: int | None = None  # last known
    usd_per_replica_hour: float | None = None  # last known

    def usd_until(self, at: float) -> float:
        if not self.replicas or self.usd_per_replica_hour is None:
            return 0.0
        return max(0.0, at - self.at) / 3600 * self.replicas * self.usd_per_replica_hour


class SpendMeter:
    """Integrates between snapshots: an interval costs what its first snapshot showed.

    A gap, or a snapshot without count or price, goes on at the last known one. Time before the first
    known count and price costs nothing: it was not seen.
    """

    def __init__(self) -> None:
        self._meters: dict[str, _Meter] = {}

    def advance(self, report: TickReport) -> Iterator[tuple[Deployment, float]]:
        """USD per deployment since the report before this one; deployments that left are forgotten."""
        meters: dict[str, _Meter] = {}
        for service in report.fleet.services.values():
            evidence = report.plan.services.get(service.name)
            for one in service.deployments:
                meter = self._meters.get(one.key) or _Meter(report.at)
                yield one, meter.usd_until(report.at)
                facts = None if evidence is None else evidence.deployments.get(one.name)
                replicas = None if facts is None else replicas_paid(one, facts)
                price = None if facts is None else facts.usd_per_replica_hour
                meters[one.key] = _Meter(
                    max(meter.at, report.at),
                    meter.replicas if replicas is None else replicas,
                    meter.usd_per_replica_hour if price is None else price,
                )
        self._meters = meters
