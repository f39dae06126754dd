"""Shadows over the last tick's report: gauges, and counters that go on after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from autoscaler.core.shadow import Shadow
from autoscaler.core.sides import Account
from autoscaler.daemon.gauges import Gauge, Row
from autoscaler.daemon.report import TickReport


def _shadows(report: TickReport) -> Iterator[tuple[str, Shadow]]:
    """One that was set aside is not known any more."""
    for name, standing in sorted(report.shadows.items()):
        if standing.shadow is not None and standing.trouble is None:
            yield name, standing.shadow


def _shadow_wanted(report: TickReport) -> Iterator[Row]:
    for name, shadow in _shadows(report):
        for deployment, count in shadow.wanted.items():
            yield (name, deployment), count


def _shadow_cost(report: TickReport) -> Iterator[Row]:
    for name, shadow in _shadows(report):
        yield (name,), shadow.shadow_now.usd_per_hour


def _both_sides(of: Callable[[Account], float]) -> Callable[[TickReport], Iterator[Row]]:
    def rows(report: TickReport) -> Iterator[Row]:
        for name, shadow in _shadows(report):
            yield (name, "active"), of(shadow.active)
            yield (name, "shadow"), of(shadow.shadow)

    return rows


_SIDE: Final = ("service", "set")

SHADOW_GAUGES: Final = (
    Gauge(
        "shadow_replicas_wanted",
        "Replicas that the shadow policies decided on",
        ("service", "deployment"),
        _shadow_wanted,
    ),
    Gauge(
        "shadow_cost_usd_per_hour",
        "Cost of what the shadow policies would have there now",
        ("service",),
        _shadow_cost,
    ),
    Gauge(
        "shadow_spend_usd",
        "Cost over time since the comparison began, in USD; set active is what was really there",
        _SIDE,
        _both_sides(lambda side: side.usd),
        "counter",
    ),
    Gauge(
        "shadow_short_seconds",
        "Time in which demand exceeded what served, since the comparison began",
        _SIDE,
        _both_sides(lambda side: side.short_s),
        "counter",
    ),
)
