"""The price catalogue: every price that is known, where it is from, and what of it the journal holds.

A record of kind ``prices`` holds the whole catalogue at an instant. One is appended when a price appears,
changes, changes availability or disappears, and at least once a day: the newest one before an instant tells
what held then.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from autoscaler.core.codec import instant, instant_text
from autoscaler.core.fleet import Deployment, Fleet
from autoscaler.core.memory import DAY_S, HOUR_S, Memory
from autoscaler.core.model import Price
from autoscaler.core.money import is_price
from autoscaler.ports import Journal, JournalError, Record

KIND: Final = "prices"
KEYS_MAX: Final = 1000
"""Prices of one provider that are kept; a vendor that names more has those first by name."""

HELD_S: Final = DAY_S + HOUR_S
"""How long after its instant a record speaks for; later the daemon was not there to see a change."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One price of the catalogue, USD per GPU-hour. ``at`` None: fixed in the configuration, never ages.

    ``listed`` False: the vendor names it no more, and a deployment's cost rests on it still.
    """

    usd_per_gpu_hour: float
    at: float | None
    gpu_type: str | None = None  # of a configuration that is priced as a whole
    gpus: int | None = None
    available: bool | None = None
    listed: bool = True

    @property
    def source(self) -> str:
        """``configuration`` or ``vendor``."""
        return "configuration" if self.at is None else "vendor"


Catalogue = Mapping[str, Listed]
"""By ``"provider/key"``; the key is a GPU type, or the vendor's name of a whole configuration."""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """What the vendors named last, and what the journal holds of the catalogue made from it."""

    vendors: Catalogue = field(default_factory=dict)
    told: Catalogue | None = None  # None: the journal holds none
    told_at: float = 0.0

    def catalogue(self, fleet: Fleet) -> Catalogue:
        """Every price in force: the configuration's win over the vendors'."""
        if not fleet.fixed_prices:
            return self.vendors
        whole = dict(self.vendors)
        for key, usd_per_gpu_hour in fleet.fixed_prices.items():
            if is_price(usd_per_gpu_hour):
                known = whole.get(key, Listed(usd_per_gpu_hour, None))
                whole[key] = replace(known, usd_per_gpu_hour=usd_per_gpu_hour, at=None, listed=True)
        return whole

    def is_news(self, catalogue: Catalogue, at: float) -> bool:
        """Whether the journal is to be told: the ages of prices alone are no news, a new day is."""
        if self.told is None:
            return bool(catalogue)
        return at - self.told_at >= DAY_S or _undated(self.told) != _undated(catalogue)

    def after(
        self, prices: Mapping[str, Price], memory: Memory, fleet: Fleet, providers: Container[str]
    ) -> PriceBook:
        """The book after one tick's prices; what a provider in them does not name any more is gone.

        A provider without any price in them was not asked, did not answer, or answered nothing: what is known
        of it stays.
        """
        if not prices and all(_provider(key) in providers for key in self.vendors):
            return self
        fresh = {key: price for key, price in prices.items() if is_price(price.usd_per_gpu_hour)}
        answered = {_provider(key) for key in fresh}
        used = frozenset(keys_in_use(memory, fleet).values())
        vendors = {key: one for key, one in self.vendors.items() if _provider(key) in providers}
        for key in [key for key in vendors if _provider(key) in answered and key not in fresh]:
            if key in used:
                vendors[key] = replace(vendors[key], listed=False)
            else:
                del vendors[key]
        vendors.update((key, _listed(price)) for key, price in fresh.items())
        return replace(self, vendors=_bounded(vendors, used))


def key_in_use(
    deployment: Deployment, memory: Memory, fixed: Container[str], priced: Container[str]
) -> str | None:
    """The price that a deployment's cost rests on, as ``core.money`` chooses it; None: none is known."""
    was = memory.deployments.get(deployment.key)
    if was is None or was.last.gpu_type is None:
        return None
    keys = [
        f"{deployment.provider}/{name}"
        for name in (was.last.instance_type, was.last.gpu_type)
        if name is not None
    ]
    return next((key for known in (fixed, priced) for key in keys if key in known), None)


