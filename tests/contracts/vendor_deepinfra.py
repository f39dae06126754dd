"""The DeepInfra adapter over the emulator, and over a real account."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import Final

from autoscaler.clock import SystemClock
from autoscaler.emulators.deepinfra import DeepInfraEmulator
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from tests.contracts.behind import over_account, over_emulator
from tests.contracts.harness import NOVEMBER, Harness, Start

NEEDS: Final = ("DEEPINFRA_TOKEN", "DEEPINFRA_DEPLOYMENT_ID")
_GONE: Final = {"id": "nosuchthing"}
_SECRETS: Final = ("api_token",)


def emulated() -> AbstractAsyncContextManager[Harness]:
    """Two deployments of two replicas each."""
    ours, other = (
        EmulatedDeployment(
            vendor="deepinfra",
            name=name,
            gpu_type="H100-80GB",
            replicas=2,
            start_up_median_s=60,
            start_up_p95_s=120,
        )
        for name in ("chat", "other")
    )
    fleet = EmulatedFleet(stock={"H100-80GB": 16}, deployments=(ours, other))
    emulator = DeepInfraEmulator(fleet, clock=SystemClock(starts_at=NOVEMBER))
    return over_emulator(emulator, ours.deployment_id, other.deployment_id, _GONE, _SECRETS)


def live() -> AbstractAsyncContextManager[Harness]:
    """A deployment of the account in the environment."""
    token, id_ = (os.environ[name] for name in NEEDS)
    return over_account("deepinfra", {"api_token": token}, {"id": id_}, _GONE, _SECRETS)


EMULATED: Final[dict[str, Start]] = {"deepinfra": emulated}

LIVE: Final[dict[str, tuple[Start, tuple[str, ...]]]] = {"deepinfra": (live, NEEDS)}
