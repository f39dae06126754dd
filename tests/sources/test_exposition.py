"""Exports of a server: sums are right or absent, whatever has happened to the text on its way."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from autoscaler.core.model import Absence
from autoscaler.sources.exposition import LINE_CHARS_MAX, Exposition
from autoscaler.sources.selector import Selector, parse_selector
from tests.sources.conftest import REASONS

IDS = st.text(alphabet='ab "\\\n,}=#é', min_size=1, max_size=5)


def total(body: str, query: str) -> float | Absence:
    return Exposition(body.encode()).total(parse_selector(query))


def exported(series: dict[tuple[str, str], int]) -> bytes:
    registry = CollectorRegistry()
    gauge = Gauge("requests", "In flight.", ["id", "phase"], registry=registry)
    Gauge("other", "Of no matter.", ["id"], registry=registry).labels("a").set(99)
    for (id_, phase), value in series.items():
        gauge.labels(id_, phase).set(value)
    return generate_latest(registry)


@given(st.dictionaries(st.tuples(IDS, IDS), st.integers(0, 1000), max_size=6), IDS)
def test_the_sum_is_that_of_all_series_with_the_label(series: dict[tuple[str, str], int], id_: str) -> None:
    expected = [value for (one, _), value in series.items() if one == id_]

    found = Exposition(exported(series)).total(Selector("requests", (("id", id_),)))

    if expected:
        assert found == sum(expected)
    else:
        assert isinstance(found, Absence)
        assert found.reason == "empty"


WHOLE = exported({("a", "stable"): 5, ("a", "promoting"): 123, ("b", "stable"): 7})


@given(st.integers(0, len(WHOLE)))
def test_an_export_that_is_cut_anywhere_never_loses_a_digit_unnoticed(length: int) -> None:
    selector = Selector("requests", (("id", "a"),))
    try:
        found = Exposition(WHOLE[:length]).total(selector)
    except ValueError:
        return  # refused as a whole

    if not isinstance(found, Absence):
        # Whole lines may be missing; then it is HTTP's length that tells.
        assert found in (5, 123, 128)


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=3))
def test_a_broken_export_gives_a_number_or_a_named_absence_and_nothing_else(
    changes: list[tuple[int, int]],
) -> None:
    body = bytearray(WHOLE)
    for place, byte in changes:
        body[place] = byte
    try:
        found = Exposition(bytes(body)).total(Selector("requests", (("id", "a"),)))
    except ValueError:
        return

    assert isinstance(found, float | int) or found.reason in REASONS


@given(st.text(alphabet='requests{}id="a, 1#\\\n.e+-N\t', max_size=60))
def test_any_text_gives_a_number_or_a_named_absence_and_nothing_else(text: str) -> None:
    try:
        found = total(f"{text}\n", "requests")
    except ValueError:
        return

    assert isinstance(found, float | int) or found.reason in REASONS


@pytest.mark.parametrize(
    "body",
    [
        "<html><body>Sign in</body></html>\n",
        '{"error": "Rate limit exceeded"}\n',
        'requests{id="a"} 12',  # of 123
        "requests{id=\n",
        "\xff\xfe",
    ],
)
def test_what_is_no_whole_export_is_refused_or_absent(body: str) -> None:
    try:
        found = Exposition(body.encode("latin-1")).total(parse_selector("requests"))
    except ValueError:
        return

    assert isinstance(found, Absence)
    assert found.reason == "bad_reply"


@pytest.mark.parametrize("body", ["", "\n", "# HELP requests In flight.\n# TYPE requests gauge\n# EOF\n"])
def test_an_export_without_series_is_empty_and_never_zero(body: str) -> None:
    found = total(body, "requests")

    assert isinstance(found, Absence)
    assert (found.reason, "no series at all" in found.detail) == ("empty", True)


@pytest.mark.parametrize(
    "second", ['requests{id="a",p="1"} 1', 'requests{p="1",id="a"} 1', 'requests{p="1",id="a",} 2']
)
def test_a_series_that_comes_twice_is_not_counted_twice(second: str) -> None:
    found = total(f'requests{{id="a",p="1"}} 1\n{second}\n', 'requests{id="a"}')

    assert found == Absence("bad_reply", "requests: a series is there twice")


def test_another_series_that_comes_twice_costs_nobody_else_a_value() -> None:
    assert total('requests{id="a"} 1\nrequests{id="b"} 2\nrequests{id="b"} 2\n', 'requests{id="a"}') == 1


@pytest.mark.parametrize(
    "broken", ['requests{x="b,id="a"} 1', 'requests{id="a} 1', 'requests{x="\\",id="a"} 1']
)
def test_a_broken_line_that_may_be_ours_makes_no_lesser_sum(broken: str) -> None:
    found = total(f'requests{{id="a",x="c"}} 5\n{broken}\n', 'requests{id="a"}')

    assert isinstance(found, Absence)
    assert found.reason == "bad_reply"


def test_a_counter_keeps_the_name_that_it_is_exported_under() -> None:
    registry = CollectorRegistry()
    Counter("served", "Requests.", ["id"], registry=registry).labels("a").inc(3)
    body = generate_latest(registry).decode()

    assert total(body, 'served_total{id="a"}') == 3
    assert total("# TYPE served counter\nserved 3\n", "served") == 3


@pytest.mark.parametrize(
    "line", ['requests { id = "a" } 4', 'requests{id="a"}4', '\trequests{id="a"}\t4 1700000000000\r']
)
def test_spaces_and_instants_make_no_difference(line: str) -> None:
    assert total(f"{line}\n", 'requests{id="a"}') == 4


def test_a_number_of_too_many_digits_is_infinite_and_not_an_error() -> None:
    assert total(f"requests {'9' * 400}\n", "requests") == math.inf
    assert total(f"requests -{'9' * 400}\n", "requests") == -math.inf


def test_a_huge_export_is_read_in_no_time() -> None:
    lines = [f'requests{{id="{n}",le="{le}"}} 1' for n in range(2_000) for le in range(20)]
    body = ("\n".join(lines) + "\n").encode()
    began = time.perf_counter()

    export = Exposition(body)
    found = [export.total(Selector("requests", (("id", str(n)),))) for n in range(500)]

    assert found == [20] * 500
    assert time.perf_counter() - began < 1.5


def test_a_line_that_would_take_the_parser_forever_is_not_given_to_it() -> None:
    labels = ",".join(f'l{n}="a"' for n in range(LINE_CHARS_MAX // 6))
    began = time.perf_counter()

    found = total(f"requests{{{labels}}} 1\n", "requests")

    assert isinstance(found, Absence)
    assert found.reason == "bad_reply"
    assert time.perf_counter() - began < 1.0
