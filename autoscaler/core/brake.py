"""The fleet brake: when over half of the fleet's demand vanishes in one tick, doubt the data first."""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.core.fleet import Fleet, Service
from autoscaler.core.memory import HOUR_S, Memory
from autoscaler.core.need import Voice

SERVICES_MIN = 3
"""With fewer services that had demand, a fall to zero is ordinary life."""


def brakes(
    memory: Memory, fleet: Fleet, voices: Mapping[str, tuple[Voice, ...]], at: float
) -> Mapping[str, float]:
    """Services that the brake holds, and until when.

    Those already held stay so until a sample above zero, ``resume`` (folded into memory) or an hour. New:
    over half of the services that had demand one tick ago, at least three, fell to a known zero at once;
    services under a ceiling or override of zero do not count.
    """
    held: dict[str, float] = {}
    had: list[str] = []
    fell: list[str] = []
    for name in fleet.services:
        known = memory.services[name]
        if known.brake_until is None and not known.had_demand:
            continue
        demand = demand_of(voices[name])
        if (
            known.brake_until is not None
            and at < known.brake_until
            and not (demand is not None and demand > 0)
        ):
            held[name] = known.brake_until
        if known.had_demand and not _is_shut(fleet.services[name], memory, voices[name]):
            had.append(name)
            if demand == 0.0:
                fell.append(name)
    if len(had) >= SERVICES_MIN and 2 * len(fell) > len(had):
        for name in fell:
            held.setdefault(name, at + HOUR_S)
    return held


def demand_of(voices: tuple[Voice, ...]) -> float | None:
    """Demand as the policies know it; None while any of them is blind."""
    demand: float | None = None
    for voice in voices:
        if voice.proposal.blind:
            return None
        known = voice.proposal.demand if voice.proposal.demand is not None else voice.proposal.want
        if known is not None and (demand is None or known > demand):
            demand = known
    return demand


def _is_shut(service: Service, memory: Memory, voices: tuple[Voice, ...]) -> bool:
    """Under a ceiling or override of zero: its demand falls because we let it."""
    shut = [voice.proposal.deployment for voice in voices if voice.proposal.at_most == 0]
    shut += [o.deployment for o in memory.human.overrides if o.service == service.name and o.at_most == 0]
    return bool(shut) and (None in shut or all(d.name in shut for d in service.deployments))
