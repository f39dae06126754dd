"""What every request to an emulator passes: the log, the vendor's error words, the vendor's door."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from autoscaler.emulators.request_log import RequestLog
from autoscaler.emulators.vendor import VendorEmulator

CONTROL_PREFIX: Final = "/_emulator"


def vendor_only(middleware: Middleware) -> Middleware:
    """The middleware for the vendor's API alone; ``/_emulator`` passes it by."""

    @web.middleware
    async def passing_by(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == CONTROL_PREFIX or request.path.startswith(CONTROL_PREFIX + "/"):
            return await handler(request)
        return await middleware(request, handler)

    return passing_by


def log_middleware(vendor: VendorEmulator, requests: RequestLog) -> Middleware:
    """Writes the request down before anything can happen to it."""

    @web.middleware
    async def log(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = request.match_info.route.name
        logged = requests.add(vendor.clock.now(), request.method, request.path, name)
        response = await handler(request)
        logged.status = response.status
        return response

    return log


def error_middleware(vendor: VendorEmulator) -> Middleware:
    """Unknown paths, wrong methods and bodies too large, in the vendor's words instead of aiohttp's."""

    @web.middleware
    async def translate(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return vendor.error(error.status, error.reason)

    return translate


def door_middleware(vendor: VendorEmulator) -> Middleware:
    """Nobody reaches the vendor's handlers without its credential."""

    @web.middleware
    async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = vendor.refusal(request, await request.read())
        return await handler(request) if refused is None else refused

    return door
