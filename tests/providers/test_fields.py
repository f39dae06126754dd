from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.ports import BadReply
from autoscaler.providers.fields import (
    bool_field,
    float_field,
    int_field,
    json_of,
    list_field,
    object_of,
    optional_int_field,
    optional_str_field,
    str_field,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (str_field, 3),
        (str_field, None),
        (str_field, ""),
        (str_field, "\ud800"),
        (optional_str_field, False),
        (int_field, True),
        (int_field, 2.0),
        (int_field, "2"),
        (int_field, -1),
        (int_field, 10**30),
        (optional_int_field, "2"),
        (float_field, float("inf")),
        (float_field, -1),
        (float_field, True),
        (float_field, 10**400),
        (bool_field, 1),
        (bool_field, None),
        (list_field, {}),
        (list_field, None),
    ],
)
def test_a_wrong_type_is_a_bad_reply_that_names_the_field(read: Callable[..., Any], value: Any) -> None:
    with pytest.raises(BadReply, match="'replicas'"):
        read({"replicas": value}, "replicas")


@pytest.mark.parametrize("read", [str_field, int_field, float_field, bool_field, list_field])
def test_a_missing_field_is_a_bad_reply_that_names_it(read: Callable[..., Any]) -> None:
    with pytest.raises(BadReply, match="'id' is missing"):
        read({}, "id")


def test_an_optional_field_may_be_absent_or_null() -> None:
    assert optional_int_field({}, "n") is None
    assert optional_int_field({"n": None}, "n") is None
    assert optional_str_field({"s": ""}, "s") is None
    assert optional_str_field({"s": "x"}, "s") == "x"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"1" * 5_000]
)
def test_what_is_not_json_is_a_bad_reply(content: bytes) -> None:
    with pytest.raises(BadReply):
        json_of(content)


@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_a_bad_reply(content: bytes) -> None:
    try:
        json_of(content)
    except BadReply:
        return


@given(JSON)
def test_any_value_is_read_or_is_a_bad_reply_that_names_the_field(value: Any) -> None:
    said = []
    for read in (str_field, int_field, float_field, bool_field, list_field, optional_str_field):
        try:
            read({"field": value}, "field")
        except BadReply as error:
            said.append(str(error))
    assert all("'field'" in text for text in said)


@given(JSON)
def test_only_an_object_is_an_object(value: Any) -> None:
    if isinstance(value, dict):
        assert object_of(value) is value
    else:
        with pytest.raises(BadReply, match="object is expected"):
            object_of(value)
