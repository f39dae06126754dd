"""Instance types: which GPUs a name stands for, and what a replica on it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from autoscaler.core.model import Price
from autoscaler.ports import BadReply, Clock, ProviderError
from autoscaler.providers.baseten import calls
from autoscaler.providers.fields import (
    float_field,
    int_field,
    list_field,
    object_of,
    optional_str_field,
    str_field,
)
from autoscaler.providers.http import HttpApi

AGE_MAX_S: Final = 3600.0
TRIES_EVERY_S: Final = 60.0  # while a name is not known
TYPES_MAX: Final = 2000
_DIGITS: Final = 9  # of a dollar: what a division adds beyond means nothing
_MINUTES_PER_HOUR: Final = 60


@dataclass(frozen=True, slots=True)
class InstanceType:
    """What one replica runs on. ``gpus`` 0: no GPU."""

    name: str
    gpu_type: str | None
    gpus: int

    @property
    def has_gpus(self) -> bool:
        """Whether a price per GPU-hour can be told."""
        return self.gpus > 0 and self.gpu_type is not None


def parse_type(value: object) -> InstanceType:
    """One instance type."""
    body = object_of(value, "an instance type")
    return InstanceType(
        str_field(body, "name"), optional_str_field(body, "gpu_type"), int_field(body, "gpu_count")
    )


def parse_types(value: object) -> tuple[InstanceType, ...]:
    """The reply of the instance types call; a row that cannot be read hides no other."""
    found = []
    for item in _items(value):
        with suppress(BadReply):
            found.append(parse_type(item))
    return tuple(found)


def parse_priced(value: object) -> tuple[tuple[InstanceType, float], ...]:
    """The reply of the prices call: types, and USD per minute of one replica. As ``parse_types``."""
    found = []
    for item in _items(value):
        with suppress(BadReply):
            body = object_of(item, "a price")
            found.append((parse_type(body.get("instance_type")), float_field(body, "price")))
    return tuple(found)


def prices_of(priced: Iterable[tuple[InstanceType, float]], at: float) -> Mapping[str, Price]:
    """USD per GPU-hour by the instance type's name; and by GPU type, that of its smallest instance type.

    Instance types without GPUs have no such price and are left out. Nothing is free: zero is a price that
    is not set.
    """
    prices: dict[str, Price] = {}
    smallest: dict[str, tuple[int, float]] = {}
    for one, usd_per_minute in priced:
        if not one.has_gpus or one.gpu_type is None or usd_per_minute == 0.0:
            continue
        usd = round(usd_per_minute * _MINUTES_PER_HOUR / one.gpus, _DIGITS)
        prices[one.name] = Price(usd, at, gpu_type=one.gpu_type, gpus=one.gpus)
        smallest[one.gpu_type] = min(smallest.get(one.gpu_type, (one.gpus, usd)), (one.gpus, usd))
    # Where an instance type is called as its GPU type is, it has its own price already.
    return {**{gpu_type: Price(usd, at) for gpu_type, (_, usd) in smallest.items()}, **prices}


def _items(value: Any) -> list[Any]:
    return list_field(object_of(value), "instance_types", items_max=TYPES_MAX)


class InstanceTypes:
    """What is known of the instance types, by name. What a name stands for does not change."""

    def __init__(self, http: HttpApi, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._known: Mapping[str, InstanceType] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def of(self, name: str | None) -> InstanceType | None:
        """The instance type of this name, where it is known."""
        return None if name is None else self._known.get(name)

    def learn(self, types: Iterable[InstanceType]) -> None:
        """Take a list that was read for another reason; it may lack what has no price."""
        known = {**self._known, **{one.name: one for one in types}}
        self._known = dict(list(known.items())[-TYPES_MAX:])
        self._read_at = self._clock.monotonic()

    async def refresh(self, budget_s: float, names: Iterable[str | None] = ()) -> None:
        """Read the list when it is old, or when a name is not in it; failure leaves what is known."""
        now = self._clock.monotonic()
        is_old = self._read_at is None or now - self._read_at >= AGE_MAX_S
        if not is_old and all(name is None or name in self._known for name in names):
            return
        if self._tried_at is not None and now - self._tried_at < TRIES_EVERY_S:
            return
        self._tried_at = now
        with suppress(ProviderError, TimeoutError):
            async with self._clock.deadline(budget_s):
                self.learn(await self._http.call(calls.INSTANCE_TYPES, parse_types))
