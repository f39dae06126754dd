"""Strict reading of JSON: a field has the type that the vendor documents, or the reply is bad.

Raises: BadReply, naming the field.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from autoscaler.ports import BadReply

INTEGER_MAX: Final = 1_000_000
TEXT_CHARS_MAX: Final = 4_000
ITEMS_MAX: Final = 20_000

_NAMES: Final = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}


def json_of(content: bytes) -> Any:
    """The JSON value; ``NaN`` and ``Infinity``, which are not JSON, are refused."""
    try:
        return json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadReply("the reply is not JSON") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def object_of(value: object, what: str = "the reply") -> dict[str, Any]:
    """The value, which must be a JSON object."""
    if not isinstance(value, dict):
        raise BadReply(f"{what} is {_name(value)} where an object is expected")
    return value


def str_field(body: dict[str, Any], name: str) -> str:
    """Text that is not empty."""
    value = _present(body, name)
    if not isinstance(value, str):
        _wrong(name, value, "text")
    if not value or len(value) > TEXT_CHARS_MAX or not _encodable(value):
        raise BadReply(f"field {name!r} is not readable text of 1 to {TEXT_CHARS_MAX} characters")
    return value


def optional_str_field(body: dict[str, Any], name: str) -> str | None:
    """Text, or None where the field is absent, null or empty."""
    return None if body.get(name) in (None, "") else str_field(body, name)


def int_field(body: dict[str, Any], name: str, *, minimum: int = 0, maximum: int = INTEGER_MAX) -> int:
    """A whole number within the bounds; true and 2.0 are not whole numbers."""
    value = _present(body, name)
    if not isinstance(value, int) or isinstance(value, bool):
        _wrong(name, value, "a whole number")
    if not minimum <= value <= maximum:
        raise BadReply(f"field {name!r} is outside {minimum} to {maximum}")
    return value


def optional_int_field(
    body: dict[str, Any], name: str, *, minimum: int = 0, maximum: int = INTEGER_MAX
) -> int | None:
    """A whole number, or None where the field is absent or null."""
    return None if body.get(name) is None else int_field(body, name, minimum=minimum, maximum=maximum)


def float_field(body: dict[str, Any], name: str) -> float:
    """A finite number that is not negative: a price, a duration."""
    value = _present(body, name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        _wrong(name, value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0:
        raise BadReply(f"field {name!r} is not a finite number of zero or more")
    return number


def bool_field(body: dict[str, Any], name: str) -> bool:
    """True or false."""
    value = _present(body, name)
    if not isinstance(value, bool):
        _wrong(name, value, "true or false")
    return value


def list_field(body: dict[str, Any], name: str, *, items_max: int = ITEMS_MAX) -> list[Any]:
    """A list of at most ``items_max`` items of any type."""
    value = _present(body, name)
    if not isinstance(value, list):
        _wrong(name, value, "a list")
    if len(value) > items_max:
        raise BadReply(f"field {name!r} has over {items_max} items")
    return value


def _present(body: dict[str, Any], name: str) -> Any:
    if name not in body:
        raise BadReply(f"field {name!r} is missing")
    return body[name]


def _wrong(name: str, value: object, expected: str) -> NoReturn:
    raise BadReply(f"field {name!r} is {_name(value)} where {expected} is expected")


def _name(value: object) -> str:
    return "null" if value is None else _NAMES.get(type(value), "an object")


def _encodable(text: str) -> bool:
    # JSON can spell half a surrogate pair, which no journal or metric can then write.
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