def keys_in_use(memory: Memory, fleet: Fleet) -> dict[str, str]:
    """By ``"service/deployment"``: the key of its price, where one is known."""
    found: dict[str, str] = {}
    for service in fleet.services.values():
        for deployment in service.deployments:
            key = key_in_use(deployment, memory, fleet.fixed_prices, memory.prices)
            if key is not None:
                found[deployment.key] = key
    return found


def last_known(memory: Memory, keys: Collection[str]) -> Catalogue:
    """What the memory knows under these keys, as prices that the vendor names no more."""
    return {key: replace(_listed(memory.prices[key]), listed=False) for key in keys if key in memory.prices}


def recalled(record: Record | None, memory: Memory) -> PriceBook:
    """The book as the last record and the memory tell it. Raises: JournalError for a damaged record.

    A process that died between a tick and its record left the newer price in memory alone.
    """
    told = None if record is None else catalogue_of(record)
    told_at = 0.0 if record is None else record.at
    vendors = {key: one for key, one in (told or {}).items() if one.at is not None}
    for key, price in memory.prices.items():
        known = (told or {}).get(key)
        # Older than the record and not in it: the vendor had stopped to name it.
        is_news = price.at > told_at if known is None else known.at is None or price.at > known.at
        if told is None or is_news:
            vendors[key] = _listed(price)
    return PriceBook(vendors, told, told_at)


async def last_record(journal: Journal, until: float | None = None) -> Record | None:
    """The newest record of prices, at this instant or before. Raises: JournalError."""
    found = await journal.read(kinds=(KIND,), until=until, newest_first=True, limit=1)
    return found[0] if found else None


async def held_at(journal: Journal, at: float) -> Catalogue | None:
    """The prices that held at an instant; None where nobody watched then. Raises: JournalError."""
    record = await last_record(journal, until=at)
    if record is None or at - record.at > HELD_S:
        return None
    return catalogue_of(record)


# --- records --------------------------------------------------------------------------------------


def body_of(catalogue: Catalogue) -> dict[str, Any]:
    """The body of a record of kind ``prices``."""
    return {"prices": {key: _body(one) for key, one in sorted(catalogue.items())}}


def catalogue_of(record: Record) -> Catalogue:
    """The catalogue that a record holds. Raises: JournalError."""
    try:
        return {str(key): _read(body, key) for key, body in record.body["prices"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JournalError(f"the {KIND} {record.seq} of the journal is damaged: {error}") from error


def _body(one: Listed) -> dict[str, Any]:
    body: dict[str, Any] = {"usd_per_gpu_hour": one.usd_per_gpu_hour, "source": one.source}
    known = (
        ("at", None if one.at is None else instant_text(one.at)),
        ("gpu_type", one.gpu_type),
        ("gpus", one.gpus),
        ("available", one.available),
        ("listed", None if one.listed else False),
    )
    body.update({key: value for key, value in known if value is not None})
    return body


def _read(body: Mapping[str, Any], key: str) -> Listed:
    usd_per_gpu_hour = float(body["usd_per_gpu_hour"])
    if not is_price(usd_per_gpu_hour):
        raise ValueError(f"{key} costs {usd_per_gpu_hour}")
    return Listed(
        usd_per_gpu_hour,
        instant(body["at"], key) if "at" in body else None,
        body.get("gpu_type"),
        body.get("gpus"),
        body.get("available"),
        body.get("listed", True) is True,
    )


def _listed(price: Price) -> Listed:
    return Listed(price.usd_per_gpu_hour, price.at, price.gpu_type, price.gpus, price.available)


def _undated(catalogue: Catalogue) -> dict[str, tuple[object, ...]]:
    return {
        key: (one.usd_per_gpu_hour, one.source, one.gpu_type, one.gpus, one.available, one.listed)
        for key, one in catalogue.items()
    }


def _provider(key: str) -> str:
    return key.partition("/")[0]


def _bounded(vendors: dict[str, Listed], used: Collection[str]) -> Catalogue:
    """At most ``KEYS_MAX`` of each provider, those that deployments use first, then by name."""
    counts: dict[str, int] = {}
    kept: dict[str, Listed] = {}
    for key in sorted(vendors, key=lambda key: (key not in used, key)):
        provider = _provider(key)
        counts[provider] = counts.get(provider, 0) + 1
        if counts[provider] <= KEYS_MAX:
            kept[key] = vendors[key]
    return kept
