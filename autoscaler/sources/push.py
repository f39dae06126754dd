"""Signals that others send: ``POST /v1/signals/{service}/{signal}``, held until the next one.

Only the last sample of each configured signal is held, and only in memory: after a restart a signal
is ``missing`` until it is sent again, which is blindness and never zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from autoscaler.core.model import Absence, Reading, Sample
from autoscaler.ports import Clock, SignalQuery
from autoscaler.sources.kinds import SourceSettings

AHEAD_S_MAX: Final = 5.0  # senders' clocks may lead ours by this much


class PushSettings(SourceSettings):
    """A ``[sources.NAME]`` table of kind ``push``."""

    kind: Literal["push"] = Field(default="push", description="The kind of source.")


class PushSignal(BaseModel):
    """A signal that is pushed has no keys of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PushError(Exception):
    """A sample was not taken, and what was held is unchanged."""


class UnknownSignalError(PushError):
    """No service has this signal from this source (HTTP 404)."""


class BadSampleError(PushError):
    """The value or its time cannot be what it says (HTTP 400)."""


class OutOfOrderError(PushError):
    """A newer sample is held already (HTTP 409)."""


class PushSource:
    """Holds the last sample of each signal that :meth:`expect` named."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._held: dict[tuple[str, str], Sample | None] = {}

    def expect(self, keys: Iterable[tuple[str, str]]) -> None:
        """These (service, signal) are configured now. Samples of those that stay are kept."""
        self._held = {key: self._held.get(key) for key in keys}

    def push(self, service: str, signal: str, value: object, at: object = None) -> Sample:
        """Take one sample; returns what is held from now on.

        ``value`` is a finite number of at least 0. ``at`` is in seconds since the epoch; None is now. Up to
        5 s ahead of our clock counts as now.

        Raises: UnknownSignalError, BadSampleError, OutOfOrderError; then nothing has changed.
        """
        key = service, signal
        if key not in self._held:
            raise UnknownSignalError(
                f"service {service!r} has no signal {signal!r} from source {self.name!r}"
            )
        sample = Sample(_number("value", value), self._dated(self._held[key], at))
        self._held[key] = sample
        return sample

    def _dated(self, held: Sample | None, at: object) -> float:
        now = self._clock.now()
        if at is None:  # in order of arrival, even where our clock was set back in between
            return round(now, 3)
        instant = round(_number("at", at), 3)
        if instant > now + AHEAD_S_MAX:
            raise BadSampleError(
                f"at is {instant - now:.1f} s in the future; at most {AHEAD_S_MAX:g} s are allowed"
            )
        # A held sample from the future means that our clock was set back: then the new one is right.
        if held is not None and instant < held.at <= now:
            raise OutOfOrderError(
                f"a sample newer by {held.at - instant:.3f} s is held already; this one is ignored"
            )
        return min(instant, round(now, 3))

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        """The last sample of each, however old: its age is for the reader to judge."""
        return {query.key: self._reading(query.key) for query in queries}

    def _reading(self, key: tuple[str, str]) -> Reading:
        if key not in self._held:
            return Absence("missing", "the signal is not one of this source")
        return self._held[key] or Absence("missing", "nothing has been pushed since the start")

    async def close(self) -> None:
        """There is nothing to give back."""


def _number(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadSampleError(f"{what} must be a number, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        raise BadSampleError(f"{what} is larger than any float") from None
    if not math.isfinite(number) or number < 0:
        raise BadSampleError(f"{what} must be a finite number of at least 0, not {number:g}")
    return number + 0.0  # minus zero is zero
