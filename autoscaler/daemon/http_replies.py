"""How the daemon answers over HTTP, whatever was asked: JSON, refusals, limits and headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from autoscaler.daemon.report import Conflict, ControlError, Invalid, UnknownName
from autoscaler.ports import JournalError

BODY_BYTES_MAX: Final = 64 * 1024
FRESH: Final = {hdrs.CACHE_CONTROL: "no-store"}
_IN_FLIGHT_MAX: Final = 200
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


def json_reply(body: Mapping[str, Any], code: int = 200) -> web.Response:
    """An answer as JSON."""
    # allow_nan=False: what is not JSON must not leave here.
    text = json.dumps(body, allow_nan=False, ensure_ascii=False)
    return web.Response(text=text, status=code, content_type="application/json", headers=FRESH)


def error_reply(
    code: int, message: str, allowed: object = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A refusal: what is wrong, and what would have been allowed."""
    response = json_reply(
        {"error": message} if allowed is None else {"error": message, "allowed": allowed}, code
    )
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def verdict_reply(well: bool, sentence: str) -> web.Response:
    """A health check's answer: 200 or 503, and a sentence."""
    return web.Response(text=sentence + "\n", status=200 if well else 503, headers=FRESH)


async def secure(_request: web.Request, response: web.StreamResponse) -> None:
    """Headers that keep a browser from doing more with an answer than show it."""
    response.headers.update(_HEADERS)


def bounded(deadline_s: float) -> Middleware:
    """The middleware that limits how long a request takes, and how many there are at once."""
    in_flight = 0

    @web.middleware
    async def within_bounds(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal in_flight
        if in_flight >= _IN_FLIGHT_MAX:
            return error_reply(503, "too many requests at once", headers={hdrs.RETRY_AFTER: "1"})
        in_flight += 1
        try:
            async with asyncio.timeout(deadline_s):
                return await handler(request)
        except TimeoutError:
            return error_reply(503, f"no answer within {deadline_s:g} s", headers={hdrs.RETRY_AFTER: "5"})
        finally:
            in_flight -= 1

    return within_bounds


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal as JSON with what would have been allowed."""
    try:
        return await handler(request)
    except ControlError as error:
        return _refusal(error)
    except JournalError:
        log.exception("journal failed a request", method=request.method, path=request.path)
        return error_reply(503, "the journal cannot be read or written; nothing was changed")
    except web.HTTPException as error:
        return _http_refusal(request, error)
    except (TimeoutError, ConnectionError):
        raise
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        return error_reply(500, "internal error; the log has the details")


def _refusal(error: ControlError) -> web.Response:
    if isinstance(error, UnknownName):
        return error_reply(404, str(error), list(error.known))
    if isinstance(error, Conflict):
        return error_reply(409, str(error), error.bounds)
    return error_reply(400, str(error), error.allowed if isinstance(error, Invalid) else None)


def _http_refusal(request: web.Request, error: web.HTTPException) -> web.Response:
    """The framework's own refusals, in our shape, with the headers that belong to them."""
    kept: dict[str, str] = {
        name: error.headers[name]
        for name in (hdrs.ALLOW, hdrs.WWW_AUTHENTICATE, hdrs.RETRY_AFTER)
        if name in error.headers
    }
    if isinstance(error, web.HTTPMethodNotAllowed):
        methods = sorted(error.allowed_methods)
        return error_reply(
            405, f"{request.method} is not possible here", methods, {hdrs.ALLOW: ", ".join(methods)}
        )
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return error_reply(413, "the body is too large", f"up to {BODY_BYTES_MAX} bytes")
    if isinstance(error, web.HTTPNotFound):
        return error_reply(404, "there is no such path", _paths(request.app))
    return error_reply(error.status, error.text or error.reason, headers=kept)


def _paths(app: web.Application) -> list[str]:
    return sorted({resource.canonical for resource in app.router.resources()})
