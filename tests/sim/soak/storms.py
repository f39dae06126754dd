"""The bad weather of one seed: which kinds of trouble, how often, how long, and whom they strike."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.sim.soak.build import COUNTERS
from tests.sim.soak.scenario import PROVIDER_ERRORS, Act, Scenario, What

_LENGTHS: Final = (1, 1, 2, 4, 10, 30, 90)
_SHARES: Final = (1.0, 1.0, 0.5, 0.2)
_KEPT_OUT: Final = 0.5
"""Share of the kinds that a seed leaves out altogether."""

_RARE: Final = (What.KILLED, What.STOPPED, What.RIVAL, What.SAME_JOURNAL)
_RARE_MAX: Final = 12
"""What takes long to simulate happens at most so often in one seed."""

Maker = Callable[[random.Random, Scenario], dict[str, object]]


def storm(chance: random.Random, scenario: Scenario) -> list[Act]:
    """Acts in order of their ticks; none outlasts the storm."""
    kinds = [what for what in What if what in _MAKERS and chance.random() >= _KEPT_OUT]
    if len(scenario.configurations) > 1 and What.RELOAD not in kinds:
        kinds.append(What.RELOAD)
    if scenario.http:
        kinds = [what for what in kinds if what in HTTP_KINDS] or [What.UNAVAILABLE]
    weights = [2.0 ** chance.uniform(0.0, 5.0) for _ in kinds]
    count = max(3, int(scenario.storm_ticks / chance.choice([6, 12, 25, 60])))
    acts = []
    often = [What.DEMAND] * (scenario.storm_ticks // chance.choice([8, 20, 20, 60]))
    for what in [*chance.choices(kinds, weights, k=count), *often]:
        tick = chance.randrange(1, scenario.storm_ticks)
        fields: dict[str, object] = {"tick": tick, "what": what, "ticks": chance.choice(_LENGTHS)}
        fields.update(_MAKERS[what](chance, scenario))
        fields["ticks"] = min(int(str(fields["ticks"])), scenario.storm_ticks - tick)
        acts.append(Act.model_validate(fields))
    for what in _RARE:
        for act in [act for act in acts if act.what is what][_RARE_MAX:]:
            acts.remove(act)
    return sorted(acts, key=lambda act: act.tick)


# --- whom ---------------------------------------------------------------------------------------


def _keys(scenario: Scenario) -> list[str]:
    return sorted({key for one in scenario.configurations for key in one.places()})


def _providers(scenario: Scenario) -> list[str]:
    return sorted({p.provider for one in scenario.configurations for p in one.places().values()})


def _types(scenario: Scenario) -> list[str]:
    places = [p for one in scenario.configurations for p in one.places().values()]
    return sorted({f"{p.provider}/{p.gpu_type}" for p in places})


def _services(scenario: Scenario) -> list[str]:
    return sorted({shop.name for one in scenario.configurations for shop in one.shops})


def _signal(chance: random.Random, scenario: Scenario, names: tuple[str, ...]) -> str:
    return f"{chance.choice(_services(scenario))}/{chance.choice(names)}"


_ALL_SIGNALS: Final = ("queued", "queued", "running", "running", *COUNTERS)


# --- what ---------------------------------------------------------------------------------------


def _at_a_provider(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    everybody = [*_providers(scenario), *_keys(scenario)]
    return {
        "target": chance.choice(everybody),
        "share": chance.choice(_SHARES),
        "word": chance.choice(["all", "list", "read", "write", "write"]),
        "amount": chance.choice([1.0, 20.0, 45.0, 300.0]),
    }


def _of_a_provider(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": chance.choice(_providers(scenario)), "share": chance.choice(_SHARES)}


def _slow(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {
        **_of_a_provider(chance, scenario),
        "word": chance.choice(["all", "list", "read", "write"]),
        "amount": chance.choice([0.5, 3.0, 5.0, 9.0]),
    }


def _hang(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {**_slow(chance, scenario), "amount": 0.0}


def _late(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {**_of_a_provider(chance, scenario), "amount": chance.choice([10.0, 40.0, 200.0])}


def _late_failure(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {**_of_a_provider(chance, scenario), "word": chance.choice(PROVIDER_ERRORS).value, "amount": 30.0}


def _stale(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {**_of_a_provider(chance, scenario), "amount": float(chance.choice([1, 2, 5, 20]))}


def _on_a_deployment(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": chance.choice(_keys(scenario)), "amount": float(chance.randint(0, 3))}


def _by_hand(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": chance.choice(_keys(scenario)), "amount": float(chance.choice([0, 1, 2, 3, 5, 9]))}


def _stock(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": chance.choice(_types(scenario)), "amount": float(chance.choice([0, 1, 3]))}


def _price(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {
        "target": chance.choice(_types(scenario)),
        "amount": chance.choice([0.5, 1.0, 1.1, 2.0, 4.0, 0.0]),
    }


def _demand(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    target = chance.choice(["", *_services(scenario)])  # nothing: all services at once
    return {"target": target, "amount": float(chance.choice([0, 0, 1, 7, 16, 17, 30, 50]))}


def _lie(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    word = chance.choice(["", "", "", "nan", "inf", "1e300"])
    amount = chance.choice([0.0, 0.0, 3.0, 500.0, -4.0])
    return {"target": _signal(chance, scenario, _ALL_SIGNALS), "word": word, "amount": amount}


def _of_a_signal(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {
        "target": _signal(chance, scenario, _ALL_SIGNALS),
        "share": chance.choice(_SHARES),
        "amount": chance.choice([10.0, 100.0, 5000.0]),
    }


def _reset(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": _signal(chance, scenario, COUNTERS)}


def _of_the_source(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": "gateway", "share": chance.choice(_SHARES)}


def _of_the_journal(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": "journal", "share": chance.choice(_SHARES)}


def _clock(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"amount": chance.choice([-4000.0, -100.0, -2.0, 2.0, 100.0, 4000.0, 90000.0])}


def _killed(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {
        "amount": float(chance.randint(1, 14)),
        "word": chance.choice(["before", "after"]),
        "ticks": chance.choice([0, 1, 1, 3, 20, 60]),
    }


def _stopped(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"ticks": chance.choice([0, 1, 1, 3, 20, 60])}


def _reload(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"amount": float(chance.randrange(len(scenario.configurations)))}


def _pause(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {
        "target": chance.choice(["", *_services(scenario)]),
        "word": chance.choice(["", "down"]),
        "mid": chance.random() < 0.3,
    }


def _resume(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": chance.choice(["", *_services(scenario)]), "mid": chance.random() < 0.3}


def _override(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {
        "target": chance.choice([*_services(scenario), *_keys(scenario)]),
        "word": chance.choice(["at_least", "at_most", "both"]),
        "amount": float(chance.choice([0, 1, 2, 4])),
        "mid": chance.random() < 0.3,
    }


def _clear(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {"target": chance.choice([*_services(scenario), *_keys(scenario)]), "mid": chance.random() < 0.3}


def _nobody(chance: random.Random, scenario: Scenario) -> dict[str, object]:
    return {}


_MAKERS: Final[dict[What, Maker]] = {
    **dict.fromkeys(PROVIDER_ERRORS, _at_a_provider),
    What.HANG: _hang,
    What.SLOW: _slow,
    What.CRASH: _hang,
    What.IGNORE: _of_a_provider,
    What.ANSWER_LOST: _of_a_provider,
    What.PARTIAL: _of_a_provider,
    What.LATE: _late,
    What.LATE_FAILURE: _late_failure,
    What.STALE_READS: _stale,
    What.READY_UNKNOWN: _of_a_provider,
    What.PHASE_UNKNOWN: _of_a_provider,
    What.PHASE_FAILED: _of_a_provider,
    What.PRICES_GONE: _of_a_provider,
    What.KILL: _on_a_deployment,
    What.START_FAILS: _on_a_deployment,
    What.STOCK: _stock,
    What.PRICE: _price,
    What.BY_HAND: _by_hand,
    What.DEMAND: _demand,
    What.LIE: _lie,
    What.MISSING: _of_a_signal,
    What.STALE_SIGNAL: _of_a_signal,
    What.FUTURE_SIGNAL: _of_a_signal,
    What.SOURCE_HANGS: _of_the_source,
    What.SOURCE_BUG: _of_the_source,
    What.COUNTER_RESET: _reset,
    What.CLOCK: _clock,
    What.DISK_FULL: _of_the_journal,
    What.JOURNAL_UNREADABLE: _of_the_journal,
    What.KILLED: _killed,
    What.STOPPED: _stopped,
    What.RIVAL: _nobody,
    What.SAME_JOURNAL: _nobody,
    What.RELOAD: _reload,
    What.PAUSE: _pause,
    What.RESUME: _resume,
    What.OVERRIDE: _override,
    What.CLEAR: _clear,
}

HTTP_KINDS: Final = frozenset(
    {
        *(What.UNAVAILABLE, What.RATE_LIMITED, What.BAD_REPLY, What.HANG, What.SLOW, What.IGNORE),
        *(What.ANSWER_LOST, What.STALE_READS, What.KILL, What.START_FAILS, What.BY_HAND, What.LIE),
        *(What.MISSING, What.SOURCE_HANGS, What.SOURCE_BUG, What.COUNTER_RESET, What.CLOCK),
        *(What.DISK_FULL, What.KILLED, What.STOPPED, What.SAME_JOURNAL, What.RELOAD, What.PAUSE),
        *(What.RESUME, What.OVERRIDE, What.CLEAR),
    }
)
"""Kinds that the vendors' emulators, the small Prometheus and the files know."""
