"""What stands behind an adapter: its vendor's emulator, or a real account. Vendors fill in their own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from autoscaler.clock import SystemClock
from autoscaler.emulators.server import EmulatorServer
from autoscaler.emulators.vendor import VendorEmulator
from autoscaler.ports import Clock, Provider, ProviderError, Ref
from autoscaler.providers import PROVIDERS
from tests.contracts.harness import FAULTS, Harness
from tests.providers.support import Recorder

Keys = Mapping[str, Any]


def _adapter(vendor: str, keys: Keys, clock: Clock, telemetry: Recorder) -> Provider:
    kind = PROVIDERS[vendor]
    return kind.create(vendor[:3], kind.settings.model_validate(dict(keys)), clock, telemetry)


@asynccontextmanager
async def over_emulator(
    emulator: VendorEmulator,
    ours: str,
    other: str,
    gone: Mapping[str, str],
    secrets: tuple[str, ...],
    *,
    exact: bool = False,
    follows: bool = False,
) -> AsyncIterator[Harness]:
    """The adapter over this emulator. ``ours`` and ``other`` are ids of its world, ``gone`` what must change
    in the first's ids to name nothing, ``secrets`` the keys of its credentials that no text may hold; the
    first of them is what a stranger has wrong."""
    clock, telemetry = emulator.clock, Recorder()
    async with EmulatorServer(emulator) as server:
        keys = {"base_url": server.base_url, **emulator.credentials()}
        ids = emulator.ids(ours)
        harness = Harness(
            provider=_adapter(emulator.kind, keys, clock, telemetry),
            clock=clock,
            telemetry=telemetry,
            ref=Ref("chat/ours", dict(ids)),
            other=Ref("chat/other", dict(emulator.ids(other))),
            gone=Ref("chat/gone", {**ids, **gone}),
            secrets=tuple(keys[name] for name in secrets),
            exact=exact,
            follows=follows,
            trouble=lambda what: server.faults.set([] if what is None else [FAULTS[what]]),
            stranger=lambda: _adapter(emulator.kind, {**keys, secrets[0]: "another-one"}, clock, telemetry),
            writes=lambda: server.requests.writes,
        )
        try:
            yield harness
        finally:
            await harness.provider.close()


@asynccontextmanager
async def over_account(
    vendor: str,
    keys: Keys,
    ids: Mapping[str, str],
    gone: Mapping[str, str],
    secrets: tuple[str, ...],
    *,
    exact: bool = False,
    follows: bool = False,
) -> AsyncIterator[Harness]:
    """The adapter over a real account. With VENDOR_ALLOW_WRITE=1 the deployment is scaled from 0 to
    VENDOR_REPLICAS_MAX, by default 2, and then back."""
    clock, telemetry, word = SystemClock(), Recorder(), vendor.upper()
    harness = Harness(
        provider=_adapter(vendor, keys, clock, telemetry),
        clock=clock,
        telemetry=telemetry,
        ref=Ref("live/ours", dict(ids)),
        gone=Ref("live/gone", {**ids, **gone}),
        secrets=tuple(keys[name] for name in secrets),
        exact=exact,
        follows=follows,
        stranger=lambda: _adapter(vendor, {**keys, secrets[0]: "wrong"}, clock, telemetry),
        may_write=os.environ.get(f"{word}_ALLOW_WRITE") == "1",
        up=int(os.environ.get(f"{word}_REPLICAS_MAX", "2")),
    )
    before = (await harness.provider.read(harness.ref)).replicas if harness.may_write else None
    try:
        yield harness
    finally:
        if before is not None:
            with suppress(ProviderError):
                await harness.provider.set_replicas(harness.ref, before)
        await harness.provider.close()
        for sight in telemetry.sights:  # shown with pytest -rP: what the vendor's pages leave open
            print(sight)
