"""The report for programs: every figure of every run, and none of the series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from autoscaler.sim.report.figures import (
    Figures,
    clairvoyant,
    compare,
    finite,
    lower_bound_usd,
    service_figures,
)
from autoscaler.sim.result import RunResult, ServiceResult


def as_json(runs: Sequence[RunResult]) -> dict[str, Any]:
    """A plain dict, ready for ``json.dumps(..., allow_nan=False)``. What is not known is None.

    At the top: ``usd_lower_bound`` (no plan that keeps the promises costs less) and ``runs``, in order. Each
    run and each of its services has the same figures:

    - ``requests``, ``late``: counts; ``on_time_share``: 0 to 1, of the requests within the promised wait;
    - ``wait_p50_s``, ``wait_p95_s``, ``wait_p99_s``: seconds in the queue (of a run: of the service that
      waits longest);
    - ``usd``, ``gpu_hours``; ``changes_per_hour``: replicas added and removed;
    - ``cost_ratio``: ``usd`` over that of the clairvoyant run.

    A run has beside them ``name``, ``kind`` (``config``, ``rival`` or ``clairvoyant``), ``starts_at`` (ISO
    8601, UTC), ``length_s``, ``interval_s``, ``cost_ratio_to_lower_bound``, ``violations`` (times by number
    of the promise), ``notes``, ``took_s`` (real seconds) and ``services``, a list. A service has ``name``,
    ``promise_wait_s``, ``billed_replica_s``, ``changes`` (a count) and ``reasons`` (ticks by reason code).
    """
    ideal = clairvoyant(runs)
    return {
        "usd_lower_bound": finite(lower_bound_usd(runs)),
        "runs": [
            {
                **_run(run),
                **_figures(total),
                "cost_ratio_to_lower_bound": total.bound_ratio,
                "services": [
                    {**_service(one), **_figures(service_figures(run, name, ideal))}
                    for name, one in run.services.items()
                ],
            }
            for run, total in zip(runs, compare(runs), strict=True)
        ],
    }


def _run(run: RunResult) -> dict[str, Any]:
    return {
        "name": run.name,
        "kind": run.kind,
        "starts_at": datetime.fromtimestamp(run.starts_at, UTC).isoformat().replace("+00:00", "Z"),
        "length_s": run.length_s,
        "interval_s": run.interval_s,
        "violations": dict(run.violations),
        "notes": list(run.notes),
        "took_s": finite(run.took_s),
    }


def _service(one: ServiceResult) -> dict[str, Any]:
    return {
        "name": one.name,
        "promise_wait_s": one.promise_wait_s,
        "billed_replica_s": finite(one.billed_replica_s),
        "changes": one.changes,
        "reasons": dict(one.reasons),
    }


def _figures(one: Figures) -> dict[str, Any]:
    return {
        "requests": one.requests,
        "late": one.late,
        "on_time_share": one.on_time_share,
        "wait_p50_s": one.p50_s,
        "wait_p95_s": one.p95_s,
        "wait_p99_s": one.p99_s,
        "usd": one.usd,
        "gpu_hours": one.gpu_hours,
        "changes_per_hour": one.changes_per_hour,
        "cost_ratio": one.cost_ratio,
    }
