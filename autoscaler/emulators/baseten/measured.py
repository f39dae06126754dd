"""The management API's measurements: metrics in columns, start-ups and their percentiles, logs.

Source: PyPI ``baseten`` 0.13.1 (managementapi).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from autoscaler.emulators.baseten.estate import Estate
from autoscaler.emulators.baseten.managed import Managed
from autoscaler.emulators.baseten.management import (
    find_deployment,
    find_environment,
    find_model,
    replying,
)
from autoscaler.emulators.baseten.metrics import (
    DEFAULT_NAMES,
    METRICS,
    WINDOW_MAX_MS,
    Measurements,
    Sample,
    descriptors,
    step_s,
    values,
)
from autoscaler.emulators.baseten.refusals import Refused
from autoscaler.emulators.baseten.start_ups import Attempt, LogLine, summary
from autoscaler.emulators.vendor import circumstances_now

Body = dict[str, Any]
_HOUR_MS: Final = 3_600_000
_MODES: Final = ("CURRENT", "SUMMARY", "SERIES")
_OUTCOMES: Final = ("SUCCESS", "FAILED", "STALLED")
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_SORTS: Final = {
    "OUTCOME": lambda one: one.succeeded,
    "STARTED_AT": lambda one: one.started_at,
    "READY_AT": lambda one: one.ended_at,
    "DURATION": lambda one: one.duration_ms,
}


class Measured:
    """The handlers, over one organisation's samples."""

    def __init__(self, estate: Estate, measurements: Measurements) -> None:
        self._estate = estate
        self._measurements = measurements

    def routes(self) -> Iterable[web.RouteDef]:
        """Metrics, start-ups and logs."""
        model = "/v1/models/{model_id}"
        one, environment = f"{model}/deployments/{{deployment_id}}", f"{model}/environments/{{environment}}"
        return (
            web.get(f"{one}/metrics", replying(self._metrics), name="metrics"),
            web.get(f"{environment}/metrics", replying(self._metrics), name="environment-metrics"),
            web.get(f"{one}/startups", replying(self._start_ups), name="startups"),
            web.get(f"{one}/startups/summary", replying(self._summary), name="startups-summary"),
            web.get(
                f"{environment}/startups/summary",
                replying(self._summary),
                name="environment-startups-summary",
            ),
            web.get(f"{one}/logs", replying(self._logs), name="logs"),
        )

    def _addressed(self, request: web.Request) -> Sequence[Managed]:
        if "environment" in request.match_info:
            return find_environment(self._estate, request).members
        return (find_deployment(self._estate, request),)

    # --- metrics --------------------------------------------------------------------------------

    async def _metrics(self, request: web.Request) -> Body:
        several, mode = self._addressed(request), request.query.get("mode", "CURRENT")
        if mode not in _MODES:
            raise Refused(400, f"mode must be one of {', '.join(_MODES)}")
        names = request.query.getall("metrics", list(DEFAULT_NAMES))
        if unknown := [name for name in names if name not in METRICS]:
            raise Refused(400, f"unknown metric {unknown[0][:64]!r}")
        names = [name for name in dict.fromkeys(names) if METRICS[name].applies]
        if mode == "CURRENT":
            return self._current(request.query, several, names)
        start_ms, end_ms = _window(request.query, circumstances_now().as_of)
        step_ms = end_ms - start_ms
        if mode == "SERIES":
            step_ms = step_s(start_ms / 1000, end_ms / 1000) * 1000
        rows = [
            self._row(several, names, at_ms, min(at_ms + step_ms, end_ms))
            for at_ms in range(start_ms, end_ms, step_ms)
        ]
        return _columns(start_ms, end_ms, mode, names, rows, step_ms // 1000 if mode == "SERIES" else None)

    def _current(self, query: Mapping[str, str], several: Sequence[Managed], names: Sequence[str]) -> Body:
        if "start_epoch_millis" in query or "end_epoch_millis" in query:
            raise Refused(400, "mode CURRENT takes no start_epoch_millis and no end_epoch_millis")
        at = circumstances_now().as_of
        samples = self._measurements.current(several, at)
        since_s = samples[-1].at if samples else at
        at_ms = round(at * 1000)
        row = {
            "start_epoch_millis": at_ms,
            "values": [values(name, samples, since_s, last=True) for name in names],
        }
        return _columns(at_ms, at_ms, "CURRENT", names, [row], None)

    def _row(self, several: Sequence[Managed], names: Sequence[str], start_ms: int, end_ms: int) -> Body:
        samples: list[Sample] = self._measurements.window(several, start_ms / 1000, end_ms / 1000)
        row = [values(name, samples, start_ms / 1000) for name in names]
        return {"start_epoch_millis": start_ms, "values": row}

    # --- start-ups ------------------------------------------------------------------------------

    async def _summary(self, request: web.Request) -> Body:
        start_ms, end_ms = _needed_window(request.query)
        found = [one for managed in self._addressed(request) for one in _attempts(managed, request.query)]
        return summary(found, start_ms, end_ms)

    async def _start_ups(self, request: web.Request) -> Body:
        (managed,), query = self._addressed(request), request.query
        found = _filtered(_attempts(managed, query), query)
        offset = _whole(query, "cursor", 0, 1_000_000, 0)
        limit = _whole(query, "limit", 1, 100, 50)
        more = offset + limit < len(found)
        model = find_model(self._estate, request)
        return {
            "items": [_attempt(model.id, managed, one) for one in found[offset : offset + limit]],
            "pagination": {"has_more": more, "cursor": str(offset + limit) if more else None},
            "total_count": len(found),
        }

    # --- logs -----------------------------------------------------------------------------------

    async def _logs(self, request: web.Request) -> Body:
        (managed,), query = self._addressed(request), request.query
        start_ms, end_ms = _window(query, circumstances_now().as_of)
        limit = _whole(query, "limit", 1, 1000, 500)
        level = _one_of(query, "min_level", _LEVELS, "DEBUG")
        direction = _one_of(query, "direction", ("asc", "desc"), "desc")
        found = [
            line
            for line in managed.start_ups.logs
            if start_ms <= line.at * 1000 <= end_ms
            and _LEVELS.index(line.level) >= _LEVELS.index(level)
            and query.get("replica") in (None, line.replica)
            and query.get("search_pattern", "") in line.message
            and all(word in line.message for word in query.getall("includes", []))
            and not any(word in line.message for word in query.getall("excludes", []))
        ]
        if direction == "desc":
            found.reverse()
        return {"logs": [_log(line) for line in found[:limit]]}


# --- bodies ---------------------------------------------------------------------------------------


def _columns(
    start_ms: int, end_ms: int, mode: str, names: Sequence[str], rows: Sequence[Body], step: int | None
) -> Body:
    return {
        "start_epoch_millis": start_ms,
        "end_epoch_millis": end_ms,
        "mode": mode,
        "step_seconds": step,
        "metric_descriptors": descriptors(names),
        "metric_values": list(rows),
    }


def _attempt(model_id: str, managed: Managed, one: Attempt) -> Body:
    return {
        "model_id": model_id,
        "deployment_id": managed.exhibit.id,
        "deployment_name": managed.exhibit.name,
        "environment_name": None,
        "replica_id": one.replica,
        "started_at_epoch_millis": round(one.started_at * 1000),
        "ready_at_epoch_millis": round(one.ended_at * 1000) if one.succeeded else None,
        "duration_ms": one.duration_ms,
        "outcome": _outcome(one),
        "phase_summary": one.phases(),
    }


def _log(line: LogLine) -> Body:
    return {
        "timestamp": str(round(line.at * 1_000_000) * 1000),  # nanoseconds
        "message": line.message,
        "replica": line.replica,
        "request_id": None,
        "level": line.level,
    }


# --- what is asked --------------------------------------------------------------------------------


def _outcome(one: Attempt) -> str:
    return "SUCCESS" if one.succeeded else "FAILED"


def _attempts(managed: Managed, query: Mapping[str, str]) -> list[Attempt]:
    start_ms, end_ms = _needed_window(query)
    end_s = min(end_ms / 1000, circumstances_now().as_of)
    at_least_ms = _whole(query, "min_duration_ms", 0, 10**12, 0)
    return managed.start_ups.within(start_ms / 1000, end_s, at_least_ms)


def _filtered(found: Sequence[Attempt], query: Any) -> list[Attempt]:
    wanted = query.getall("outcomes", list(_OUTCOMES))
    if unknown := [one for one in wanted if one not in _OUTCOMES]:
        raise Refused(400, f"outcomes: {unknown[0][:64]!r} is not one of {', '.join(_OUTCOMES)}")
    sort = _SORTS[_one_of(query, "sort_by", tuple(_SORTS), "STARTED_AT")]
    backwards = _one_of(query, "direction", ("asc", "desc"), "desc") == "desc"
    kept = [one for one in found if _outcome(one) in wanted and query.get("search", "") in one.replica]
    return sorted(kept, key=sort, reverse=backwards)


def _window(query: Mapping[str, str], now: float) -> tuple[int, int]:
    """Start and end in milliseconds: the last hour where they are left out. Raises: Refused."""
    end_ms = _whole(query, "end_epoch_millis", 0, 10**14, round(now * 1000))
    start_ms = _whole(query, "start_epoch_millis", 0, 10**14, end_ms - _HOUR_MS)
    if not 0 < end_ms - start_ms <= WINDOW_MAX_MS:
        raise Refused(400, "the window must be longer than nothing and at most 7 days")
    return start_ms, end_ms


def _needed_window(query: Mapping[str, str]) -> tuple[int, int]:
    start_ms = _whole(query, "start_epoch_millis", 0, 10**14)
    end_ms = _whole(query, "end_epoch_millis", 0, 10**14)
    if end_ms <= start_ms:
        raise Refused(400, "end_epoch_millis must be after start_epoch_millis")
    return start_ms, end_ms


def _whole(query: Mapping[str, str], key: str, low: int, high: int, default: int | None = None) -> int:
    text = query.get(key)
    if text is None and default is not None:
        return default
    value = int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 16 else -1
    if not low <= value <= high:
        raise Refused(400, f"{key} must be a whole number from {low} to {high}")
    return value


def _one_of(query: Mapping[str, str], key: str, allowed: Sequence[str], default: str) -> str:
    word = query.get(key, default)
    if word not in allowed:
        raise Refused(400, f"{key} must be one of {', '.join(allowed)}")
    return word
