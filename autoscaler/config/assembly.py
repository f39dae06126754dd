"""From services that are right to what the core and the adapters take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from autoscaler.config.drafts import ServiceDraft
from autoscaler.config.fingerprint import shadow_fingerprint
from autoscaler.config.models import Mode, PriceSettings
from autoscaler.core.fleet import Deployment, Fleet, Service, SignalRule
from autoscaler.core.model import key_of
from autoscaler.ports import Ref, SignalQuery


def fleet_of(
    services: Sequence[ServiceDraft],
    modes: Mapping[str, Mode],
    prices: Sequence[PriceSettings],
    interval_s: float,
    budget_usd_per_hour: float | None,
    config_hash: str,
) -> Fleet:
    """Everything that the decision needs."""
    return Fleet(
        services=MappingProxyType({one.name: _service(one, modes[one.name]) for one in services}),
        interval_s=interval_s,
        budget_usd_per_hour=budget_usd_per_hour,
        fixed_prices=MappingProxyType(
            {f"{price.provider}/{price.gpu_type}": price.usd_per_gpu_hour for price in prices}
        ),
        config_hash=config_hash,
    )


def shadows_of(
    services: Sequence[ServiceDraft],
    modes: Mapping[str, Mode],
    prices: Sequence[PriceSettings],
    interval_s: float,
) -> Mapping[str, Fleet]:
    """By service that has a shadow: the service alone with those policies, which act on what is imagined.

    The fleet's budget is left out: what of it would be left for the service depends on the others.
    """
    found: dict[str, Fleet] = {}
    for one in services:
        if one.shadow:
            name = shadow_fingerprint(one, interval_s, modes[one.name])
            alone = fleet_of(
                [replace(one, policies=one.shadow)], {one.name: "act"}, prices, interval_s, None, name
            )
            found[one.name] = alone
    return MappingProxyType(found)


def _service(draft: ServiceDraft, mode: Mode) -> Service:
    settings = draft.settings
    return Service(
        name=draft.name,
        policies=draft.policies,
        deployments=_deployments(draft),
        signals=MappingProxyType(
            {
                name: SignalRule(signal.settings.max_age_s, signal.settings.exists_at_zero)
                for name, signal in draft.signals.items()
            }
        ),
        mode=mode,
        fallback_replicas=settings.fallback_replicas,
        blind_after_s=settings.blind_after_s,
        stabilise_down_s=settings.stabilise_down_s,
        budget_usd_per_hour=settings.budget_usd_per_hour,
        priority=settings.priority,
        baseline_replicas=settings.baseline_replicas,
        step_up_replicas_max=settings.step_up_replicas_max,
        step_down_replicas_max=settings.step_down_replicas_max,
        step_period_s=settings.step_period_s,
        cooldown_s=settings.cooldown_s,
        drift_hold_s=settings.drift_hold_s,
        switch_payback_s=settings.switch_payback_s,
    )


def _deployments(draft: ServiceDraft) -> tuple[Deployment, ...]:
    return tuple(
        Deployment(
            service=draft.name,
            name=one.settings.name,
            provider=one.settings.provider,
            capacity_per_replica=one.settings.capacity_per_replica,
            max_replicas=one.settings.max_replicas,
            min_replicas=one.settings.min_replicas,
            control=one.settings.control,
            start_up_s=draft.settings.start_up_s,
        )
        for one in sorted(draft.deployments, key=lambda one: one.settings.name)
    )


def refs_of(services: Sequence[ServiceDraft], providers: Collection[str]) -> Mapping[str, tuple[Ref, ...]]:
    """By provider: what it is asked about; empty for one that nothing uses."""
    refs: dict[str, list[Ref]] = {name: [] for name in providers}
    for service in services:
        for one in service.deployments:
            key = key_of(service.name, one.settings.name)
            refs[one.settings.provider].append(Ref(key, MappingProxyType(dict(one.ids))))
    return MappingProxyType({name: tuple(found) for name, found in refs.items()})


def queries_of(
    services: Sequence[ServiceDraft], sources: Collection[str]
) -> Mapping[str, tuple[SignalQuery, ...]]:
    """By source: what it is asked to read; empty for one that nothing uses."""
    queries: dict[str, list[SignalQuery]] = {name: [] for name in sources}
    for service in services:
        for name, signal in service.signals.items():
            own = {key: value for key, value in signal.options.items() if key not in ("query", "age_query")}
            queries[signal.settings.source].append(
                SignalQuery(
                    service=service.name,
                    signal=name,
                    query=signal.options.get("query"),
                    age_query=signal.options.get("age_query"),
                    max_age_s=signal.settings.max_age_s,
                    options=MappingProxyType(own),
                )
            )
    return MappingProxyType({name: tuple(found) for name, found in queries.items()})
