"""The price catalogue as plain JSON values: what ``/v1/prices`` answers and ``autoscaler prices`` draws.

Keys carry their units. What is not known is ``null``, never zero. Times are ISO 8601, UTC.
"""

from __future__ import annotations

from typing import Any, Final

from autoscaler.core.codec import instant_text
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import Snapshot
from autoscaler.core.proposals import Preference
from autoscaler.core.views import preference_of, prices_of, view_of
from autoscaler.daemon.prices import Catalogue, Listed, keys_in_use, last_known

JSON = dict[str, Any]

PRICE_MAX_AGE_S: Final = Preference().price_max_age_s
"""For prices that no service with a policy of its own rests on."""


def price_list(
    catalogue: Catalogue, memory: Memory, fleet: Fleet, *, now: float, day_ago: Catalogue | None
) -> JSON:
    """Every price, cheapest first, and the deployments that have none.

    ``memory`` says what deployments run on; ``day_ago`` is what held 24 hours before ``now`` (None: not
    known).
    """
    used = keys_in_use(memory, fleet)
    users: dict[str, list[str]] = {}
    for deployment, key in sorted(used.items()):
        users.setdefault(key, []).append(deployment)
    ages_max_s = _ages_max_s(memory, fleet)
    known = {**last_known(memory, users), **catalogue}
    rows = [
        _row(
            key,
            one,
            users.get(key, []),
            memory,
            now=now,
            age_max_s=min(
                (ages_max_s[name.partition("/")[0]] for name in users.get(key, [])), default=PRICE_MAX_AGE_S
            ),
            before=None if day_ago is None else day_ago.get(key),
        )
        for key, one in known.items()
    ]
    rows.sort(key=lambda row: (row["usd_per_gpu_hour"], row["provider"], row["key"]))
    return {"prices": rows, "unpriced": _unpriced(memory, fleet, used)}


def _row(
    key: str,
    one: Listed,
    users: list[str],
    memory: Memory,
    *,
    now: float,
    age_max_s: float,
    before: Listed | None,
) -> JSON:
    provider, _, name = key.partition("/")
    gpus = one.gpus if one.gpus is not None else _gpus(users, memory)
    age_s = None if one.at is None else round(max(0.0, now - one.at), 3)
    return {
        "provider": provider,
        "key": name,
        "gpu_type": one.gpu_type or name,
        "configuration": None if one.gpu_type is None or one.gpu_type == name else name,
        "gpus": gpus,
        "usd_per_gpu_hour": one.usd_per_gpu_hour,
        "usd_per_replica_hour": None if gpus is None else round(one.usd_per_gpu_hour * gpus, 6),
        "change_percent": _change_percent(before, one),
        "at": None if one.at is None else instant_text(one.at),
        "age_s": age_s,
        "stale": age_s is not None and age_s > age_max_s,
        "available": one.available,
        "listed": one.listed,
        "source": one.source,
        "deployments": users,
    }


def _gpus(users: list[str], memory: Memory) -> int | None:
    """GPUs of a replica, where all deployments at this price agree on them."""
    counts = {memory.deployments[name].last.gpus_per_replica for name in users}
    return counts.pop() if len(counts) == 1 else None


def _change_percent(before: Listed | None, now: Listed) -> float | None:
    """Since 24 hours ago; None where there was no price then, or where it was for free."""
    if before is None:
        return None
    if before.usd_per_gpu_hour == now.usd_per_gpu_hour:
        return 0.0
    if before.usd_per_gpu_hour == 0.0:
        return None
    return round(100.0 * (now.usd_per_gpu_hour / before.usd_per_gpu_hour - 1.0), 2)


def _ages_max_s(memory: Memory, fleet: Fleet) -> dict[str, float]:
    """By service: how old a price may be that starts a move, by the word of its policies."""
    found: dict[str, float] = {}
    for name, service in fleet.services.items():
        age_max_s = PRICE_MAX_AGE_S
        if service.preferring and name in memory.services and memory.at is not None:
            prices = prices_of(service, memory, fleet, memory.at)
            view = view_of(service, memory, Snapshot(memory.at), prices)
            age_max_s = preference_of(service, view).price_max_age_s
        found[name] = age_max_s if age_max_s >= 0.0 else PRICE_MAX_AGE_S
    return found


def _unpriced(memory: Memory, fleet: Fleet, used: dict[str, str]) -> list[JSON]:
    """Deployments without any price; ``gpu_type`` null: never seen."""
    members = [one for _, service in sorted(fleet.services.items()) for one in service.deployments]
    found = []
    for one in members:
        if one.key in used:
            continue
        was = memory.deployments.get(one.key)
        found.append(
            {
                "deployment": one.key,
                "provider": one.provider,
                "gpu_type": None if was is None else was.last.gpu_type,
            }
        )
    return found
