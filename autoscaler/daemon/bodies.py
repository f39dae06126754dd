"""Strict reading of what clients send: every refusal names the key, the value and what is allowed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from autoscaler.core.codec import AT_MAX, REPLICAS_MAX
from autoscaler.core.model import Override, Pause
from autoscaler.daemon.report import Invalid
from autoscaler.durations import DURATION_S_MAX, UNIT_S

_REASON_LENGTH_MAX: Final = 500
_NAME_LENGTH_MAX: Final = 200
_SHOWN_LENGTH_MAX: Final = 80
_RELATIVE: Final = re.compile(r"-(\d{1,9}(?:\.\d{1,3})?)([smhd]?)")

_ISO_HELP: Final = 'ISO 8601 with Z or an offset, such as "2026-11-21T12:00:00Z"'


@dataclass(frozen=True, slots=True)
class Resume:
    """A person said: go on. Service None is the whole fleet, direction None both."""

    service: str | None
    direction: str | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Clear:
    """A person said: the override ends. Deployment None: all of the service's."""

    deployment: str | None
    reason: str
    actor: str


class Body:
    """One JSON object with known keys; each method checks and converts one of them. Raises: Invalid."""

    def __init__(self, raw: bytes, *, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        """Raises: Invalid for anything but one JSON object with all required and no other keys."""
        fields = _parse(raw)
        allowed = sorted(required + optional)
        unknown = sorted(set(fields) - set(allowed))
        if unknown:
            raise Invalid(f"unknown key {_show(unknown[0])}", allowed)
        # A null says the same as an absent key.
        self._fields = {key: value for key, value in fields.items() if value is not None}
        for key in required:
            if key not in self._fields:
                raise Invalid(
                    f"{key} is missing", {"required": sorted(required), "optional": sorted(optional)}
                )

    def has(self, key: str) -> bool:
        """Whether the key is there, and not null."""
        return key in self._fields

    def number(self, key: str, low: float, high: float) -> float:
        """A finite number within both bounds. A boolean is none."""
        value = self._fields[key]
        allowed = f"a number from {low:g} to {high:.0f}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid(f"{key} must be a number, not {_show(value)}", allowed)
        if not low <= value <= high:
            raise Invalid(f"{key} is out of range: {_show(value)}", allowed)
        return float(value)

    def replicas(self, key: str) -> int | None:
        """A count of replicas; None where the key is absent."""
        value = self._fields.get(key)
        if value is None:
            return None
        allowed = f"a whole number from 0 to {REPLICAS_MAX}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise Invalid(f"{key} must be a whole number, not {_show(value)}", allowed)
        if not 0 <= value <= REPLICAS_MAX:
            raise Invalid(f"{key} is out of range: {_show(value)}", allowed)
        return value

    def text(self, key: str, length_max: int) -> str:
        """A text of 1 to ``length_max`` printable characters; empty where the key is absent."""
        value = self._fields.get(key)
        if value is None:
            return ""
        allowed = f"1 to {length_max} printable characters"
        if not isinstance(value, str):
            raise Invalid(f"{key} must be a text, not {_show(value)}", allowed)
        value = value.strip()
        if not 1 <= len(value) <= length_max or not value.isprintable():
            raise Invalid(f"{key} is empty, too long or not printable", allowed)
        return value

    def name(self, key: str) -> str | None:
        """The name of something configured; None where the key is absent."""
        return self.text(key, _NAME_LENGTH_MAX) or None

    def direction(self) -> str | None:
        """``down`` or absent."""
        value = self._fields.get("direction")
        if value not in (None, "down"):
            raise Invalid(f"direction must be absent or down, not {_show(value)}", ["down"])
        return "down" if value else None

    def instant(self, key: str) -> float | None:
        """An instant in epoch seconds, from ISO 8601 or a number; None where the key is absent."""
        value = self._fields.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            return parse_iso(key, value)
        return self.number(key, 0, AT_MAX)

    def reason_and_actor(self) -> tuple[str, str]:
        """Why, and who."""
        return self.text("reason", _REASON_LENGTH_MAX), self.text("actor", _NAME_LENGTH_MAX)


def read_pause(raw: bytes, now: float) -> Pause:
    """Body of ``POST /v1/pause``. Raises: Invalid."""
    body = Body(raw, required=("for_s", "reason", "actor"), optional=("service", "direction"))
    reason, actor = body.reason_and_actor()
    until = now + body.number("for_s", 1, DURATION_S_MAX)
    return Pause(body.name("service"), body.direction(), until, reason, actor)


def read_resume(raw: bytes) -> Resume:
    """Body of ``POST /v1/resume``; may be empty. ``for_s`` is allowed and means nothing. Raises: Invalid."""
    body = Body(raw or b"{}", required=(), optional=("service", "direction", "for_s", "reason", "actor"))
    if body.has("for_s"):
        body.number("for_s", 1, DURATION_S_MAX)
    return Resume(body.name("service"), body.direction(), *body.reason_and_actor())


def read_override(raw: bytes, service: str, now: float) -> Override:
    """Body of ``POST /v1/services/{service}/override``. Raises: Invalid."""
    counts = ("replicas", "at_least", "at_most")
    body = Body(raw, required=("for_s", "reason", "actor"), optional=(*counts, "deployment"))
    replicas, at_least, at_most = (body.replicas(key) for key in counts)
    if replicas is not None and (at_least is not None or at_most is not None):
        raise Invalid("replicas excludes at_least and at_most", "replicas, or at_least and/or at_most")
    if replicas is not None:
        at_least = at_most = replicas
    if at_least is None and at_most is None:
        raise Invalid("no limit is given", "replicas, or at_least and/or at_most")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise Invalid(f"at_least {at_least} is above at_most {at_most}", "at_least <= at_most")
    reason, actor = body.reason_and_actor()
    until = now + body.number("for_s", 1, DURATION_S_MAX)
    return Override(service, body.name("deployment"), at_least, at_most, until, reason, actor)


def read_clear(raw: bytes, query: Mapping[str, str]) -> Clear:
    """Body of ``DELETE …/override``, which may be empty; ``?deployment=`` says the same. Raises: Invalid."""
    optional = ("deployment", "reason", "actor", "for_s", "replicas", "at_least", "at_most")
    body = Body(raw or b"{}", required=(), optional=optional)
    unknown = sorted(set(query) - {"deployment"})
    if unknown:
        raise Invalid(f"unknown parameter {_show(unknown[0])}", ["deployment"])
    return Clear(query.get("deployment") or body.name("deployment"), *body.reason_and_actor())


def read_push(raw: bytes, now: float) -> tuple[float, float]:
    """Value and instant of ``POST /v1/signals/{service}/{signal}``. Raises: Invalid."""
    body = Body(raw, required=("value",), optional=("at",))
    value = body.number("value", 0, 1e15)
    at = body.instant("at")
    return value, now if at is None else at


def parse_at(text: str, now: float) -> float:
    """Instant of a query parameter: ISO 8601, epoch seconds, or back from now as in ``-2h``.

    Raises: Invalid.
    """
    relative = _RELATIVE.fullmatch(text)
    if relative:
        return max(0.0, now - float(relative[1]) * UNIT_S[relative[2]])
    if re.fullmatch(r"\d{1,11}(\.\d{1,6})?", text):
        return float(text)
    # An unescaped "+" of an offset arrives as a blank.
    return parse_iso("at", re.sub(r" (\d\d:?\d\d)$", r"+\1", text))


def parse_iso(key: str, text: str) -> float:
    """Epoch seconds of an ISO 8601 text with an offset. Raises: Invalid."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Invalid(f"{key} has no time zone: {_show(text)}", _ISO_HELP)
        at = moment.timestamp()
    except ValueError as error:
        raise Invalid(f"{key} is no instant: {_show(text)}", _ISO_HELP) from error
    if not 0 <= at <= AT_MAX:
        raise Invalid(f"{key} is before 1970 or after 9999: {_show(text)}", _ISO_HELP)
    return round(at, 3)


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(
            raw.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates
        )
        json.dumps(fields, ensure_ascii=False).encode("utf-8")  # a lone surrogate could not be written again
    except Invalid:
        raise
    except (ValueError, RecursionError) as error:
        raise Invalid("the body is not valid JSON in UTF-8", "one JSON object") from error
    if not isinstance(fields, dict):
        raise Invalid(f"the body must be an object, not {_show(fields)}", "one JSON object")
    for key, value in fields.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise Invalid(f"{key} is not a finite number", "finite numbers")
    return fields


def _refuse_constant(word: str) -> float:
    raise Invalid(f"{word} is not a number of JSON", "finite numbers")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Invalid("a key is given twice", "each key once")
    return fields


def _show(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN_LENGTH_MAX else text[:_SHOWN_LENGTH_MAX] + "…"
