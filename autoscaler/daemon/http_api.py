"""The daemon over HTTP: what is watched without a token, and what a person or program may ask with one."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from autoscaler.core.codec import instant_text
from autoscaler.daemon import bodies, page, status
from autoscaler.daemon.http_replies import (
    BODY_BYTES_MAX,
    FRESH,
    bounded,
    json_errors,
    json_reply,
    secure,
    verdict_reply,
)
from autoscaler.daemon.report import Controls, Invalid, TickReport, known_service
from autoscaler.daemon.shadow_status import shadow_status
from autoscaler.daemon.telemetry import CONTENT_TYPE, PrometheusTelemetry

_DEADLINE_S: Final = 10.0
_STATIC: Final = Path(__file__).parent / "static"


def create_app(
    controls: Controls,
    telemetry: PrometheusTelemetry,
    *,
    admin_token: str | None = None,
    push_token: str | None = None,
    deadline_s: float = _DEADLINE_S,
) -> web.Application:
    """The application; the caller runs it.

    An empty token is none. ``deadline_s`` bounds each request, reading its body included; seconds of the
    event loop.
    """
    api = _Api(controls, telemetry, admin_token or None, push_token or None)
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[bounded(deadline_s), json_errors])
    app.on_response_prepare.append(secure)
    app.add_routes(
        [
            web.get("/", api.page),
            web.get("/static/page.css", _style_sheet),
            web.get("/metrics", api.metrics),
            web.get("/healthz", api.healthz),
            web.get("/readyz", api.readyz),
            web.get("/v1/services", api.services),
            web.get("/v1/services/{service}", api.service),
            web.get("/v1/services/{service}/why", api.why),
            web.get("/v1/services/{service}/shadow", api.shadow),
            web.get("/v1/plan", api.plan),
            web.get("/v1/prices", api.prices),
            web.post("/v1/signals/{service}/{signal}", api.push),
            web.post("/v1/services/{service}/override", api.override),
            web.delete("/v1/services/{service}/override", api.clear_override),
            web.post("/v1/pause", api.pause),
            web.post("/v1/resume", api.resume),
        ]
    )
    return app


class _Api:
    def __init__(
        self,
        controls: Controls,
        telemetry: PrometheusTelemetry,
        admin_token: str | None,
        push_token: str | None,
    ) -> None:
        self._controls = controls
        self._telemetry = telemetry
        self._admin_token = admin_token
        self._push_token = push_token

    # --- watching -----------------------------------------------------------------------------

    async def page(self, _request: web.Request) -> web.Response:
        html: list[str] = []
        for part in page.parts(self._controls.latest(), self._controls.now()):
            html.append(part)
            await asyncio.sleep(0)  # 500 deployments take 50 ms; ticks go on between the parts
        return web.Response(text="".join(html), content_type="text/html", headers=FRESH)

    async def metrics(self, _request: web.Request) -> web.Response:
        body = await self._telemetry.exposition()
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE, **FRESH})

    async def healthz(self, _request: web.Request) -> web.Response:
        return verdict_reply(*self._controls.healthy())

    async def readyz(self, _request: web.Request) -> web.Response:
        return verdict_reply(*self._controls.ready())

    async def services(self, _request: web.Request) -> web.Response:
        now = instant_text(self._controls.now())
        return json_reply({**status.fleet_status(self._report()), "now": now})

    async def service(self, request: web.Request) -> web.Response:
        report = self._report()
        name = request.match_info["service"]
        known_service(report.fleet, name)
        return json_reply(status.service_status(report, name))

    async def why(self, request: web.Request) -> web.Response:
        unknown = sorted(set(request.query) - {"at"})
        if unknown:
            raise Invalid(f"unknown parameter {unknown[0]!r}", ["at"])
        text = request.query.get("at")
        at = None if text is None else bodies.parse_at(text, self._controls.now())
        return json_reply(await self._controls.why(request.match_info["service"], at))

    async def shadow(self, request: web.Request) -> web.Response:
        report, name = self._report(), request.match_info["service"]
        return json_reply(shadow_status(report.fleet, name, report.shadows.get(name)))

    async def plan(self, _request: web.Request) -> web.Response:
        return json_reply(status.plan_status(self._report()))

    async def prices(self, _request: web.Request) -> web.Response:
        at = instant_text(self._report().at)
        now = instant_text(self._controls.now())
        return json_reply({"at": at, "now": now, **await self._controls.prices()})

    # --- acting -------------------------------------------------------------------------------

    async def push(self, request: web.Request) -> web.Response:
        self._authorise(request, self._push_token, self._admin_token)
        service, signal = request.match_info["service"], request.match_info["signal"]
        value, at = bodies.read_push(await request.read(), self._controls.now())
        await self._controls.push(service, signal, value, at)
        return json_reply({"service": service, "signal": signal, "value": value, "at": instant_text(at)})

    async def override(self, request: web.Request) -> web.Response:
        self._authorise(request, self._admin_token)
        service = request.match_info["service"]
        override = bodies.read_override(await request.read(), service, self._controls.now())
        await self._controls.override(override)
        return json_reply(status.override_body(override))

    async def clear_override(self, request: web.Request) -> web.Response:
        self._authorise(request, self._admin_token)
        service = request.match_info["service"]
        clear = bodies.read_clear(await request.read(), request.query)
        await self._controls.clear_override(service, clear.deployment, reason=clear.reason, actor=clear.actor)
        return json_reply({"service": service, "deployment": clear.deployment, "override": None})

    async def pause(self, request: web.Request) -> web.Response:
        self._authorise(request, self._admin_token)
        pause = bodies.read_pause(await request.read(), self._controls.now())
        await self._controls.pause(pause)
        return json_reply(status.pause_body(pause))

    async def resume(self, request: web.Request) -> web.Response:
        self._authorise(request, self._admin_token)
        resume = bodies.read_resume(await request.read())
        await self._controls.resume(
            resume.service, resume.direction, reason=resume.reason, actor=resume.actor
        )
        return json_reply({"service": resume.service, "direction": resume.direction, "paused": False})

    # --- helpers ------------------------------------------------------------------------------

    def _report(self) -> TickReport:
        report = self._controls.latest()
        if report is None:
            raise web.HTTPServiceUnavailable(text="no tick has ended yet", headers={hdrs.RETRY_AFTER: "5"})
        return report

    @staticmethod
    def _authorise(request: web.Request, *tokens: str | None) -> None:
        """Compares with every token in constant time, so that timing tells nothing."""
        configured = [token for token in tokens if token is not None]
        if not configured:
            raise web.HTTPForbidden(text="no token for this is configured")
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        candidate = given.strip().encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(candidate, token.encode("utf-8")) for token in configured]
        if scheme.lower() != "bearer" or not any(matches):
            raise web.HTTPUnauthorized(
                text="a valid token is needed: Authorization: Bearer <token>",
                headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="autoscaler"'},
            )


async def _style_sheet(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_STATIC / "page.css", headers={hdrs.CACHE_CONTROL: "max-age=300"})
