"""What the contract runs against: each adapter with something behind it that speaks as its vendor."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from autoscaler.clock import SystemClock
from autoscaler.emulators.exoscale import ExoscaleEmulator
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.ports import Clock, Provider, ProviderError, Ref
from autoscaler.providers import PROVIDERS, ProviderKind
from tests.contracts.acme_server import TOKEN, acme_server
from tests.providers.support import Recorder

Trouble = Literal["server_error", "rate_limited", "hang", "truncated", "garbage", "huge"]
NOVEMBER: Final = 1795219200.0  # 2026-11-21T00:00:00Z
EXAMPLE: Final = Path(__file__).parents[2] / "docs" / "providers" / "writing-a-provider.md"


@dataclass
class Harness:
    """One adapter, one deployment ``ref`` that may be scaled from 0 to ``up``, and ``other`` beside it.

    ``gone`` names nothing. ``trouble`` and ``stranger`` are None where the vendor is real.
    """

    provider: Provider
    clock: Clock
    telemetry: Recorder
    ref: Ref
    gone: Ref
    secrets: tuple[str, ...]
    exact: bool  # takes counts only, no ranges
    follows: bool  # tells the ends of changes
    other: Ref | None = None
    trouble: Callable[[Trouble | None], None] | None = None
    stranger: Callable[[], Provider] | None = None  # the same adapter with a wrong credential
    writes: Callable[[], int] | None = None  # that reached the vendor
    may_write: bool = True
    up: int = 3


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

        faults = {
            "server_error": Fault(kind=FaultKind.SERVER_ERROR),
            "rate_limited": Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=17),
            "hang": Fault(kind=FaultKind.HANG),
            "truncated": Fault(kind=FaultKind.TRUNCATED_JSON),
            "garbage": Fault(kind=FaultKind.GARBAGE),
            "huge": Fault(kind=FaultKind.HUGE_BODY),
        }
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
            trouble=lambda what: server.faults.set([] if what is None else [faults[what]]),
            stranger=lambda: provider(api_secret="another-secret"),
            writes=lambda: server.requests.writes,
        )
        try:
            yield harness
        finally:
            await harness.provider.close()


def example_kind() -> ProviderKind:
    """The example of the documentation, as it stands there."""
    text = EXAMPLE.read_text(encoding="utf-8")
    code = text.split("```python\n", 1)[1].split("```", 1)[0]
    module: dict[str, Any] = {"__name__": "acme_example"}
    exec(compile(code, str(EXAMPLE), "exec", dont_inherit=True), module)
    kind = module["KIND"]
    assert isinstance(kind, ProviderKind)
    return kind


@asynccontextmanager
async def documented_example() -> AsyncIterator[Harness]:
    """The example of docs/providers/writing-a-provider.md over a tiny vendor."""
    clock, telemetry, kind = SystemClock(starts_at=NOVEMBER), Recorder(), example_kind()
    async with acme_server() as server:

        def provider(token: str) -> Provider:
            told = {"kind": "acme", "base_url": server.url, "api_token": token}
            return kind.create("acme", kind.settings.model_validate(told), clock, telemetry)

        def trouble(what: Trouble | None) -> None:
            server.trouble = what

        harness = Harness(
            provider=provider(TOKEN),
            clock=clock,
            telemetry=telemetry,
            ref=Ref("chat/acme", {"id": "chat"}),
            other=Ref("chat/other", {"id": "other"}),
            gone=Ref("chat/gone", {"id": "gone"}),
            secrets=(TOKEN,),
            exact=False,
            follows=False,
            trouble=trouble,
            stranger=lambda: provider("another-token"),
            writes=lambda: server.writes,
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


Start = Callable[[], AbstractAsyncContextManager[Harness]]

EMULATED: Final[dict[str, Start]] = {
    "exoscale": exoscale_emulator,
    "documented-example": documented_example,
}
"""Every adapter is here, with what stands behind it."""

LIVE: Final[dict[str, tuple[Start, tuple[str, ...]]]] = {
    "exoscale": (exoscale_live, EXOSCALE_NEEDS),
}
"""Every adapter whose account may be had from the environment, and the variables that this takes."""


def live_params() -> Iterator[Any]:
    """A parameter for each live account; without its variables it is skipped, in one line of the report."""
    for name, (_, needs) in LIVE.items():
        missing = [variable for variable in needs if not os.environ.get(variable)]
        reason = f"a live account needs {', '.join(missing)} in the environment"
        yield pytest.param(name, marks=[pytest.mark.skip(reason=reason)] if missing else [])
