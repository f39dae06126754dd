"""Changes that Exoscale took and has not ended yet, followed across ticks.

They live in memory only: after a restart the ``state`` of the deployment tells the same, later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from autoscaler.ports import Clock, NotFound, OperationEnd, ProviderError, Telemetry
from autoscaler.providers.exoscale import calls
from autoscaler.providers.exoscale.replies import REASONS, Entry, Operation, parse_operation
from autoscaler.providers.http import HttpApi

UNREAD_MAX_S: Final = 1800.0  # not one answer about it for so long: forget it
PENDING_MAX_S: Final = 6 * 3600.0  # nothing that a vendor does to replicas takes so long
SETTLES_AFTER_S: Final = 60.0  # younger than this, an absence may be the vendor's own delay
_READERS: Final = 4  # at once; the list call needs connections too


@dataclass(slots=True)
class _Followed:
    key: str
    deployment: str
    operation: str
    replicas: int
    accepted_at: float
    read_at: float  # when the vendor last told us of it
    tried_at: float = 0.0
    gone: bool = False  # the vendor says that it knows no such operation


class Operations:
    """What is pending, by deployment id. All times are the clock's monotonic seconds."""

    def __init__(self, name: str, http: HttpApi, clock: Clock, telemetry: Telemetry) -> None:
        self._name = name
        self._http = http
        self._clock = clock
        self._telemetry = telemetry
        self._followed: dict[str, _Followed] = {}
        self._succeeded: set[str] = set()  # deployment ids, until the next look at them
        self._ended: list[OperationEnd] = []

    def pending(self, deployment: str) -> bool:
        """Whether a change to this deployment is still being applied."""
        return deployment in self._followed

    def add(self, key: str, deployment: str, replicas: int, operation: Operation) -> None:
        """Follow a change that was just accepted."""
        if operation.state == "success":
            self._end(key, deployment, None)
        elif operation.id is not None:
            now = self._clock.monotonic()
            self._followed[deployment] = _Followed(key, deployment, operation.id, replicas, now, now)

    async def poll(self, budget_s: float) -> None:
        """Ask about all of them, the longest unasked first; what the budget leaves is for the next tick."""
        queue = sorted(self._followed.values(), key=lambda followed: followed.tried_at, reverse=True)

        async def reader() -> None:
            while queue:
                await self._ask(queue.pop())

        with suppress(TimeoutError):
            async with self._clock.deadline(budget_s):
                await asyncio.gather(*(reader() for _ in range(min(_READERS, len(queue)))))

    def compare(self, entries: Mapping[str, Entry]) -> None:
        """Hold what is pending against what the deployments show; forget what nobody can tell of."""
        self._tell_of_successes(entries)
        now = self._clock.monotonic()
        for followed in tuple(self._followed.values()):
            entry = entries.get(followed.deployment)
            why = _why_to_forget(followed, entry, now)
            if why is not None:
                del self._followed[followed.deployment]
                self._telemetry.first_sight(self._name, "an operation whose end was not seen", why)
            elif entry is not None:
                seen = "the new count" if entry.replicas == followed.replicas else "the old count"
                self._telemetry.first_sight(self._name, "replicas shown while an operation is pending", seen)

    def drain(self) -> tuple[OperationEnd, ...]:
        """Ends that were not handed over yet. No await between this and the return to the daemon."""
        ended = tuple(self._ended)
        self._ended.clear()
        return ended

    async def _ask(self, followed: _Followed) -> None:
        followed.tried_at = self._clock.monotonic()
        try:
            operation = await self._http.call(
                calls.operation(followed.operation),
                lambda body: parse_operation(body, self._http.secrets),
            )
        except ProviderError as error:
            followed.gone = isinstance(error, NotFound)
            return  # Telemetry has it; silence is judged by its length, in compare().
        if operation.state == "unknown":
            self._telemetry.unknown_word(self._name, operation.word, "operation.state")
            return
        followed.read_at = self._clock.monotonic()
        followed.gone = False
        if operation.state == "pending" or self._followed.get(followed.deployment) is not followed:
            return
        if operation.reason is not None and operation.reason not in REASONS:
            self._telemetry.unknown_word(self._name, operation.reason, "operation.reason")
        del self._followed[followed.deployment]
        self._end(followed.key, followed.deployment, operation.error)

    def _end(self, key: str, deployment: str, error: ProviderError | None) -> None:
        self._ended.append(OperationEnd(key, error))
        if error is None:
            self._succeeded.add(deployment)

    def _tell_of_successes(self, entries: Mapping[str, Entry]) -> None:
        for deployment in tuple(self._succeeded):
            entry = entries.get(deployment)
            if entry is not None:
                self._telemetry.first_sight(
                    self._name, "state at the first look after an operation's success", entry.word
                )
        self._succeeded.clear()


def _why_to_forget(followed: _Followed, entry: Entry | None, now: float) -> str | None:
    unread_s = now - followed.read_at
    age_s = now - followed.accepted_at
    if unread_s >= UNREAD_MAX_S:
        return f"not readable for {unread_s:.0f} s"
    if age_s >= PENDING_MAX_S:
        return f"pending for {age_s:.0f} s"
    if followed.gone and age_s >= SETTLES_AFTER_S:
        return "not found"
    shown = entry is not None and entry.word == "ready" and entry.replicas == followed.replicas
    if shown and unread_s >= SETTLES_AFTER_S:
        return "not readable, but the deployment is ready with the new count"
    return None
