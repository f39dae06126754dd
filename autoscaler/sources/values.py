"""From what a server sent to a reading: strict JSON, and one finite number of at least zero."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from autoscaler.core.model import Absence, Reading, Sample


def from_json(body: bytes) -> Any:
    """The value of a JSON text. Raises: ValueError for anything else, NaN and endless nesting included."""
    try:
        return _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


# ``json.loads`` makes a decoder for every call that refuses constants: a thousand replies a tick.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


def reading(value: object, at: float) -> Reading:
    """``value`` as a sample of the instant ``at``, or the name of what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Absence("not_a_number", f"{type(value).__name__} is not a number")
    try:
        number = float(value)
    except OverflowError:
        return Absence("infinite", "larger than any float")
    if math.isnan(number):
        return Absence("nan", "the value is not a number (NaN)")
    if math.isinf(number):
        return Absence("infinite", "the value is infinite")
    if number < 0:
        return Absence("negative", f"{number:g} is below zero")
    return Sample(number + 0.0, round(at, 3))  # minus zero is zero
