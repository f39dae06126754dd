from __future__ import annotations

import math
import sys
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler.core.exact import LARGEST, quotient, replicas_needed, total

plain = st.floats(min_value=0, max_value=1e12).map(lambda x: round(x, 3))
any_size = st.floats(min_value=0, allow_infinity=False, allow_nan=False)
numbers = st.one_of(plain, any_size, st.integers(0, 10_000).map(float))
divisors = st.one_of(
    st.floats(min_value=1e-6, max_value=1e9),
    st.floats(min_value=5e-324, allow_infinity=False),
    st.sampled_from([0.1, 0.3, 0.6, 0.7, 0.8, 0.95, 1.0, 3.0, 16.0]),
)


def _printed(x: float) -> Fraction:
    return Fraction(repr(x))


def _as_float(x: Fraction) -> float:
    try:
        return float(x)
    except OverflowError:
        return LARGEST


@given(numbers, divisors)
@example(4.8, 0.6)
@example(9007199254740993.0, 0.1)
@example(1e22, 3.0)
@example(5e-324, 0.3)
def test_a_quotient_is_the_double_nearest_to_the_decimal_one(a: float, b: float) -> None:
    assert quotient(a, b) == _as_float(_printed(a) / _printed(b))


@given(st.lists(numbers, max_size=16))
def test_a_sum_is_the_double_nearest_to_the_decimal_one(values: list[float]) -> None:
    assert total(values) == _as_float(sum((_printed(value) for value in values), Fraction()))


@given(numbers, divisors)
@example(4.8, 0.6)
@example(0.3, 0.1)
@example(1e9, 0.1)
@example(5e-324, 16.0)
@example(5e-324, 5e-324)
@example(1.5e-323, 1e-323)
@example(sys.float_info.max, 5e-324)
def test_replicas_are_the_exact_ceiling(capacity: float, per_replica: float) -> None:
    assert replicas_needed(capacity, per_replica) == math.ceil(_printed(capacity) / _printed(per_replica))


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 6))
def test_a_whole_number_of_replicas_never_needs_one_more(count: int, per: int, digits: int) -> None:
    per_replica = float(f"{per}e-{digits}")
    capacity = float(f"{count * per}e-{digits}")

    assert replicas_needed(capacity, per_replica) == count


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_one_part_in_a_billion_above_needs_one_more(count: int, per: int) -> None:
    capacity = float(count * per) + 0.001

    assert replicas_needed(capacity, float(per)) == count + 1


def test_decimals_divide_as_a_person_divides_them() -> None:
    assert quotient(4.8, 0.6) == 8.0
    assert quotient(60.0, 0.8) == 75.0
    assert replicas_needed(quotient(4.8, 0.6), 1.0) == 8
    assert replicas_needed(4.8, 0.6) == 8
    assert total([0.1, 0.2]) == 0.3


def test_nothing_needs_no_replica_and_next_to_nothing_needs_one() -> None:
    assert replicas_needed(0.0, 16.0) == 0
    assert replicas_needed(-1.0, 16.0) == 0
    assert replicas_needed(1e-300, 16.0) == 1


def test_what_no_float_holds_is_the_largest() -> None:
    assert quotient(1e308, 1e-5) == LARGEST
    assert quotient(-1e308, 1e-5) == -LARGEST
    assert total([LARGEST, LARGEST]) == LARGEST


def test_division_by_zero_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        quotient(1.0, 0.0)
