"""Fault switches that every vendor's emulator has in common."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from typing import Final, Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ConfigDict, Field

from autoscaler.emulators.request_log import is_write
from autoscaler.emulators.vendor import Circumstances, VendorEmulator, lay_down
from autoscaler.world.chance import stream

FAULTS_MAX: Final = 100
_HANG_S_MAX: Final = 3600.0  # even a hang ends
_CHUNK: Final = b" " * 65536


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"  # answers after latency_s
    RATE_LIMITED = "rate_limited"  # 429 with Retry-After
    SERVER_ERROR = "server_error"  # status, 500 to 599
    HANG = "hang"  # no answer until the client goes
    DROP = "drop"  # the connection breaks without an answer
    TRUNCATED_JSON = "truncated_json"  # the first half of the body
    HUGE_BODY = "huge_body"  # valid JSON after body_bytes of blanks
    GARBAGE = "garbage"  # 200 with bytes that are no JSON and no UTF-8
    ACCEPT_AND_IGNORE = "accept_and_ignore"  # a write is answered as taken, and nothing happens
    STALE_READS = "stale_reads"  # reads show the fleet of lag_s ago; never going back in time


class Fault(BaseModel):
    """One switch, and what it is limited to. Durations are seconds of the emulator's clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    applies_to: Literal["reads", "writes", "all"] = "all"
    path_prefix: str = ""  # of the path as sent, such as /v2/operation
    probability: float = Field(default=1.0, ge=0, le=1)
    requests: int | None = Field(default=None, ge=1)  # so many hits, then it is over
    after_effect: bool = False  # latency, 429, 5xx, hang, drop: the request is carried out first
    latency_s: float = Field(default=2.0, ge=0, le=3600)
    retry_after_s: float | None = Field(default=30.0, ge=0, le=86400)  # None: no such header
    retry_after_as_date: bool = False
    status: int = Field(default=503, ge=500, le=599)
    lag_s: float = Field(default=60.0, ge=0, le=86400)
    body_bytes: int = Field(default=32 * 1024 * 1024, ge=1, le=1 << 30)

    def matches(self, method: str, path: str) -> bool:
        """Whether the limits let it touch this request."""
        side = {"reads": not is_write(method), "writes": is_write(method), "all": True}[self.applies_to]
        if self.kind is FaultKind.STALE_READS:
            side = side and not is_write(method)
        if self.kind is FaultKind.ACCEPT_AND_IGNORE:
            side = side and is_write(method)
        return side and path.startswith(self.path_prefix)


@dataclass(slots=True, eq=False)
class _Armed:
    fault: Fault
    chance: random.Random
    left: int | None


class Faults:
    """The switches of one emulator. Chance is seeded: the same requests meet the same faults."""

    def __init__(self, seed: int = 0) -> None:
        self.closing = asyncio.Event()  # set at the server's end: hangs end too
        self._seed = seed
        self._armed: list[_Armed] = []
        self._read_as_of = float("-inf")

    @property
    def active(self) -> tuple[Fault, ...]:
        """Those that can still hit, in order of adding."""
        return tuple(armed.fault for armed in self._armed)

    def add(self, fault: Fault) -> None:
        """One more switch. Raises: ValueError beyond 100."""
        if len(self._armed) >= FAULTS_MAX:
            raise ValueError(f"at most {FAULTS_MAX} faults at once")
        chance = stream(self._seed, "fault", str(len(self._armed)), fault.kind)
        self._armed.append(_Armed(fault, chance, fault.requests))

    def set(self, faults: Iterable[Fault]) -> None:
        """These and no others. Raises: ValueError beyond 100, and changes nothing."""
        wanted = list(faults)
        if len(wanted) > FAULTS_MAX:
            raise ValueError(f"at most {FAULTS_MAX} faults at once")
        self._armed.clear()
        for fault in wanted:
            self.add(fault)

    def clear(self) -> None:
        """All is well again."""
        self._armed.clear()

    def strike(self, method: str, path: str) -> list[Fault]:
        """The faults that hit this request; counted as used."""
        struck = []
        for armed in list(self._armed):
            if not armed.fault.matches(method, path) or armed.chance.random() >= armed.fault.probability:
                continue
            struck.append(armed.fault)
            if armed.left is not None:
                armed.left -= 1
                if armed.left == 0:
                    self._armed.remove(armed)
        return struck

    def read_as_of(self, now: float, lag_s: float) -> float:
        """The instant that a read shows: late by ``lag_s``, but never before what was shown."""
        self._read_as_of = max(self._read_as_of, now - lag_s)
        return self._read_as_of


