"""The gate: says what a condition says, refuses the rest, and is never silent about what is unknown."""

from __future__ import annotations

import ast
import math
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sim.gate import FIGURES, TEXT_MAX, Gate, GateError, usable_name
from autoscaler.sim.result import RunResult
from tests.sim.report.samples import a_run, a_service

OLD = a_run("old", a_service(usd=10.0))
NEW = a_run("new", a_service(usd=12.0))
IDEAL = a_run("clairvoyant", a_service(usd=8.0), kind="clairvoyant")
RUNS = [OLD, NEW, IDEAL]


def refusal(text: str, runs: list[RunResult] | None = None) -> str:
    """The error's text: of the construction, or of the telling where runs are given."""
    if runs is None:
        with pytest.raises(GateError) as caught:
            Gate(text)
    else:
        gate = Gate(text)
        with pytest.raises(GateError) as caught:
            gate.holds(runs)
    return str(caught.value)


# --- what it says -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("new.cost > 1.05 * old.cost", True),
        ("new.cost > 1.2 * old.cost", False),
        ("new.cost >= 12 and old.cost == 10", True),
        ("not new.cost > old.cost or new.share < 0.99", True),
        ("max(new.p99, old.p99) > 12.25", False),
        ("min(new.cost, old.cost, 3) == 3", True),
        ("abs(old.cost - new.cost) / old.cost > 0.19", True),
        ("8 < old.cost < 12", True),
        ("new.ratio - old.ratio > 0.2", True),
        ("(new.cost - old.cost) ** 2 == 4", True),
        ("  -new.cost < +0  ", True),
        ("(old.cost - new.cost) ** 2 == 4", True),
        ("new.cost != old.cost", True),
        ("new.cost <= 11.99", False),
    ],
)
def test_a_gate_holds_when_its_condition_is_true(text: str, holds: bool) -> None:
    assert Gate(text).holds(RUNS) is holds


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("cost", 12.0),
        ("gpu_hours", 10.0),
        ("share", 0.98),
        ("p50", 0.0),
        ("p95", 4.5),
        ("p99", 12.25),
        ("changes_per_hour", 4.0),
        ("ratio", 1.5),
        ("late", 2),
        ("requests", 100),
    ],
)
def test_each_figure_is_the_one_of_the_table(figure: str, value: float) -> None:
    assert Gate(f"new.{figure} == {value}").holds(RUNS)
    assert Gate(f"new.{figure} > {value - 0.001}").holds(RUNS)


def test_no_figure_goes_without_a_test_of_its_value() -> None:
    tested = {
        "cost",
        "gpu_hours",
        "share",
        "p50",
        "p95",
        "p99",
        "changes_per_hour",
        "ratio",
        "late",
        "requests",
    }

    assert set(FIGURES) == tested


