"""The same facts and the same past at another time: for what only the calendar would change.

Every instant moves by the same number of seconds, so that ages, waits and deadlines stay what they are. What
a policy has learned for itself is left alone: instants in it are the calendar's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autoscaler.core.memory import DeploymentMemory, Memory, ServiceMemory
from autoscaler.core.model import Human, Price, Reading, Sample, Snapshot


def moved_snapshot(snapshot: Snapshot, by_s: float) -> Snapshot:
    """The snapshot as if it were taken so much later."""
    return replace(
        snapshot,
        at=_at(snapshot.at, by_s),
        signals={
            service: {name: _reading(one, by_s) for name, one in named.items()}
            for service, named in snapshot.signals.items()
        },
        prices=_prices(snapshot.prices, by_s),
        human=None if snapshot.human is None else _human(snapshot.human, by_s),
    )


def moved_memory(memory: Memory, by_s: float) -> Memory:
    """The memory as if all of it had been so much later."""
    return replace(
        memory,
        at=_instant(memory.at, by_s),
        services={name: _service(one, by_s) for name, one in memory.services.items()},
        deployments={key: _deployment(one, by_s) for key, one in memory.deployments.items()},
        human=_human(memory.human, by_s),
        prices=_prices(memory.prices, by_s),
        writes_limited_until={name: _at(until, by_s) for name, until in memory.writes_limited_until.items()},
    )


def _at(at: float, by_s: float) -> float:
    return round(at + by_s, 3)  # Instants are whole milliseconds.


def _instant(at: float | None, by_s: float) -> float | None:
    return None if at is None else _at(at, by_s)


def _reading(reading: Reading, by_s: float) -> Reading:
    return replace(reading, at=_at(reading.at, by_s)) if isinstance(reading, Sample) else reading


def _prices(prices: Mapping[str, Price], by_s: float) -> Mapping[str, Price]:
    return {key: replace(one, at=_at(one.at, by_s)) for key, one in prices.items()}


def _human(human: Human, by_s: float) -> Human:
    return replace(
        human,
        pauses=tuple(replace(one, until=_instant(one.until, by_s)) for one in human.pauses),
        overrides=tuple(replace(one, until=_instant(one.until, by_s)) for one in human.overrides),
    )


def _service(was: ServiceMemory, by_s: float) -> ServiceMemory:
    return replace(
        was,
        watching_since=_at(was.watching_since, by_s),
        wants=tuple((_at(at, by_s), want) for at, want in was.wants),
        demand_seen_at=_instant(was.demand_seen_at, by_s),
        blind_since=_instant(was.blind_since, by_s),
        brake_until=_instant(was.brake_until, by_s),
        clock_hold_until=_instant(was.clock_hold_until, by_s),
        history={
            name: tuple(replace(one, at=_at(one.at, by_s)) for one in samples)
            for name, samples in was.history.items()
        },
    )


def _deployment(was: DeploymentMemory, by_s: float) -> DeploymentMemory:
    backoff, measuring = was.backoff, was.measuring
    return replace(
        was,
        watching_since=_at(was.watching_since, by_s),
        last_at=_at(was.last_at, by_s),
        intents=tuple(
            replace(one, at=_at(one.at, by_s), deadline=_at(one.deadline, by_s)) for one in was.intents
        ),
        changes=tuple((_at(at, by_s), by) for at, by in was.changes),
        last_change_at=_instant(was.last_change_at, by_s),
        batches=tuple(replace(one, deadline=_at(one.deadline, by_s)) for one in was.batches),
        scaling_since=_instant(was.scaling_since, by_s),
        measuring=None if measuring is None else (_at(measuring[0], by_s), measuring[1]),
        backoff=None if backoff is None else replace(backoff, until=_at(backoff.until, by_s)),
        drift_until=_instant(was.drift_until, by_s),
        drifts=tuple(_at(at, by_s) for at in was.drifts),
        left_alone_until=_instant(was.left_alone_until, by_s),
    )