def fault_middleware(vendor: VendorEmulator, faults: Faults) -> Middleware:
    """The aiohttp middleware that makes the switches felt."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        struck = faults.strike(request.method, request.path)
        before = [fault for fault in struck if not fault.after_effect]
        after = [fault for fault in struck if fault.after_effect]
        response = await _interfere(request, vendor, faults, before)
        if response is not None:
            return response
        lay_down(_circumstances(vendor, faults, request, struck))
        answer = await handler(request)
        response = await _interfere(request, vendor, faults, after)
        if response is not None:
            return response
        return await _mutilate(request, answer, struck)

    return middleware


def _circumstances(
    vendor: VendorEmulator, faults: Faults, request: web.Request, struck: list[Fault]
) -> Circumstances:
    vendor.world.advance(vendor.clock.now())
    now = vendor.world.now
    lag_s = max((fault.lag_s for fault in struck if fault.kind is FaultKind.STALE_READS), default=0.0)
    return Circumstances(
        as_of=now if is_write(request.method) else faults.read_as_of(now, lag_s),
        ignore_write=any(fault.kind is FaultKind.ACCEPT_AND_IGNORE for fault in struck),
    )


async def _interfere(
    request: web.Request, vendor: VendorEmulator, faults: Faults, struck: list[Fault]
) -> web.Response | None:
    """Delays, and answers instead of the vendor's own; None: go on."""
    for fault in struck:
        if fault.kind is FaultKind.LATENCY:
            await vendor.clock.sleep(fault.latency_s)
    for fault in struck:
        if fault.kind is FaultKind.HANG:
            await _hang(faults)
        if fault.kind in (FaultKind.HANG, FaultKind.DROP):
            return _drop(request)
        if fault.kind is FaultKind.RATE_LIMITED:
            return vendor.error(429, "too many requests", _retry_after(fault, vendor.clock.now()))
        if fault.kind is FaultKind.SERVER_ERROR:
            return vendor.error(fault.status, "internal error")
    return None


async def _hang(faults: Faults) -> None:
    """Until the client goes (which cancels us), the server ends, or an hour has passed."""
    try:
        async with asyncio.timeout(_HANG_S_MAX):
            await faults.closing.wait()
    except TimeoutError:
        return


def _drop(request: web.Request) -> web.Response:
    if isinstance(request.transport, asyncio.WriteTransport):
        request.transport.abort()
    return web.Response(status=500)  # never seen


def _retry_after(fault: Fault, now: float) -> dict[str, str]:
    if fault.retry_after_s is None:
        return {}
    if fault.retry_after_as_date:
        return {"Retry-After": formatdate(now + fault.retry_after_s, usegmt=True)}
    return {"Retry-After": f"{fault.retry_after_s:g}"}


async def _mutilate(
    request: web.Request, answer: web.StreamResponse, struck: list[Fault]
) -> web.StreamResponse:
    kinds = {fault.kind: fault for fault in struck}
    body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
    if FaultKind.GARBAGE in kinds:
        return web.Response(body=b"\xff\xfe<html>\x00upstream", content_type="text/html")
    if FaultKind.TRUNCATED_JSON in kinds:
        return web.Response(
            body=body[: len(body) // 2], status=answer.status, content_type="application/json"
        )
    if FaultKind.HUGE_BODY in kinds:
        return await _stream(request, answer.status, kinds[FaultKind.HUGE_BODY].body_bytes, body)
    return answer


async def _stream(request: web.Request, status: int, blanks: int, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
    try:
        await response.prepare(request)
        for sent in range(0, blanks, len(_CHUNK)):
            await response.write(_CHUNK[: blanks - sent])
        await response.write(body)
        await response.write_eof()
    except ConnectionResetError:  # the client has had enough, as it should
        _drop(request)
    return response