NUMBERS = st.recursive(
    st.sampled_from(["new.cost", "old.cost", "old.late", "new.p95", "2", "0.5", "1e3", "7"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda one: f"-{one}"),
        inner.map(lambda one: f"abs({one})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=6,
)
COMPARISONS = st.tuples(NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS).map(" ".join)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=3,
)


@given(CONDITIONS.filter(lambda text: len(text) <= TEXT_MAX))
def test_a_condition_means_what_it_means_in_python(text: str) -> None:
    names = {
        "new": SimpleNamespace(cost=12.0, p95=4.5),
        "old": SimpleNamespace(cost=10.0, late=2),
    }

    expected = eval(text, {"__builtins__": {"abs": abs, "min": min, "max": max}}, names)

    assert Gate(text).holds(RUNS) is expected


# --- names --------------------------------------------------------------------------------------


def test_names_that_are_no_words_are_written_with_underscores() -> None:
    runs = [a_run("new-policy", a_service(usd=3.0)), a_run("config.example", a_service(usd=2.0)), a_run("7b")]

    assert Gate("new_policy.cost > config_example.cost").holds(runs)
    assert Gate("_7b.cost == 12").holds(runs)


@pytest.mark.parametrize("name", ["", "-", "7", "class", "ünder", "a b", "a.b-c", "min", "\U0001d7d9x"])
def test_every_name_has_a_form_that_a_gate_can_write(name: str) -> None:
    usable = usable_name(name)

    assert ast.unparse(ast.parse(f"{usable}.cost", mode="eval")) == f"{usable}.cost"
    assert Gate(f"{usable}.cost == 12").holds([a_run(name)])


def test_an_unknown_run_is_named_with_those_that_there_are() -> None:
    text = refusal("neww.cost > 1", [NEW, a_run("old-policy")])

    assert "unknown run 'neww'; runs are new, old_policy (for old-policy)" in text
    assert "neww.cost > 1" in text


def test_a_dash_in_a_name_is_told_from_a_minus() -> None:
    assert "write RUN.FIGURE" in refusal("new-policy.cost > 1")
    assert "_ for - and . in a run's name" in refusal("new-policy.cost > 1")


def test_runs_can_be_checked_before_anything_ran() -> None:
    gate = Gate("new.cost > 1 or other.cost > 2")

    gate.check_runs(["other", "new"])
    with pytest.raises(GateError, match="unknown run 'other'; runs are new"):
        gate.check_runs(["new"])


def test_an_unknown_run_is_told_even_where_it_would_not_have_mattered() -> None:
    assert "unknown run 'other'" in refusal("new.cost > 1 or other.cost > 2", RUNS)


def test_a_name_that_fits_two_runs_is_refused() -> None:
    text = refusal("a_b.cost > 1", [a_run("a-b"), a_run("a.b")])

    assert "'a_b' can mean each of a-b and a.b" in text


def test_runs_with_one_name_do_not_matter_to_a_gate_that_names_neither() -> None:
    assert Gate("new.cost == 12").holds([a_run("a-b"), a_run("a.b"), NEW])


def test_an_unknown_figure_is_named_with_those_that_there_are() -> None:
    text = refusal("new.costs > 1")

    assert "unknown figure 'costs'; figures are cost, gpu_hours, share, p50" in text
    assert all(figure in text for figure in FIGURES)


# --- what is not known --------------------------------------------------------------------------

NOTHING = a_run("empty", a_service(requests=0, late=0, p50_s=None, p95_s=None, p99_s=None))


@pytest.mark.parametrize("figure", ["share", "p50", "p95", "p99", "ratio"])
@pytest.mark.parametrize("form", ["{} > 1", "{} < 1", "not {} > 1", "1 > 2 and {} > 1", "1 < 2 or {} > 1"])
def test_what_is_not_known_fails_loudly_and_never_passes(figure: str, form: str) -> None:
    text = refusal(form.format(f"empty.{figure}"), [NOTHING])

    assert f"cannot tell: empty.{figure} is not known" in text


def test_a_bill_that_is_no_number_is_not_known() -> None:
    broken = a_run("new", a_service(usd=math.nan))

    assert "cannot tell: new.cost is not known" in refusal("new.cost > 5", [broken])


@pytest.mark.parametrize(
    "text",
    [
        "new.cost / (old.cost - old.cost) > 1",
        "0 ** -1 > new.cost",
        "(1e15 ** 10) * (1e15 ** 10) * (1e15 ** 10) > 1",
        "(1e15 ** 10) ** 3 > 1",
        "(0 - new.cost) ** 0.5 > 1",
        "10 ** new.requests > 1",
    ],
)
def test_what_cannot_be_computed_fails_loudly(text: str) -> None:
    assert "cannot tell" in refusal(text, RUNS)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "new.cost",
        "1",
        "new.cost + (new.cost > 1)",
        "new.cost and new.late > 1",
        "not new.cost",
        "(new.cost > 1) + 1",
        "max(new.cost > 1, 2) > 1",
        "(new.cost > 1) == (old.cost > 1)",
    ],
)
def test_a_number_is_no_condition_and_a_condition_no_number(text: str) -> None:
    assert "number" in refusal(text) or "condition" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "new.cost >",
        "new.cost > 1; old.cost > 2",
        "new.cost > 1\nold.cost > 2",
        "cost = 3",
        "new.cost = 3",
        "(x := 3) > 1",
        "import os",
        "new",
        "True",
        "None",
        "new.cost > True",
        "False == 0",
        "...",
        "1j > 2",
        "'a' == 'a'",
        "b'a' == b'a'",
        "f'{new}' == 'a'",
        "f'{new.cost:>99999999}' == 'a'",
        "[1] == [1]",
        "(1, 2) > (1, 1)",
        "{1: 2} == {}",
        "[x for x in (1, 2)] == 1",
        "sum(x for x in (1, 2)) > 1",
        "(lambda: 1)() > 0",
        "new.cost if old.cost > 1 else 2",
        "new.cost in (1, 2)",
        "new.cost is 1",
        "new.cost % 2 > 1",
        "new.cost // 2 > 1",
        "1 << 9 > 1",
        "~1 > 1",
        "new.cost & 1 > 1",
        "new[0] > 1",
        "new.cost[0] > 1",
        "new.__class__ > 1",
        "new.cost.__class__ > 1",
        "new.cost.real > 1",
        "().__class__.__bases__[0].__subclasses__() > 1",
        "(1).__class__ > 1",
        "new._named > 1",
        "new.func_globals > 1",
        "eval('1') > 0",
        "__import__('os').system('true') > 0",
        "open('/etc/passwd') > 0",
        "getattr(new, 'cost') > 0",
        "int(new.cost) > 0",
        "rand() > 0",
        "str(1) > 0",
        "abs.__self__ > 1",
        "min.__class__ > 1",
        "min > 1",
        "min() > 1",
        "min(1) > 1",
        "min(*new) > 1",
        "max(1, 2, key=abs) > 1",
        "max(1, 2, default=3) > 1",
        "abs() > 1",
        "abs(1, 2) > 1",
        "abs(**new) > 1",
        "new.cost(1) > 1",
        "await new.cost",
        "yield 1",
        "1e999 > 1",
        "9" * 400 + " > 1",
        "0x" + "f" * 400 + " > 1",
        "1 > 2 > 'a'",
        "\x00 > 1",
        "new.cost > 1 # fine\x00",
        "(" * 450,
        "-" * 400 + "1 > 0",
        "not " * 100 + "1 > 0",
        "1 > 0" + " and 1 > 0" * 60,
        "new.cost\u202e > 1" + "0" * 600,
    ],
)
def test_whatever_else_a_text_tries_is_refused_before_anything_runs(text: str) -> None:
    assert refusal(text).startswith("gate ")


