"""From a scenario's configuration to the daemon's own values, and to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.proposals import Policy
from autoscaler.daemon.setup import Setup
from autoscaler.policies.registry import load_policies
from autoscaler.ports import Provider, Ref, SignalQuery, SignalSource
from tests.sim.soak.scenario import Configuration, Scenario, Shop

COUNTERS = ("arrived_total", "started_total")


def a_policy(table: Mapping[str, Any]) -> Policy:
    """The policy that a policy file with these keys is."""
    keys = {key: value for key, value in table.items() if key != "kind"}
    return load_policies()[table["kind"]].model_validate(keys)


def signals_of(shop: Shop, configuration: Configuration) -> tuple[str, ...]:
    """What is read for a service."""
    if not any(configuration.policies[name]["kind"] == "queue_depth" for name in shop.policies):
        return ()
    return ("queued", "running", *(COUNTERS if shop.counters else ()))


def a_fleet(scenario: Scenario, index: int) -> Fleet:
    """The configuration of this number, as the decision sees it."""
    configuration = scenario.configurations[index]
    policies = {name: a_policy(table) for name, table in configuration.policies.items()}
    services = {}
    for shop in configuration.shops:
        services[shop.name] = Service(
            shop.name,
            tuple(NamedPolicy(name, policies[name]) for name in shop.policies),
            tuple(
                Deployment(
                    shop.name,
                    place.name,
                    place.provider,
                    place.capacity,
                    place.max_replicas,
                    place.min_replicas,
                    place.control,
                    place.prior_s,
                )
                for place in shop.places
            ),
            signals={
                name: SignalRule(shop.max_age_s, shop.wakes_by_signal and name == "queued")
                for name in signals_of(shop, configuration)
            },
            **shop.keys,
        )
    return Fleet(
        services,
        scenario.interval_s,
        configuration.budget_usd_per_hour,
        configuration.fixed_prices,
        config_hash=f"configuration-{index}",
    )


def a_setup(
    scenario: Scenario,
    index: int,
    fleet: Fleet,
    provider: Callable[[str], Provider],
    source: SignalSource,
) -> Setup:
    """The configuration of this number, made live with these ends."""
    configuration = scenario.configurations[index]
    refs: dict[str, list[Ref]] = {}
    for key, place in configuration.places().items():
        refs.setdefault(place.provider, []).append(Ref(key, {"id": key}))
    queries = tuple(
        SignalQuery(shop.name, signal, signal, max_age_s=shop.max_age_s)
        for shop in configuration.shops
        for signal in signals_of(shop, configuration)
    )
    return Setup(
        fleet=fleet,
        providers={name: provider(name) for name in refs},
        refs={name: tuple(ones) for name, ones in refs.items()},
        sources={source.name: source},
        queries={source.name: queries},
        push=_no_push,
    )


def _no_push(service: str, signal: str, value: float, at: float | None) -> None:
    raise AssertionError("nothing is pushed")
