"""Facts into memory: what a snapshot changes in what we know, before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from autoscaler.core.drift import judge_range
from autoscaler.core.fleet import Deployment, Fleet, Service
from autoscaler.core.memory import (
    DAY_S,
    HOUR_S,
    SAMPLES_MAX,
    Backoff,
    Batch,
    DeploymentMemory,
    Intent,
    Memory,
    ServiceMemory,
)
from autoscaler.core.model import (
    ErrorKind,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Phase,
    Price,
    ReplicaRange,
    Sample,
    Snapshot,
)
from autoscaler.core.money import is_price
from autoscaler.core.start_up import asked, deadline_s

NO_CAPACITY_FIRST_S = 300.0
WRITES_FAIL_FIRST_S = 60.0
GAP_MIN_S = 120.0
HISTORY_MAX = 512  # samples of one signal, whatever the policies ask for

_UNTIL_CONFIG_CHANGES = frozenset({ErrorKind.REJECTED, ErrorKind.UNAUTHORIZED, ErrorKind.NOT_FOUND})
_NOT_EXECUTED = _UNTIL_CONFIG_CHANGES | {ErrorKind.NO_CAPACITY, ErrorKind.BUSY, ErrorKind.RATE_LIMITED}


def absorb(memory: Memory, snapshot: Snapshot, fleet: Fleet) -> Memory:
    """Memory that knows the facts of this snapshot; no opinion is formed here."""
    at = snapshot.at
    gap = (
        memory.at is None
        or at - memory.at > max(4.0 * fleet.interval_s, GAP_MIN_S)
        or snapshot.clock == "ahead"
    )
    human = _human(memory.human, snapshot)
    resumed = frozenset(human.resumes)
    config_changed = memory.config_hash != fleet.config_hash
    outcomes = _by_key(snapshot.outcomes)
    services: dict[str, ServiceMemory] = {}
    deployments: dict[str, DeploymentMemory] = {}
    for name, service in fleet.services.items():
        is_resumed = name in resumed or None in resumed
        services[name] = _service(memory.services.get(name), service, snapshot, gap, is_resumed)
        for deployment in service.deployments:
            key = deployment.key
            was = memory.deployments.get(key)
            if was is not None:
                if outcomes is not None:
                    has_others = len(service.deployments) > 1
                    was = _outcome(was, outcomes.get(key), memory.at, at, has_others)
                if config_changed and was.backoff and was.backoff.kind in _UNTIL_CONFIG_CHANGES:
                    was = replace(was, backoff=None)
                if is_resumed:
                    was = replace(
                        was, left_alone_until=None, drift_until=None, drifts=(), read_back=_seen(was)
                    )
            observation = snapshot.deployments.get(key)
            if observation is None or observation.replicas is None:
                if was is not None:
                    deployments[key] = _resumes_unread(was, at) if gap else was
                continue
            deployments[key] = _deployment(was, observation, deployment, service, fleet, at, gap)
    return Memory(
        at=at,
        config_hash=fleet.config_hash,
        services=services,
        deployments=deployments,
        human=Human(human.pauses, human.overrides) if human.resumes else human,
        prices=_prices(memory, snapshot, fleet) if snapshot.prices or config_changed else memory.prices,
        writes_limited_until=_write_limits(memory, snapshot, fleet),
    )


def count_of(observation: Observation, control: str) -> int:
    """What is there, as one count: the exact one, a range's minimum under ``floor``, else what runs in it.

    Raises: ValueError when nothing was observed.
    """
    replicas = observation.replicas
    if replicas is None:
        raise ValueError("an observation without a range has no count")
    if control == "floor" or replicas.is_exact:
        return replicas.minimum
    if observation.ready is None:
        return replicas.maximum
    running = observation.ready + (observation.starting or 0)
    return min(max(running, replicas.minimum), replicas.maximum)


def _resumes_unread(was: DeploymentMemory, at: float) -> DeploymentMemory:
    """Downtime has no records, whether or not the first read after it succeeds."""
    return replace(was, watching_since=at, set_when_resumed=was.replicas_set)


def _prices(memory: Memory, snapshot: Snapshot, fleet: Fleet) -> Mapping[str, Price]:
    """Last known prices, of providers that the configuration names: others' would be kept for ever."""
    named = {d.provider for service in fleet.services.values() for d in service.deployments}
    named.update(key.partition("/")[0] for key in fleet.fixed_prices)
    fresh = {key: price for key, price in snapshot.prices.items() if is_price(price.usd_per_gpu_hour)}
    known = {**memory.prices, **fresh}
    return {key: price for key, price in known.items() if key.partition("/")[0] in named}


