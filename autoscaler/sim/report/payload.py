"""What the page's script draws: every series in buckets, rounded, as one compact JSON text."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from operator import add
from typing import Any, Final

from autoscaler.sim.report.buckets import Buckets, Number, Values, ends, extremes
from autoscaler.sim.report.figures import services_of
from autoscaler.sim.result import RunResult, ServiceResult, ServiceSeries

BUCKETS_MAX: Final = 1500
BUCKETS_MIN: Final = 50
VALUES_MAX: Final = 600_000
"""Where to begin for a fleet: at two characters each, which is what quiet series take."""
TEXT_MAX: Final = 1_400_000
"""Characters of the JSON, so that a page stays below 1.5 MB: what is more is told in wider buckets, until
they are so few as ``BUCKETS_MIN``. A hundred services of three deployments in two runs are just above it."""


def drawn(runs: Sequence[RunResult]) -> tuple[dict[str, Any], str] | None:
    """What is drawn, and the same as ``encoded``; None where no run recorded a series."""
    series = [one.series for run in runs for one in run.services.values() if one.series is not None]
    values = sum(11 + 4 * len(one.deployments) for one in series)  # for one bucket
    count_max = max(BUCKETS_MIN, min(BUCKETS_MAX, VALUES_MAX // max(1, values)))
    while (content := payload(runs, count_max)) is not None:
        text = encoded(content)
        if len(text) <= TEXT_MAX or count_max == BUCKETS_MIN:
            return content, text
        # Most of the text grows with the count, so this fits at once or nearly so.
        count_max = max(BUCKETS_MIN, int(0.97 * content["count"] * TEXT_MAX / len(text)))
    return None


def payload(runs: Sequence[RunResult], count_max: int = BUCKETS_MAX) -> dict[str, Any] | None:
    """A plain dict in at most so many buckets; None where no run recorded a series.

    ``start`` and ``end`` are epoch seconds, ``width_s`` the seconds of a bucket, ``count`` their number. A
    pair is the lowest value of each bucket, and how far the highest lies above it (0 instead of a list of
    zeros). Services and deployments are lists with names inside: a name is never a key.
    """
    recorded = [
        one.series
        for run in runs
        for one in run.services.values()
        if one.series is not None and one.series.at
    ]
    if not recorded:
        return None
    interval_s = min(run.interval_s for run in runs)
    buckets = Buckets.over(recorded, interval_s, count_max)
    return {
        "start": _rounded(buckets.start, 3),
        "end": _rounded(max(series.at[-1] for series in recorded) + interval_s, 3),
        "width_s": _rounded(buckets.width_s, 3),
        "interval_s": _rounded(interval_s, 3),
        "count": buckets.count,
        "services": services_of(runs),
        "runs": [
            {
                "name": run.name,
                "kind": run.kind,
                "services": [
                    _service(one, one.series, buckets)
                    for one in run.services.values()
                    if one.series is not None and one.series.at
                ],
            }
            for run in runs
        ],
    }


def encoded(content: dict[str, Any]) -> str:
    """As JSON that can stand inside a script element: without ``<`` nothing there can end it or nest."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")


def _service(one: ServiceResult, series: ServiceSeries, buckets: Buckets) -> dict[str, Any]:
    spans = buckets.spans(series.at)

    def pair(values: Sequence[Number]) -> list[Any]:
        return _pair(*extremes(values, spans))

    ready, all_of_it = _capacities(series)
    return {
        "name": one.name,
        "demand": pair(list(map(add, series.queued, series.running))),
        "ready": pair(ready),
        "all": pair(all_of_it),
        "queued": pair(series.queued),
        "late": ends(series.late_total, spans),
        "usd": [_rounded(value, 4) for value in ends(series.usd_total, spans)],
        "reasons": series.reasons,
        "shares": [one.reasons.get(reason, 0) for reason in series.reasons],
        "reason": _reasons(series, spans),
        "deployments": [
            {
                "name": name,
                "provider": each.provider,
                "set": pair(each.replicas_set),
                "ready": pair(each.ready),
            }
            for name, each in series.deployments.items()
        ],
    }


def _capacities(series: ServiceSeries) -> tuple[list[float], list[float]]:
    """Of what is ready, and of that with what is starting; over all deployments, in requests at once."""
    ready = [0.0] * len(series.at)
    starting = list(ready)
    for one in series.deployments.values():
        each = one.capacity_per_replica
        ready = [total + count * each for total, count in zip(ready, one.ready, strict=True)]
        starting = [total + count * each for total, count in zip(starting, one.starting, strict=True)]
    return ready, list(map(add, ready, starting))


def _reasons(series: ServiceSeries, spans: Sequence[tuple[int, int]]) -> list[Any]:
    """For each bucket where its decisions came from: an index, a list of index and ticks in turn, or None."""
    told: list[Any] = []
    for begin, end in spans:
        counts = Counter(series.reason[begin:end])
        if len(counts) > 1:
            told.append([number for item in sorted(counts.items()) for number in item])
        else:
            told.append(next(iter(counts), None))
    return told


def _pair(low: Values, high: Values) -> list[Any]:
    above = [
        0 if top is None or bottom is None else _rounded(top - bottom, 2) or 0
        for bottom, top in zip(low, high, strict=True)
    ]
    return [[_rounded(value, 2) for value in low], above if any(above) else 0]


def _rounded(value: Number | None, digits: int) -> Number | None:
    """Without a fraction where there is none, which is most of the text; what is no number is a gap."""
    if value is None or isinstance(value, int):
        return value
    if not math.isfinite(value):
        return None
    short = round(value, digits)
    return int(short) if short == int(short) else short
