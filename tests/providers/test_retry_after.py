from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.providers.retry_after import retry_after_s

NOW = 1795219200.0  # Sat, 21 Nov 2026 00:00:00 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 30),
        ("", 30),
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("86400", 3600),
        ("9" * 5000, 3600),
        ("-5", 30),
        ("1.5", 1.5),
        ("soon", 30),
        ("Sat, 21 Nov 2026 00:02:00 GMT", 120),
        ("Saturday, 21-Nov-26 00:02:00 GMT", 120),
        ("Fri, 20 Nov 2026 00:00:00 GMT", 1),
        ("Mon, 21 Nov 2033 00:00:00 GMT", 3600),
        ("Sat, 99 Nov 2026 00:00:00 GMT", 30),
        ("²", 30),
        ("1.5.5", 30),
        ("1e3", 30),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_bounds(header: str | None, seconds: float) -> None:
    assert retry_after_s(header, NOW) == seconds


@given(st.one_of(st.none(), st.text(max_size=40), st.integers().map(str)))
def test_any_retry_after_is_a_bounded_wait(header: str | None) -> None:
    assert 1 <= retry_after_s(header, NOW) <= 3600
