"""Any value that a server may send becomes a sample of at least zero, or the name of what is wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest

from autoscaler.core.model import Absence, Sample
from autoscaler.sources.values import reading


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0.0),
        (-0.0, 0.0),
        (2.5, 2.5),
        (-0.001, "negative"),
        (-1, "negative"),
        (math.nan, "nan"),
        (math.inf, "infinite"),
        (-math.inf, "infinite"),
        (10**400, "infinite"),
        (True, "not_a_number"),
        ("3", "not_a_number"),
        (None, "not_a_number"),
    ],
)
def test_a_value_is_a_sample_from_zero_up_or_a_named_absence(value: Any, expected: float | str) -> None:
    found = reading(value, 1000.00049)

    if isinstance(expected, str):
        assert isinstance(found, Absence)
        assert found.reason == expected
    else:
        assert found == Sample(expected, 1000.0)
        assert math.copysign(1.0, found.value) == 1.0
