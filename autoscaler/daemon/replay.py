"""Recorded ticks decided again by today's code: what differs from the plans of then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from autoscaler.core.decide import fold, step
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import Decision, Plan, Snapshot

KINDS: Final = ("replicas", "range", "reason", "gone", "new")
"""Another count; the same count in another range; the same numbers for another reason; a deployment that the
configuration of today does not name; one that the recorded plan did not know."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded tick.

    ``plan`` None: only facts were kept. ``memory`` is set where a stretch begins. ``counts`` False: it is
    there for the memory of those that follow.
    """

    snapshot: Snapshot
    plan: Plan | None
    memory: Memory | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """What then and today decide for one deployment at one tick; ``None``: it was not decided about."""

    kind: str
    recorded: Decision | None
    today: Decision | None

    @property
    def key(self) -> tuple[str, str]:
        """Service and deployment."""
        one = self.recorded or self.today
        assert one is not None
        return one.service, one.deployment

    def is_like(self, other: Difference) -> bool:
        """Whether a person would say the same of both."""
        return (self.kind, _gist(self.recorded), _gist(self.today)) == (
            other.kind,
            _gist(other.recorded),
            _gist(other.today),
        )


@dataclass(slots=True)
class Stretch:
    """The same difference at successive ticks. Instants are epoch seconds."""

    difference: Difference
    first_at: float
    last_at: float
    ticks: int = 1


class Replay:
    """Decides tick after tick; knows the differences so far.

    Unless ``follows``, memory is what the recorded plans made of it: each tick is judged by itself, and one
    difference does not lead to others. With it, memory is what today's plans make of it, as in a program
    that had been running then; the recorded facts are what the recorded plans led to all the same.
    """

    def __init__(self, fleet: Fleet, *, follows: bool, listed_max: int) -> None:
        self.ticks = 0
        self.decisions = 0
        self.without_plan = 0
        self.differing = 0
        self.counts: Counter[str] = Counter()  # decisions, by kind of difference
        self.stretches: list[Stretch] = []  # the first ones, oldest first
        self.left_out = 0  # stretches that are not listed
        self._fleet = fleet
        self._follows = follows
        self._listed_max = listed_max
        self._memory = Memory()
        self._open: dict[tuple[str, str], Stretch] = {}

    def judge(self, tick: Recorded) -> None:
        """Decide one more tick."""
        before = self._memory if tick.memory is None else tick.memory
        recorded = tick.plan
        plan, after = step(before, tick.snapshot, self._fleet)
        as_recorded = recorded is not None and not (self._follows and tick.counts)
        if recorded is not None and as_recorded and recorded != plan:
            after = fold(before, tick.snapshot, recorded, self._fleet)
        self._memory = after
        if not tick.counts:
            return
        self.ticks += 1
        if recorded is None:
            self.without_plan += 1
        else:
            self._count(tick.snapshot.at, recorded, plan)

    def _count(self, at: float, recorded: Plan, plan: Plan) -> None:
        self.decisions += len(recorded.decisions)
        found = list(differences(recorded, plan))
        self.differing += bool(found)
        still: dict[tuple[str, str], Stretch] = {}
        for one in found:
            self.counts[one.kind] += 1
            stretch = self._open.get(one.key)
            if stretch is not None and stretch.difference.is_like(one):
                stretch.last_at = at
                stretch.ticks += 1
            else:
                stretch = Stretch(one, at, at)
                self._list(stretch)
            still[one.key] = stretch
        self._open = still

    def _list(self, stretch: Stretch) -> None:
        if len(self.stretches) < self._listed_max:
            self.stretches.append(stretch)
        else:
            self.left_out += 1


def differences(recorded: Plan, today: Plan) -> Iterator[Difference]:
    """Where two plans of the same tick differ, by service and deployment. Sentences are not compared."""
    then = {(d.service, d.deployment): d for d in recorded.decisions}
    now = {(d.service, d.deployment): d for d in today.decisions}
    for key in sorted({*then, *now}):
        kind = _kind(then.get(key), now.get(key))
        if kind is not None:
            yield Difference(kind, then.get(key), now.get(key))


def _kind(then: Decision | None, now: Decision | None) -> str | None:
    if then is None:
        return "new"
    if now is None:
        return "gone"
    if (then.replicas_from, then.replicas_to) != (now.replicas_from, now.replicas_to):
        return "replicas"
    if then.range_to != now.range_to:
        return "range"
    return "reason" if then.reason != now.reason else None


def _gist(decision: Decision | None) -> object:
    if decision is None:
        return None
    return decision.replicas_from, decision.replicas_to, decision.range_to, decision.reason
