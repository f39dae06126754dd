"""The daemon over HTTP: what is watched without a token, and what a person or program may ask with one."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import hdrs, web

from autoscaler.core.codec import instant_text
from autoscaler.daemon import bodies, page, status
from autoscaler.daemon.report import (
    Conflict,
    ControlError,
    Controls,
    Invalid,
    TickReport,
    UnknownName,
    known_service,
)
from autoscaler.daemon.telemetry import CONTENT_TYPE, PrometheusTelemetry
from autoscaler.ports import JournalError

BODY_BYTES_MAX: Final = 64 * 1024
_DEADLINE_S: Final = 10.0
_IN_FLIGHT_MAX: Final = 200
_STATIC: Final = Path(__file__).parent / "static"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "autoscaler",
}

log = structlog.stdlib.get_logger("autoscaler.http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_bounded(deadline_s), _json_errors])
    app.on_response_prepare.append(_secure)
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
            web.get("/v1/plan", api.plan),
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
        return web.Response(text="".join(html), content_type="text/html", headers=_FRESH)

    async def metrics(self, _request: web.Request) -> web.Response:
        body = await self._telemetry.exposition()
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE, **_FRESH})

    async def healthz(self, _request: web.Request) -> web.Response:
        return _verdict(*self._controls.healthy())

    async def readyz(self, _request: web.Request) -> web.Response:
        return _verdict(*self._controls.ready())

    async def services(self, _request: web.Request) -> web.Response:
        return _json(status.fleet_status(self._report()))

    async def service(self, request: web.Request) -> web.Response:
        report = self._report()
        name = request.match_info["service"]
        known_service(report.fleet, name)
        return _json(status.service_status(report, name))

    async def why(self, request: web.Request) -> web.Response:
        unknown = sorted(set(request.query) - {"at"})
        if unknown:
            raise Invalid(f"unknown parameter {unknown[0]!r}", ["at"])
        text = request.query.get("at")
        at = None if text is None else bodies.parse_at(text, self._controls.now())
        name = request.match_info["service"]
        try:
            return _json(await self._controls.why(name, at))
        except KeyError as error:
            report = self._controls.latest()
            raise UnknownName("service", name, () if report is None else report.fleet.services) from error

    async def plan(self, _request: web.Request) -> web.Response:
        return _json(status.plan_status(self._report()))

    # --- acting -------------------------------------------------------------------------------

    async def push(self, request: web.Request) -> web.Response:
        self._authorise(request, self._push_token, self._admin_token)
        service, signal = request.match_info["service"], request.match_info["signal"]
        value, at = bodies.read_push(await request.read(), self._controls.now())
        await self._controls.push(service, signal, value, at)
        return _json({"service": service, "signal": signal, "value": value, "at": instant_text(at)})

    async def override(self, request: web.Request) -> web.Response:
        self._authorise(request, self._admin_token)
        service = request.match_info["service"]
        override = bodies.read_override(await request.read(), service, self._controls.now())
        await self._controls.override(override)
        return _json(status.override_body(override))

    async def clear_override(self, request: web.Request) -> web.Response:
        self._authorise(request, self._admin_token)
        service = request.match_info["service"]
        clear = bodies.read_clear(await request.read(), request.query)
        await self._controls.clear_override(service, clear.deployment, reason=clear.reason, actor=clear.actor)
        return _json({"service": service, "deployment": clear.deployment, "override": None})

    async def pause(self, request: web.Request) -> web.Response:
        self._authorise(request, self._admin_token)
        pause = bodies.read_pause(await request.read(), self._controls.now())
        await self._controls.pause(pause)
        return _json(status.pause_body(pause))

    async def resume(self, request: web.Request) -> web.Response:
        self._authorise(request, self._admin_token)
        resume = bodies.read_resume(await request.read())
        await self._controls.resume(
            resume.service, resume.direction, reason=resume.reason, actor=resume.actor
        )
        return _json({"service": resume.service, "direction": resume.direction, "paused": False})

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


_FRESH: Final = {hdrs.CACHE_CONTROL: "no-store"}


def _json(body: Mapping[str, Any], code: int = 200) -> web.Response:
    # allow_nan=False: what is not JSON must not leave here.
    text = json.dumps(body, allow_nan=False, ensure_ascii=False)
    return web.Response(text=text, status=code, content_type="application/json", headers=_FRESH)


def _error(
    code: int, message: str, allowed: object = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    response = _json({"error": message} if allowed is None else {"error": message, "allowed": allowed}, code)
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def _verdict(well: bool, sentence: str) -> web.Response:
    return web.Response(text=sentence + "\n", status=200 if well else 503, headers=_FRESH)


async def _style_sheet(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_STATIC / "page.css", headers={hdrs.CACHE_CONTROL: "max-age=300"})


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _bounded(deadline_s: float) -> Any:
    in_flight = 0

    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal in_flight
        if in_flight >= _IN_FLIGHT_MAX:
            return _error(503, "too many requests at once", headers={hdrs.RETRY_AFTER: "1"})
        in_flight += 1
        try:
            async with asyncio.timeout(deadline_s):
                return await handler(request)
        except TimeoutError:
            return _error(503, f"no answer within {deadline_s:g} s", headers={hdrs.RETRY_AFTER: "5"})
        finally:
            in_flight -= 1

    return bounded


@web.middleware
async def _json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal as JSON with what would have been allowed."""
    try:
        return await handler(request)
    except ControlError as error:
        return _refusal(error)
    except JournalError:
        log.exception("journal failed a request", method=request.method, path=request.path)
        return _error(503, "the journal cannot be read or written; nothing was changed")
    except web.HTTPException as error:
        return _http_refusal(request, error)
    except (TimeoutError, ConnectionError):
        raise
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        return _error(500, "internal error; the log has the details")


def _refusal(error: ControlError) -> web.Response:
    if isinstance(error, UnknownName):
        return _error(404, str(error), list(error.known))
    if isinstance(error, Conflict):
        return _error(409, str(error), error.bounds)
    return _error(400, str(error), error.allowed if isinstance(error, Invalid) else None)


def _http_refusal(request: web.Request, error: web.HTTPException) -> web.Response:
    """The framework's own refusals, in our shape, with the headers that belong to them."""
    kept: dict[str, str] = {
        name: error.headers[name]
        for name in (hdrs.ALLOW, hdrs.WWW_AUTHENTICATE, hdrs.RETRY_AFTER)
        if name in error.headers
    }
    if isinstance(error, web.HTTPMethodNotAllowed):
        methods = sorted(error.allowed_methods)
        return _error(
            405, f"{request.method} is not possible here", methods, {hdrs.ALLOW: ", ".join(methods)}
        )
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return _error(413, "the body is too large", f"up to {BODY_BYTES_MAX} bytes")
    if isinstance(error, web.HTTPNotFound):
        return _error(404, "there is no such path", _paths(request.app))
    return _error(error.status, error.text or error.reason, headers=kept)


def _paths(app: web.Application) -> list[str]:
    return sorted(_canonical(app.router.resources()))


def _canonical(resources: Iterable[web.AbstractResource]) -> set[str]:
    return {resource.canonical for resource in resources}
