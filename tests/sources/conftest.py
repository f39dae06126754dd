"""A real Prometheus with a known past, and a clock that a test may set."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from autoscaler.clock import SystemClock
from tests.servers import Prometheus

REASONS = frozenset(
    {
        "missing",
        "empty",
        "nan",
        "infinite",
        "negative",
        "several_series",
        "not_a_number",
        "error",
        "timeout",
        "bad_reply",
    }
)
"""Every word that an Absence may have as its reason."""

STALE_S = 100.0  # age of the youngest sample of stale_running when the server starts


class SettableClock(SystemClock):
    """The machine's clock, which a test sets back or ahead by ``offset_s``."""

    offset_s = 0.0

    def now(self) -> float:
        return round(super().now() + self.offset_s, 3)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture(scope="session")
def prometheus(start_prometheus: Callable[..., Prometheus]) -> Prometheus:
    """Some gauges of known values, sampled every 5 s from 4 minutes ago to 10 minutes ahead."""
    return start_prometheus(openmetrics=_a_past(time.time()))


def _a_past(now: float) -> str:
    always = range(int(now) - 240, int(now) + 600, 5)
    lines: list[str] = []

    def gauge(name: str, *series: tuple[str, str], at: range = always) -> None:
        lines.append(f"# TYPE {name} gauge")
        lines.extend(f"{name}{labels} {value} {t}" for labels, value in series for t in at)

    gauge("gateway_queued", ('{model="chat"}', "3"), ('{model="code"}', "5"))
    gauge("vllm:num_requests_running", ('{pod="a"}', "12"), ('{pod="b"}', "30"))
    gauge("idle_running", ("", "0"))
    gauge("exact", ("", "0.1"))
    gauge(
        "target_up",
        ('{job="all",pod="a"}', "1"),
        ('{job="some",pod="a"}', "1"),
        ('{job="some",pod="b"}', "0"),
    )
    gauge("stale_running", ("", "7"), at=range(int(now - STALE_S) - 60, int(now - STALE_S) + 1, 5))
    return "\n".join([*lines, "# EOF", ""])
