"""Bodies as bytes: what goes in comes out, or the damage is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.journals.codec import CHUNK_BYTES, DamageError, Frame, body_from, body_text, expand, shrink

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
BODIES = st.dictionaries(st.text(max_size=5), JSON, max_size=5)


@given(BODIES, BODIES)
def test_any_body_comes_back_equal_against_any_frame(
    body: dict[str, object], other: dict[str, object]
) -> None:
    text, frame = body_text(body), Frame(body_text(other))

    assert body_from(expand(shrink(text, frame), frame)) == body
    assert body_from(expand(shrink(text))) == body


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=300), st.integers(0, 5), st.integers(1, 40))
def test_numbers_that_moved_come_back_equal(numbers: list[int], shift: int, times: int) -> None:
    frame = Frame(body_text({"n": numbers * times}))
    text = body_text({"n": (numbers[shift:] + numbers[:shift]) * times})

    assert expand(shrink(text, frame), frame) == text


def test_a_body_longer_than_deflates_window_still_profits_from_its_frame() -> None:
    body = {f"service-{i}": {"demand": i * 7919 % 1013, "why": f"{i * 104729 % 9973} a"} for i in range(4000)}
    frame = Frame(body_text(body))
    body["one-more"] = {"demand": 1, "why": "so that the words no longer pair"}
    text = body_text(body)

    assert len(text) > 10 * CHUNK_BYTES
    assert len(shrink(text, frame)) < len(shrink(text)) / 5


@given(st.data())
def test_a_flipped_bit_is_seen(data: st.DataObject) -> None:
    frame = Frame(body_text({"a": [1, 22, 333], "why": "60 requests at once need 5 replicas"}))
    text = body_text({"a": [4, 22, 999], "why": "61 requests at once need 6 replicas"})
    blob = bytearray(shrink(text, data.draw(st.sampled_from([frame, None]))))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    # A flip in the padding behind the last bit of a stream changes nothing; any other is an error.
    for tried in (frame, None):
        try:
            assert expand(bytes(blob), tried) == text
        except DamageError:
            continue


@pytest.mark.parametrize("blob", [b"", b"abc", b"\0" * 5, b"\0" * 4 + b"\x01", b"\0" * 4 + b"\x09junk"])
def test_junk_is_damage_and_no_other_error(blob: bytes) -> None:
    for frame in (None, Frame(b"{}")):
        try:
            assert expand(blob, frame) == b""
        except DamageError:
            continue
