from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.providers.plain_text import plain_text


def test_a_vendor_text_becomes_one_short_line() -> None:
    assert plain_text("no\r\n\x1b[31mGPU\x00\u202e left\u2028now") == "no [31mGPU left now"


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert plain_text("x" * 500, chars_max=10) == "x" * 9 + "…"


def test_a_secret_is_blotted_out_before_the_text_is_cut() -> None:
    assert plain_text("a hunter2-hunter2 b", secrets=("hunter2-hunter2",), chars_max=8) == "a *** b"


@given(st.text(max_size=300))
def test_any_text_is_safe_to_log(text: str) -> None:
    line = plain_text(text)

    assert len(line) <= 200
    assert "\n" not in line
    line.encode()  # no half of a surrogate pair
