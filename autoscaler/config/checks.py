"""Whether the parts of a configuration fit together: references, bounds, budgets, deployments named twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoscaler.config.document import Keys
from autoscaler.config.drafts import DeploymentDraft, ServiceDraft
from autoscaler.config.gpus import stated_gpus
from autoscaler.config.models import PriceSettings
from autoscaler.config.problems import listed
from autoscaler.config.reader import Reader
from autoscaler.core.fleet import NamedPolicy


def check_services(
    reader: Reader,
    services: Sequence[ServiceDraft],
    prices: Sequence[PriceSettings],
    budget_usd_per_hour: float | None,
) -> None:
    """Everything that one table alone cannot tell."""
    for service in services:
        _check_names(reader, service)
        _check_bounds(reader, service)
        _check_control(reader, service)
        _check_chainlets(reader, service)
        _check_signals(reader, service)
        _check_shadow(reader, service)
    _check_named_once(reader, services)
    _check_budgets(reader, services, prices, budget_usd_per_hour)


def check_prices(reader: Reader, prices: Sequence[tuple[Keys, PriceSettings]]) -> None:
    """No GPU type of a provider has two prices."""
    seen: set[tuple[str, str]] = set()
    for keys, price in prices:
        one = (price.provider, price.gpu_type)
        if one in seen:
            reader.problem(keys, f"a second price for {price.gpu_type} at {price.provider}; allowed is one")
        seen.add(one)


def _check_names(reader: Reader, service: ServiceDraft) -> None:
    seen: set[str] = set()
    for deployment in service.deployments:
        name = deployment.settings.name
        if name in seen:
            reader.problem(
                (*deployment.keys, "name"),
                "a second deployment of this name; allowed is one per service",
                name,
            )
        seen.add(name)


def _check_bounds(reader: Reader, service: ServiceDraft) -> None:
    for deployment in service.deployments:
        least, most = deployment.settings.min_replicas, deployment.settings.max_replicas
        if least > most:
            reader.problem(
                (*deployment.keys, "min_replicas"), f"is above max_replicas; allowed is 0 to {most}", least
            )
    baseline = service.settings.baseline_replicas
    if service.whole and baseline is not None and baseline > service.replicas_max:
        reader.problem(
            (*service.keys, "baseline_replicas"),
            f"is above the sum of max_replicas; allowed is 0 to {service.replicas_max}",
            baseline,
        )


def _check_control(reader: Reader, service: ServiceDraft) -> None:
    if len(service.deployments) < 2:
        return
    for deployment in service.deployments:
        if deployment.settings.control == "floor":
            reader.problem(
                (*deployment.keys, "control"),
                'such a deployment must be the only one of its service; allowed beside others is "pin"',
                "floor",
            )


def _check_chainlets(reader: Reader, service: ServiceDraft) -> None:
    """Chainlets of a chain are stages one after the other: none can stand in for another."""
    first: dict[tuple[str, str], DeploymentDraft] = {}
    for deployment in service.deployments:
        chain, chainlet = deployment.ids.get("chain_id"), deployment.ids.get("chainlet")
        if chain is None or chainlet is None:
            continue
        other = first.setdefault((deployment.settings.provider, chain), deployment)
        if other.ids["chainlet"] != chainlet:
            reader.problem(
                (*deployment.keys, "chainlet"),
                f"{other.settings.name} is another stage of this chain, and cannot replace it; "
                "allowed is one service for each",
                chainlet,
            )


def _check_signals(reader: Reader, service: ServiceDraft) -> None:
    if not isinstance(service.settings.signals, Mapping):
        return
    defined = service.settings.signals.keys()
    for named in (*service.policies, *service.shadow):
        missing = [name for name in named.policy.signals_read() if name not in defined]
        if missing:
            reader.problem(
                (*service.keys, "signals"),
                f"the policy {named.name} reads {listed(missing).replace(' or ', ' and ')}, which "
                f"{'is' if len(missing) == 1 else 'are'} not defined here; defined are {listed(defined)}",
            )


def _check_shadow(reader: Reader, service: ServiceDraft) -> None:
    """A shadow that is what is active already would tell nothing for as long as it runs."""
    if not service.whole or not service.shadow:
        return
    active, shadow = (sorted(map(_said, policies)) for policies in (service.policies, service.shadow))
    if active == shadow:
        reader.problem(
            (*service.keys, "shadow"),
            "these are the policies that are active already; allowed are others, or no shadow at all ([])",
        )


def _said(named: NamedPolicy) -> str:
    """A policy by what it does: its name is only where its file lies."""
    return f"{named.policy.kind} {named.policy.model_dump_json()}"


def _check_named_once(reader: Reader, services: Sequence[ServiceDraft]) -> None:
    first: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
    for service in services:
        for deployment in service.deployments:
            if not deployment.ids:
                continue  # Told already.
            at_vendor = (deployment.settings.provider, tuple(sorted(deployment.ids.items())))
            ours = f"{service.name}/{deployment.settings.name}"
            other = first.setdefault(at_vendor, ours)
            if other is not ours:
                # Not the ids by name: a vendor's ids may be several keys.
                reader.problem(
                    deployment.keys,
                    f"{other} is the same deployment; allowed is once in the file",
                )


# --- budgets ------------------------------------------------------------------------------------


def _check_budgets(
    reader: Reader,
    services: Sequence[ServiceDraft],
    prices: Sequence[PriceSettings],
    budget_usd_per_hour: float | None,
) -> None:
    whole_fleet = 0.0
    for service in services:
        floor = sum(_floor_usd_per_hour(deployment, prices) for deployment in service.deployments)
        whole_fleet += floor
        budget = service.settings.budget_usd_per_hour
        if budget is not None and _above(floor, budget):
            reader.problem((*service.keys, "budget_usd_per_hour"), _too_little(floor), budget)
    if budget_usd_per_hour is not None and _above(whole_fleet, budget_usd_per_hour):
        reader.problem(("budget", "usd_per_hour"), _too_little(whole_fleet), budget_usd_per_hour)


def _above(floor: float, budget: float) -> bool:
    return round(floor * 1_000_000) > round(budget * 1_000_000)  # in micro-USD, so that 3 x 1.10 is 3.30


def _too_little(floor: float) -> str:
    return (
        f"min_replicas alone cost {floor:.2f} by [[prices]]; allowed is at least that, or lower min_replicas"
    )


def _floor_usd_per_hour(deployment: DeploymentDraft, prices: Sequence[PriceSettings]) -> float:
    """What ``min_replicas`` cost; 0 where the file does not tell which price holds."""
    stated = stated_gpus(deployment, prices)
    price = stated.usd_per_gpu_hour
    return 0.0 if price is None else deployment.settings.min_replicas * stated.gpus_per_replica * price
