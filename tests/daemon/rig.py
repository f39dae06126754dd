"""The whole daemon over real HTTP in virtual time: configuration, adapters, journal, emulators, Prometheus.

The accounts ``exo`` and ``other`` are two emulators; the source ``prom`` is a small Prometheus whose
answers a test sets. ``run`` ticks as the scheduler would.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from autoscaler.clock import SystemClock
from autoscaler.config import Config, load
from autoscaler.core.model import Decision
from autoscaler.daemon.daemon import Daemon
from autoscaler.daemon.http_api import create_app
from autoscaler.daemon.report import TickReport
from autoscaler.emulators.exoscale import ExoscaleEmulator
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet
from autoscaler.emulators.server import EmulatorServer
from autoscaler.wiring import Running, assemble
from autoscaler.world.plant import World
from tests.servers import serving

START = 1_795_262_400.0  # 2026-11-21T12:00:00Z
INTERVAL_S = 15.0
ACCOUNTS = {"exo": "gpua5000", "other": "gpu3080ti"}  # and the GPU type that each has

QUEUE = """kind = "queue_depth"
signals = ["queued", "running"]
target_utilisation = 0.8
idle_s = 60
"""

SIGNALS = """
signals.queued = { source = "prom", query = "queued", exists_at_zero = true }
signals.running = { source = "prom", query = "running" }
"""

CHAT = f"""
[services.chat]
policies = ["queue-depth"]
stabilise_down_s = 60
{SIGNALS}
"""


def a_deployment(account: str, name: str = "a", service: str = "chat", **keys: object) -> str:
    """The table of one deployment at this account; the emulator's is called service-name."""
    fleet = EmulatedDeployment(name=f"{service}-{name}", gpu_type=ACCOUNTS[account])
    keys = {"capacity_per_replica": 16, "max_replicas": 6, **keys}
    lines = "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items())
    return (
        f'[[services.{service}.deployments]]\nname = "{name}"\nprovider = "{account}"\n'
        f'id = "{fleet.deployment_id}"\n{lines}'
    )


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


class ShiftedClock(SystemClock):
    """A machine whose wall clock a person sets."""

    ahead_s = 0.0

    def now(self) -> float:
        return round(super().now() + self.ahead_s, 3)


