"""The Exoscale adapter over the emulator, and over a real account."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import Final

from autoscaler.clock import SystemClock
from autoscaler.emulators.exoscale import ExoscaleEmulator
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from tests.contracts.behind import over_account, over_emulator
from tests.contracts.harness import NOVEMBER, Harness, Start

NEEDS: Final = ("EXOSCALE_API_KEY", "EXOSCALE_API_SECRET", "EXOSCALE_ZONE", "EXOSCALE_DEPLOYMENT_ID")
_GONE: Final = {"id": "00000000-0000-4000-8000-000000000000"}
_SECRETS: Final = ("api_secret", "api_key")


def emulated() -> AbstractAsyncContextManager[Harness]:
    """Two deployments of two replicas each."""
    ours, other = (
        EmulatedDeployment(
            name=name, gpu_type="gpua5000", replicas=2, start_up_median_s=60, start_up_p95_s=120
        )
        for name in ("chat", "other")
    )
    fleet = EmulatedFleet(stock={"gpua5000": 16}, deployments=(ours, other))
    emulator = ExoscaleEmulator(fleet, clock=SystemClock(starts_at=NOVEMBER))
    return over_emulator(
        emulator, ours.deployment_id, other.deployment_id, _GONE, _SECRETS, exact=True, follows=True
    )


def live() -> AbstractAsyncContextManager[Harness]:
    """A deployment of the account in the environment."""
    key, secret, zone, id_ = (os.environ[name] for name in NEEDS)
    keys = {"zone": zone, "api_key": key, "api_secret": secret}
    return over_account("exoscale", keys, {"id": id_}, _GONE, _SECRETS, exact=True, follows=True)


EMULATED: Final[dict[str, Start]] = {"exoscale": emulated}

LIVE: Final[dict[str, tuple[Start, tuple[str, ...]]]] = {"exoscale": (live, NEEDS)}
