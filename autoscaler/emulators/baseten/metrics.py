"""What Baseten measures: samples every 30 s kept for seven days, and the columns of its metrics call.

Source: docs.baseten.co, observability/export-metrics/supported-metrics; PyPI ``baseten`` 0.13.1.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from autoscaler.emulators.baseten.managed import Managed
from autoscaler.emulators.load import Loads

SAMPLE_EVERY_S: Final = 30.0
WINDOW_MAX_MS: Final = 7 * 24 * 3600 * 1000
DEFAULT_NAMES: Final = (
    "baseten_replicas_active",
    "baseten_inference_requests_total",
    "baseten_end_to_end_response_time_seconds",
)
_KEPT: Final = int(WINDOW_MAX_MS / 1000 / SAMPLE_EVERY_S) + 2
_STEPS: Final = 120  # about as many in a series
_CURRENT_S: Final = 60.0  # a rate "now" is over so long
_FIRST_BYTE: Final = 0.2  # of the response time; made up


@dataclass(frozen=True, slots=True)
class Sample:
    """One deployment at one instant. Totals count since the emulator began; times are seconds."""

    at: float
    active: float
    starting: float
    concurrent: float  # in service and waiting
    async_queued: float
    finished_total: float
    finished_busy_s: float
    gpu_percent: float
    gpu_used_mib: float


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is described. ``applies`` to what is emulated here, or to other engines only."""

    unit: str
    kind: str
    label_sets: tuple[Mapping[str, str], ...] = ({},)
    applies: bool = True


_BY_STATUS: Final = tuple({"status": status} for status in ("2xx", "4xx", "5xx"))
_QUANTILES: Final = (*({"quantile": q} for q in ("0.5", "0.9", "0.95", "0.99")), {"stat": "avg"})

METRICS: Final[Mapping[str, Metric]] = {
    "baseten_replicas_active": Metric("COUNT", "GAUGE"),
    "baseten_replicas_starting": Metric("COUNT", "GAUGE"),
    "baseten_concurrent_requests": Metric("COUNT", "GAUGE"),
    "baseten_async_queue_size": Metric("COUNT", "GAUGE"),
    "baseten_inference_requests_total": Metric("PER_SECOND", "COUNTER", _BY_STATUS),
    "baseten_end_to_end_response_time_seconds": Metric("SECONDS", "HISTOGRAM", _QUANTILES),
    "baseten_time_to_first_byte_seconds": Metric("SECONDS", "HISTOGRAM", _QUANTILES),
    "baseten_gpu_utilization": Metric("RATIO", "GAUGE"),
    "baseten_gpu_memory_used": Metric("MEBIBYTES", "GAUGE"),
    "baseten_llm_in_flight_tokens": Metric("COUNT", "GAUGE", applies=False),
    "baseten_llm_num_requests": Metric("COUNT", "GAUGE", applies=False),
}
_GAUGES: Final = {
    "baseten_replicas_active": "active",
    "baseten_replicas_starting": "starting",
    "baseten_concurrent_requests": "concurrent",
    "baseten_async_queue_size": "async_queued",
    "baseten_gpu_utilization": "gpu_percent",
    "baseten_gpu_memory_used": "gpu_used_mib",
}


