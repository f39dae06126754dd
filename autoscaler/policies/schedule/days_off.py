"""Which dates are holidays: by a country's law, by a calendar file, or both."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from autoscaler.policies.files import TextFile

EVENTS_MAX: Final = 1_000
REPEATING_MAX: Final = 100
YEARS_KEPT_MAX: Final = 16
_SLOW_ENOUGH: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS: Final = frozenset(
    ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS")
)
_LEAP_YEAR: Final = 2024
_NTH_MAX: Final = 5
REPEATS_SINCE: Final = 2000
"""Series are followed from their beginning on, at every new year."""
_WITHIN_A_DAY: Final = ("BYHOUR", "BYMINUTE", "BYSECOND")
_SAMPLE_YEAR: Final = 2026

DatesOf = Callable[[int], frozenset[date]]


class Holidays(BaseModel):
    """The dates that ``on_holidays`` of windows speaks of; a date is one if either source says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: Annotated[str, Field(min_length=2, max_length=16)] | None = None
    subdivision: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    calendar_file: TextFile | None = None

    @field_validator("country")
    @classmethod
    def _known_country(cls, country: str | None) -> str | None:
        if country is not None and _installed("holidays"):
            import holidays

            known = holidays.list_supported_countries(include_aliases=True)
            if country not in known:
                raise ValueError(
                    f"unknown country; {_meant(country.upper(), known)} (two letters of ISO 3166, such as CH)"
                )
        return country

    @field_validator("calendar_file")
    @classmethod
    def _readable(cls, file: TextFile | None) -> TextFile | None:
        if file is not None and _installed("icalendar", "recurring_ical_events"):
            _calendar_of(file.text)
        return file

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.subdivision is not None and self.country is None:
            raise ValueError("subdivision needs a country; allowed is country as well")
        if self.country is None and self.calendar_file is None:
            raise ValueError("says nothing; allowed is country or calendar_file or both")
        if self.subdivision is None or self.country is None:
            return self
        if _installed("holidays"):
            import holidays

            known = holidays.list_supported_countries(include_aliases=True)[self.country]
            if self.subdivision not in known:
                what = _meant(self.subdivision, known) if known else "the country has none"
                raise ValueError(f"unknown subdivision {self.subdivision} of {self.country}; {what}")
        return self

    def lacks(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Keys that cannot work here and why: optional libraries that are not installed."""
        found = []
        if self.country is not None and not _installed("holidays"):
            found.append((("country",), _not_installed("holidays")))
        if self.calendar_file is not None and not _installed("icalendar", "recurring_ical_events"):
            found.append((("calendar_file",), _not_installed("icalendar")))
        return tuple(found)

    def days_off(self, zone: ZoneInfo) -> DaysOff:
        """The dates, with times of events seen in this zone."""
        sources: list[DatesOf] = []
        if self.country is not None:
            sources.append(_by_law(self.country, self.subdivision))
        if self.calendar_file is not None:
            sources.append(_by_calendar(self.calendar_file.text, zone))
        return DaysOff(tuple(sources))


class DaysOff:
    """A set of dates that is worked out a year at a time, when first asked."""

    def __init__(self, sources: tuple[DatesOf, ...]) -> None:
        self._sources = sources
        self._years: dict[int, frozenset[int]] = {}

    def __contains__(self, day: object) -> bool:
        """Whether the day (an ordinal) is a holiday."""
        assert isinstance(day, int)
        year = date.fromordinal(day).year
        known = self._years.get(year)
        if known is None:
            if len(self._years) >= YEARS_KEPT_MAX:
                self._years.clear()
            found = frozenset[date]().union(*(source(year) for source in self._sources))
            known = self._years[year] = frozenset(one.toordinal() for one in found)
        return day in known


def _installed(*modules: str) -> bool:
    return all(find_spec(module) is not None for module in modules)


def _not_installed(extra: str) -> str:
    return f"needs a library that is not installed; allowed after pip install 'autoscaler[{extra}]'"


def _meant(word: str, known: Any) -> str:
    near = get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {' '.join(sorted(known)[:30])}"


# --- by law -------------------------------------------------------------------------------------


def _by_law(country: str, subdivision: str | None) -> DatesOf:
    def dates(year: int) -> frozenset[date]:
        import holidays

        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))

    if _installed("holidays"):
        dates(_SAMPLE_YEAR)  # The first call loads the country's rules: now, rather than in a tick.
    return dates


# --- by a calendar file -------------------------------------------------------------------------


def _calendar_of(text: str) -> Any:
    """The calendar of an iCalendar text. Raises: ValueError, saying what is wrong with it."""
    import icalendar

    try:
        calendar = icalendar.Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"is not an iCalendar file: {_brief(error)}") from None
    assert not isinstance(calendar, list)
    events = calendar.walk("VEVENT")
    if not events:
        raise ValueError("has no events; allowed is an iCalendar file with VEVENTs")
    if len(events) > EVENTS_MAX:
        raise ValueError(f"has {len(events)} events; allowed are {EVENTS_MAX}")
    for event in events:
        _check_event(event)
    repeating = sum("RRULE" in event or "RDATE" in event for event in events)
    if repeating > REPEATING_MAX:
        raise ValueError(f"has {repeating} events that repeat; allowed are {REPEATING_MAX}")
    try:
        list(_dates_of(calendar, _SAMPLE_YEAR, ZoneInfo("UTC")))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"cannot be read as a calendar: {_brief(error)}") from None
    return calendar


def _check_event(event: Any) -> None:
    name = str(event.get("SUMMARY", "without a summary"))[:60]
    if event.errors or "DTSTART" not in event:
        what = event.errors[0] if event.errors else ("DTSTART", "is missing")
        raise ValueError(f"event {name!r}: {what[0]}: {what[1]}")
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        frequency = "".join(str(word) for word in rule.get("FREQ", [])).upper()
        if frequency not in _SLOW_ENOUGH or any(part in rule for part in _WITHIN_A_DAY):
            raise ValueError(f"event {name!r} repeats within a day; allowed is DAILY or rarer")
        _check_rule(name, frequency, rule)
    if rules and _date(event["DTSTART"].dt).year < REPEATS_SINCE:
        raise ValueError(f"event {name!r} repeats since before {REPEATS_SINCE}; begin the series later")


def _check_rule(name: str, frequency: str, rule: Mapping[str, Sequence[Any]]) -> None:
    """A rule that is never met is looked for till the end of all calendars. Raises: ValueError."""
    odd = sorted(str(part) for part in rule if str(part).upper() not in _PARTS)
    if odd:
        raise ValueError(f"event {name!r}: RRULE has {odd[0]}; allowed are {' '.join(sorted(_PARTS))}")
    if any(int(each) < 1 for each in rule.get("INTERVAL", ())):
        raise ValueError(f"event {name!r}: INTERVAL must be at least 1")
    if any(not 1 <= abs(int(each)) <= _NTH_MAX for each in rule.get("BYSETPOS", ())):
        raise ValueError(f"event {name!r}: BYSETPOS must be 1 to {_NTH_MAX}, or -1 to -{_NTH_MAX}")
    months = [int(each) for each in rule.get("BYMONTH", ())] or range(1, 13)
    longest = max((monthrange(_LEAP_YEAR, month)[1] for month in months if 1 <= month <= 12), default=0)
    days = [abs(int(each)) for each in rule.get("BYMONTHDAY", (1,))]
    if not any(1 <= day <= longest for day in days):
        raise ValueError(f"event {name!r}: no month that it names has such a day")
    if frequency == "DAILY" and "BYMONTHDAY" in rule:
        raise ValueError(f"event {name!r}: BYMONTHDAY goes with MONTHLY or YEARLY")


def _by_calendar(text: str, zone: ZoneInfo) -> DatesOf:
    calendar: Any = None

    def dates(year: int) -> frozenset[date]:
        nonlocal calendar
        if calendar is None:
            calendar = _calendar_of(text)
        return frozenset(_dates_of(calendar, year, zone))

    return dates


def _dates_of(calendar: Any, year: int, zone: ZoneInfo) -> Iterator[date]:
    """Every date of the year that an event touches, but cancelled ones."""
    import recurring_ical_events

    first, last = date(year, 1, 1), date(year, 12, 31)
    # A day more on each side: an event's own zone may be a day away from ours.
    found = recurring_ical_events.of(calendar).between(first - timedelta(days=1), last + timedelta(days=2))
    for event in found:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        start, end = _local(event.start, zone), _local(event.end, zone)
        # The end of an all-day event is the first day after it; that of a timed one is not part of it.
        least = timedelta(microseconds=1) if isinstance(end, datetime) else timedelta(days=1)
        day, until = _date(start), _date(end - least)
        for ordinal in range(max(day, first).toordinal(), min(max(day, until), last).toordinal() + 1):
            yield date.fromordinal(ordinal)


def _local(when: date | datetime, zone: ZoneInfo) -> date | datetime:
    if isinstance(when, datetime) and when.tzinfo is not None:
        return when.astimezone(zone).replace(tzinfo=None)
    return when


def _date(when: date | datetime) -> date:
    return when.date() if isinstance(when, datetime) else when


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:160]
