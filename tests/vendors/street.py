"""Services on several vendors at once: real queues of requests, an emulator per vendor over one world,
and the whole daemon, over real HTTP in virtual time.

What a test asserts is what users and the vendors saw: waits, replicas, writes, the bill.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from autoscaler.clock import SystemClock
from autoscaler.config import load
from autoscaler.core.model import Decision
from autoscaler.daemon.report import TickReport
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.registry import EMULATORS
from autoscaler.emulators.server import EmulatorServer
from autoscaler.wiring import Running, assemble
from autoscaler.world.chance import stream
from autoscaler.world.gateway import Gateway, Request
from autoscaler.world.plant import World
from tests.daemon.rig import INTERVAL_S, QUEUE, START, AnswersQueries
from tests.servers import serving

PROVIDERS: Final = {"exoscale": "exo", "deepinfra": "di", "baseten": "bt"}
COUNTERS: Final = ("queued", "running", "arrived_total", "started_total")


@dataclass(frozen=True)
class Place:
    """One deployment: where it is, how many requests at once a replica takes, and what it costs."""

    vendor: str
    name: str
    gpu_type: str
    usd_per_gpu_hour: float
    places: int = 16
    replicas: int = 0  # ready at the start
    max_replicas: int = 8
    gpus_per_replica: int = 1
    start_up_s: float = 120.0
    options: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)  # more of the configuration's

    def emulated(self, service: str) -> EmulatedDeployment:
        """As its vendor has it."""
        return EmulatedDeployment(
            vendor=self.vendor,
            name=f"{service}-{self.name}",
            gpu_type=self.gpu_type,
            gpus_per_replica=self.gpus_per_replica,
            concurrency=self.places,
            usd_per_gpu_hour=self.usd_per_gpu_hour,
            replicas=self.replicas,
            start_up_median_s=self.start_up_s,
            start_up_p95_s=self.start_up_s,
            options=dict(self.options),
        )


@dataclass(frozen=True)
class Shop:
    """One service: its deployments, and how many requests at once it has at an instant (seconds from
    the start). Requests take ``service_s`` seconds."""

    places: tuple[Place, ...]
    at_once: Callable[[float], float]
    service_s: float = 20.0
    policies: tuple[str, ...] = ("queue-depth",)
    keys: str = "stabilise_down_s = 120\n"

    def arrivals(self, name: str, starts_at: float, length_s: float) -> Iterator[list[Request]]:
        """Poisson arrivals, minute by minute, the same in every run."""
        chance = stream(0, "street", name)
        at = 0.0
        while at < length_s:
            rate, until, batch = self.at_once(at) / self.service_s, at + 60.0, []
            while rate > 0 and (at := at + chance.expovariate(rate)) < until:
                batch.append(Request(starts_at + at, self.service_s))
            at = until
            yield batch


@dataclass
class Street:
    """Everything that a test turns and reads."""

    folder: Path
    clock: SystemClock
    world: World
    prom: AnswersQueries
    servers: Mapping[str, EmulatorServer[Any]]
    shops: Mapping[str, Shop]
    gateways: Mapping[str, Gateway]
    reports: list[TickReport] = field(default_factory=list)
    running: Running | None = None

    async def run(self, seconds: float) -> TickReport:
        """Tick at the interval for so long."""
        assert self.running is not None
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            began, count = self.clock.monotonic(), len(self.reports)
            await self.running.daemon.tick()
            assert len(self.reports) > count, "the tick failed: its log has the exception"
            assert not self.reports[-1].violations
            await self.clock.sleep(max(0.0, INTERVAL_S - (self.clock.monotonic() - began)))
        self.world.advance(self.clock.now())
        return self.reports[-1]

    def id_of(self, name: str, service: str = "chat") -> str:
        """The vendor's id, as the world knows it."""
        (place,) = [one for one in self.shops[service].places if one.name == name]
        return place.emulated(service).deployment_id

    def replicas(self, service: str = "chat") -> dict[str, int]:
        """Replicas set at the vendors, now."""
        self.world.advance(self.clock.now())
        return {
            one.name: self.world.status(self.id_of(one.name, service)).replicas_set
            for one in self.shops[service].places
        }

    def where(self, service: str = "chat") -> set[str]:
        """Deployments that have any replicas."""
        return {name for name, count in self.replicas(service).items() if count}

    def decision(self, name: str, service: str = "chat") -> Decision:
        """The last decision for this deployment."""
        (found,) = [
            d for d in self.reports[-1].plan.decisions if (d.service, d.deployment) == (service, name)
        ]
        return found

    def changes(self, service: str = "chat") -> list[Decision]:
        """Every decision that asked for another count, oldest first."""
        plans = (report.plan.decisions for report in self.reports)
        return [one for plan in plans for one in plan if one.changes and one.service == service]

    def late_share(self, service: str = "chat") -> float:
        """Share of all requests so far that waited for over 10 s."""
        self.world.advance(self.clock.now())
        on_time = self.gateways[service].report().on_time_share
        return 0.0 if on_time is None else 1.0 - on_time


