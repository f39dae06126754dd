"""What every adapter promises, whoever its vendor is. New adapters join by a ``vendor_*.py``."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import pytest

from autoscaler.core.model import Observation, Phase, ReplicaRange, exactly
from autoscaler.ports import (
    BadReply,
    Busy,
    NotFound,
    Observed,
    OperationEnd,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from tests.contracts.harness import Harness, Trouble
from tests.providers.test_http import everything_said


def fact(observed: Observed, key: str) -> Observation:
    told = observed.deployments[key]
    assert isinstance(told, Observation)
    return told


def needs_writing(harness: Harness) -> None:
    if not harness.may_write:
        pytest.skip("set VENDOR_ALLOW_WRITE=1 (as in EXOSCALE_ALLOW_WRITE) to let this test scale it")


async def wait_until_at_rest(harness: Harness) -> Observation:
    """What is there once a change is applied; at most 15 minutes later."""
    for _ in range(60):
        told = fact(await harness.provider.observe([harness.ref]), harness.ref.key)
        if not told.busy and told.phase in (Phase.READY, Phase.STOPPED):
            return told
        await harness.clock.sleep(15)
    pytest.fail(f"not at rest after 15 minutes: {told}")


def calls(harness: Harness) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: harness.provider.observe([harness.ref]),
        lambda: harness.provider.read(harness.ref),
        lambda: harness.provider.set_replicas(harness.ref, exactly(harness.up)),
        lambda: harness.provider.inventory(),
    ]


class ProviderContract:
    """What any adapter must pass; ``harness`` is one of ``harnesses.py``."""

    async def test_every_ref_is_answered_with_facts_or_the_error_that_hid_them(
        self, harness: Harness
    ) -> None:
        observed = await harness.provider.observe([harness.ref, harness.gone])

        assert set(observed.deployments) == {harness.ref.key, harness.gone.key}
        assert isinstance(observed.deployments[harness.gone.key], NotFound)
        assert observed.ended == ()

    async def test_facts_are_coherent(self, harness: Harness) -> None:
        told = fact(await harness.provider.observe([harness.ref]), harness.ref.key)

        assert told.error is None
        assert told.replicas is not None
        assert 0 <= told.replicas.minimum <= told.replicas.maximum
        assert told.native or told.replicas.is_exact
        assert told.ready is None or told.ready >= 0
        assert told.starting is None or told.starting >= 0
        assert told.gpus_per_replica is None or told.gpus_per_replica >= 1
        assert told.phase is not Phase.UNKNOWN
        assert len(told.evidence) <= 50

    async def test_nothing_asked_is_nothing_told(self, harness: Harness) -> None:
        assert (await harness.provider.observe([])).deployments == {}

    async def test_a_read_agrees_with_the_observation(self, harness: Harness) -> None:
        observed = fact(await harness.provider.observe([harness.ref]), harness.ref.key)
        read = await harness.provider.read(harness.ref)

        assert (read.replicas, read.phase, read.busy) == (observed.replicas, observed.phase, observed.busy)
        assert (read.gpu_type, read.native, read.zero) == (observed.gpu_type, observed.native, observed.zero)

    async def test_a_deployment_that_does_not_exist_is_not_found(self, harness: Harness) -> None:
        with pytest.raises(NotFound):
            await harness.provider.read(harness.gone)
        with pytest.raises(NotFound):
            await harness.provider.set_replicas(harness.gone, exactly(1))

    async def test_prices_are_usd_per_gpu_hour_or_absent(self, harness: Harness) -> None:
        for gpu_type, price in (await harness.provider.prices()).items():
            assert gpu_type
            assert math.isfinite(price.usd_per_gpu_hour)
            assert 0 <= price.usd_per_gpu_hour < 1000
            assert abs(price.at - harness.clock.now()) < 60

    async def test_the_inventory_shows_the_deployment(self, harness: Harness) -> None:
        inventory = await harness.provider.inventory()

        mine = [item for item in inventory.items if dict(item.ids) == dict(harness.ref.ids)]
        assert len(mine) == 1
        assert mine[0].scalable
        assert mine[0].phase in set(Phase)

    async def test_every_call_is_told_to_telemetry_under_the_providers_name(self, harness: Harness) -> None:
        await harness.provider.observe([harness.ref])
        await harness.provider.read(harness.ref)

        requests = harness.telemetry.requests
        assert len(requests) >= 2
        assert {name for name, *_ in requests} == {harness.provider.name}
        assert all(duration_s >= 0 for _, _, duration_s, _ in requests)
        ids = tuple(harness.ref.ids.values())
        assert not any(id_ in operation for _, operation, *_ in requests for id_ in ids if len(id_) > 8)

    async def test_a_write_sets_the_count_and_again_is_the_same(self, harness: Harness) -> None:
        needs_writing(harness)
        before = fact(await harness.provider.observe([harness.ref]), harness.ref.key).replicas
        assert before is not None
        for replicas in (exactly(harness.up), exactly(harness.up), before):
            await harness.provider.set_replicas(harness.ref, replicas)
            told = await wait_until_at_rest(harness)
            assert told.replicas == replicas
            assert told.phase is Phase.READY
            assert told.ready is not None
            assert replicas.minimum <= told.ready <= replicas.maximum

    async def test_zero_is_stopped_and_comes_back(self, harness: Harness) -> None:
        needs_writing(harness)
        await harness.provider.observe([harness.ref])
        for count, phase in ((0, Phase.STOPPED), (1, Phase.READY)):
            await harness.provider.set_replicas(harness.ref, exactly(count))
            told = await wait_until_at_rest(harness)
            assert (told.replicas, told.phase, told.ready) == (exactly(count), phase, count)

    async def test_a_write_touches_no_other_deployment(self, harness: Harness) -> None:
        needs_writing(harness)
        if harness.other is None:
            pytest.skip("there is no other deployment to look at")
        refs = [harness.ref, harness.other]
        before = fact(await harness.provider.observe(refs), harness.other.key)
        await harness.provider.set_replicas(harness.ref, exactly(harness.up + 1))
        await wait_until_at_rest(harness)

        assert fact(await harness.provider.observe(refs), harness.other.key) == before

    async def test_the_end_of_a_change_is_told_once(self, harness: Harness) -> None:
        needs_writing(harness)
        if not harness.follows:
            pytest.skip("the vendor tells nothing of a change's end")
        await harness.provider.observe([harness.ref])
        receipt = await harness.provider.set_replicas(harness.ref, exactly(harness.up))
        assert receipt.operation_id
        ends: list[OperationEnd] = []
        looks_after = 0
        for _ in range(100):
            observed = await harness.provider.observe([harness.ref])
            ends.extend(observed.ended)
            assert fact(observed, harness.ref.key).busy is not bool(ends)
            looks_after += bool(ends)
            if looks_after == 5:
                break
            await harness.clock.sleep(5)

        assert [(end.key, end.error) for end in ends] == [(harness.ref.key, None)]

    async def test_while_the_vendor_takes_no_change_none_is_sent(self, harness: Harness) -> None:
        needs_writing(harness)
        if harness.writes is None:
            pytest.skip("what reaches a real vendor is not seen here")
        await harness.provider.observe([harness.ref])
        await harness.provider.set_replicas(harness.ref, exactly(harness.up))
        sent = harness.writes()
        if not (await harness.provider.read(harness.ref)).busy:
            pytest.skip("this vendor takes the next change at once")

        with pytest.raises(Busy):
            await harness.provider.set_replicas(harness.ref, exactly(harness.up + 1))

        assert harness.writes() == sent

    async def test_a_range_is_taken_or_rejected_never_bent(self, harness: Harness) -> None:
        needs_writing(harness)
        await harness.provider.observe([harness.ref])
        if harness.exact:
            with pytest.raises(Rejected):
                await harness.provider.set_replicas(harness.ref, ReplicaRange(1, 3))
            return
        await harness.provider.set_replicas(harness.ref, ReplicaRange(1, 3))
        assert (await wait_until_at_rest(harness)).replicas == (1, 3)

    @pytest.mark.parametrize(
        ("trouble", "error"),
        [
            ("server_error", Unavailable),
            ("rate_limited", RateLimited),
            ("hang", Unavailable),
            ("truncated", BadReply),
            ("garbage", BadReply),
            ("huge", BadReply),
        ],
    )
    async def test_trouble_is_one_of_our_errors_and_passes(
        self, harness: Harness, trouble: Trouble, error: type[ProviderError]
    ) -> None:
        if harness.trouble is None:
            pytest.skip("a real vendor makes its own trouble")
        await harness.provider.observe([harness.ref])
        for call in calls(harness):
            harness.telemetry.requests.clear()
            harness.trouble(trouble)
            began = harness.clock.monotonic()

            with pytest.raises(ProviderError) as caught:
                await call()

            harness.trouble(None)
            assert type(caught.value) is error
            assert harness.clock.monotonic() - began <= 15
            assert error.kind in [kind for *_, kind in harness.telemetry.requests]
            assert not any(secret in everything_said(caught.value) for secret in harness.secrets)
            if isinstance(caught.value, RateLimited):
                assert caught.value.retry_after_s == 17
            await harness.clock.sleep(60)

        assert fact(await harness.provider.observe([harness.ref]), harness.ref.key).replicas is not None

    async def test_a_wrong_credential_is_unauthorized_and_in_no_text(self, harness: Harness) -> None:
        assert harness.stranger is not None
        stranger = harness.stranger()
        try:
            for call in (
                lambda: stranger.observe([harness.ref]),
                lambda: stranger.read(harness.ref),
                lambda: stranger.set_replicas(harness.ref, exactly(harness.up)),
                lambda: stranger.inventory(),
            ):
                with pytest.raises(Unauthorized) as caught:
                    await call()
                assert not any(secret in everything_said(caught.value) for secret in harness.secrets)
        finally:
            await stranger.close()

    async def test_a_repr_holds_no_secret(self, harness: Harness) -> None:
        await harness.provider.observe([harness.ref])

        assert not any(secret in repr(harness.provider) for secret in harness.secrets)

    async def test_closed_is_closed_and_closing_twice_is_fine(self, harness: Harness) -> None:
        await harness.provider.observe([harness.ref])
        await harness.provider.close()
        await harness.provider.close()

        with pytest.raises(Unavailable):
            await harness.provider.observe([harness.ref])
