"""The Baseten adapter over the emulator, in each of its three shapes, and over a real account."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from autoscaler.clock import SystemClock
from autoscaler.emulators.baseten import BasetenEmulator, BasetenSettings
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from tests.contracts.behind import over_account, over_emulator
from tests.contracts.harness import NOVEMBER, Harness, Start

NEEDS: Final = ("BASETEN_API_KEY", "BASETEN_MODEL_ID", "BASETEN_DEPLOYMENT_ID")
_SECRETS: Final = ("api_key",)
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


def _over_emulator(
    ours: EmulatedDeployment, other: EmulatedDeployment, gone: dict[str, str]
) -> AbstractAsyncContextManager[Harness]:
    fleet = EmulatedFleet(stock={"H100": 16}, deployments=(ours, other))
    # Writes are applied at once: what is shown meanwhile is held elsewhere against the adapter.
    emulator = BasetenEmulator(
        fleet, clock=SystemClock(starts_at=NOVEMBER), settings=BasetenSettings(applied_after_s=0)
    )
    return over_emulator(emulator, ours.deployment_id, other.deployment_id, gone, _SECRETS)


def model() -> AbstractAsyncContextManager[Harness]:
    """One deployment by its id."""
    return _over_emulator(*_model())


def environment() -> AbstractAsyncContextManager[Harness]:
    """An environment of a model."""
    return _over_emulator(*_environment())


def chainlet() -> AbstractAsyncContextManager[Harness]:
    """A chainlet by its name."""
    return _over_emulator(*_chainlet())


def live() -> AbstractAsyncContextManager[Harness]:
    """A deployment of the account in the environment; its scale_down_delay should be short."""
    key, model_id, deployment_id = (os.environ[name] for name in NEEDS)
    ids = {"model_id": model_id, "deployment_id": deployment_id}
    return over_account("baseten", {"api_key": key}, ids, {"deployment_id": "nothere"}, _SECRETS)


EMULATED: Final[dict[str, Start]] = {
    "baseten-model": model,
    "baseten-environment": environment,
    "baseten-chainlet": chainlet,
}

LIVE: Final[dict[str, tuple[Start, tuple[str, ...]]]] = {"baseten": (live, NEEDS)}
