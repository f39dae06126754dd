"""What each policy sees, and what the policies of one service say."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Final

from autoscaler.core.fleet import Fleet, NamedPolicy, Service
from autoscaler.core.memory import DeploymentMemory, Memory, ServiceMemory
from autoscaler.core.model import Absence, Phase, Reading, Sample, Snapshot
from autoscaler.core.money import ReplicaPrice, replica_price
from autoscaler.core.need import Voice
from autoscaler.core.proposals import DeploymentView, Preference, Proposal, View
from autoscaler.core.start_up import start_up_times_s

PROPOSALS_MAX: Final = 1000
"""More opinions than this from one policy are a defect of it."""

NO_MOVES: Final = Preference(price_max_age_s=-1.0)

_NOTHING: Mapping[str, Reading] = {}
_NO_PREFERENCE = Preference()


def stale_text(age_s: float, max_age_s: float) -> str:
    """How a person reads that a sample is too old."""
    return f"stale: {age_s:.0f} s old, {max_age_s:.0f} s allowed"


def split_readings(
    service: Service, readings: Mapping[str, Reading], at: float
) -> tuple[Mapping[str, Sample], Mapping[str, str]]:
    """Fresh samples, and why the other configured signals are absent. A sample from the future by more
    than its ``max_age_s`` is as useless as an old one."""
    fresh: dict[str, Sample] = {}
    missing: dict[str, str] = {}
    for name, rule in service.signals.items():
        reading = readings.get(name)
        if reading is None:
            missing[name] = "missing"
        elif isinstance(reading, Absence):
            missing[name] = f"{reading.reason}: {reading.detail}" if reading.detail else reading.reason
        elif not reading.is_usable:
            missing[name] = f"not_a_number: {reading.value:g}"
        else:
            age_s = at - reading.at
            if age_s > rule.max_age_s:
                missing[name] = stale_text(age_s, rule.max_age_s)
            elif -age_s > rule.max_age_s:
                missing[name] = f"dated {-age_s:.0f} s in the future"
            else:
                fresh[name] = reading
    return fresh, missing


def view_of(
    service: Service,
    memory: Memory,
    snapshot: Snapshot,
    prices: tuple[ReplicaPrice, ...],
) -> View:
    """The service's slice of the snapshot. Needs memory that has absorbed this snapshot."""
    known = memory.services[service.name]
    fresh, missing = split_readings(service, snapshot.signals.get(service.name, _NOTHING), snapshot.at)
    deployments: list[DeploymentView] = []
    ready: int | None = 0
    p50_s = p90_s = 0.0
    for deployment, price in zip(service.deployments, prices, strict=True):
        was = memory.deployments.get(deployment.key)
        deployments.append(
            DeploymentView(
                name=deployment.name,
                provider=deployment.provider,
                gpu_type=was.last.gpu_type if was else None,
                gpus_per_replica=was.last.gpus_per_replica if was else None,
                capacity_per_replica=deployment.capacity_per_replica,
                replicas_set=was.replicas_set if was else None,
                replicas_ready=was.ready if was else None,
                price_usd_per_gpu_hour=price.usd_per_gpu_hour,
                price_age_s=price.age_s,
            )
        )
        ready = _add_ready(ready, was)
        times_s = start_up_times_s(deployment, was)
        p50_s, p90_s = max(p50_s, times_s[0]), max(p90_s, times_s[1])
    return View(
        service=service.name,
        at=snapshot.at,
        signals=fresh,
        missing=missing,
        exists_at_zero=service.signals_at_zero,
        history=known.history,
        deployments=tuple(deployments),
        replicas_ready=ready,
        start_up_p50_s=p50_s,
        start_up_p90_s=p90_s,
    )


def _add_ready(total: int | None, was: DeploymentMemory | None) -> int | None:
    """Ready replicas so far. Not known: a deployment that was never seen, or one that serves by the
    vendor's word while nobody says with how many."""
    if total is None or was is None:
        return None
    serves = was.replicas_set > 0 and was.last.phase is Phase.READY
    if was.ready == 0 and not was.ready_known and serves:
        return None
    return total + was.ready


