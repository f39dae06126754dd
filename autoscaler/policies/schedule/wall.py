"""Between wall clocks and instants. Nothing else here does arithmetic on local times.

Instants are whole seconds since the Unix epoch. Days are proleptic ordinals, as ``date.toordinal`` counts.
A wall time is a day and minutes from its midnight; 1440 is the midnight at its end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

DAY_S: Final = 86_400
DAY_MIN: Final = 1_440
KEPT: Final = 4_096
"""Answers of a kind that are kept: hundreds of services ask about the same hours of the same days."""

_CHANGES_APART_S: Final = 7 * DAY_S  # less than any two changes are apart that undo each other
_EPOCH_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_NOT_PLACES: Final = ("posix/", "right/")
_OF_THIS_MACHINE: Final = ("localtime", "posixrules", "Factory")


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises: ValueError that names what was probably meant."""
    if name and not name.startswith(_NOT_PLACES) and name not in _OF_THIS_MACHINE:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # a KeyError for most, others for what looks like a path
            pass
    raise ValueError(f"unknown time zone; {_meant(name)}")


def _meant(name: str) -> str:
    known = {zone for zone in available_timezones() if zone not in _OF_THIS_MACHINE}
    by_lower = {zone.lower(): zone for zone in known}
    by_city = {zone.lower().rsplit("/", 1)[-1]: zone for zone in sorted(known, reverse=True)}
    word = name.strip().lower().replace(" ", "_")
    found = [by_lower[near] for near in get_close_matches(word, by_lower, n=1, cutoff=0.7)]
    found += [by_city[near] for near in get_close_matches(word.rsplit("/", 1)[-1], by_city, n=1, cutoff=0.75)]
    if not found:
        return "allowed is an IANA name such as Europe/Zurich"
    return f"did you mean {' or '.join(dict.fromkeys(found))}?"


def _offset_s(local: datetime) -> int:
    offset = local.utcoffset()
    assert offset is not None, "every zone of the database has an offset at any time"
    return int(offset.total_seconds())


def offset_s(at: int, zone: ZoneInfo) -> int:
    """Seconds by which the zone is ahead of UTC at this instant."""
    return _offset_s(datetime.fromtimestamp(at, zone))


def local(at: int, zone: ZoneInfo) -> datetime:
    """The wall clock at this instant."""
    return datetime.fromtimestamp(at, zone)


@lru_cache(maxsize=KEPT)
def day_of(at: int, zone: ZoneInfo) -> int:
    """The local date of this instant, as an ordinal."""
    return datetime.fromtimestamp(at, zone).toordinal()


def _both(day: int, minute: int, zone: ZoneInfo) -> tuple[int, int, int]:
    """The wall time as if it were UTC, and the offsets that hold before and after a change on it."""
    extra, minute = divmod(minute, DAY_MIN)
    wall = datetime.fromordinal(day + extra).replace(hour=minute // 60, minute=minute % 60, tzinfo=zone)
    before_s = _offset_s(wall)
    after_s = _offset_s(wall.replace(fold=1))
    return (day + extra - _EPOCH_DAY) * DAY_S + minute * 60, before_s, after_s


@lru_cache(maxsize=KEPT)
def first_instant(day: int, minute: int, zone: ZoneInfo) -> int:
    """When clocks first show this wall time; if they skip it, the first instant after what they skip."""
    wall_s, before_s, after_s = _both(day, minute, zone)
    if after_s > before_s:
        return change_between(wall_s - after_s, wall_s - before_s, zone)
    return wall_s - before_s


@lru_cache(maxsize=KEPT)
def last_instant(day: int, minute: int, zone: ZoneInfo) -> int:
    """When clocks last show this wall time; if they skip it, the first instant after what they skip."""
    wall_s, before_s, after_s = _both(day, minute, zone)
    if after_s > before_s:
        return change_between(wall_s - after_s, wall_s - before_s, zone)
    return wall_s - after_s


def change_between(before: int, after: int, zone: ZoneInfo) -> int:
    """The first instant with the offset of ``after``, where one change lies in ``(before, after]``."""
    new_s = offset_s(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if offset_s(middle, zone) == new_s:
            after = middle
        else:
            before = middle
    return after


def first_change(after: int, until: int, zone: ZoneInfo) -> int | None:
    """The first change of clocks in ``(after, until]``, if any."""
    while after < until:
        step = min(after + _CHANGES_APART_S, until)
        if offset_s(step, zone) != offset_s(after, zone):
            return change_between(after, step, zone)
        after = step
    return None


def last_change(after: int, until: int, zone: ZoneInfo) -> int | None:
    """The change of clocks in ``(after, until]``, a day or so in which there is one at most."""
    return change_between(after, until, zone) if offset_s(after, zone) != offset_s(until, zone) else None


def utc(at: int) -> datetime:
    """The instant as an aware datetime, safe to add to."""
    return datetime.fromtimestamp(at, UTC)


def offset_text(at: int, zone: ZoneInfo) -> str:
    """``+01:00``, and ``+10:30`` where it is."""
    ahead = timedelta(seconds=offset_s(at, zone))
    sign = "-" if ahead < timedelta(0) else "+"
    minutes = int(abs(ahead).total_seconds()) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