@dataclass(slots=True)
class Measurements:
    """The samples of every deployment, by the world's id."""

    loads: Loads
    _samples: dict[str, deque[Sample]] = field(default_factory=dict)

    def take(self, managed: Managed) -> Sample:
        """The sample of this instant, not kept."""
        load = self.loads.of(managed.id)
        face, kind = managed.exhibit.now, managed.exhibit.instance_type
        places = face.status.ready * managed.exhibit.places
        return Sample(
            at=self.loads.world.now,
            active=face.status.ready,
            starting=face.replicas_starting,
            concurrent=load.running + load.waiting,
            async_queued=managed.async_queued,
            finished_total=load.finished_total,
            finished_busy_s=load.finished_busy_s,
            gpu_percent=min(100.0, 100.0 * load.running / places) if places else 0.0,
            gpu_used_mib=0.9 * (kind.gpu_memory_limit_mib or 0) if face.status.ready else 0.0,
        )

    def keep(self, everything: Iterable[Managed]) -> None:
        """Sample them all."""
        for managed in everything:
            self._samples.setdefault(managed.id, deque(maxlen=_KEPT)).append(self.take(managed))

    def latest(self, managed: Managed, at: float) -> Sample | None:
        """The last kept sample that is not after this instant."""
        kept = self._samples.get(managed.id, ())
        index = bisect_right(kept, at, key=lambda sample: sample.at)
        return kept[index - 1] if index else None

    def within(self, managed: Managed, start_s: float, end_s: float) -> list[Sample]:
        """Kept samples from ``start_s`` until before ``end_s``, and the one before the first."""
        kept = self._samples.get(managed.id, ())
        first = bisect_left(kept, start_s, key=lambda sample: sample.at)
        last = bisect_left(kept, end_s, key=lambda sample: sample.at)
        return [kept[index] for index in range(max(0, first - 1), last)]

    def current(self, several: Sequence[Managed], at: float) -> list[Sample]:
        """Samples of the last minute, ending with this instant's, all deployments added up."""
        recent = [self.within(managed, at - _CURRENT_S, at) for managed in several]
        if at >= self.loads.world.now:
            recent = [[*kept, self.take(managed)] for kept, managed in zip(recent, several, strict=True)]
        return added_up(recent)

    def window(self, several: Sequence[Managed], start_s: float, end_s: float) -> list[Sample]:
        """Samples of a window, all deployments added up."""
        return added_up([self.within(managed, start_s, end_s) for managed in several])


def added_up(columns: Sequence[Sequence[Sample]]) -> list[Sample]:
    """One sample per instant. Utilisation is the mean over the deployments."""
    if len(columns) == 1:
        return list(columns[0])
    by_instant: dict[float, list[Sample]] = {}
    for column in columns:
        for sample in column:
            by_instant.setdefault(sample.at, []).append(sample)
    return [_sum(at, samples) for at, samples in sorted(by_instant.items())]


def _sum(at: float, samples: Sequence[Sample]) -> Sample:
    return Sample(
        at=at,
        active=sum(one.active for one in samples),
        starting=sum(one.starting for one in samples),
        concurrent=sum(one.concurrent for one in samples),
        async_queued=sum(one.async_queued for one in samples),
        finished_total=sum(one.finished_total for one in samples),
        finished_busy_s=sum(one.finished_busy_s for one in samples),
        gpu_percent=sum(one.gpu_percent for one in samples) / len(samples),
        gpu_used_mib=sum(one.gpu_used_mib for one in samples) / len(samples),
    )


def step_s(start_s: float, end_s: float) -> int:
    """The step of a series, in whole samples."""
    return max(1, round((end_s - start_s) / _STEPS / SAMPLE_EVERY_S)) * int(SAMPLE_EVERY_S)


def values(name: str, samples: Sequence[Sample], since_s: float, *, last: bool = False) -> list[float | None]:
    """One value per label set over the samples from ``since_s`` on; null where there are none.

    Gauges are the mean, or the ``last``; counters rates per second; histograms have no spread here: every
    quantile is the mean.
    """
    inside = [sample for sample in samples if sample.at >= since_s]
    if name in _GAUGES:
        read = [float(getattr(sample, _GAUGES[name])) for sample in inside]
        return [(read[-1] if last else sum(read) / len(read)) if read else None]
    if not inside or samples[0] is inside[-1]:
        return [None] * len(METRICS[name].label_sets)
    first, final = samples[0], inside[-1]
    finished = final.finished_total - first.finished_total
    if name == "baseten_inference_requests_total":
        return [finished / (final.at - first.at), 0.0, 0.0]
    mean_s = (final.finished_busy_s - first.finished_busy_s) / finished if finished > 0 else None
    if mean_s is not None and name == "baseten_time_to_first_byte_seconds":
        mean_s *= _FIRST_BYTE
    return [mean_s] * len(METRICS[name].label_sets)


def descriptors(names: Iterable[str]) -> list[dict[str, Any]]:
    """What the columns are."""
    return [
        {
            "name": name,
            "unit_hint": METRICS[name].unit,
            "kind": METRICS[name].kind,
            "label_sets": [dict(labels) for labels in METRICS[name].label_sets],
        }
        for name in names
    ]
