"""Limits by the calendar, as the decision asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Annotated, Any, Final, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.policies.schedule.days_off import Holidays
from autoscaler.policies.schedule.edges import Edge, edges_of, limits_at
from autoscaler.policies.schedule.lead import LEAD_S_MAX, Early, fix, fixed_leads, state_of
from autoscaler.policies.schedule.speech import Speech
from autoscaler.policies.schedule.timetable import Segment, Timetable
from autoscaler.policies.schedule.wall import zone_of
from autoscaler.policies.schedule.windows import Window

WINDOWS_MAX: Final = 200


class _Works:
    """What a schedule works with. Schedules are compared by their keys, so any two of these are equal."""

    def __init__(self, table: Timetable) -> None:
        self.table = table
        self.speech = Speech(table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Works)

    def __hash__(self) -> int:
        return 0


class Schedule(Policy, kind="schedule"):
    """Hold floors and ceilings in windows of local time.

    It measures no demand: where no window is open it says nothing. Limits are replicas of the whole service.
    """

    time_zone: Annotated[str, Field(min_length=1, max_length=64)]
    windows: tuple[Window, ...]
    holidays: Holidays | None = None

    _works: _Works = PrivateAttr()

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        zone_of(name)
        return name

    @field_validator("windows")
    @classmethod
    def _bounded(cls, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        # Here and not in the field, which would tell of windows that are wrong as windows that are missing.
        if not 1 <= len(windows) <= WINDOWS_MAX:
            raise ValueError(f"{len(windows)} windows; allowed are 1 to {WINDOWS_MAX} [[windows]] tables")
        return windows

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for position, window in enumerate(self.windows, start=1):
            if window.on_holidays != "keep" and self.holidays is None:
                raise ValueError(
                    f'windows[{window.name or position}].on_holidays is "{window.on_holidays}" and there is '
                    "no [holidays] table; allowed is one with country or calendar_file"
                )
        zone = zone_of(self.time_zone)
        days_off = self.holidays.days_off(zone) if self.holidays is not None else None
        self._works = _Works(Timetable(self.windows, zone, days_off))
        return self

    def propose(self, view: View) -> tuple[Proposal, ...]:
        """At most one floor and one ceiling for the whole service; nothing where no window is open."""
        segment = self._works.table.segment(floor(view.at))
        opened = self._opened(segment, view) if segment.coming else ()
        return self._works.speech.proposals(segment, opened)

    def _opened(self, segment: Segment, view: View) -> list[tuple[Early, float]]:
        fixed = fixed_leads(view.state) if segment.learns and view.state else {}
        at, learned_s = view.at, min(view.start_up_p90_s, LEAD_S_MAX)
        found = []
        for early in segment.coming:
            lead_s = early.lead(fixed, learned_s)
            if early.start - lead_s <= at:
                found.append((early, lead_s))
        return found

    def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
        """The leads in use: ``{"v": 1, "leads": {"1795262400": 300.0}}`` (start: seconds), or nothing."""
        segment = self._works.table.segment(floor(view.at))
        if not state and not segment.learns:
            return state
        fixed = fixed_leads(state) if state else {}
        leads = fix(fixed, segment.coming, view.at, view.start_up_p90_s)
        return state if leads is fixed else state_of(leads)

    def edges(self, after: float, count: int, lead_s: float = 0.0) -> tuple[Edge, ...]:
        """The next ``count`` changes of the limits, where start-up takes ``lead_s`` seconds throughout."""
        return edges_of(self._works.table, after, count, lead_s)

    def limits_at(self, at: float, lead_s: float = 0.0) -> tuple[int, int | None]:
        """Floor (0: none) and ceiling (None: none) at an instant, by this schedule alone."""
        return limits_at(self._works.table, at, lead_s)

    @property
    def learns_lead(self) -> bool:
        """Whether any floor opens early by the learned start-up time."""
        return any(window.floor and window.lead_s == "auto" for window in self.windows)

    def lacks(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Keys that cannot work in this installation, and why; the policy must not be used then."""
        if self.holidays is None:
            return ()
        return tuple((("holidays", *keys), why) for keys, why in self.holidays.lacks())
