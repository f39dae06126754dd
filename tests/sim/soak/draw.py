"""From a seed to a scenario, as a swarm: each leaves some kinds of trouble out and weighs the rest wildly.

Domains are small on purpose, so that cases collide: few replicas, few capacities, few instants.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from autoscaler.world.chance import stream
from tests.sim.soak.calm import calm_ticks
from tests.sim.soak.scenario import Configuration, Place, Scenario, Shop
from tests.sim.soak.storms import storm

TICKS: Final = 2000
"""At least so many a long seed, storm and calm together."""

STORM_TICKS_MIN: Final = 800
SHORT_STORM_TICKS: Final = 250
"""Of a short seed, and of one over HTTP, whose tick costs ten times as much."""

_VENDORS: Final[Sequence[Mapping[str, Any]]] = (
    {"provider": "exo", "gpu_type": "a5000"},
    {"provider": "exo", "gpu_type": "rtx6000", "gpus": 2},
    {"provider": "dee", "gpu_type": "h100", "native": True},
    {"provider": "bas", "gpu_type": "l4", "native": True, "wakes": True, "zero": "wakes"},
    {"provider": "loc", "gpu_type": "t4", "zero": "impossible"},
)

_WIRED: Final[Sequence[Mapping[str, Any]]] = (
    {"provider": "exo", "gpu_type": "gpua5000"},
    {"provider": "dee", "gpu_type": "L40S-48GB"},
    {"provider": "bas", "gpu_type": "H100"},
)
"""What the vendors' emulators have."""

_STARTS: Final = (  # instants near a change of clocks, and an ordinary one
    ("Europe/Zurich", "2026-10-25T01:00:00"),
    ("Europe/Zurich", "2026-03-29T01:00:00"),
    ("America/New_York", "2026-11-01T06:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00"),
    ("Asia/Kolkata", "2026-11-21T12:00:00"),
)


Estate = Sequence[Mapping[str, Any]]


class Kind(StrEnum):
    """How a seed is played."""

    LONG = "long"
    SHORT = "short"  # for every change of the code: a shorter storm at longer intervals
    HTTP = "http"  # the same over HTTP


def draw(seed: int, kind: Kind = Kind.LONG) -> Scenario:
    """The scenario of this seed; the same for ever, as long as this code does not change."""
    chance = stream(seed, "soak", kind)
    zone, change = chance.choice(_STARTS)
    instant = datetime.fromisoformat(change).replace(tzinfo=UTC).timestamp()
    estate = _WIRED if kind is Kind.HTTP else _VENDORS
    intervals = (15.0, 15.0, 15.0, 30.0, 60.0, 600.0) if kind is Kind.LONG else (60.0, 60.0, 600.0)
    interval_s = chance.choice(intervals)
    configurations = [_configuration(chance, zone, estate)]
    for _ in range(chance.choice([0, 0, 1, 2])):
        configurations.append(_changed(chance, configurations[-1], zone))
    calm = max(calm_ticks(one, interval_s) for one in configurations)
    prices = {f"{v['provider']}/{v['gpu_type']}": chance.choice([0.5, 1.0, 1.1, 2.0, 4.0]) for v in estate}
    known = {key: usd for key, usd in prices.items() if kind is Kind.HTTP or chance.random() < 0.85}
    if kind is Kind.HTTP:
        configurations = [_loadable(one, known) for one in configurations]
    names = sorted({shop.name for one in configurations for shop in one.shops})
    scenario = Scenario(
        seed=seed,
        http=kind is Kind.HTTP,
        starts_at=instant - chance.choice([0.0, 600.0, 3600.0, 7200.0, 5 * 3600.0]),
        interval_s=interval_s,
        storm_ticks=max(STORM_TICKS_MIN, TICKS - calm) if kind is Kind.LONG else SHORT_STORM_TICKS,
        calm_ticks=calm,
        prices=known,
        configurations=tuple(configurations),
        service_s=chance.choice([5.0, 20.0, 60.0]),
        demand={name: _level(chance) for name in names},
        calm_demand={name: _level(chance) for name in names},
    )
    return scenario.model_copy(update={"acts": tuple(storm(chance, scenario))})


