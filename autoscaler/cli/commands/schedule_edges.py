"""The next edges of each schedule: what ``check`` shows so that a person can see that they are right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.say import answer
from autoscaler.core.codec import instant_text
from autoscaler.core.fleet import Fleet, Service
from autoscaler.policies.schedule import Edge, Schedule

EDGES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Calendar:
    """One schedule as some services follow it."""

    policy: str
    schedule: Schedule
    lead_s: float  # by which floors open early that wait for what is learned
    services: tuple[str, ...]


def calendars_of(fleet: Fleet) -> tuple[Calendar, ...]:
    """Each schedule once, however many services follow it in the same way."""
    found: dict[tuple[str, str, float], list[str]] = {}
    schedules: dict[tuple[str, str, float], Schedule] = {}
    for service in fleet.services.values():
        for named in service.policies:
            if isinstance(named.policy, Schedule):
                key = (named.name, named.policy.model_dump_json(), _lead_s(service, named.policy))
                found.setdefault(key, []).append(service.name)
                schedules[key] = named.policy
    return tuple(Calendar(key[0], schedules[key], key[2], tuple(services)) for key, services in found.items())


def _lead_s(service: Service, schedule: Schedule) -> float:
    """What is not learned yet is as configured; the slowest deployment counts."""
    if not schedule.learns_lead:
        return 0.0
    return max((one.start_up_s for one in service.deployments), default=0.0)


def edges_json(calendar: Calendar, now: float) -> dict[str, Any]:
    """A calendar for programs; ``at_least`` 0 is no floor, ``at_most`` null no ceiling."""
    schedule, lead_s = calendar.schedule, calendar.lead_s
    least, most = schedule.limits_at(now, lead_s)
    return {
        "policy": calendar.policy,
        "services": list(calendar.services),
        "time_zone": schedule.time_zone,
        "lead_s": lead_s,
        "now": {"at": instant_text(now), "at_least": least, "at_most": most},
        "edges": [
            {
                "at": instant_text(edge.at),
                "local": _local(edge.at, schedule).isoformat(),
                "at_least": edge.at_least,
                "at_most": edge.at_most,
                "opens": list(edge.opens),
                "closes": list(edge.closes),
            }
            for edge in schedule.edges(now, EDGES_SHOWN, lead_s)
        ],
    }


def print_edges(calendar: Calendar, now: float) -> None:
    """A calendar as a table."""
    schedule, lead_s = calendar.schedule, calendar.lead_s
    early = ""
    if lead_s:
        early = f"; floors open {lead_s:g} s early, by start_up_s until more is learned"
    answer(f"{calendar.policy} of {', '.join(calendar.services)}, in {schedule.time_zone}{early}:\n")
    edges = schedule.edges(now, EDGES_SHOWN, lead_s)
    rows = [(*_clocks(now, schedule), _limits(*schedule.limits_at(now, lead_s)), "now")]
    rows += [
        (*_clocks(edge.at, schedule), _limits(edge.at_least, edge.at_most), _what(edge)) for edge in edges
    ]
    tables.show((f"local time, {schedule.time_zone}", "UTC", "from then on", "because"), rows)
    if len(edges) < EDGES_SHOWN:
        answer(f"No further change of {calendar.policy} is in sight.\n")
    if any(window.cron is not None for window in schedule.windows):
        answer(
            f"The cron windows of {calendar.policy} follow APScheduler's CronTrigger as it is: a time that "
            "clocks skip fires late, one that they repeat fires twice, and 0 is Monday.\n"
        )


def _local(at: float, schedule: Schedule) -> datetime:
    return datetime.fromtimestamp(int(at), ZoneInfo(schedule.time_zone))


def _clocks(at: float, schedule: Schedule) -> tuple[str, str]:
    local = _local(at, schedule)
    seconds = ":%S" if int(at) % 60 else ""
    here = local.strftime(f"%a %Y-%m-%d %H:%M{seconds}").lower()
    offset = local.strftime("%z")
    utc = datetime.fromtimestamp(int(at), UTC).strftime(f"%Y-%m-%d %H:%M{seconds}")
    return f"{here} {offset[:3]}:{offset[3:5]}", utc


def _limits(at_least: int, at_most: int | None) -> str:
    if at_least == at_most:
        return f"exactly {at_least}"
    words = [f"at least {at_least}"] if at_least else []
    if at_most is not None:
        words.append(f"at most {at_most}")
    return ", ".join(words) or "no limit"


def _what(edge: Edge) -> str:
    words = [f"{name} opens" for name in edge.opens] + [f"{name} closes" for name in edge.closes]
    return "; ".join(words)
