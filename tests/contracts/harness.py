"""What the contract runs against: an adapter with something behind it that speaks as its vendor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Literal

from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.ports import Clock, Provider, Ref
from tests.providers.support import Recorder

Trouble = Literal["server_error", "rate_limited", "hang", "truncated", "garbage", "huge"]
NOVEMBER: Final = 1795219200.0  # 2026-11-21T00:00:00Z

FAULTS: Final[dict[Trouble, Fault]] = {
    "server_error": Fault(kind=FaultKind.SERVER_ERROR),
    "rate_limited": Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=17),
    "hang": Fault(kind=FaultKind.HANG),
    "truncated": Fault(kind=FaultKind.TRUNCATED_JSON),
    "garbage": Fault(kind=FaultKind.GARBAGE),
    "huge": Fault(kind=FaultKind.HUGE_BODY),
}
"""Each trouble as a switch of an emulator."""


@dataclass
class Harness:
    """One adapter, one deployment ``ref`` that may be scaled from 0 to ``up``, and ``other`` beside it.

    ``gone`` names nothing. ``trouble`` and ``stranger`` are None where the vendor is real.
    """

    provider: Provider
    clock: Clock
    telemetry: Recorder
    ref: Ref
    gone: Ref
    secrets: tuple[str, ...]
    exact: bool  # takes counts only, no ranges
    follows: bool  # tells the ends of changes
    other: Ref | None = None
    trouble: Callable[[Trouble | None], None] | None = None
    stranger: Callable[[], Provider] | None = None  # the same adapter with a wrong credential
    writes: Callable[[], int] | None = None  # that reached the vendor
    may_write: bool = True
    up: int = 3


Start = Callable[[], AbstractAsyncContextManager[Harness]]
