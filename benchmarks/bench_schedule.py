"""What schedules cost in a tick: most ticks, the worst one, and ticks in which floors open early."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from autoscaler.cli.collector import settle
from autoscaler.core.proposals import View
from autoscaler.policies.schedule import Schedule
from benchmarks.figures import Figure, show

SERVICES = 500
DAY_S = 86_400.0
MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC).timestamp()  # 08:00 in Zurich

WEEK = ["mon", "tue", "wed", "thu", "fri"]
FIVE: tuple[Mapping[str, Any], ...] = (
    {"name": "Office hours", "days": WEEK, "start": "08:00", "end": "19:00", "at_least": 2, "at_most": 8},
    {"name": "Lunch", "days": WEEK, "start": "11:30", "end": "13:30", "at_least": 4},
    {"name": "Night", "start": "22:00", "end": "06:00", "at_most": 1},
    {"name": "Weekend", "days": ["sat", "sun"], "exactly": 0},
    {
        "name": "Launch",
        "days": ["mon"],
        "start": "08:00",
        "end": "10:00",
        "at_least": 6,
        "from": "2026-11-01",
    },
)
CRON: tuple[Mapping[str, Any], ...] = tuple(
    {"cron": f"{minute} 8-18 * * mon-fri", "for_s": 1800, "at_least": 2} for minute in range(0, 50, 10)
)


def schedules(windows: Sequence[Mapping[str, Any]]) -> list[Schedule]:
    """One of its own for each service, so that nothing is shared."""
    table = {"time_zone": "Europe/Zurich", "windows": list(windows)}
    return [Schedule.model_validate(table) for _ in range(SERVICES)]


def view_at(at: float, state: Mapping[str, Any]) -> View:
    """What a schedule looks at."""
    return View("s", at, {}, {}, frozenset(), {}, (), 2, 180.0, 300.0, state)


def tick_ms(own: Sequence[Schedule], at: float, states: list[Mapping[str, Any]]) -> float:
    """One tick over all services: what they say, and what they remember."""
    views = [view_at(at, state) for state in states]
    started = time.perf_counter()
    for schedule, view in zip(own, views, strict=True):
        schedule.propose(view)
    for i, schedule in enumerate(own):
        states[i] = schedule.remember(states[i], views[i])
    return (time.perf_counter() - started) * 1000.0


def over_a_day(windows: Sequence[Mapping[str, Any]], every_s: float = 60.0) -> list[float]:
    """The times of all ticks of a Monday, after one that meets nothing known."""
    own = schedules(windows)
    states: list[Mapping[str, Any]] = [{} for _ in own]
    start = MONDAY - 8 * 3600.0
    tick_ms(own, start - every_s, states)
    return [tick_ms(own, start + i * every_s, states) for i in range(int(DAY_S / every_s))]


def main() -> None:
    """Print the figures."""
    settle()  # as the daemon and the filter do
    day = sorted(over_a_day(FIVE))
    own = schedules(FIVE)
    first = tick_ms(own, MONDAY, [{} for _ in own])
    early = schedules(FIVE)
    states: list[Mapping[str, Any]] = [{} for _ in early]
    opened = sorted(tick_ms(early, MONDAY - 240.0 + i, states) for i in range(60))
    cron = sorted(over_a_day(CRON, 300.0))
    started = time.perf_counter()
    own[0].edges(MONDAY, 10, 300.0)
    edges_ms = (time.perf_counter() - started) * 1000.0
    what = f"{SERVICES} services x 5 windows"
    show(
        "Schedules",
        [
            Figure(
                f"{what}: median tick of a day",
                f"{day[len(day) // 2]:.1f} ms",
                "10 ms",
                day[len(day) // 2] <= 10.0,
            ),
            Figure(
                f"{what}: floors open early, median tick", f"{opened[30]:.1f} ms", "10 ms", opened[30] <= 10.0
            ),
            Figure(f"{what}: worst tick of a day, all at one edge", f"{day[-1]:.0f} ms", "-"),
            Figure(f"{what}: first tick after the start", f"{first:.0f} ms", "-"),
            Figure(f"{what} of cron: median tick", f"{cron[len(cron) // 2]:.1f} ms", "-"),
            Figure(f"{what} of cron: worst tick", f"{cron[-1]:.0f} ms", "-"),
            Figure("the next ten edges of one schedule", f"{edges_ms:.1f} ms", "-"),
        ],
    )


if __name__ == "__main__":
    main()
