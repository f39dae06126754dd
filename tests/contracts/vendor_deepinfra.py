"""The DeepInfra adapter over the emulator, and over a real account."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from autoscaler.clock import SystemClock
from autoscaler.emulators.deepinfra import DeepInfraEmulator
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import Provider, ProviderError, Ref
from autoscaler.providers import PROVIDERS
from tests.contracts.harness import FAULTS, NOVEMBER, Harness, Start
from tests.providers.support import Recorder


@asynccontextmanager
async def deepinfra_emulator() -> AsyncIterator[Harness]:
    """The DeepInfra adapter over the emulator."""
    specs = [
        EmulatedDeployment(
            vendor="deepinfra",
            name=name,
            gpu_type="H100-80GB",
            replicas=2,
            start_up_median_s=60,
            start_up_p95_s=120,
        )
        for name in ("chat", "other")
    ]
    fleet = EmulatedFleet(stock={"H100-80GB": 16}, deployments=tuple(specs))
    clock, telemetry, kind = SystemClock(starts_at=NOVEMBER), Recorder(), PROVIDERS["deepinfra"]
    emulator = DeepInfraEmulator(fleet, clock=clock)
    async with EmulatorServer(emulator) as server:

        def provider(**more: Any) -> Provider:
            told = {"base_url": server.base_url, **emulator.credentials(), **more}
            return kind.create("di", kind.settings.model_validate(told), clock, telemetry)

        harness = Harness(
            provider=provider(),
            clock=clock,
            telemetry=telemetry,
            ref=Ref("chat/di", dict(emulator.ids(specs[0].deployment_id))),
            other=Ref("chat/other", dict(emulator.ids(specs[1].deployment_id))),
            gone=Ref("chat/gone", {"id": "nosuchthing"}),
            secrets=tuple(emulator.credentials().values()),
            exact=False,
            follows=False,
            trouble=lambda what: server.faults.set([] if what is None else [FAULTS[what]]),
            stranger=lambda: provider(api_token="another-token"),
            writes=lambda: server.requests.writes,
        )
        try:
            yield harness
        finally:
            await harness.provider.close()


DEEPINFRA_NEEDS: Final = ("DEEPINFRA_TOKEN", "DEEPINFRA_DEPLOYMENT_ID")


@asynccontextmanager
async def deepinfra_live() -> AsyncIterator[Harness]:
    """The DeepInfra adapter over a real account. With DEEPINFRA_ALLOW_WRITE=1 the deployment is scaled
    from 0 to DEEPINFRA_REPLICAS_MAX, by default 2, and then back."""
    token, id_ = (os.environ[name] for name in DEEPINFRA_NEEDS)
    clock, telemetry, kind = SystemClock(), Recorder(), PROVIDERS["deepinfra"]

    def provider(api_token: str) -> Provider:
        return kind.create("di", kind.settings.model_validate({"api_token": api_token}), clock, telemetry)

    harness = Harness(
        provider=provider(token),
        clock=clock,
        telemetry=telemetry,
        ref=Ref("live/di", {"id": id_}),
        gone=Ref("live/gone", {"id": "nosuchthing"}),
        secrets=(token,),
        exact=False,
        follows=False,
        stranger=lambda: provider("wrong"),
        may_write=os.environ.get("DEEPINFRA_ALLOW_WRITE") == "1",
        up=int(os.environ.get("DEEPINFRA_REPLICAS_MAX", "2")),
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


EMULATED: Final[dict[str, Start]] = {"deepinfra": deepinfra_emulator}

LIVE: Final[dict[str, tuple[Start, tuple[str, ...]]]] = {"deepinfra": (deepinfra_live, DEEPINFRA_NEEDS)}
