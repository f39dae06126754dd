"""``GET /v1/billing/usage_summary``: minutes and USD by deployment and UTC day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from autoscaler.emulators.baseten.estate import Estate
from autoscaler.emulators.baseten.managed import Managed
from autoscaler.emulators.baseten.refusals import Refused

_EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS_MAX: Final = 31
_DAYS_KEPT: Final = 400


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a deployment had used at the end of a day, or so far."""

    usd: float = 0.0
    replica_s: float = 0.0
    requests: float = 0.0

    def since(self, before: _Reading) -> _Reading:
        return _Reading(
            self.usd - before.usd, self.replica_s - before.replica_s, self.requests - before.requests
        )

    def body(self) -> dict[str, Any]:
        usd = round(self.usd, 6)
        return {
            "subtotal": usd,
            "compute_cost": usd,
            "surcharge_cost": 0,
            "minutes": round(self.replica_s / 60),
            "inference_requests": int(self.requests),
        }


@dataclass(slots=True)
class Billing:
    """Readings of every deployment's bill, by day."""

    estate: Estate
    _read: dict[str, dict[date, _Reading]] = field(default_factory=dict)

    def read(self) -> None:
        """Read all bills; the last reading of a day stays."""
        today = datetime.fromtimestamp(self.estate.world.now, UTC).date()
        for managed in self.estate.everything:
            status = self.estate.world.status(managed.id)
            days = self._read.setdefault(managed.id, {})
            requests = self.estate.loads.of(managed.id).finished_total
            days[today] = _Reading(status.billed_usd, status.billed_replica_s, requests)
            while len(days) > _DAYS_KEPT:
                del days[next(iter(days))]

    def summary(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The usage of whole days in the window. Raises: Refused."""
        start, end = _instant(query, "start_date"), _instant(query, "end_date")
        if start < _EARLIEST or end <= start or end - start > timedelta(days=_DAYS_MAX):
            raise Refused(
                400, "start_date must be 2026-01-01 or later, and before end_date by at most 31 days"
            )
        self.read()
        rows = [
            self._row(managed, start.date(), (end - timedelta(microseconds=1)).date())
            for managed in self.estate.everything
        ]
        total = round(sum(row["subtotal"] for row in rows), 6)
        minutes = sum(row["minutes"] for row in rows)
        return {
            "dedicated_usage": {
                "subtotal": total,
                "credits_used": 0,
                "total": total,
                "minutes": minutes,
                "breakdown": rows,
            },
            "training_usage": None,
            "model_apis_usage": None,
        }

    def _row(self, managed: Managed, first: date, last: date) -> dict[str, Any]:
        days = self._read.get(managed.id, {})
        before, begun, daily = _Reading(), _Reading(), []
        for day, reading in days.items():  # in order of days
            if day < first:
                begun = reading
            elif day <= last:
                daily.append({"date": day.isoformat(), **reading.since(before).body()})
            else:
                break
            before = reading
        return {
            "billable_resource": self._resource(managed),
            **before.since(begun).body(),
            "daily": daily,
        }

    def _resource(self, managed: Managed) -> dict[str, Any]:
        exhibit = managed.exhibit
        chain = None
        if exhibit.chain_id is not None:
            chain = {
                "chain_id": exhibit.chain_id,
                "chain_name": self.estate.chains[exhibit.chain_id].name,
                "chain_deployment_id": exhibit.chain_deployment_id,
            }
        return {
            "id": exhibit.id,
            "kind": "MODEL_DEPLOYMENT" if chain is None else "CHAINLET",
            "name": exhibit.chainlet or exhibit.name,
            "model_id": exhibit.model_id,
            "model_name": None if exhibit.model_id is None else self.estate.models[exhibit.model_id].name,
            "is_deleted": False,
            "instance_type": exhibit.instance_type.name,
            "environment_name": exhibit.now.environment,
            "chain_metadata": chain,
        }


def _instant(query: Mapping[str, str], key: str) -> datetime:
    try:
        at = datetime.fromisoformat(query.get(key, ""))
    except ValueError:
        raise Refused(400, f"{key} must be an instant by ISO 8601") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
