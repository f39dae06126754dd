"""Gates: a condition over the runs' figures by which a change of policy is refused.

``new.cost > 1.05 * old.cost`` is one: RUN.FIGURE, numbers, arithmetic, comparisons, ``and or not``, and
``min max abs``. The text is checked node by node, and for what each part yields, before anything runs; the
library simpleeval then computes it with the same few operators and knows no others.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Final, Literal

from simpleeval import SimpleEval

from autoscaler.sim.report.figures import Figures, compare
from autoscaler.sim.result import RunResult

TEXT_MAX: Final = 500
"""Characters of a gate."""
DEPTH_MAX: Final = 30
NUMBER_MAX: Final = 1e15
EXPONENT_MAX: Final = 10

FIGURES: Final[Mapping[str, Callable[[Figures], float | None]]] = {
    "cost": lambda one: one.usd,  # USD
    "gpu_hours": lambda one: one.gpu_hours,
    "share": lambda one: one.on_time_share,  # of requests within the promised wait, 0 to 1
    "p50": lambda one: one.p50_s,  # waits, seconds
    "p95": lambda one: one.p95_s,
    "p99": lambda one: one.p99_s,
    "changes_per_hour": lambda one: one.changes_per_hour,
    "ratio": lambda one: one.cost_ratio,  # cost over that of the clairvoyant run
    "late": lambda one: one.late,
    "requests": lambda one: one.requests,
}
"""What can follow the name of a run."""

_EXAMPLE: Final = "new.cost > 1.05 * old.cost"
_UNDERSCORE: Final = "and _ for - and . in a run's name"
_ALLOWED: Final = "RUN.FIGURE, numbers, + - * / **, < <= > >= == !=, and or not, min max abs"

Kind = Literal["number", "condition"]


class GateError(ValueError):
    """A gate that cannot be read, or not be told. The text is for a person."""


class Gate:
    """A condition that must not come true. Raises: GateError, where the text is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._named: dict[tuple[str, str], None] = {}  # pairs of run and figure, in order
        self._tree = self._parsed()
        if self._kind(self._tree, 0) != "condition":
            raise self._error(f"this is a number, not a condition such as {_EXAMPLE}")

    def holds(self, runs: Sequence[RunResult]) -> bool:
        """Is the condition true of these runs, so that the change must be refused?

        Raises: GateError, where a run is not among these, or a figure is not known: that is no pass.
        """
        names = [run.name for run in runs]
        self.check_runs(names)
        of_run = dict(zip(map(usable_name, names), compare(runs), strict=True))
        values: dict[str, SimpleNamespace] = {}
        for run, figure in self._named:
            value = FIGURES[figure](of_run[run])
            if value is None:
                raise self._error(f"cannot tell: {run}.{figure} is not known for these runs")
            setattr(values.setdefault(run, SimpleNamespace()), figure, value)
        return self._computed(values)

    def check_runs(self, names: Iterable[str]) -> None:
        """Is each run that the condition names one of these, and only one? For use before anything runs.

        Raises: GateError, naming what is unknown and what there is.
        """
        usable: dict[str, list[str]] = {}
        for name in names:
            usable.setdefault(usable_name(name), []).append(name)
        for run in dict.fromkeys(run for run, _ in self._named):
            if run not in usable:
                known = ", ".join(
                    short if short == full[0] else f"{short} (for {full[0]})"
                    for short, full in usable.items()
                )
                raise self._error(f"unknown run {run!r}; runs are {known or 'none'}; {_UNDERSCORE}")
            if len(usable[run]) > 1:
                raise self._error(f"{run!r} can mean each of {' and '.join(usable[run])}")

    def _parsed(self) -> ast.expr:
        if len(self.text) > TEXT_MAX:
            raise self._error(f"{len(self.text)} characters are too long; {TEXT_MAX} are allowed")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # python's advice on dubious code, which is refused below
                return ast.parse(self.text.strip(), mode="eval").body
        except SyntaxError as error:
            at = f"character {error.offset}" if error.offset else "its end"
            raise self._error(f"{error.msg} at {at}; {_ALLOWED} are allowed") from None
        except (ValueError, MemoryError, RecursionError):
            raise self._error(f"this cannot be read; {_ALLOWED} are allowed") from None

    def _kind(self, node: ast.AST, depth: int) -> Kind:
        """What this part yields; the figures that it names are noted. Raises: GateError."""
        if depth > DEPTH_MAX:
            raise self._error(f"nested too deep; {DEPTH_MAX} levels are allowed")
        match node:
            case ast.Constant(value=value):
                return self._number(value)
            case ast.Attribute(value=ast.Name(id=run), attr=figure):
                return self._figure(run, figure)
            case ast.Name(id=name):
                raise self._error(
                    f"{name!r} alone is no figure; write RUN.FIGURE, as in {_EXAMPLE}, {_UNDERSCORE}"
                )
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=part):
                return self._of("number", (part,), "number", depth)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return self._of("condition", (part,), "condition", depth)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return self._of("number", (left, right), "number", depth)
            case ast.BoolOp(values=parts):
                return self._of("condition", parts, "condition", depth)
            case ast.Compare(left=left, ops=ops, comparators=parts) if all(
                type(op) in _OPERATORS for op in ops
            ):
                return self._of("number", (left, *parts), "condition", depth)
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
                self._check_call(name, len(parts))
                return self._of("number", parts, "number", depth)
        raise self._error(f"{self._source(node)} is not allowed; {_ALLOWED} are")

    def _of(self, wanted: Kind, parts: Sequence[ast.AST], result: Kind, depth: int) -> Kind:
        for part in parts:
            if self._kind(part, depth + 1) != wanted:
                raise self._error(f"{self._source(part)} is no {wanted}, where one is wanted")
        return result

    def _number(self, value: object) -> Kind:
        # A bool is an int to Python, and a text or an ellipsis is a constant too.
        if type(value) not in (int, float):
            raise self._error(f"{_cut(repr(value))} is not allowed; {_ALLOWED} are")
        assert isinstance(value, int | float)
        if not value <= NUMBER_MAX:
            raise self._error(f"{_cut(repr(value))} is too large; numbers up to {NUMBER_MAX:g} are allowed")
        return "number"

    def _figure(self, run: str, figure: str) -> Kind:
        if figure not in FIGURES:
            raise self._error(f"unknown figure {figure!r}; figures are {', '.join(FIGURES)}")
        self._named[run, figure] = None
        return "number"

    def _check_call(self, name: str, count: int) -> None:
        if name not in _FUNCTIONS:
            raise self._error(f"unknown function {name!r}; functions are {', '.join(_FUNCTIONS)}")
        if count != 1 if name == "abs" else count < 2:
            raise self._error(f"{name} takes {'one number' if name == 'abs' else 'two or more numbers'}")

    def _computed(self, values: Mapping[str, SimpleNamespace]) -> bool:
        evaluator = SimpleEval(
            operators=_OPERATORS,
            functions=_FUNCTIONS,
            names=values,
            allowed_attrs={SimpleNamespace: set(FIGURES)},
        )
        try:
            result = evaluator.eval(self.text, previously_parsed=self._tree)
        except ArithmeticError as error:
            raise self._error(f"cannot tell: {error}") from None
        assert isinstance(result, bool), "a condition yields true or false"
        return result

    def _source(self, node: ast.AST) -> str:
        return _cut(ast.get_source_segment(self.text.strip(), node) or type(node).__name__)

    def _error(self, text: str) -> GateError:
        return GateError(f"gate {_cut(self.text)!r}: {text}")


