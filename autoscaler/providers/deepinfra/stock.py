"""What DeepInfra has to rent, kept for a few minutes: stock changes faster than prices are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from autoscaler.core.model import Price
from autoscaler.ports import Clock, ProviderError, Telemetry
from autoscaler.providers.deepinfra import calls
from autoscaler.providers.deepinfra.replies import Configuration, PriceList, parse_price_list
from autoscaler.providers.http import HttpApi

ASKED_EVERY_S: Final = 10.0  # at each tick, as a rule: what is out of stock is not asked for in vain
AGE_MAX_S: Final = 300.0
_DIGITS: Final = 9  # of a dollar: what a division adds beyond means nothing


class Stock:
    """The last price list. All times are the clock's."""

    def __init__(self, http: HttpApi, clock: Clock, telemetry: Telemetry) -> None:
        self._http = http
        self._clock = clock
        self._telemetry = telemetry
        self._by_name: Mapping[str, Configuration] = {}
        self._asked_at: float | None = None
        self._read_at: float | None = None

    async def refresh(self, budget_s: float) -> None:
        """Ask again where that is due; it takes no longer than the budget, and its failure is silent."""
        now = self._clock.monotonic()
        if self._asked_at is not None and now - self._asked_at < ASKED_EVERY_S:
            return
        with suppress(ProviderError, TimeoutError):
            async with self._clock.deadline(budget_s):
                await self.ask()

    async def ask(self) -> PriceList:
        """The price list now. Raises: ProviderError. Source: GET /deploy/llm/gpu_availability."""
        self._asked_at = self._clock.monotonic()
        told = await self._http.call(calls.STOCK, parse_price_list)
        for name in sorted(set(told.odd)):
            self._telemetry.unknown_word(self._http.name, name, "gpu_config")
        self._by_name = {one.name: one for one in told.configurations}
        self._read_at = self._clock.monotonic()
        return told

    def available(self, configuration: str | None) -> bool | None:
        """Whether one more of these can be had; None where that was not told of late."""
        if self._read_at is None or self._clock.monotonic() - self._read_at > AGE_MAX_S:
            return None
        found = self._by_name.get(configuration) if configuration is not None else None
        return None if found is None else found.available


def prices_of(told: PriceList, at: float) -> Mapping[str, Price]:
    """USD per GPU-hour: of each configuration by its name, of each GPU type by that of its smallest one.

    ``at`` is when the vendor was asked.
    """
    prices: dict[str, Price] = {}
    for one in sorted(told.configurations, key=lambda one: (one.gpu_type, one.gpus)):
        if one.usd_per_hour is None:
            continue
        each = round(one.usd_per_hour / one.gpus, _DIGITS)
        prices[one.name] = Price(each, at, gpu_type=one.gpu_type, gpus=one.gpus, available=one.available)
        prices.setdefault(one.gpu_type, Price(each, at))
    return prices
