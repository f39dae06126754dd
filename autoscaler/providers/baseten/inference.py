"""The models' own hosts, where a model that is scaled to zero is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from autoscaler.ports import Clock, ProviderError
from autoscaler.providers.baseten import calls
from autoscaler.providers.http import HttpApi


class Inference:
    """One connection pool for each host that was ever asked; ``make`` opens one for a model's id."""

    def __init__(
        self, address_of: Callable[[str], str], make: Callable[[str], HttpApi], clock: Clock
    ) -> None:
        self._address_of = address_of
        self._make = make
        self._clock = clock
        self._hosts: dict[str, HttpApi] = {}

    async def wake(self, model_id: str, deployment_id: str, budget_s: float) -> None:
        """Ask for a replica now. A failure is told to telemetry only: the bounds ask for it as well."""
        address = self._address_of(model_id)
        if address not in self._hosts:
            self._hosts[address] = self._make(address)
        with suppress(ProviderError, TimeoutError):
            async with self._clock.deadline(budget_s):
                await self._hosts[address].call(calls.wake(deployment_id), lambda _: None)

    async def close(self) -> None:
        """Give back connections."""
        await asyncio.gather(*(host.close() for host in self._hosts.values()))
        self._hosts.clear()