def _seen(memory: DeploymentMemory) -> ReplicaRange:
    return memory.last.replicas or memory.read_back


def _human(known: Human, snapshot: Snapshot) -> Human:
    human = snapshot.human if snapshot.human is not None else known
    if not human.pauses and not human.overrides:
        return human
    at = snapshot.at
    return Human(
        tuple(p for p in human.pauses if p.until is None or p.until > at),
        tuple(o for o in human.overrides if o.until is None or o.until > at),
        human.resumes,
    )


def _by_key(outcomes: tuple[Outcome, ...] | None) -> Mapping[str, Outcome] | None:
    if outcomes is None:
        return None
    return {f"{outcome.service}/{outcome.deployment}": outcome for outcome in outcomes}


def _write_limits(memory: Memory, snapshot: Snapshot, fleet: Fleet) -> Mapping[str, float]:
    limits = {p: until for p, until in memory.writes_limited_until.items() if until > snapshot.at}
    for outcome in snapshot.outcomes or ():
        if outcome.error is not ErrorKind.RATE_LIMITED or outcome.service not in fleet.services:
            continue
        for deployment in fleet.services[outcome.service].deployments:
            if deployment.name == outcome.deployment:
                wait_s = outcome.retry_after_s if outcome.retry_after_s is not None else fleet.interval_s
                until = snapshot.at + wait_s
                limits[deployment.provider] = max(until, limits.get(deployment.provider, until))
    return limits


# --- a service ----------------------------------------------------------------------------------


def _service(
    was: ServiceMemory | None, service: Service, snapshot: Snapshot, gap: bool, resumed: bool
) -> ServiceMemory:
    at = snapshot.at
    if was is None:
        was = ServiceMemory(watching_since=at)
    elif gap:
        was = replace(was, watching_since=at)
    if resumed:
        was = replace(was, brake_until=None)
    if snapshot.clock == "back":
        was = replace(was, clock_hold_until=at + service.stabilise_down_s)
    if service.history_s <= 0.0:
        return was
    # Written out: this is done for every service at every tick, and takes a third of ``replace``.
    return ServiceMemory(
        was.watching_since,
        was.wants,
        was.demand_seen_at,
        was.blind_since,
        was.need,
        was.kept,
        was.had_demand,
        was.brake_until,
        was.clock_hold_until,
        _history(was.history, service, snapshot, service.history_s),
        was.policies,
    )


def _history(
    known: Mapping[str, tuple[Sample, ...]], service: Service, snapshot: Snapshot, history_s: float
) -> Mapping[str, tuple[Sample, ...]]:
    readings = snapshot.signals.get(service.name, {})
    oldest = snapshot.at - history_s
    kept: dict[str, tuple[Sample, ...]] = {}
    for name in service.signals:
        samples = known.get(name, ())
        start = 0
        while start < len(samples) and samples[start].at < oldest:
            start += 1
        samples = samples[start:]
        reading = readings.get(name)
        last_at = samples[-1].at if samples else -inf
        if (
            isinstance(reading, Sample)
            and reading.is_usable
            and reading.at >= oldest
            and reading.at > last_at
        ):
            samples = (*samples, reading)
        if samples:
            kept[name] = samples[-HISTORY_MAX:]
    return kept


# --- a deployment -------------------------------------------------------------------------------


