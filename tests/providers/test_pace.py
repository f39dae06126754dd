"""A vendor's limit per second is met by waiting, and a few calls never wait."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from autoscaler.providers.pace import Pace
from tests.virtual_time import VirtualTimeLoop


async def begins(pace: Pace, clock: SystemClock, calls: int, operation: str = "list") -> list[float]:
    """When each of so many calls, all wanted at once, may begin."""
    found: list[float] = []

    async def one() -> None:
        await pace.turn(operation)
        found.append(clock.monotonic())

    await asyncio.gather(*(one() for _ in range(calls)))
    return sorted(found)


@pytest.mark.virtual_time
async def test_as_many_as_are_allowed_come_at_once_and_the_rest_as_time_passes() -> None:
    clock = SystemClock()
    pace = Pace(clock, calls_per_s=10)
    started = clock.monotonic()
    waits = [at - started for at in await begins(pace, clock, 25)]

    assert waits == pytest.approx([0.0] * 10 + [1.0] * 10 + [2.0] * 5)


@pytest.mark.virtual_time
async def test_another_operation_has_its_own_limit() -> None:
    clock = SystemClock()
    pace = Pace(clock, calls_per_s=2)
    await begins(pace, clock, 2)
    before = clock.monotonic()

    assert await begins(pace, clock, 1, "get") == [before]


@given(
    calls_per_s=st.sampled_from([2, 4, 10]),
    batches=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 12)), min_size=1, max_size=6),
)
def test_no_second_has_more_than_the_limit(calls_per_s: int, batches: list[tuple[int, int]]) -> None:
    async def run() -> list[float]:
        clock, found = SystemClock(), []
        pace = Pace(clock, calls_per_s)
        for pause_ms, calls in batches:
            await clock.sleep(pause_ms / 1000)
            found += await begins(pace, clock, calls)
        return found

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        found = runner.run(run())

    for first in found:
        assert sum(first <= at < first + 1.0 - 1e-6 for at in found) <= calls_per_s


@pytest.mark.virtual_time
async def test_who_gives_up_takes_nobodys_turn() -> None:
    clock = SystemClock()
    pace = Pace(clock, calls_per_s=5)
    shares = []
    for _ in range(20):
        begun: list[None] = []

        async def one(begun: list[None] = begun) -> None:
            await pace.turn("list")
            begun.append(None)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                await asyncio.gather(*(one() for _ in range(40)))
        shares.append(len(begun))
        await clock.sleep(1.5)

    assert shares == [10] * 20, "each round gets its share, however many were left over before"
