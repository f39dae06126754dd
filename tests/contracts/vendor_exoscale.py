"""The Exoscale adapter over the emulator, and over a real account."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from autoscaler.clock import SystemClock
from autoscaler.emulators.exoscale import ExoscaleEmulator
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import Provider, ProviderError, Ref
from autoscaler.providers import PROVIDERS
from tests.contracts.harness import FAULTS, NOVEMBER, Harness, Start
from tests.providers.support import Recorder


@asynccontextmanager
async def exoscale_emulator() -> AsyncIterator[Harness]:
    """The Exoscale adapter over the emulator."""
    specs = [
        EmulatedDeployment(
            name=name, gpu_type="gpua5000", replicas=2, start_up_median_s=60, start_up_p95_s=120
        )
        for name in ("chat", "other")
    ]
    fleet = EmulatedFleet(stock={"gpua5000": 16}, deployments=tuple(specs))
    clock, telemetry, kind = SystemClock(starts_at=NOVEMBER), Recorder(), PROVIDERS["exoscale"]
    emulator = ExoscaleEmulator(fleet, clock=clock)
    async with EmulatorServer(emulator) as server:

        def provider(**more: Any) -> Provider:
            told = {"base_url": server.base_url, **emulator.credentials(), **more}
            return kind.create("exo", kind.settings.model_validate(told), clock, telemetry)

        harness = Harness(
            provider=provider(),
            clock=clock,
            telemetry=telemetry,
            ref=Ref("chat/exo", {"id": specs[0].deployment_id}),
            other=Ref("chat/other", {"id": specs[1].deployment_id}),
            gone=Ref("chat/gone", {"id": "00000000-0000-4000-8000-000000000000"}),
            secrets=(emulator.credentials()["api_secret"], emulator.credentials()["api_key"]),
            exact=True,
            follows=True,
            trouble=lambda what: server.faults.set([] if what is None else [FAULTS[what]]),
            stranger=lambda: provider(api_secret="another-secret"),
            writes=lambda: server.requests.writes,
        )
        try:
            yield harness
        finally:
            await harness.provider.close()


EXOSCALE_NEEDS: Final = ("EXOSCALE_API_KEY", "EXOSCALE_API_SECRET", "EXOSCALE_ZONE", "EXOSCALE_DEPLOYMENT_ID")


@asynccontextmanager
async def exoscale_live() -> AsyncIterator[Harness]:
    """The Exoscale adapter over a real account. With EXOSCALE_ALLOW_WRITE=1 the deployment is scaled
    from 0 to EXOSCALE_REPLICAS_MAX, by default 2, and then back."""
    key, secret, zone, id_ = (os.environ[name] for name in EXOSCALE_NEEDS)
    clock, telemetry, kind = SystemClock(), Recorder(), PROVIDERS["exoscale"]
    settings = kind.settings.model_validate({"zone": zone, "api_key": key, "api_secret": secret})
    harness = Harness(
        provider=kind.create("exo", settings, clock, telemetry),
        clock=clock,
        telemetry=telemetry,
        ref=Ref("live/exo", {"id": id_}),
        gone=Ref("live/gone", {"id": "00000000-0000-4000-8000-000000000000"}),
        secrets=(secret, key),
        exact=True,
        follows=True,
        stranger=lambda: kind.create(
            "exo",
            kind.settings.model_validate({"zone": zone, "api_key": key, "api_secret": "wrong"}),
            clock,
            telemetry,
        ),
        may_write=os.environ.get("EXOSCALE_ALLOW_WRITE") == "1",
        up=int(os.environ.get("EXOSCALE_REPLICAS_MAX", "2")),
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


EMULATED: Final[dict[str, Start]] = {"exoscale": exoscale_emulator}

LIVE: Final[dict[str, tuple[Start, tuple[str, ...]]]] = {"exoscale": (exoscale_live, EXOSCALE_NEEDS)}
