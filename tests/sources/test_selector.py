"""Selectors: what is read back is what was written, and everything else is refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sources.selector import CHARS_MAX, Selector, parse_selector

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True), st.text(max_size=8), max_size=4
)


@given(NAMES, LABELS)
def test_a_selector_that_is_written_out_is_read_back(name: str, labels: dict[str, str]) -> None:
    selector = Selector(name, tuple(sorted(labels.items())))

    assert parse_selector(str(selector)) == selector
    assert selector.matches({**labels, "other": "label"})


@given(st.text(alphabet="ab{}=!~\"'\\,( \n", max_size=24))
def test_any_text_is_a_selector_or_refused_in_words(text: str) -> None:
    refusal = ""
    try:
        selector = parse_selector(text)
    except ValueError as error:
        refusal = str(error)

    assert "allowed" in refusal if refusal else parse_selector(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("m", {}),
        (" m ", {}),
        ("m{}", {}),
        ('m{a="1"}', {"a": "1"}),
        (" m { a = \"1\" , b='2', } ", {"a": "1", "b": "2"}),
        ('m{a=""}', {"a": ""}),
        (r'm{a="x\"y\\z\n"}', {"a": 'x"y\\z\n'}),
        ('m{a="}, b="}', {"a": "}, b="}),
        ("vllm:num_requests_running{a='1'}", {"a": "1"}),
    ],
)
def test_labels_are_read_as_prometheus_reads_them(text: str, labels: dict[str, str]) -> None:
    assert parse_selector(text).labels == labels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "does not begin with the name of a metric"),
        ('{a="1"}', "does not begin with the name of a metric"),
        ("1m", "does not begin with the name of a metric"),
        ('sum(m{a="1"})', "calls sum(), and there are no functions here"),
        ("m[5m]", "goes on with '[' after m"),
        ("m / 2", "goes on with '/' after m"),
        ('m{a="1"} > 0', "goes on with '>' after the labels"),
        ('m{a=~"1|2"}', "compares a by =~; allowed is = alone"),
        ('m{a!="1"}', "compares a by !=; allowed is = alone"),
        ('m{a!~"1"}', "compares a by !~; allowed is = alone"),
        ("m{a=1}", 'the value of a is not in quotes; allowed is a="VALUE"'),
        ('m{a="1}', 'the value of a is not in quotes; allowed is a="VALUE"'),
        ('m{a="1"', "has no comma or closing brace after a"),
        ('m{a="1" b="2"}', "has no comma or closing brace after a"),
        ("m{", "is not closed"),
        ('m{"a"="1"}', "is not closed, or has something that is no label"),
        ('m{a="1", a="1"}', "has a twice"),
        ("m" * (CHARS_MAX + 1), f"is longer than {CHARS_MAX} characters"),
    ],
)
def test_what_is_more_than_a_name_and_equal_labels_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match="allowed") as caught:
        parse_selector(text)

    assert expected in str(caught.value)


def test_order_and_spaces_make_no_difference() -> None:
    assert parse_selector('m{b="2",a="1"}') == parse_selector("m { a='1', b='2' }")


def test_a_label_that_a_series_has_not_is_empty() -> None:
    assert parse_selector('m{environment=""}').matches({"model_id": "m"})
    assert not parse_selector('m{environment=""}').matches({"environment": "production"})
