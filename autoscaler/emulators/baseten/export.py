"""``GET /metrics``: all deployments in Prometheus text, as of the last full half minute.

Source: docs.baseten.co, observability/export-metrics/supported-metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from autoscaler.emulators.baseten.estate import Estate
from autoscaler.emulators.baseten.managed import Managed
from autoscaler.emulators.baseten.metrics import Measurements, Sample

CONTENT_TYPE: Final = "text/plain"
Row = tuple[str, Mapping[str, str], float]  # suffix, more labels, value

_OK: Final = {"status_code": "200", "is_async": "false"}


def _gauge(read: Callable[[Sample], float]) -> Callable[[Sample], Iterable[Row]]:
    return lambda sample: (("", {}, read(sample)),)


def _histogram(share: float) -> Callable[[Sample], Iterable[Row]]:
    return lambda sample: (
        ("_bucket", {**_OK, "le": "+Inf"}, sample.finished_total),
        ("_count", _OK, sample.finished_total),
        ("_sum", _OK, sample.finished_busy_s * share),
    )


_FAMILIES: Final[tuple[tuple[str, str, str, Callable[[Sample], Iterable[Row]]], ...]] = (
    (
        "baseten_inference_requests_total",
        "counter",
        "Cumulative number of requests to the model.",
        lambda sample: (("", _OK, sample.finished_total),),
    ),
    (
        "baseten_end_to_end_response_time_seconds",
        "histogram",
        "End-to-end response time in seconds.",
        _histogram(1.0),
    ),
    ("baseten_time_to_first_byte_seconds", "histogram", "Time to first byte in seconds.", _histogram(0.2)),
    ("baseten_replicas_active", "gauge", "Replicas ready to serve.", _gauge(lambda one: one.active)),
    ("baseten_replicas_starting", "gauge", "Replicas starting.", _gauge(lambda one: one.starting)),
    (
        "baseten_concurrent_requests",
        "gauge",
        "Synchronous requests in service and waiting.",
        _gauge(lambda one: one.concurrent),
    ),
    (
        "baseten_async_queue_size",
        "gauge",
        "Asynchronous requests queued.",
        _gauge(lambda one: one.async_queued),
    ),
    ("baseten_gpu_utilization", "gauge", "GPU utilisation, 0 to 100.", _gauge(lambda one: one.gpu_percent)),
    ("baseten_gpu_memory_used", "gauge", "GPU memory used in MiB.", _gauge(lambda one: one.gpu_used_mib)),
)


def exposition(estate: Estate, measured: Measurements, at: float) -> str:
    """The whole text."""
    seen = [
        (_labels(estate, managed, at), sample)
        for managed in estate.everything
        if (sample := measured.latest(managed, at)) is not None
    ]
    return "".join(_lines(seen))


def _lines(seen: Iterable[tuple[Mapping[str, str], Sample]]) -> Iterator[str]:
    for name, kind, text, rows in _FAMILIES:
        yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
        for labels, sample in seen:
            for suffix, more, value in rows(sample):
                joined = ",".join(f'{key}="{_escaped(word)}"' for key, word in {**labels, **more}.items())
                yield f"{name}{suffix}{{{joined}}} {value!r}\n"


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _labels(estate: Estate, managed: Managed, at: float) -> dict[str, str]:
    exhibit = managed.exhibit
    face = exhibit.face(at) or exhibit.now
    phase = "" if face.environment is None else "promoting" if face.promoting else "stable"
    # A chainlet counts as a model of its own; no page says how it is told.
    model_id = exhibit.model_id or exhibit.id
    name = exhibit.chainlet if exhibit.model_id is None else estate.models[exhibit.model_id].name
    return {
        "model_id": model_id,
        "model_name": str(name),
        "deployment_id": exhibit.chain_deployment_id or exhibit.id,
        "environment": face.environment or "",
        "rollout_phase": phase,
    }
