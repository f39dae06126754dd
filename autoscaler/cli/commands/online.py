"""``check --online``: each vendor's inventory and each query asked once, and judged. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from autoscaler.cli.commands.remarks import Remarks
from autoscaler.clock import SystemClock
from autoscaler.config import Config
from autoscaler.core.model import Absence, Reading
from autoscaler.daemon.setup import Setup
from autoscaler.ports import Inventory, InventoryItem, Provider, ProviderError, SignalSource, Unauthorized
from autoscaler.sources.push import PushSource
from autoscaler.wiring import Ends

ASK_S_MAX: Final = 30.0
_EMPTY: Final = frozenset({"empty", "missing", "nan"})


@dataclass(frozen=True, slots=True)
class Found:
    """What the vendor says of one configured deployment; ``item`` None: it has no such thing."""

    key: str
    provider: str
    item: InventoryItem | None
    verdict: str  # "ok", or what is wrong


@dataclass(frozen=True, slots=True)
class Account:
    """One vendor account: does it answer, what may it use, what is not configured."""

    provider: str
    credential: str  # "ok", or what is wrong
    gpu_types: Mapping[str, bool | None] = field(default_factory=dict)
    unnamed: tuple[InventoryItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """One signal asked once; ``trouble`` empty: well, or excused."""

    service: str
    signal: str
    source: str
    reading: Reading | None  # None: pushed, so there is nothing to ask
    age_s: float | None
    remark: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Online:
    """Everything that was asked, and every trouble in a sentence."""

    accounts: tuple[Account, ...]
    found: tuple[Found, ...]
    heard: tuple[Heard, ...]
    remarks: tuple[str, ...]
    troubles: tuple[str, ...]


async def look_around(config: Config) -> Online:
    """Ask all at once, each within a deadline. Raises: ConfigError for what an adapter cannot use."""
    clock = SystemClock()
    remarks = Remarks()
    ends = Ends(clock, remarks)
    try:
        setup = await ends.setup(config)
        accounts, heard = await asyncio.gather(
            asyncio.gather(*(_account(name, end, setup, clock) for name, end in setup.providers.items())),
            asyncio.gather(*(_hear(name, end, setup, clock) for name, end in setup.sources.items())),
        )
    finally:
        await ends.close()
    found = tuple(sorted((one for _, seen in accounts for one in seen), key=lambda one: one.key))
    signals = tuple(one for some in heard for one in some)
    troubles = (
        *(f"{one.provider}: {one.credential}" for one, _ in accounts if one.credential != "ok"),
        *(f"{one.key}: {one.verdict}" for one in found if one.verdict != "ok"),
        *(f"{one.service}, signal {one.signal}: {one.trouble}" for one in signals if one.trouble),
    )
    return Online(tuple(one for one, _ in accounts), found, signals, tuple(remarks.texts), troubles)


# --- vendors ------------------------------------------------------------------------------------


async def _account(
    name: str, provider: Provider, setup: Setup, clock: SystemClock
) -> tuple[Account, tuple[Found, ...]]:
    refs = setup.refs.get(name, ())
    try:
        async with clock.deadline(ASK_S_MAX):
            inventory = await provider.inventory()
    except Unauthorized as error:
        wrong = f"credential refused: {error}"
    except ProviderError as error:
        wrong = f"{error.kind}: {error}"
    except TimeoutError:
        wrong = f"no answer within {ASK_S_MAX:g} s"
    else:
        return _judged(name, inventory, setup)
    unseen = tuple(Found(ref.key, name, None, "not seen: the account could not be asked") for ref in refs)
    return Account(name, wrong), unseen


def _judged(name: str, inventory: Inventory, setup: Setup) -> tuple[Account, tuple[Found, ...]]:
    by_ids = {_ids(item.ids): item for item in inventory.items}
    refs = setup.refs.get(name, ())
    found = []
    for ref in refs:
        item = by_ids.get(_ids(ref.ids))
        found.append(Found(ref.key, name, item, _verdict(item, inventory)))
    named = {_ids(ref.ids) for ref in refs}
    unnamed = tuple(item for ids, item in by_ids.items() if ids not in named)
    return Account(name, "ok", inventory.gpu_types, unnamed), tuple(found)


def _ids(ids: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((key, value.lower()) for key, value in ids.items())


def _verdict(item: InventoryItem | None, inventory: Inventory) -> str:
    if item is None:
        return "the account has no such deployment: look at its id, and at the zone or region"
    if not item.scalable:
        return f"not ours to scale ({item.note or 'the vendor says so'}): take it out of the configuration"
    if item.gpu_type is not None and inventory.gpu_types.get(item.gpu_type) is False:
        return f"the account may not use {item.gpu_type}: replicas cannot be added"
    if item.phase == "failed":
        return "failed, by the vendor's own word: it needs a person"
    return "ok"


# --- sources ------------------------------------------------------------------------------------


async def _hear(name: str, source: SignalSource, setup: Setup, clock: SystemClock) -> tuple[Heard, ...]:
    queries = setup.queries.get(name, ())
    if isinstance(source, PushSource):
        pushed = "pushed to the daemon: nothing to ask"
        return tuple(Heard(query.service, query.signal, name, None, None, pushed) for query in queries)
    readings: Mapping[tuple[str, str], Reading]
    try:
        async with clock.deadline(ASK_S_MAX):
            readings = await source.read(queries)
    except TimeoutError:
        readings = {query.key: Absence("timeout", f"no answer within {ASK_S_MAX:g} s") for query in queries}
    now = clock.now()
    heard = []
    for query in queries:
        reading = readings.get(query.key) or Absence("missing")
        rule = setup.fleet.services[query.service].signals[query.signal]
        heard.append(
            _judge(
                query.service, query.signal, name, reading, now, rule.max_age_s, at_zero=rule.exists_at_zero
            )
        )
    return tuple(heard)


def _judge(
    service: str, signal: str, source: str, reading: Reading, now: float, max_age_s: float, *, at_zero: bool
) -> Heard:
    if isinstance(reading, Absence):
        text = f"{reading.reason}{f' ({reading.detail})' if reading.detail else ''}"
        if reading.reason in _EMPTY and not at_zero:
            remark = f"{text}: right while no replica runs, else the query finds nothing"
            return Heard(service, signal, source, reading, None, remark)
        return Heard(service, signal, source, reading, None, text, text)
    age_s = max(0.0, now - reading.at)
    if age_s > max_age_s:
        text = f"stale: {age_s:.0f} s old, max_age_s is {max_age_s:g}"
        return Heard(service, signal, source, reading, age_s, text, text)
    return Heard(service, signal, source, reading, age_s, "ok")
