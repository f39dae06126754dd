"""The contract's harnesses, one test run for each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contracts.harnesses import HARNESSES, Harness


def _params() -> list[object]:
    return [
        pytest.param(name, id=name, marks=() if name.endswith("live") else pytest.mark.virtual_time)
        for name in HARNESSES
    ]


@pytest_asyncio.fixture(params=_params())
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    async with HARNESSES[request.param]() as it:
        yield it
