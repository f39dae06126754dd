"""Bad days: everything that may go wrong around the daemon, by a seed."""

from __future__ import annotations

import random
from contextlib import suppress

from autoscaler.core.model import Override, Pause
from autoscaler.emulators.exoscale import NextOperations, OperationReason
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.world.plant import OutOfStock
from tests.daemon.rig import ACCOUNTS, INTERVAL_S, Rig

FAULTS = [
    Fault(kind=FaultKind.SERVER_ERROR, probability=0.3),
    Fault(kind=FaultKind.DROP, applies_to="writes", after_effect=True, probability=0.5),
    Fault(kind=FaultKind.ACCEPT_AND_IGNORE, probability=0.5),
    Fault(kind=FaultKind.RATE_LIMITED, applies_to="writes", retry_after_s=45, probability=0.5),
    Fault(kind=FaultKind.STALE_READS, lag_s=30),
    Fault(kind=FaultKind.GARBAGE, probability=0.2),
    Fault(kind=FaultKind.HANG, probability=0.1),
    Fault(kind=FaultKind.LATENCY, latency_s=3, probability=0.5),
]


async def a_bad_day(rig: Rig, rng: random.Random, ticks: int) -> None:
    """So many ticks of demand, faults and people as chance has it, for the service ``chat``."""
    for _ in range(ticks):
        if rng.random() < 0.3:
            rig.demand(running=rng.choice([0, 10, 40, 70, None, "NaN"]), queued=rng.choice([0, 0, 30]))
        for server in rig.accounts.values():
            if rng.random() < 0.2:
                server.faults.set(rng.sample(FAULTS, k=rng.randint(0, 2)))
        if rng.random() < 0.05:
            with suppress(OutOfStock):
                rig.set_by_hand(rng.randint(0, 4))
        if rng.random() < 0.05:
            await rig.daemon.override(
                Override("chat", None, 1, None, rig.clock.now() + 100, "a reason", "anna")
            )
        if rng.random() < 0.05:
            await rig.daemon.pause(Pause(None, "down", rig.clock.now() + 60, "a reason", "anna"))
        if rng.random() < 0.05:
            await rig.daemon.resume(None, None, reason="", actor="")
        if rng.random() < 0.05:
            await _a_worse_thing(rig, rng)
        await rig.run(INTERVAL_S)


async def _a_worse_thing(rig: Rig, rng: random.Random) -> None:
    name, account = rng.choice([("a", "exo"), ("b", "other")])
    server = rig.accounts[account]
    what = rng.choice(["kill", "start-ups fail", "operations fail", "no GPU", "a restart"])
    if what == "kill":
        server.world.kill_replica(rig.id_of(name), rig.clock.now())
    elif what == "start-ups fail":
        server.world.start_up_fails(rig.id_of(name), 3, rig.clock.now())
    elif what == "operations fail":
        server.vendor.fail_next_operations(NextOperations(reason=rng.choice(list(OperationReason))))
    elif what == "no GPU":
        server.world.set_stock(
            ACCOUNTS[account], rng.choice([server.world.gpus_used(ACCOUNTS[account]), None])
        )
    else:
        await rig.idle()
        await rig.stop()
        await rig.clock.sleep(rng.choice([1, 40, 300]))
        await rig.start()