def usable_name(run: str) -> str:
    """A run's name as a gate can write it: ``_`` for what is no letter or digit, ``_2`` for a first 2."""
    name = re.sub(r"[^0-9A-Za-z_]", "_", run)
    if not name or name[0].isdigit():
        return f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def _within_limits(operation: Callable[[float, float], float]) -> Callable[[float, float], float]:
    """In floats, so that no number grows for ever; and finite, for the rest compares silently wrong."""

    def compute(left: float, right: float) -> float:
        result = operation(float(left), float(right))
        if not math.isfinite(result):
            raise OverflowError("a number gets too large")
        return result

    return compute


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > EXPONENT_MAX:
        raise OverflowError(f"an exponent of {exponent:g} is too large; up to {EXPONENT_MAX} is allowed")
    if base < 0 and not exponent.is_integer():
        raise ArithmeticError("a negative number has no such power")
    try:
        return math.pow(base, exponent)
    except OverflowError:
        raise OverflowError("a number gets too large") from None
    except ValueError:
        raise ZeroDivisionError("zero has no negative power") from None


_OPERATORS: Final[Mapping[type[ast.AST], Callable[..., object]]] = {
    ast.Add: _within_limits(operator.add),
    ast.Sub: _within_limits(operator.sub),
    ast.Mult: _within_limits(operator.mul),
    ast.Div: _within_limits(operator.truediv),
    ast.Pow: _within_limits(_power),
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: Final[Mapping[str, Callable[..., float]]] = {"min": min, "max": max, "abs": abs}
