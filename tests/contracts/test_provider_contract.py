"""The contract of providers, run against every adapter with something behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contracts.harness import Harness
from tests.contracts.harnesses import EMULATED, LIVE, live_params, vendors_without_a_harness
from tests.contracts.provider_contract import ProviderContract


def test_every_vendor_is_held_to_the_contract() -> None:
    assert vendors_without_a_harness() == set()


@pytest.mark.virtual_time
class TestEmulated(ProviderContract):
    """Over emulators and examples, in virtual time: fifteen minutes of settling take no time."""

    @pytest_asyncio.fixture(params=EMULATED)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
        async with EMULATED[request.param]() as harness:
            yield harness


@pytest.mark.timeout(3600)
class TestLive(ProviderContract):
    """Over real accounts, in real time; skipped without credentials in the environment."""

    @pytest_asyncio.fixture(params=list(live_params()))
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
        async with LIVE[request.param][0]() as harness:
            yield harness
