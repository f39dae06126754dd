"""One window as a person writes it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from autoscaler.policies.schedule.crontab import CronWindow, check_line
from autoscaler.policies.schedule.days import DayWindow
from autoscaler.policies.schedule.days_off import DaysOff
from autoscaler.policies.schedule.occurrences import DayRule, Recurring

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
MINUTE_OR_24: Final = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"

SECONDS_MAX: Final = 2_592_000

Replicas = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=SECONDS_MAX)]

_TIMED: Final = ("days", "start", "end")


class Window(BaseModel):
    """When limits hold, and which; ``at_least``, ``at_most`` and ``exactly`` are replicas of the service."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^{}\x00-\x1f\x7f]+$")] | None = None
    days: tuple[Weekday, ...] = WEEK
    start: Annotated[str, Field(pattern=MINUTE)] = "00:00"
    end: Annotated[str, Field(pattern=MINUTE_OR_24)] = "24:00"
    cron: str | None = None
    for_s: Annotated[int, Field(strict=True, ge=60, le=SECONDS_MAX)] | None = None
    at_least: Replicas | None = None
    at_most: Replicas | None = None
    exactly: Replicas | None = None
    priority: Annotated[int, Field(strict=True, ge=-1_000, le=1_000)] = 0
    first_date: Annotated[date | None, Field(alias="from")] = None
    last_date: Annotated[date | None, Field(alias="until")] = None
    except_dates: Annotated[tuple[date, ...], Field(max_length=400)] = ()
    on_holidays: Literal["keep", "skip", "only"] = "keep"
    lead_s: Seconds | Literal["auto"] = "auto"

    @field_validator("days")
    @classmethod
    def _in_order(cls, days: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        if not days:
            raise ValueError(f"no day; allowed are {', '.join(WEEK)}")
        return tuple(day for day in WEEK if day in days)

    @field_validator("cron")
    @classmethod
    def _a_cron_line(cls, line: str | None) -> str | None:
        if line is not None:
            check_line(line)
        return line

    @field_validator("lead_s", mode="before")
    @classmethod
    def _seconds_or_auto(cls, value: object) -> object:
        # Or a wrong one would be told twice: as no number, and as no word.
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value != "auto" and not (is_number and 0 <= value <= SECONDS_MAX):  # type: ignore[operator]
            raise ValueError(f'not allowed; allowed is a number of seconds from 0 to {SECONDS_MAX} or "auto"')
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.exactly is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("exactly excludes at_least and at_most; allowed is exactly alone")
        if self.floor is None and self.ceiling is None:
            raise ValueError("a window without a limit; allowed is any of at_least and at_most or exactly")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}")
        if (self.cron is None) != (self.for_s is None):
            raise ValueError("cron and for_s belong together; allowed is both or neither")
        if self.cron is not None and self.model_fields_set.intersection(_TIMED):
            raise ValueError("cron excludes days and start and end; allowed is one of the two ways")
        if self.first_date and self.last_date and self.first_date > self.last_date:
            raise ValueError(f"from {self.first_date} is after until {self.last_date}")
        return self

    @property
    def floor(self) -> int | None:
        """Replicas that the window asks for at least."""
        return self.exactly if self.exactly is not None else self.at_least

    @property
    def ceiling(self) -> int | None:
        """Replicas that the window allows at most."""
        return self.exactly if self.exactly is not None else self.at_most

    @property
    def when(self) -> str:
        """Its times without the zone: ``mon-fri 08:00-19:00``."""
        return self._times() + self._bounds()

    def when_in(self, zone: str) -> str:
        """Its times with the zone: ``mon-fri 08:00-19:00 Europe/Zurich, not on holidays``."""
        return f"{self._times()} {zone}{self._bounds()}"

    def _bounds(self) -> str:
        text = ""
        if self.first_date:
            text += f" from {self.first_date}"
        if self.last_date:
            text += f" until {self.last_date}"
        if self.on_holidays != "keep":
            text += ", not on holidays" if self.on_holidays == "skip" else ", on holidays only"
        return text

    def _times(self) -> str:
        if self.cron is not None:
            return f'cron "{self.cron}" for {self.for_s} s'
        runs: list[list[Weekday]] = []
        for day in self.days:
            if runs and WEEK.index(runs[-1][-1]) + 1 == WEEK.index(day):
                runs[-1].append(day)
            else:
                runs.append([day])
        words = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(run) for run in runs]
        return f"{'daily' if len(self.days) == 7 else ','.join(words)} {self.start}-{self.end}"

    def recurring(self, zone: ZoneInfo, days_off: DaysOff | None) -> Recurring:
        """Its occurrences in this zone."""
        first = self.first_date.toordinal() if self.first_date else date.min.toordinal()
        last = self.last_date.toordinal() if self.last_date else date.max.toordinal() - 2
        allowed = self._rule(first, last, days_off)
        if self.cron is not None:
            assert self.for_s is not None
            return CronWindow(self.cron, self.for_s, zone, allowed, first, last)
        return DayWindow(zone, _minutes(self.start), _minutes(self.end), allowed, first, last)

    def _rule(self, first: int, last: int, days_off: DaysOff | None) -> DayRule:
        """Whether an occurrence may begin on a day; a cron line says its weekdays itself."""
        weekdays = tuple(day in self.days for day in WEEK)
        excepted = frozenset(day.toordinal() for day in self.except_dates)
        wanted = {"keep": None, "skip": False, "only": True}[self.on_holidays]

        def allowed(day: int) -> bool:
            if not weekdays[(day + 6) % 7] or not first <= day <= last or day in excepted:
                return False
            return wanted is None or days_off is None or (day in days_off) is wanted

        return allowed


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
