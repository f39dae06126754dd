"""Bugs to plant in the product, each with the checks of the referee that must find it.

The product's own checker is switched off with them: what is tried here is the other one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final
from unittest.mock import ANY, patch

Make = Callable[[Any], Any]
"""From the right function to the wrong one."""


@dataclass(frozen=True)
class Bug:
    """Where it sits (``module:name``), what it does, and who must find it."""

    name: str
    where: str
    make: Make
    found_by: frozenset[str]
    seed: int = 0
    """A short seed in which it shows."""


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """The product with this bug, without its own checker."""
    module, _, path = bug.where.partition(":")
    owner: Any = import_module(module)
    *owners, name = path.split(".")
    for part in owners:
        owner = getattr(owner, part)
    with (
        patch.object(owner, name, bug.make(getattr(owner, name))),
        patch("autoscaler.core.turn.violations", lambda *_: ()),
        patch("autoscaler.core.turn.decide", lambda *_: ANY),
    ):
        yield


def _never(_: Any) -> Any:
    return lambda *_: None


def _unjournalled(right: Any) -> Any:
    """Every third plan is believed to be journalled and is not."""
    turns = itertools.count(1)

    async def append(self: Any, kind: str, body: Any, at: Any = None) -> Any:
        lost = kind == "tick" and next(turns) % 3 == 0
        return 1 if lost else await right(self, kind, body, at)

    return append


def _sent_twice(right: Any) -> Any:
    async def act(writes: Any, *rest: Any) -> Any:
        await right(writes, *rest)
        return await right(tuple(replace(d, range_from=d.range_to) for d in writes), *rest)

    return act


def _one_more(right: Any) -> Any:
    async def act(writes: Any, *rest: Any) -> Any:
        return await right(
            tuple(replace(d, range_to=type(d.range_to)(*(n + 1 for n in d.range_to))) for d in writes), *rest
        )

    return act


def _window_forgets(right: Any) -> Any:
    return lambda wants, at, want, window_s: right(wants, at, want, min(window_s, 1.0))


def _stale_is_fresh(right: Any) -> Any:
    def split(service: Any, readings: Any, at: float) -> Any:
        fresh, missing = right(service, readings, at)
        old = {name: one for name, one in readings.items() if getattr(one, "is_usable", False)}
        return {**old, **fresh}, {name: why for name, why in missing.items() if name not in old}

    return split


def _missing_is_zero(right: Any) -> Any:
    def look(self: Any, view: Any) -> Any:
        sight = right(self, view)
        return replace(sight, values={**dict.fromkeys(sight.missing, 0.0), **sight.values}, missing=())

    return look


def _floor_gone(right: Any) -> Any:
    def limits(service: Any, *rest: Any) -> Any:
        plain = tuple(replace(d, min_replicas=0) for d in service.deployments)
        return right(replace(service, deployments=plain), *rest)

    return limits


def _max_gone(right: Any) -> Any:
    def limits(service: Any, *rest: Any) -> Any:
        plain = tuple(replace(d, max_replicas=d.max_replicas + 3) for d in service.deployments)
        return right(replace(service, deployments=plain), *rest)

    return limits


def _no_holds(right: Any) -> Any:
    def judge(was: Any, seen: Any, at: float, hold_s: float) -> Any:
        return replace(was, drift_until=None, read_back=seen)

    return judge


def _whim(right: Any) -> Any:
    """A word of every sentence changes from call to call."""
    turns = itertools.count()

    def decisions(case: Any) -> Any:
        return tuple(replace(d, why=f"{d.why} {next(turns)}") for d in right(case))

    return decisions


def _mumbles(right: Any) -> Any:
    return lambda case: tuple(replace(d, reason="because") for d in right(case))


def _starts_elsewhere(right: Any) -> Any:
    def decisions(case: Any) -> Any:
        return tuple(
            replace(d, range_from=type(d.range_to)(d.range_from[0] + 1, d.range_from[1] + 1))
            if d.range_from is not None
            else d
            for d in right(case)
        )

    return decisions


def _forgets_outcomes(right: Any) -> Any:
    def fold(memory: Any, snapshot: Any, *rest: Any) -> Any:
        return right(memory, replace(snapshot, outcomes=None), *rest)

    return fold


def _forgets_people(right: Any) -> Any:
    async def recalled(*args: Any, **options: Any) -> Any:
        found = await right(*args, **options)
        nobody = type(found.memory.human)()
        return replace(found, human=nobody, memory=replace(found.memory, human=nobody))

    return recalled


def _never_down(right: Any) -> Any:
    def guard(case: Any, site: Any) -> None:
        site.to, site.reason, site.text = site.now, "cooldown", "never"

    return guard


_CORE: Final = "autoscaler.core."
_TICK: Final = "autoscaler.daemon.tick:"

BUGS: Final = (
    Bug("a plan is not journalled", f"{_TICK}Ticker._append", _unjournalled, frozenset({"10"})),
    Bug("a write is sent twice", f"{_TICK}act", _sent_twice, frozenset({"10"})),
    Bug("a write asks for one more", f"{_TICK}act", _one_more, frozenset({"10"})),
    Bug(
        "a pause is not heard", f"{_CORE}decide:_pause", lambda _: lambda *_: (None, ""), frozenset({"11"}), 9
    ),
    Bug(
        "people are forgotten", "tests.sim.soak.house:recall", _forgets_people, frozenset({"11", "recall"}), 9
    ),
    Bug("the window forgets", f"{_CORE}need:staircase", _window_forgets, frozenset({"7"}), 5),
    Bug("blindness keeps nothing", f"{_CORE}need:_keeps", lambda _: lambda *_: (False, ""), frozenset({"5"})),
    Bug("stale is fresh", f"{_CORE}views:split_readings", _stale_is_fresh, frozenset({"blind"}), 20),
    Bug(
        "missing is zero",
        "autoscaler.policies.queue_depth:QueueDepth._look",
        _missing_is_zero,
        frozenset({"blind", "5"}),
    ),
    Bug("old goes before new serves", f"{_CORE}decide:make_before_break", _never, frozenset({"7"}), 8),
    Bug("the budget is not heard", f"{_CORE}decide:apply_budgets", _never, frozenset({"8"})),
    Bug("min_replicas is not heard", f"{_CORE}decide:limits_of", _floor_gone, frozenset({"6"})),
    Bug("max_replicas is not heard", f"{_CORE}decide:limits_of", _max_gone, frozenset({"4"})),
    Bug("foreign changes are undone", f"{_CORE}absorb:judge_range", _no_holds, frozenset({"drift"}), 25),
    Bug("decided by whim", f"{_CORE}decide:decisions_of", _whim, frozenset({"12"})),
    Bug("no reason is given", f"{_CORE}decide:decisions_of", _mumbles, frozenset({"3"})),
    Bug("starts from elsewhere", f"{_CORE}decide:decisions_of", _starts_elsewhere, frozenset({"2"})),
    Bug("the fold forgets", "autoscaler.daemon.recall:fold", _forgets_outcomes, frozenset({"recall"}), 14),
    Bug("nothing is given back", f"{_CORE}decide:guard_decrease", _never_down, frozenset({"calm: spare"}), 1),
)