def _outcome(
    was: DeploymentMemory, outcome: Outcome | None, planned_at: float | None, at: float, has_others: bool
) -> DeploymentMemory:
    newest = was.intents[-1] if was.intents else None
    if outcome is None:
        # Outcomes are known and ours is not among them: the last plan's write was never sent.
        if newest is not None and newest.accepted is None and newest.at == planned_at:
            return _withdraw(was, newest)
        return was
    if outcome.outcome is OutcomeWord.ACCEPTED:
        if was.backoff is not None and was.backoff.kind is ErrorKind.UNAVAILABLE:
            was = replace(was, backoff=None)
        if newest is None:
            return was
        return replace(was, intents=(*was.intents[:-1], replace(newest, accepted=True)))
    if outcome.outcome is OutcomeWord.STALE:
        return _withdraw(was, newest) if newest is not None else was
    if outcome.error in _NOT_EXECUTED or outcome.outcome is OutcomeWord.REJECTED:
        was = _withdraw(was, newest) if newest is not None else was
    elif has_others:
        return replace(was, backoff=back_off_writes(was.backoff, at))
    return _back_off(was, outcome.error, at)


def _withdraw(was: DeploymentMemory, intent: Intent) -> DeploymentMemory:
    """The write was not executed: it is no intent, no change, and starts no replica."""
    return replace(
        was,
        intents=tuple(i for i in was.intents if i is not intent),
        changes=tuple(c for c in was.changes if c[0] != intent.at),
        batches=tuple(b for b in was.batches if b.count <= was.replicas_set),
        measuring=None if was.measuring and was.measuring[0] == intent.at else was.measuring,
        last_change_at=(
            max((c[0] for c in was.changes if c[0] != intent.at), default=None)
            if was.last_change_at == intent.at
            else was.last_change_at
        ),
    )


def _back_off(was: DeploymentMemory, error: ErrorKind | None, at: float) -> DeploymentMemory:
    if error is ErrorKind.NO_CAPACITY:
        return replace(was, backoff=back_off_increase(was.backoff, at))
    if error in _UNTIL_CONFIG_CHANGES and error is not None:
        return replace(was, backoff=Backoff(error, at + HOUR_S, 1))
    return was


def back_off_increase(known: Backoff | None, at: float) -> Backoff:
    """No increase for 300 s, doubling to an hour while it goes on."""
    repeats = known.repeats + 1 if known and known.kind is ErrorKind.NO_CAPACITY else 1
    wait_s = min(NO_CAPACITY_FIRST_S * 2.0 ** min(repeats - 1, 12), HOUR_S)
    return Backoff(ErrorKind.NO_CAPACITY, at + wait_s, repeats)


def back_off_writes(known: Backoff | None, at: float) -> Backoff | None:
    """After writes that failed twice in a row: no increase for 60 s, doubling to an hour, while others
    of the service can cover. After the first the next tick is the retry."""
    if known is not None and known.kind is not ErrorKind.UNAVAILABLE and at < known.until:
        return known
    repeats = known.repeats + 1 if known and known.kind is ErrorKind.UNAVAILABLE else 1
    wait_s = min(WRITES_FAIL_FIRST_S * 2.0 ** min(repeats - 2, 12), HOUR_S) if repeats > 1 else 0.0
    return Backoff(ErrorKind.UNAVAILABLE, at + wait_s, repeats)


def _deployment(
    was: DeploymentMemory | None,
    observation: Observation,
    deployment: Deployment,
    service: Service,
    fleet: Fleet,
    at: float,
    gap: bool,
) -> DeploymentMemory:
    replicas = observation.replicas
    assert replicas is not None
    replicas_set = count_of(observation, deployment.control)
    ready, starting, ready_known = _readiness(observation, was, replicas_set)
    filled = _carry(observation, was)
    if was is None:
        now = DeploymentMemory(
            watching_since=at,
            set_when_resumed=replicas_set,
            last=filled,
            last_at=at,
            replicas_set=replicas_set,
            ready=ready,
            starting=starting,
            ready_known=ready_known,
            read_back=replicas,
        )
    else:
        judged = judge_range(was, replicas, at, service.drift_hold_s)
        moved = judged.drift_until is not None and judged.drift_until != was.drift_until
        now = DeploymentMemory(
            watching_since=at if gap else was.watching_since,
            set_when_resumed=replicas_set if gap else was.set_when_resumed,
            last=filled,
            last_at=at,
            replicas_set=replicas_set,
            ready=ready,
            starting=starting,
            read_back=judged.read_back,
            ready_known=ready_known,
            intents=judged.intents,
            changes=_recent(was.changes, at, service),
            last_change_at=was.last_change_at,
            batches=was.batches,
            reasserts=was.reasserts,
            scaling_since=was.scaling_since,
            start_ups_s=was.start_ups_s,
            measuring=None if moved else was.measuring,
            backoff=was.backoff,
            drift_until=judged.drift_until,
            drifts=judged.drifts,
            left_alone_until=judged.left_alone_until,
        )
    return _expect(now, deployment, fleet.interval_s, at)


