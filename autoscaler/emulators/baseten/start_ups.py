"""Start-ups of replicas, as Baseten measures them: attempts, phases, and percentiles in milliseconds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_KEPT: Final = 1000  # as many as Baseten samples its percentiles from
_LOGS_KEPT: Final = 1000

# Which part of a start-up each phase takes: made up, and always the same.
_PHASES: Final = (
    ("SCHEDULING", 0.05),
    ("IMAGE_PULL", 0.20),
    ("WEIGHT_DOWNLOAD", 0.45),
    ("CONTAINER_CREATE", 0.05),
    ("CONTAINER_START", 0.10),
    ("READINESS", 0.15),
)
_LOG_LINES: Final = {
    "requested": ("INFO", "Replica requested"),
    "ready": ("INFO", "Application startup complete."),
    "draining": ("INFO", "Shutting down, waiting for requests to finish"),
    "released": ("INFO", "Replica terminated"),
    "killed": ("ERROR", "Engine core died, restarting"),
    "start_up_failed": ("ERROR", "Start-up failed: torch.OutOfMemoryError: CUDA out of memory"),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start-up that has ended; instants are epoch seconds."""

    replica: str
    started_at: float
    ended_at: float
    succeeded: bool

    @property
    def duration_ms(self) -> int:
        """How long it took."""
        return round((self.ended_at - self.started_at) * 1000)

    def phases(self) -> list[dict[str, Any]]:
        """Each phase with its offset and duration; a failed start-up fails in the last one."""
        rows: list[dict[str, Any]] = []
        offset_ms = 0.0
        for name, share in _PHASES:
            lasts_ms = self.duration_ms * share
            failed = not self.succeeded and name == _PHASES[-1][0]
            rows.append(
                {
                    "phase": name,
                    "status": "FAILED" if failed else "COMPLETED",
                    "offset_ms": round(offset_ms),
                    "duration_ms": None if failed else round(lasts_ms),
                }
            )
            offset_ms += lasts_ms
        return rows


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a replica's log."""

    at: float
    replica: str
    level: str
    message: str


@dataclass(slots=True)
class StartUps:
    """The start-ups of one deployment, the replicas it has, and what they logged."""

    attempts: deque[Attempt] = field(default_factory=lambda: deque(maxlen=_KEPT))
    logs: deque[LogLine] = field(default_factory=lambda: deque(maxlen=_LOGS_KEPT))
    ready: set[str] = field(default_factory=set)
    _begun: dict[str, float] = field(default_factory=dict)

    def begin_with(self, ready: int, starting: int, at: float) -> None:
        """So many replicas served before anybody looked, or so many had just been asked for."""
        self.ready.update(_name(number) for number in range(ready))
        self._begun.update((_name(ready + number), at) for number in range(starting))

    def see(self, at: float, kind: str, number: int) -> None:
        """Something happened to this replica."""
        replica = _name(number)
        if kind in _LOG_LINES:
            self.logs.append(LogLine(at, replica, *_LOG_LINES[kind]))
        if kind in ("ready", "start_up_failed") and replica in self._begun:
            self.attempts.append(Attempt(replica, self._begun.pop(replica), at, kind == "ready"))
        if kind == "ready":
            self.ready.add(replica)
        elif kind in ("killed", "draining", "released"):
            self.ready.discard(replica)
            self._begun.pop(replica, None)
        if kind in ("requested", "killed", "start_up_failed"):
            self._begun[replica] = at

    def within(self, start_s: float, end_s: float, min_duration_ms: int = 0) -> list[Attempt]:
        """Those that began in the window and have ended, oldest first."""
        return [
            one
            for one in self.attempts
            if start_s <= one.started_at < end_s
            and one.ended_at <= end_s
            and one.duration_ms >= min_duration_ms
        ]


def _name(number: int) -> str:
    return f"r{number}"


def summary(attempts: Iterable[Attempt], start_ms: int, end_ms: int) -> dict[str, Any]:
    """Percentiles of those that succeeded, whole and by phase."""
    done = [one for one in attempts if one.succeeded]
    by_phase = [
        {"phase": name, "duration_ms": percentiles([round(one.duration_ms * share) for one in done])}
        for name, share in _PHASES
        if done
    ]
    return {
        "start_epoch_millis": start_ms,
        "end_epoch_millis": end_ms,
        "total_duration_ms": percentiles([one.duration_ms for one in done]),
        "phase_duration_ms": by_phase,
    }


def percentiles(samples: Sequence[int]) -> dict[str, int | None]:
    """Mean and nearest-rank percentiles; null where there is no sample."""
    ordered = sorted(samples)
    count = len(ordered)

    def rank(percent: int) -> int | None:
        return ordered[math.ceil(count * percent / 100) - 1] if count else None

    return {
        "sample_count": count,
        "mean_ms": round(sum(ordered) / count) if count else None,
        "p50_ms": rank(50),
        "p90_ms": rank(90),
        "p95_ms": rank(95),
        "p99_ms": rank(99),
    }
