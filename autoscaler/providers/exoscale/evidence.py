"""Why a deployment is in error: the vendor's details and the last log lines, read once.

A person wants them; no decision rests on them. So they cost little time, and never a tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from autoscaler.ports import Clock, ProviderError
from autoscaler.providers.exoscale import calls
from autoscaler.providers.exoscale.replies import parse_logs, parse_one
from autoscaler.providers.http import HttpApi
from autoscaler.providers.plain_text import plain_text

LOG_LINES_MAX: Final = 20
LINE_CHARS_MAX: Final = 200
_TRIES_MAX: Final = 3
_AT_ONCE_MAX: Final = 8  # deployments per tick; the others' turn is the next tick


@dataclass(slots=True)
class _Account:
    details: str | None = None  # None: not read yet
    logs: tuple[str, ...] | None = None
    tries: int = 0

    @property
    def due(self) -> bool:
        return self.tries < _TRIES_MAX and (self.details is None or self.logs is None)

    @property
    def lines(self) -> tuple[str, ...]:
        return ((self.details,) if self.details else ()) + (self.logs or ())


class Evidence:
    """What is known of the deployments that are in error now, by id."""

    def __init__(self, http: HttpApi, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._accounts: Mapping[str, _Account] = {}

    def of(self, deployment: str) -> tuple[str, ...]:
        """At most 21 lines of at most 200 characters; none for a deployment that is not in error."""
        account = self._accounts.get(deployment)
        return account.lines if account is not None else ()

    async def refresh(self, failed: Sequence[str], budget_s: float) -> None:
        """Read about those that are new in error, and forget those that no longer are."""
        self._accounts = {deployment: self._accounts.get(deployment, _Account()) for deployment in failed}
        due = [deployment for deployment, account in self._accounts.items() if account.due][:_AT_ONCE_MAX]
        if not due:
            return
        with suppress(TimeoutError):
            async with self._clock.deadline(budget_s):
                await asyncio.gather(
                    *(self._read(deployment, self._accounts[deployment]) for deployment in due)
                )

    async def _read(self, deployment: str, account: _Account) -> None:
        account.tries += 1
        # One after the other, and each kept by itself: logs of a broken deployment may well fail.
        if account.details is None:
            with suppress(ProviderError):
                entry = await self._http.call(calls.get(deployment), lambda body: parse_one(body, deployment))
                account.details = plain_text(entry.details, secrets=self._http.secrets)
        if account.logs is None:
            with suppress(ProviderError):
                lines = await self._http.call(calls.logs(deployment, LOG_LINES_MAX), parse_logs)
                account.logs = tuple(
                    plain_text(line, secrets=self._http.secrets, chars_max=LINE_CHARS_MAX)
                    for line in lines[-LOG_LINES_MAX:]
                )
