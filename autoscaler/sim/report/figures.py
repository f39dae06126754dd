"""The figures by which runs are compared: one place for table, JSON, page and gate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoscaler.sim.result import RunResult


@dataclass(frozen=True, slots=True)
class Figures:
    """One run, or one service of it. What is not known is None, and so is what is not finite.

    Waits are seconds in the queue. Of a run with several services they are those of the service that waits
    longest: a long wait of one does not disappear in the short waits of the others. ``cost_ratio`` is the
    bill over that of the clairvoyant run, ``bound_ratio`` over the least that any plan could have paid.
    """

    name: str
    requests: int
    late: int
    on_time_share: float | None  # 0 to 1
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    usd: float | None
    gpu_hours: float | None
    changes_per_hour: float | None  # replicas added and removed
    cost_ratio: float | None
    bound_ratio: float | None = None


def compare(runs: Sequence[RunResult]) -> tuple[Figures, ...]:
    """The figures of each run, in their order."""
    ideal = clairvoyant(runs)
    bound = lower_bound_usd(runs)
    return tuple(_of_run(run, None if ideal is None else ideal.usd, bound) for run in runs)


def compare_service(runs: Sequence[RunResult], service: str) -> tuple[Figures, ...]:
    """The figures of one service in each run that has it, under the names of the runs."""
    ideal = clairvoyant(runs)
    return tuple(service_figures(run, service, ideal) for run in runs if service in run.services)


def service_figures(run: RunResult, service: str, ideal: RunResult | None) -> Figures:
    """The figures of one service of a run, under the run's name. ``ideal`` is the clairvoyant run."""
    one = run.services[service]
    known = None if ideal is None else ideal.services.get(service)
    return Figures(
        name=run.name,
        requests=one.requests,
        late=one.late,
        on_time_share=finite(one.on_time_share),
        p50_s=finite(one.p50_s),
        p95_s=finite(one.p95_s),
        p99_s=finite(one.p99_s),
        usd=finite(one.usd),
        gpu_hours=finite(one.gpu_hours),
        changes_per_hour=one.changes * 3600 / run.length_s if run.length_s > 0 else None,
        cost_ratio=_ratio(one.usd, None if known is None else known.usd),
    )


def clairvoyant(runs: Sequence[RunResult]) -> RunResult | None:
    """The run that knew the future, with which the others are compared; the first, if there are several."""
    return next((run for run in runs if run.kind == "clairvoyant"), None)


def lower_bound_usd(runs: Sequence[RunResult]) -> float | None:
    """The least that any plan could have paid for the promises, USD, where a run tells it."""
    return next((run.usd_lower_bound for run in runs if run.usd_lower_bound is not None), None)


def services_of(runs: Iterable[RunResult]) -> tuple[str, ...]:
    """The names of all services, in the order of their first mention."""
    return tuple(dict.fromkeys(name for run in runs for name in run.services))


def finite(value: float | None) -> float | None:
    """The number, or None where it is none: JSON has no word for infinity, and a table no room."""
    return value if value is not None and math.isfinite(value) else None


def _of_run(run: RunResult, ideal_usd: float | None, bound_usd: float | None) -> Figures:
    services = run.services.values()
    return Figures(
        name=run.name,
        requests=run.requests,
        late=run.late,
        on_time_share=finite(run.on_time_share),
        p50_s=_longest(one.p50_s for one in services),
        p95_s=_longest(one.p95_s for one in services),
        p99_s=_longest(one.p99_s for one in services),
        usd=finite(run.usd),
        gpu_hours=finite(run.gpu_hours),
        changes_per_hour=finite(run.changes_per_hour) if run.length_s > 0 else None,
        cost_ratio=_ratio(run.usd, ideal_usd),
        bound_ratio=_ratio(run.usd, bound_usd),
    )


def _longest(waits: Iterable[float | None]) -> float | None:
    return finite(max((wait for wait in waits if wait is not None), default=None))


def _ratio(usd: float, other_usd: float | None) -> float | None:
    """None where there is nothing to compare with: nothing is infinitely dearer than a plan that is free."""
    return finite(usd / other_usd) if other_usd is not None and other_usd > 0 else None
