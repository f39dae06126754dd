"""A daemon that keeps what it is told and answers from one report; and real HTTP to it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from autoscaler.core.model import Override, Pause
from autoscaler.daemon.http_api import create_app
from autoscaler.daemon.report import TickReport, UnknownName, check_override, known_service
from autoscaler.daemon.telemetry import PrometheusTelemetry
from tests.daemon.reports import AT

ADMIN = "the-admin-token"
PUSH = "the-push-token"


class KeptDaemon:
    """Controls over one report."""

    def __init__(self, report: TickReport | None) -> None:
        self.report = report
        self.acts: list[tuple[Any, ...]] = []
        self.trouble: BaseException | None = None
        self.sick: str | None = None

    def latest(self) -> TickReport | None:
        return self.report

    async def why(self, service: str, at: float | None) -> Mapping[str, Any]:
        await self._act()
        if self.report is None or service not in self.report.fleet.services:
            raise UnknownName("service", service, () if self.report is None else self.report.fleet.services)
        return {"service": service, "asked_at": at}

    async def prices(self) -> Mapping[str, Any]:
        await self._act()
        return {"prices": [], "unpriced": []}

    async def pause(self, pause: Pause) -> None:
        self._check(pause.service)
        await self._act(pause)

    async def resume(self, service: str | None, direction: str | None, *, reason: str, actor: str) -> None:
        self._check(service)
        await self._act("resume", service, direction, reason, actor)

    async def override(self, override: Override) -> None:
        assert self.report is not None
        check_override(self.report.fleet, override)
        await self._act(override)

    async def clear_override(self, service: str, deployment: str | None, *, reason: str, actor: str) -> None:
        self._check(service)
        await self._act("clear", service, deployment, reason, actor)

    async def push(self, service: str, signal: str, value: float, at: float) -> None:
        assert self.report is not None
        known = known_service(self.report.fleet, service).signals
        if signal not in known:
            raise UnknownName(f"signal of {service}", signal, known)
        await self._act("push", service, signal, value, at)

    def now(self) -> float:
        return AT + 7

    def healthy(self) -> tuple[bool, str]:
        return self.sick is None, self.sick or "ok: the last tick ended 7 s ago"

    def ready(self) -> tuple[bool, str]:
        return self.report is not None, "ready" if self.report else "no tick has ended yet"

    def _check(self, service: str | None) -> None:
        assert self.report is not None
        if service is not None:
            known_service(self.report.fleet, service)

    async def _act(self, *what: Any) -> None:
        if self.trouble is not None:
            raise self.trouble
        if what:
            self.acts.append(what if len(what) > 1 else (what[0],))


@asynccontextmanager
async def served(
    daemon: KeptDaemon, *, admin: str | None = ADMIN, push: str | None = PUSH, deadline_s: float = 10.0
) -> AsyncIterator[TestClient[Any, Any]]:
    """A client to the API of this daemon, over a real socket."""
    telemetry = PrometheusTelemetry(CollectorRegistry(), time.monotonic)
    if daemon.report is not None:
        telemetry.tick(daemon.report)
    app = create_app(daemon, telemetry, admin_token=admin, push_token=push, deadline_s=deadline_s)
    async with TestClient(TestServer(app)) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
