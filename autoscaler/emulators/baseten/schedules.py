"""An environment's own schedules: windows in which other autoscaling settings are the deployed ones.

Source: docs.baseten.co, deployment/autoscaling/schedules; PyPI ``baseten`` 0.13.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from autoscaler.emulators.baseten.autoscaling import Autoscaling, changes_in
from autoscaler.emulators.baseten.refusals import Refused

SCHEDULES_MAX: Final = 50
_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_DAY_MINUTES: Final = 24 * 60

Weekday = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
Minute = Annotated[int, Field(ge=0, le=59)]
Hour = Annotated[int, Field(ge=0, le=23)]


class _Upsert(BaseModel):
    """What every schedule has. ``autoscaling_settings`` null: the environment's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = None
    name: str = Field(min_length=1, max_length=200)
    enabled: bool
    autoscaling_settings: Mapping[str, Any]

    @property
    def overrides(self) -> dict[str, int]:
        """The settings that differ from the environment's while the window is active."""
        return {
            key: value
            for key, value in changes_in(dict(self.autoscaling_settings)).items()
            if value is not None
        }

    def applied_to(self, own: Autoscaling) -> Autoscaling:
        """The deployed settings while the window is active. Raises: Refused."""
        return own.with_changes(self.overrides)

    def body(self) -> dict[str, Any]:
        """As the API shows it; all eight settings, null where the environment's own apply."""
        shown = self.model_dump(mode="json")
        shown["autoscaling_settings"] = {key: self.overrides.get(key) for key in Autoscaling().body()}
        return shown


class Recurring(_Upsert):
    """DAILY: one window on each of these days. HOURLY: the minutes' window in each hour of them."""

    cadence: Literal["DAILY", "HOURLY"]
    weekdays: tuple[Weekday, ...] = Field(min_length=1, max_length=7)
    start_hour: Hour | None = None
    start_minute: Minute
    end_hour: Hour | None = None
    end_minute: Minute

    def active(self, at: float, zone: ZoneInfo) -> bool:
        """Whether this instant is in a window; its end is not."""
        local = datetime.fromtimestamp(at, zone)
        minute = local.hour * 60 + local.minute
        if self.cadence == "DAILY":
            start = (self.start_hour or 0) * 60 + self.start_minute
            end = (self.end_hour or 0) * 60 + self.end_minute
            end = end if end > start else end + _DAY_MINUTES
            return (self._on(local) and start <= minute < end) or (
                self._on(local - timedelta(days=1)) and minute + _DAY_MINUTES < end
            )
        first = self.start_hour if self.start_hour is not None else 0
        last = self.end_hour if self.end_hour is not None else 23
        return self._on(local) and first <= local.hour <= last and self._in_hour(local.minute)

    def _in_hour(self, minute: int) -> bool:
        if self.end_minute > self.start_minute:
            return self.start_minute <= minute < self.end_minute
        return minute >= self.start_minute or minute < self.end_minute

    def _on(self, day: datetime) -> bool:
        return _DAYS[day.weekday()] in self.weekdays


class OneTime(_Upsert):
    """One window, from ``start_at`` until before ``end_at``."""

    cadence: Literal["ONE_TIME"]
    start_at: AwareDatetime
    end_at: AwareDatetime

    def active(self, at: float, zone: ZoneInfo) -> bool:
        """Whether this instant is in the window."""
        del zone  # An instant needs none.
        return self.start_at <= datetime.fromtimestamp(at, UTC) < self.end_at


Schedule = Annotated[Recurring | OneTime, Field(discriminator="cadence")]


class _Update(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str | None = None
    schedules: tuple[Schedule, ...] | None = Field(default=None, max_length=SCHEDULES_MAX)
    delete_schedules: tuple[str, ...] | None = Field(default=None, max_length=SCHEDULES_MAX)


_UPDATE: Final = TypeAdapter(_Update)


class Schedules(BaseModel):
    """All schedules of one environment, and the time zone they share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str | None = None
    schedules: tuple[Schedule, ...] = ()
    made: int = 0  # for ids that are never given twice

    def active(self, at: float) -> Recurring | OneTime | None:
        """The enabled schedule whose window this instant is in; the first of several."""
        zone = ZoneInfo(self.timezone or "UTC")
        return next((one for one in self.schedules if one.enabled and one.active(at, zone)), None)

    def updated(self, sent: Any, own: Autoscaling) -> Schedules:
        """After a partial update: deletions first, then schedules by id or new. Raises: Refused."""
        try:
            update = _UPDATE.validate_python(sent)
        except ValidationError as error:
            said = error.errors(include_input=False, include_url=False)[0]
            key = ".".join(["autoscaling_schedule_settings", *map(str, said["loc"])])
            raise Refused(400, f"{key}: {said['msg']}") from error
        zone = self._zone(update.timezone)
        gone = set(update.delete_schedules or ())
        if unknown := sorted(gone - {one.id for one in self.schedules if one.id}):
            raise Refused(400, f"delete_schedules: no schedule {unknown[0][:64]!r}")
        kept: list[Recurring | OneTime] = [one for one in self.schedules if one.id not in gone]
        made = self.made
        for one in update.schedules or ():
            if not {"min_replica", "max_replica"} <= set(one.overrides):
                raise Refused(400, "a schedule needs min_replica and max_replica")
            one.applied_to(own)
            if one.id is None:
                made += 1
                kept.append(one.model_copy(update={"id": f"sched{made:03d}"}))
            else:
                _replace(kept, one)
        if len(kept) > SCHEDULES_MAX:
            raise Refused(400, f"at most {SCHEDULES_MAX} schedules")
        if kept and zone is None:
            raise Refused(400, "timezone is required with the first schedule")
        return Schedules(timezone=zone if kept else None, schedules=tuple(kept), made=made)

    def _zone(self, sent: str | None) -> str | None:
        if sent is None:
            return self.timezone
        try:
            return ZoneInfo(sent).key
        except (KeyError, ValueError, OSError):
            raise Refused(400, f"timezone {sent[:64]!r} is not an IANA time zone") from None


def _replace(kept: list[Recurring | OneTime], one: Recurring | OneTime) -> None:
    for index, old in enumerate(kept):
        if old.id == one.id:
            kept[index] = one
            return
    raise Refused(400, f"schedules: no schedule {str(one.id)[:64]!r}")


def bodies(schedules: Sequence[Recurring | OneTime]) -> list[dict[str, Any]]:
    """As the API shows them."""
    return [one.body() for one in schedules]
