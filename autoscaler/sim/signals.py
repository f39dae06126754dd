"""What a configured signal is in the simulated plant: a counter of its name, or a formula over counters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from simpleeval import InvalidExpression, SimpleEval

from autoscaler.sim.plant import COUNTERS, Signal
from autoscaler.world.gateway import Counters

_FUNCTIONS: Final = {"min": min, "max": max}
_SOME: Final = Counters(1, 1, 1, 1, 0, 1)


class UnknownSignal(ValueError):
    """A signal that nobody can work out here; the text says how to say what it is."""


def signals_of(service: str, names: tuple[str, ...], formulas: Mapping[str, str]) -> Mapping[str, Signal]:
    """A reading of the gateway's counters for each of these signals. Raises: UnknownSignal."""
    for name in formulas:
        if name not in names:
            known = ", ".join(names) or "none"
            raise UnknownSignal(
                f"services.{service}.signals.{name}: no signal of the service; there is {known}"
            )
    return {name: _signal(service, name, formulas.get(name)) for name in names}


def _signal(service: str, name: str, formula: str | None) -> Signal:
    if formula is not None:
        return _formula(service, name, formula)
    if name not in COUNTERS:
        raise UnknownSignal(
            f"service {service}: what is {name} in a simulation? A gateway counts {', '.join(COUNTERS)}; "
            f'say it in a plant file: [services.{service}.signals] {name} = "queued + running"'
        )
    return lambda counters: getattr(counters, name)


def _formula(service: str, name: str, formula: str) -> Signal:
    def worked_out(counters: Counters) -> float:
        names = {counter: getattr(counters, counter) for counter in COUNTERS}
        value = SimpleEval(functions=_FUNCTIONS, names=names).eval(formula)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidExpression("it is no number")
        return float(value)

    def read(counters: Counters) -> float:
        try:
            return worked_out(counters)
        except ArithmeticError:
            return math.nan  # as a query that divides by zero answers: the policy is blind then

    try:
        worked_out(_SOME)
    except (InvalidExpression, SyntaxError, ArithmeticError, TypeError, ValueError) as error:
        raise UnknownSignal(
            f"services.{service}.signals.{name}: {formula!r} cannot be worked out ({error}); allowed are "
            f"{', '.join(COUNTERS)}, numbers, + - * / and min, max"
        ) from error
    return read