def own_views(service: Service, view: View, known: ServiceMemory) -> Mapping[str, View]:
    """The view as each policy sees it, by its name: with its own learned state and measurement."""
    return {named.name: _own_view(named, view, known) for named in service.policies}


def _own_view(named: NamedPolicy, view: View, known: ServiceMemory) -> View:
    try:
        measured = named.policy.measure(view)
    except Exception:  # noqa: BLE001 - another's code; it measures again when asked, and fails there by name
        measured = None
    state = known.policies.get(named.name)
    if not state and measured is None:
        return view
    return View(
        service=view.service,
        at=view.at,
        signals=view.signals,
        missing=view.missing,
        exists_at_zero=view.exists_at_zero,
        history=view.history,
        deployments=view.deployments,
        replicas_ready=view.replicas_ready,
        start_up_p50_s=view.start_up_p50_s,
        start_up_p90_s=view.start_up_p90_s,
        state=state or view.state,
        measured=measured,
    )


def voices_of(service: Service, views: Mapping[str, View]) -> tuple[Voice, ...]:
    """What every policy says of its own view. One that breaks is blind, by name, and hurts no other."""
    voices: list[Voice] = []
    for named in service.policies:
        policy = named.policy
        try:
            proposals = policy.propose(views[named.name])
            _check(proposals)
        except Exception as error:  # noqa: BLE001 - another's code; its failure is one more absence
            proposals = (Proposal(f"policy {named.name} failed: {type(error).__name__}", blind=True),)
        speaks = not policy.demand
        for proposal in proposals:
            voices.append(Voice(named.name, policy.kind, proposal))
            speaks = speaks or proposal.blind or proposal.want is not None
        if not speaks:
            silent = Proposal(f"policy {named.name} said nothing about demand", blind=True)
            voices.append(Voice(named.name, policy.kind, silent))
    return tuple(voices)


def _check(proposals: tuple[Proposal, ...]) -> None:
    """Raises ValueError, TypeError or AttributeError for opinions that are none."""
    if len(proposals) > PROPOSALS_MAX:
        raise ValueError(f"{len(proposals)} proposals; at most {PROPOSALS_MAX} are heard")
    for p in proposals:
        _check_amounts(p.want, p.demand, p.idle_s)
        if p.at_least is not None or p.at_most is not None:
            _check_counts(p.at_least, p.at_most)
        if not isinstance(p.reason, str):
            raise TypeError("a reason is a text")


def _check_amounts(want: float | None, demand: float | None, idle_s: float) -> None:
    if (
        (want is not None and not 0.0 <= want < inf)
        or (demand is not None and not 0.0 <= demand < inf)
        or not 0.0 <= idle_s < inf
    ):
        raise ValueError(f"want {want}, demand {demand} and idle_s {idle_s} must be finite, from zero")


def _check_counts(*counts: int | None) -> None:
    for count in counts:
        if count is not None and (not isinstance(count, int) or count < 0):
            raise ValueError(f"{count} is no count of replicas")


def preference_of(service: Service, view: View) -> Preference:
    """What the policies ask of the allocation, the strictest of each."""
    if not service.preferring:
        return _NO_PREFERENCE
    asked = [p for p in (_preference(named, view) for named in service.preferring) if p is not None]
    if not asked:
        return _NO_PREFERENCE
    allowed = [p.gpu_types for p in asked if p.gpu_types is not None]
    return Preference(
        switch_if_saves_percent=max(p.switch_if_saves_percent for p in asked),
        price_max_age_s=min(p.price_max_age_s for p in asked),
        gpu_types=frozenset.intersection(*allowed) if allowed else None,
    )


def _preference(named: NamedPolicy, view: View) -> Preference | None:
    try:
        return named.policy.prefer(view)
    except Exception:  # noqa: BLE001 - another's code; what it would have forbidden must not happen
        return NO_MOVES


def prices_of(service: Service, memory: Memory, fleet: Fleet, at: float) -> tuple[ReplicaPrice, ...]:
    """What one replica of each deployment costs now."""
    return tuple(
        [
            replica_price(d, memory.deployments.get(d.key), memory.prices, fleet, at)
            for d in service.deployments
        ]
    )
