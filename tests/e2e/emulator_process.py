"""The Exoscale emulator as a process of its own: tells its base URL, then serves until it is killed."""

from __future__ import annotations

import asyncio
import sys

from autoscaler.emulators.exoscale import ExoscaleEmulator
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer

CHAT = EmulatedDeployment(
    name="chat", gpu_type="gpua5000", replicas=1, start_up_median_s=0.5, start_up_p95_s=0.5
)


async def main() -> None:
    """Serve one deployment that starts up in half a second."""
    async with EmulatorServer(ExoscaleEmulator(EmulatedFleet(deployments=(CHAT,)))) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
