"""The Baseten adapter over the emulator, in each of its three shapes, and over a real account."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final

from autoscaler.clock import SystemClock
from autoscaler.emulators.baseten import BasetenEmulator, BasetenSettings
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import Provider, ProviderError, Ref
from autoscaler.providers import PROVIDERS
from tests.contracts.harness import FAULTS, NOVEMBER, Harness, Start
from tests.providers.support import Recorder

SCALE_DOWN_DELAY_S: Final = 60  # the vendor's default of 900 s is as long as the contract waits


def spec(name: str, **options: Any) -> EmulatedDeployment:
    """A deployment that begins with two replicas."""
    return EmulatedDeployment(
        vendor="baseten",
        name=name,
        gpu_type="H100",
        replicas=2,
        start_up_median_s=60,
        start_up_p95_s=120,
        options={"scale_down_delay": SCALE_DOWN_DELAY_S, **options},
    )


def _model() -> tuple[EmulatedDeployment, EmulatedDeployment, dict[str, str]]:
    return spec("chat", model_id="mchat"), spec("other", model_id="mchat"), {"deployment_id": "nothere"}


def _environment() -> tuple[EmulatedDeployment, EmulatedDeployment, dict[str, str]]:
    chat = spec("chat", model_id="mchat", environment="production")
    return chat, spec("other", model_id="mchat", environment="staging"), {"environment": "nowhere"}


def _chainlet() -> tuple[EmulatedDeployment, EmulatedDeployment, dict[str, str]]:
    llm = spec("llm", chain_id="crag", environment="production", chainlet="Llm")
    other = spec("retriever", chain_id="crag", environment="production", chainlet="Retriever")
    return llm, other, {"chainlet": "Nobody"}


@asynccontextmanager
async def _over_emulator(
    ours: EmulatedDeployment, other: EmulatedDeployment, gone: dict[str, str]
) -> AsyncIterator[Harness]:
    fleet = EmulatedFleet(stock={"H100": 16}, deployments=(ours, other))
    clock, telemetry, kind = SystemClock(starts_at=NOVEMBER), Recorder(), PROVIDERS["baseten"]
    # Writes are applied at once: what is shown meanwhile is held elsewhere against the adapter.
    emulator = BasetenEmulator(fleet, clock=clock, settings=BasetenSettings(applied_after_s=0))
    async with EmulatorServer(emulator) as server:

        def provider(**more: Any) -> Provider:
            told = {"base_url": server.base_url, **emulator.credentials(), **more}
            return kind.create("bt", kind.settings.model_validate(told), clock, telemetry)

        ids = emulator.ids(ours.deployment_id)
        harness = Harness(
            provider=provider(),
            clock=clock,
            telemetry=telemetry,
            ref=Ref("chat/bt", ids),
            other=Ref("chat/other", emulator.ids(other.deployment_id)),
            gone=Ref("chat/gone", {**ids, **gone}),
            secrets=(emulator.credentials()["api_key"],),
            exact=False,
            follows=False,
            trouble=lambda what: server.faults.set([] if what is None else [FAULTS[what]]),
            stranger=lambda: provider(api_key="another-key"),
            writes=lambda: server.requests.writes,
        )
        try:
            yield harness
        finally:
            await harness.provider.close()


def model() -> AbstractAsyncContextManager[Harness]:
    """One deployment by its id."""
    return _over_emulator(*_model())


def environment() -> AbstractAsyncContextManager[Harness]:
    """An environment of a model."""
    return _over_emulator(*_environment())


def chainlet() -> AbstractAsyncContextManager[Harness]:
    """A chainlet by its name."""
    return _over_emulator(*_chainlet())


BASETEN_NEEDS: Final = ("BASETEN_API_KEY", "BASETEN_MODEL_ID", "BASETEN_DEPLOYMENT_ID")


@asynccontextmanager
async def baseten_live() -> AsyncIterator[Harness]:
    """The Baseten adapter over a real account. With BASETEN_ALLOW_WRITE=1 the deployment is scaled from 0
    to BASETEN_REPLICAS_MAX, by default 2, and then back; its scale_down_delay should be short."""
    key, model_id, deployment_id = (os.environ[name] for name in BASETEN_NEEDS)
    clock, telemetry, kind = SystemClock(), Recorder(), PROVIDERS["baseten"]

    def provider(api_key: str) -> Provider:
        return kind.create("bt", kind.settings.model_validate({"api_key": api_key}), clock, telemetry)

    harness = Harness(
        provider=provider(key),
        clock=clock,
        telemetry=telemetry,
        ref=Ref("live/bt", {"model_id": model_id, "deployment_id": deployment_id}),
        gone=Ref("live/gone", {"model_id": model_id, "deployment_id": "nothere"}),
        secrets=(key,),
        exact=False,
        follows=False,
        stranger=lambda: provider("wrong"),
        may_write=os.environ.get("BASETEN_ALLOW_WRITE") == "1",
        up=int(os.environ.get("BASETEN_REPLICAS_MAX", "2")),
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


EMULATED: Final[dict[str, Start]] = {
    "baseten-model": model,
    "baseten-environment": environment,
    "baseten-chainlet": chainlet,
}

LIVE: Final[dict[str, tuple[Start, tuple[str, ...]]]] = {"baseten": (baseten_live, BASETEN_NEEDS)}
