"""Act: one absolute, idempotent write per changed deployment. It makes no choices.

Just before each write the deployment is read again; if the world has moved since the plan, or a person has
paused it, the write is skipped as ``stale`` and the next tick decides anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from autoscaler.core.model import Decision, ErrorKind, Outcome, OutcomeWord
from autoscaler.daemon.setup import Setup, read_deadline_s
from autoscaler.ports import Clock, Provider, ProviderError, RateLimited, Ref

log = structlog.stdlib.get_logger("autoscaler.act")

WRITES_AT_ONCE: Final = 8
"""Per provider; the vendors ask for modesty and the tick has time."""

_REFUSED: Final = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.BUSY,
        ErrorKind.REJECTED,
        ErrorKind.NOT_FOUND,
        ErrorKind.UNAUTHORIZED,
        ErrorKind.NO_CAPACITY,
    }
)


async def act(
    decisions: Sequence[Decision],
    setup: Setup,
    clock: Clock,
    deadline_s: float,
    is_paused: Callable[[Decision], bool] = lambda _: False,
) -> tuple[Outcome, ...]:
    """Carry out these decisions within ``deadline_s``; an outcome for each, in their order.

    ``is_paused`` is asked as each write is about to leave: reads take time, in which people may act.
    """
    gates = {name: asyncio.Semaphore(WRITES_AT_ONCE) for name in setup.providers}
    limits: dict[str, RateLimited] = {}
    outcomes: dict[int, Outcome] = {}

    async def one(index: int, decision: Decision) -> None:
        found = setup.ref(f"{decision.service}/{decision.deployment}")
        assert found is not None, "a plan names only deployments of its own configuration"
        provider, ref = found
        async with gates[provider]:
            try:
                written = await _write(
                    decision, setup.providers[provider], ref, clock, setup, limits, is_paused
                )
            except Exception:
                # A bug of one adapter must not lose what became of the other vendors' writes.
                log.exception("an adapter failed: please report this as a bug", provider=provider)
                written = _outcome(decision, OutcomeWord.FAILED, ErrorKind.BAD_REPLY)
            outcomes[index] = written

    try:
        async with clock.deadline(deadline_s):
            await asyncio.gather(*(one(index, decision) for index, decision in enumerate(decisions)))
    except TimeoutError:
        pass  # What has no outcome by now is a timeout, below: it may or may not have been taken.
    return tuple(
        outcomes.get(index, _outcome(decision, OutcomeWord.TIMEOUT, ErrorKind.UNAVAILABLE))
        for index, decision in enumerate(decisions)
    )


async def _write(
    decision: Decision,
    provider: Provider,
    ref: Ref,
    clock: Clock,
    setup: Setup,
    limits: dict[str, RateLimited],
    is_paused: Callable[[Decision], bool],
) -> Outcome:
    limited = limits.get(provider.name)
    if limited is not None:
        return _outcome(decision, OutcomeWord.REJECTED, limited.kind, limited.retry_after_s)
    each_s = read_deadline_s(setup.fleet.interval_s)
    try:
        async with clock.deadline(each_s):
            seen = await provider.read(ref)
    except ProviderError as error:
        return _outcome(decision, OutcomeWord.STALE, error.kind)
    except TimeoutError:
        return _outcome(decision, OutcomeWord.STALE, ErrorKind.UNAVAILABLE)
    if seen.replicas != decision.range_from or seen.busy or is_paused(decision):
        return _outcome(decision, OutcomeWord.STALE)
    assert decision.range_to is not None
    try:
        async with clock.deadline(each_s):
            await provider.set_replicas(ref, decision.range_to)
    except RateLimited as error:
        limits[provider.name] = error
        return _outcome(decision, OutcomeWord.REJECTED, error.kind, error.retry_after_s)
    except ProviderError as error:
        refused = error.kind in _REFUSED
        return _outcome(decision, OutcomeWord.REJECTED if refused else OutcomeWord.FAILED, error.kind)
    except TimeoutError:
        return _outcome(decision, OutcomeWord.TIMEOUT, ErrorKind.UNAVAILABLE)
    return _outcome(decision, OutcomeWord.ACCEPTED)


def _outcome(
    decision: Decision, word: OutcomeWord, error: ErrorKind | None = None, retry_after_s: float | None = None
) -> Outcome:
    return Outcome(decision.service, decision.deployment, word, error, retry_after_s)