@asynccontextmanager
async def a_street(
    folder: Path,
    shops: Mapping[str, Shop],
    *,
    length_s: float = 6 * 3600.0,
    stock: Mapping[str, int] | None = None,
    policies: Mapping[str, str] | None = None,
    text: str = "",
    starts_at: float = START,
) -> AsyncIterator[Street]:
    """The daemon over these shops, whose vendors' emulators share one world. ``text`` is added to the
    configuration."""
    clock = SystemClock(starts_at=starts_at)
    emulated = [one.emulated(name) for name, shop in shops.items() for one in shop.places]
    fleet = EmulatedFleet(deployments=tuple(emulated), stock=dict(stock or {}))
    world = fleet.build(starts_at)
    (folder / "policies").mkdir(exist_ok=True)
    for name, content in {"queue-depth": QUEUE, **(policies or {})}.items():
        (folder / "policies" / f"{name}.toml").write_text(content)
    async with AsyncExitStack() as stack:
        servers = {}
        for kind in fleet.kinds:
            vendor = EMULATORS[kind](fleet, world, clock)
            servers[kind] = await stack.enter_async_context(EmulatorServer(vendor))
        gateways = {
            name: Gateway(
                world,
                name,
                [one.emulated(name).deployment_id for one in shop.places],
                arrivals=shop.arrivals(name, starts_at, length_s),
            )
            for name, shop in shops.items()
        }
        prom = AnswersQueries()
        for name, gateway in gateways.items():
            for counter in COUNTERS:
                prom.values[f"{name}_{counter}"] = _reading(world, clock, gateway, counter)
        url = await stack.enter_async_context(serving(prom.app()))
        street = Street(folder, clock, world, prom, servers, shops, gateways)
        (folder / "config.toml").write_text("".join(_config(street, url)) + text)
        config = load(folder / "config.toml", environ={})
        street.running = await stack.enter_async_context(
            assemble(config, clock=clock, on_tick=street.reports.append)
        )
        yield street


def _reading(world: World, clock: SystemClock, gateway: Gateway, counter: str) -> Callable[[], float]:
    def read() -> float:
        world.advance(clock.now())
        value: int = getattr(gateway.counters, counter)
        return value

    return read


def _config(street: Street, prom_url: str) -> Iterator[str]:
    yield f'[daemon]\ninterval_s = {INTERVAL_S}\njournal = "sqlite:journal.db"\n'
    yield f'[sources.prom]\nkind = "prometheus"\nurl = "{prom_url}"\n'
    for kind, server in street.servers.items():
        yield f'[providers.{PROVIDERS[kind]}]\nkind = "{kind}"\nbase_url = "{server.base_url}"\n'
        yield from (f"{key} = {json.dumps(value)}\n" for key, value in server.vendor.credentials().items())
        if server.vendor.publishes_prices:
            continue
        prices = {
            one.gpu_type: one.usd_per_gpu_hour
            for shop in street.shops.values()
            for one in shop.places
            if one.vendor == kind
        }
        for gpu_type, price in prices.items():
            yield f'[[prices]]\nprovider = "{PROVIDERS[kind]}"\ngpu_type = "{gpu_type}"\n'
            yield f"usd_per_gpu_hour = {price}\n"
    for name, shop in street.shops.items():
        yield f"[services.{name}]\npolicies = {json.dumps(shop.policies)}\n{shop.keys}"
        for counter in COUNTERS:
            at_zero = ", exists_at_zero = true" if counter == "queued" else ""
            yield f'signals.{counter} = {{ source = "prom", query = "{name}_{counter}"{at_zero} }}\n'
        for one in shop.places:
            ids = street.servers[one.vendor].vendor.ids(one.emulated(name).deployment_id)
            keys = {
                "name": one.name,
                "provider": PROVIDERS[one.vendor],
                **ids,
                "capacity_per_replica": one.places,
                "max_replicas": one.max_replicas,
                **one.keys,
            }
            yield f"[[services.{name}.deployments]]\n"
            yield from (f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
