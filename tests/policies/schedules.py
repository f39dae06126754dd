"""Schedules for tests, and what they say at an instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from autoscaler.core.proposals import Proposal
from autoscaler.policies.files import CONTEXT
from autoscaler.policies.schedule import Schedule
from tests.policies.views import a_view

ZURICH = "Europe/Zurich"
NEW_YORK = "America/New_York"


class Said(NamedTuple):
    """Floor (0: none) and ceiling (None: none), raw as proposed."""

    at_least: int
    at_most: int | None


def a_schedule(
    *windows: Mapping[str, Any],
    zone: str = ZURICH,
    holidays: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> Schedule:
    """A schedule as from a file; ``files`` are the contents of those that it names."""
    table: dict[str, Any] = {"time_zone": zone, "windows": list(windows)}
    if holidays is not None:
        table["holidays"] = holidays
    return Schedule.model_validate(table, context={CONTEXT: files or {}})


def instant(text: str, zone: str = "UTC", *, fold: int = 0) -> float:
    """Seconds since the epoch of a wall time; ``fold`` 1 is the second time that it is shown."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def proposals(
    schedule: Schedule, at: float, *, p90_s: float = 0.0, state: Mapping[str, Any] | None = None
) -> tuple[Proposal, ...]:
    return schedule.propose(a_view(at=at, start_up_p90_s=p90_s, state=state))


def said(
    schedule: Schedule, at: float, *, p90_s: float = 0.0, state: Mapping[str, Any] | None = None
) -> Said:
    """What the schedule asks for, its proposals folded as the core folds them."""
    found = proposals(schedule, at, p90_s=p90_s, state=state)
    floors = [one.at_least for one in found if one.at_least is not None]
    ceilings = [one.at_most for one in found if one.at_most is not None]
    return Said(max(floors, default=0), min(ceilings, default=None))


def open_times(schedule: Schedule, first: str, last: str, *, p90_s: float = 0.0) -> list[tuple[str, str]]:
    """From when to when (UTC, to the minute) a floor holds, found by asking every minute."""
    found: list[tuple[str, str]] = []
    at, until, since = instant(first), instant(last), None
    while at <= until:
        now = said(schedule, at, p90_s=p90_s).at_least > 0
        if now and since is None:
            since = at
        elif not now and since is not None:
            found.append((_utc(since), _utc(at)))
            since = None
        at += 60.0
    return found


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, ZoneInfo("UTC")).strftime("%m-%d %H:%M")