def _loadable(configuration: Configuration, prices: Mapping[str, float]) -> Configuration:
    """As a file has it: all prices stated, and no budget that ``min_replicas`` alone exceed."""
    known = {**prices, **configuration.fixed_prices}
    floors = {shop.name: _floor_usd_per_hour(shop, known) for shop in configuration.shops}
    shops = [
        shop.model_copy(
            update={
                "keys": {
                    key: value
                    for key, value in shop.keys.items()
                    if key != "budget_usd_per_hour" or value >= floors[shop.name]
                }
            }
        )
        for shop in configuration.shops
    ]
    budget = configuration.budget_usd_per_hour
    fits = budget is None or budget >= sum(floors.values())
    return configuration.model_copy(
        update={
            "shops": tuple(shops),
            "budget_usd_per_hour": budget if fits else None,
            "fixed_prices": known,
        }
    )


def _floor_usd_per_hour(shop: Shop, prices: Mapping[str, float]) -> float:
    return sum(
        place.min_replicas * place.gpus * prices.get(f"{place.provider}/{place.gpu_type}", 0.0)
        for place in shop.places
    )


def _level(chance: random.Random) -> float:
    return float(chance.choice([0, 0, 1, 7, 16, 17, 30, 50]))


# --- configurations -----------------------------------------------------------------------------


def _configuration(chance: random.Random, zone: str, estate: Estate) -> Configuration:
    policies = _policies(chance, zone)
    count = chance.choice([1, 1, 1, 1, 2, 2, 3, 4])
    shops = tuple(_shop(chance, name, policies, estate) for name in ("chat", "code", "mail", "voice")[:count])
    fixed = {
        f"{v['provider']}/{v['gpu_type']}": chance.choice([0.9, 1.5]) for v in estate if chance.random() < 0.2
    }
    budget = chance.choice([None, None, None, 4.0, 9.0, 20.0])
    return Configuration(shops=shops, policies=policies, budget_usd_per_hour=budget, fixed_prices=fixed)


def _policies(chance: random.Random, zone: str) -> dict[str, dict[str, Any]]:
    queue: dict[str, Any] = {
        "kind": "queue_depth",
        "target_utilisation": chance.choice([0.5, 0.8, 1.0]),
        "idle_s": chance.choice([0.0, 60.0, 300.0]),
    }
    if chance.random() < 0.3:
        queue["drain_within_s"] = chance.choice([60.0, 180.0])
    if chance.random() < 0.25:
        queue["service_s"] = chance.choice([5.0, 20.0, 60.0])
    price: dict[str, Any] = {
        "kind": "gpu_price",
        "price_usd_per_gpu_hour_max": chance.choice([1.05, 2.0, 3.5]),
        "replicas_when_dear": chance.choice([0, 1, 2]),
        "switch_if_saves_percent": chance.choice([0.0, 10.0, 30.0]),
        "price_max_age_s": chance.choice([900.0, 3600.0]),
    }
    windows = [_window(chance) for _ in range(chance.choice([1, 2]))]
    office = {"kind": "schedule", "time_zone": zone, "windows": windows}
    return {"queue-depth": queue, "office": office, "gpu-price": price}


def _window(chance: random.Random) -> dict[str, Any]:
    window: dict[str, Any] = {
        "start": chance.choice(["00:30", "01:30", "02:30", "03:00", "18:00"]),
        "end": chance.choice(["02:00", "02:30", "03:30", "12:00"]),
        "lead_s": chance.choice([0.0, 120.0, "auto"]),
    }
    kind = chance.choice(["at_least", "at_most", "exactly", "both"])
    if kind == "both":
        window["at_least"], window["at_most"] = chance.choice([(0, 0), (1, 2), (2, 3)])
    else:
        window[kind] = chance.choice([0, 1, 2, 3])
    return window