def _readiness(
    observation: Observation, was: DeploymentMemory | None, replicas_set: int
) -> tuple[int, int, bool]:
    """Replicas ready and starting, and whether ready is known or carried on."""
    known = observation.ready is not None
    if observation.ready is not None:
        ready = observation.ready
    elif observation.phase is Phase.FAILED or observation.phase is Phase.STOPPED:
        ready = 0
    elif was is not None:
        ready = min(was.ready, replicas_set)
    else:
        # At rest by the vendor's own word; else nothing is known to serve.
        ready = replicas_set if observation.phase is Phase.READY else 0
    starting = observation.starting
    if starting is None:
        starting = max(0, replicas_set - ready)
    return ready, starting, known


def _carry(observation: Observation, was: DeploymentMemory | None) -> Observation:
    """What a reply may leave out and does not change: GPU type and count."""
    if was is None or (observation.gpu_type is not None and observation.gpus_per_replica is not None):
        return observation
    return replace(
        observation,
        gpu_type=observation.gpu_type if observation.gpu_type is not None else was.last.gpu_type,
        gpus_per_replica=(
            observation.gpus_per_replica
            if observation.gpus_per_replica is not None
            else was.last.gpus_per_replica
        ),
        instance_type=(
            observation.instance_type if observation.instance_type is not None else was.last.instance_type
        ),
    )


def _recent(
    changes: tuple[tuple[float, int], ...], at: float, service: Service
) -> tuple[tuple[float, int], ...]:
    if not changes or changes[0][0] > at - service.step_period_s:
        return changes
    return tuple(change for change in changes if change[0] > at - service.step_period_s)


def _expect(now: DeploymentMemory, deployment: Deployment, interval_s: float, at: float) -> DeploymentMemory:
    """Deadlines of what starts, and the start-up time of what has started."""
    changing = now.last.phase in (Phase.SCALING, Phase.STARTING) or now.last.busy
    target = asked(now)
    if not (
        changing
        or target > now.ready
        or now.batches
        or now.measuring
        or (now.drifts and now.drifts[0] <= at - DAY_S)
        or now.reasserts
        or now.scaling_since is not None
    ):
        return now  # At rest: nothing is expected of it.
    batches = tuple(
        Batch(min(batch.count, target), batch.deadline) for batch in now.batches if batch.count > now.ready
    )
    if target > now.ready and not any(batch.count >= target for batch in batches):
        batches = (*batches, Batch(target, at + deadline_s(deployment, now, interval_s)))
    start_ups_s, measuring, backoff = now.start_ups_s, now.measuring, now.backoff
    if measuring is not None and now.ready_known and now.ready >= measuring[1]:
        start_ups_s = (*start_ups_s, round(at - measuring[0], 3))[-SAMPLES_MAX:]
        measuring = None
        if backoff is not None and backoff.kind is ErrorKind.NO_CAPACITY and backoff.until <= at:
            backoff = None
    return replace(
        now,
        batches=batches,
        reasserts=now.reasserts if batches else 0,
        start_ups_s=start_ups_s,
        measuring=measuring,
        backoff=backoff,
        scaling_since=(now.scaling_since if now.scaling_since is not None else at) if changing else None,
        drifts=tuple(start for start in now.drifts if start > at - DAY_S) if now.drifts else (),
    )