class AnswersQueries:
    """A Prometheus that answers each instant query with what a test says: a number, text, or nothing."""

    def __init__(self) -> None:
        self.values: dict[str, float | str | Callable[[], float] | None] = {"queued": 0, "running": 0}
        self.status = 200
        self.delay_s = 0.0
        self.queries: list[str] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/api/v1/query", self._answer)])
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.delay_s)
        query = str((await request.post())["query"])
        self.queries.append(query)
        if self.status != 200:
            return web.json_response({"status": "error", "error": "x"}, status=self.status)
        value = self.values.get(query)
        value = value() if callable(value) else value
        result = [] if value is None else [{"metric": {}, "value": [START, str(value)]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


@dataclass
class Rig:
    """Everything that a test turns and reads. A daemon runs between ``start`` and ``stop``."""

    folder: Path
    clock: ShiftedClock
    prom: AnswersQueries
    accounts: dict[str, EmulatorServer[ExoscaleEmulator]]
    prom_url: str
    text: str
    interval_s: float
    reports: list[TickReport] = field(default_factory=list)
    running: Running | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    # --- the daemon's life ----------------------------------------------------------------------

    def config(self) -> Config:
        """What is in the folder now."""
        return load(self.folder / "config.toml", environ={})

    def write(self, text: str) -> None:
        """Another configuration: what follows the accounts, the source and the prices."""
        lines = [
            f'[daemon]\ninterval_s = {self.interval_s}\njournal = "sqlite:journal.db"\n'
            f'[http]\nadmin_token = "an-admin-token"\n[sources.prom]\nkind = "prometheus"\n'
            f'url = "{self.prom_url}"\n[sources.gateway]\nkind = "push"\n'
        ]
        for name, server in self.accounts.items():
            keys = server.vendor.credentials()
            lines.append(
                f'[providers.{name}]\nkind = "exoscale"\nzone = "{keys["zone"]}"\n'
                f'api_key = "{keys["api_key"]}"\napi_secret = "{keys["api_secret"]}"\n'
                f'base_url = "{server.base_url}"\n'
                f'[[prices]]\nprovider = "{name}"\ngpu_type = "{ACCOUNTS[name]}"\n'
                f"usd_per_gpu_hour = {1.1 if name == 'exo' else 0.9}\n"
            )
        (self.folder / "config.toml").write_text("".join(lines) + text)
        self.text = text

    async def start(self) -> Daemon:
        """A daemon on the folder's configuration and journal."""
        self.running = await self._open.enter_async_context(
            assemble(self.config(), clock=self.clock, reread=self.config, on_tick=self.reports.append)
        )
        return self.running.daemon

    async def stop(self) -> None:
        """The daemon ends in order."""
        self.running = None
        await self._open.aclose()

    @property
    def daemon(self) -> Daemon:
        assert self.running is not None
        return self.running.daemon

    # --- time -----------------------------------------------------------------------------------

    async def tick(self) -> TickReport:
        """One tick, which must be whole; an early one that is under way ends first."""
        await self.idle()
        count = len(self.reports)
        await self.daemon.tick()
        assert len(self.reports) > count, "the tick failed: its log has the exception"
        return self.reports[-1]

    async def idle(self) -> None:
        """Until no tick is under way or about to start early."""
        if self.daemon._early is not None:
            await self.daemon._early

    async def run(self, seconds: float, every_s: float = INTERVAL_S) -> TickReport:
        """Tick at the interval for so long; at least once."""
        until = self.clock.monotonic() + seconds
        while True:
            began = self.clock.monotonic()
            report = await self.tick()
            await self.clock.sleep(max(0.0, every_s - (self.clock.monotonic() - began)))
            if self.clock.monotonic() >= until:
                return report

    # --- what is there --------------------------------------------------------------------------

    def id_of(self, name: str = "a", service: str = "chat", account: str = "exo") -> str:
        return EmulatedDeployment(name=f"{service}-{name}", gpu_type=ACCOUNTS[account]).deployment_id

    def replicas(self, account: str = "exo", name: str = "a", service: str = "chat") -> int:
        """Replicas set at the vendor, now."""
        world = self.accounts[account].world
        world.advance(self.clock.now() - self.clock.ahead_s)
        return world.status(self.id_of(name, service)).replicas_set

    def ready(self, account: str = "exo", name: str = "a", service: str = "chat") -> int:
        world = self.accounts[account].world
        world.advance(self.clock.now() - self.clock.ahead_s)
        return world.status(self.id_of(name, service)).ready

    def set_by_hand(
        self, replicas: int, account: str = "exo", name: str = "a", service: str = "chat"
    ) -> None:
        """Somebody uses the vendor's console."""
        world = self.accounts[account].world
        world.set_replicas(self.id_of(name, service), replicas, self.clock.now())

    def writes(self, account: str = "exo") -> int:
        return self.accounts[account].requests.writes

    def decision(self, name: str = "a", service: str = "chat") -> Decision:
        """The last decision for this deployment."""
        found = [d for d in self.reports[-1].plan.decisions if (d.service, d.deployment) == (service, name)]
        assert len(found) == 1
        return found[0]

    def demand(self, **values: Any) -> None:
        """What the queries answer from now on."""
        self.prom.values.update(values)

    async def get(self, path: str) -> str:
        """What the daemon's own HTTP server answers."""
        assert self.running is not None
        app = create_app(self.running.daemon, self.running.telemetry, admin_token="an-admin-token")
        async with serving(app) as url, ClientSession() as session, session.get(url + path) as reply:
            return await reply.text()

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON of what a person asks by HTTP."""
        assert self.running is not None
        app = create_app(self.running.daemon, self.running.telemetry, admin_token="an-admin-token")
        headers = {"Authorization": "Bearer an-admin-token"}
        async with (
            serving(app) as url,
            ClientSession() as session,
            session.post(url + path, json=body, headers=headers) as reply,
        ):
            return reply.status, await reply.json()

    async def metrics(self) -> Mapping[str, float]:
        """The exposition, by series."""
        assert self.running is not None
        text = (await self.running.telemetry.exposition()).decode()
        series = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in series}


@asynccontextmanager
async def a_rig(
    folder: Path,
    text: str | None = None,
    *,
    deployments: tuple[EmulatedDeployment, ...] = (),
    replicas: int = 2,
    start_up_s: float = 60.0,
    start: bool = True,
    policies: Mapping[str, str] | None = None,
    speed: float = 1.0,
    interval_s: float = INTERVAL_S,
) -> AsyncIterator[Rig]:
    """A rig over this configuration (default: ``chat`` with one deployment ``a`` at ``exo``).

    Deployments of the text are at the emulators with ``replicas`` ready ones, unless given in full.
    ``speed`` is for tests in real time.
    """
    clock = ShiftedClock(speed, START)
    text = CHAT + a_deployment("exo") if text is None else text
    (folder / "policies").mkdir(exist_ok=True)
    for name, content in {"queue-depth": QUEUE, **(policies or {})}.items():
        (folder / "policies" / f"{name}.toml").write_text(content)
    given = {one.deployment_id: one for one in deployments}
    true_clock = SystemClock(speed, START)
    async with AsyncExitStack() as stack:
        accounts = {}
        for account, gpu_type in ACCOUNTS.items():
            found = [
                given.get(one.deployment_id, one)
                for one in _emulated(text, account, gpu_type, replicas, start_up_s)
            ]
            fleet = EmulatedFleet(deployments=tuple(found))
            vendor = ExoscaleEmulator(fleet, world=World(0, START), clock=true_clock)
            accounts[account] = await stack.enter_async_context(EmulatorServer(vendor))
        prom = AnswersQueries()
        prom_url = await stack.enter_async_context(serving(prom.app()))
        rig = Rig(folder, clock, prom, accounts, prom_url, text, interval_s)
        rig.write(text)
        stack.push_async_callback(rig.stop)
        if start:
            await rig.start()
        yield rig


def _emulated(
    text: str, account: str, gpu_type: str, replicas: int, start_up_s: float
) -> list[EmulatedDeployment]:
    """The vendor's side of the deployments that the configuration names."""
    services = tomllib.loads(text)["services"]
    return [
        EmulatedDeployment(
            name=f"{service}-{one['name']}",
            gpu_type=gpu_type,
            replicas=replicas,
            start_up_median_s=start_up_s,
            start_up_p95_s=start_up_s,
        )
        for service, table in services.items()
        for one in table["deployments"]
        if one["provider"] == account
    ]