def _shop(chance: random.Random, name: str, policies: Mapping[str, Any], estate: Estate) -> Shop:
    named = ["queue-depth"] if chance.random() < 0.9 else []
    named += [other for other in ("office", "gpu-price") if chance.random() < 0.35]
    if not named:
        named = ["office"]
    places = tuple(
        _place(chance, place, vendor)
        for place, vendor in zip("abc", chance.sample(estate, chance.choice([1, 2, 2, 3])), strict=False)
    )
    if len(places) == 1 and places[0].native and chance.random() < 0.6:
        places = (places[0].model_copy(update={"control": "floor"}),)
    return Shop(
        name=name,
        policies=tuple(named),
        places=places,
        counters="queue-depth" in named and chance.random() < 0.3,
        wakes_by_signal=chance.random() < 0.75,
        max_age_s=chance.choice([60.0, 60.0, 1200.0]),
        keys=_keys(chance),
    )


def _place(chance: random.Random, name: str, vendor: Mapping[str, Any]) -> Place:
    most = chance.choice([1, 2, 3, 4, 5])
    return Place(
        name=name,
        **vendor,
        start_up_s=chance.choice([0.0, 20.0, 60.0, 200.0]),
        replicas=chance.choice([0, 1, 1, 2, most + 1]),
        capacity=chance.choice([1.0, 4.0, 10.0, 16.0]),
        min_replicas=min(most, chance.choice([0, 0, 0, 1, 2])),
        max_replicas=most,
        prior_s=chance.choice([30.0, 60.0, 180.0]),
    )


def _keys(chance: random.Random) -> dict[str, Any]:
    """Keys of the service's table; those that keep their default are left out."""
    choices: dict[str, Sequence[Any]] = {
        "stabilise_down_s": (0.0, 60.0, 120.0, 300.0),
        "cooldown_s": (0.0, 0.0, 60.0, 240.0),
        "step_up_replicas_max": (None, None, 1, 2),
        "step_down_replicas_max": (None, None, 1, 2),
        "step_period_s": (60.0, 120.0),
        "drift_hold_s": (60.0, 300.0, 600.0),
        "fallback_replicas": (None, 0, 1, 2, 3),
        "blind_after_s": (60.0, 300.0),
        "budget_usd_per_hour": (None, None, None, 2.0, 5.0, 10.0),
        "priority": (0, 0, 1),
        "baseline_replicas": (None, None, 1, 2),
        "switch_payback_s": (0.0, 600.0, 3600.0, 36000.0),
    }
    drawn = {key: chance.choice(values) for key, values in choices.items()}
    if chance.random() < 0.05:
        drawn["mode"] = "observe"
    return {key: value for key, value in drawn.items() if value is not None}


def _changed(chance: random.Random, was: Configuration, zone: str) -> Configuration:
    """Another configuration of the same estate: other limits, other policies, something gone."""
    shops = []
    for shop in was.shops:
        places = [
            place.model_copy(
                update={
                    "max_replicas": (most := chance.choice([place.max_replicas, 1, 3])),
                    "min_replicas": min(most, chance.choice([place.min_replicas, 0, 1])),
                }
            )
            for place in shop.places
        ]
        if len(places) > 1 and chance.random() < 0.3:
            places.pop(chance.randrange(len(places)))
        keys = _keys(chance) if chance.random() < 0.5 else shop.keys
        shops.append(shop.model_copy(update={"places": tuple(places), "keys": keys}))
    if len(shops) > 1 and chance.random() < 0.2:
        shops.pop(chance.randrange(len(shops)))
    policies = _policies(chance, zone) if chance.random() < 0.5 else was.policies
    return was.model_copy(update={"shops": tuple(shops), "policies": policies})
