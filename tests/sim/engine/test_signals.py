"""A signal means what the gateway counts under its name, or what a formula says; else it is asked for."""

from __future__ import annotations

import math

import pytest

from autoscaler.sim.signals import UnknownSignal, signals_of
from autoscaler.world.gateway import Counters

COUNTERS = Counters(queued=3, running=4, arrived_total=100, started_total=97, late_total=5, finished_total=93)


def test_a_counter_is_read_by_its_name() -> None:
    signals = signals_of("chat", ("queued", "late_total"), {})
    assert {name: read(COUNTERS) for name, read in signals.items()} == {"queued": 3, "late_total": 5}


def test_a_formula_says_what_another_name_means() -> None:
    signals = signals_of("chat", ("in_flight",), {"in_flight": "queued + running"})
    assert signals["in_flight"](COUNTERS) == 7.0


def test_a_formula_goes_before_a_counter_of_its_name() -> None:
    assert signals_of("chat", ("queued",), {"queued": "max(queued - 1, 0)"})["queued"](COUNTERS) == 2.0


def test_what_cannot_be_divided_is_no_number_and_not_zero() -> None:
    per_running = signals_of("chat", ("share",), {"share": "queued / running"})["share"]
    assert per_running(COUNTERS) == 0.75
    assert math.isnan(per_running(Counters(3, 0, 0, 0, 0, 0)))


def test_a_name_that_nobody_counts_is_asked_for() -> None:
    with pytest.raises(
        UnknownSignal, match=r"what is kv_use in a simulation\? A gateway counts queued, running"
    ):
        signals_of("chat", ("kv_use",), {})


def test_a_formula_for_a_signal_that_is_not_there_is_a_slip() -> None:
    with pytest.raises(
        UnknownSignal, match=r"services\.chat\.signals\.runing: no signal .* there is running"
    ):
        signals_of("chat", ("running",), {"runing": "running"})


@pytest.mark.parametrize(
    "formula",
    [
        "quued + running",
        "queued +",
        "__import__('os')",
        "().__class__",
        "open('x')",
        "queued > running",
        "'text'",
        "[queued]",
        "1 / 0",
    ],
)
def test_a_formula_that_is_none_is_refused_with_what_is_allowed(formula: str) -> None:
    with pytest.raises(
        UnknownSignal, match=r"cannot be worked out .* allowed are queued, running, arrived_total"
    ):
        signals_of("chat", ("x",), {"x": formula})