@pytest.mark.parametrize(
    "text", ["9 ** 9 ** 9 ** 9 > 1", "9 ** 11 > 1", "2 ** -11 > 1", "((9 ** 9) ** 9) ** 9 ** 9 > 1"]
)
def test_powers_are_small(text: str) -> None:
    assert "up to 10 is allowed" in refusal(text, RUNS)


def test_a_power_chain_is_computed_in_floats_and_not_in_endless_integers() -> None:
    assert "cannot tell: a number gets too large" in refusal("((((9 ** 9) ** 9) ** 9) ** 9) ** 9 > 1", RUNS)


def test_the_error_tells_what_it_is_about_and_what_is_allowed() -> None:
    text = refusal("new.cost > [1]")

    assert text.startswith("gate 'new.cost > [1]': [1] is not allowed; RUN.FIGURE, numbers")
    assert "min max abs" in text


def test_an_error_stays_readable_whatever_the_text() -> None:
    assert len(refusal("new.cost > " + "[" + "1, " * 100 + "1]")) < 400


WORDS = (
    "new old .cost .late and or not min max abs __class__ lambda for in if else ** is True None import é \x00"
)
PIECES = st.sampled_from([*"().,+-*/<>=!'\"[]{}:; \n\\_0192e", *WORDS.split(" ")])


@given(st.text(max_size=40) | st.lists(PIECES, max_size=14).map(" ".join) | st.lists(PIECES).map("".join))
def test_any_text_is_a_condition_or_a_gate_error(text: str) -> None:
    with suppress(GateError):
        assert Gate(text).holds(RUNS) in (True, False)
