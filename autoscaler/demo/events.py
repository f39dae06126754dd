"""What goes wrong in the demo's day, and what somebody does by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from autoscaler.demo.demand import DAY_S, Stretch
from autoscaler.demo.scenario import PRICES_USD_PER_GPU_HOUR, STOCK_GPUS, deployment_id
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.emulators.server import EmulatorServer
from autoscaler.emulators.vendor import VendorEmulator
from autoscaler.world.plant import World

_OUTAGE_S: Final = 600.0
_SHORTAGE_S: Final = 3600.0
_SHORT_OF: Final = "gpua5000"
_PRICED: Final = "L40S-48GB"
_SALE_USD_PER_GPU_HOUR: Final = 0.95

Vendors = Mapping[str, EmulatorServer[VendorEmulator]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at ``at`` (epoch seconds). ``act`` does it and says what was done."""

    at: float
    act: Callable[[], str]


def events(vendors: Vendors, world: World, stretch: Stretch, starts_at: float) -> list[Event]:
    """The day's events in order of time; another stretch gets them at the same shares of its length."""
    share = stretch.length_s / DAY_S
    hour_s = 3600.0 * share
    exoscale, deepinfra = vendors["exoscale"], vendors["deepinfra"]
    usual = PRICES_USD_PER_GPU_HOUR[_PRICED]
    shortage_s, outage_s = min(_SHORTAGE_S, _SHORTAGE_S * share), min(_OUTAGE_S, _OUTAGE_S * share)
    planned = (
        (2.6 * hour_s, lambda: _run_out(world, shortage_s)),
        (2.6 * hour_s + shortage_s, lambda: _restock(world)),
        (4.5 * hour_s, lambda: _refuse(exoscale, outage_s)),
        (4.5 * hour_s + outage_s, lambda: _recover(exoscale)),
        (5.5 * hour_s, lambda: _reprice(deepinfra, _SALE_USD_PER_GPU_HOUR)),
        (7.6 * hour_s, lambda: _meddle(world)),
        (10.0 * hour_s, lambda: _fail(world)),
        (12.0 * hour_s, lambda: _reprice(deepinfra, usual)),
    )
    return [Event(starts_at + after_s, act) for after_s, act in planned]


def _run_out(world: World, for_s: float) -> str:
    world.set_stock(_SHORT_OF, 0)
    return f"exoscale has no {_SHORT_OF} left to give, for {_span(for_s)}"


def _restock(world: World) -> str:
    world.set_stock(_SHORT_OF, STOCK_GPUS[_SHORT_OF])
    return f"exoscale has {_SHORT_OF} again"


def _refuse(vendor: EmulatorServer[VendorEmulator], for_s: float) -> str:
    vendor.faults.add(Fault(kind=FaultKind.SERVER_ERROR, status=503))
    return f"exoscale's API answers 503 to everything, for {_span(for_s)}; replicas serve on"


def _recover(vendor: EmulatorServer[VendorEmulator]) -> str:
    vendor.faults.clear()
    return "exoscale's API answers again"


def _reprice(vendor: EmulatorServer[VendorEmulator], usd_per_gpu_hour: float) -> str:
    vendor.vendor.set_price(_PRICED, usd_per_gpu_hour)
    return f"{vendor.vendor.kind} asks {usd_per_gpu_hour:.2f} USD per hour for a {_PRICED} from now on"


def _meddle(world: World) -> str:
    """By hand, past the daemon: in the vendor's console."""
    id_ = deployment_id("code", "exo-rtx6000pro")
    now = world.status(id_).replicas_set
    world.set_replicas(id_, now + 1, world.now)
    return f"somebody sets code/exo-rtx6000pro from {now} to {now + 1} in the vendor's console"


def _fail(world: World) -> str:
    for service, deployment in (("chat", "exo-a5000"), ("chat", "di-l40s"), ("chat", "bt-h100")):
        if world.kill_replica(deployment_id(service, deployment), world.now):
            return f"a replica of {service}/{deployment} fails; what it ran waits again"
    return "a replica would fail now, but none of chat is ready"


def _span(seconds: float) -> str:
    if seconds == _SHORTAGE_S:
        return "an hour"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
