"""What the ticks of a run came to: counts, the last lines for people, and history for the live view."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from autoscaler.core.model import Decision
from autoscaler.daemon.report import TickReport
from autoscaler.daemon.status import direction_of

_LINES_KEPT: Final = 200
_HISTORY_KEPT: Final = 120
_HISTORY_STEPS: Final = 96  # per run: a quarter of an hour each in a day


@dataclass(frozen=True, slots=True)
class Line:
    """Something to tell a person. ``decision`` None: an event of the demo, and ``text`` says it all."""

    at: float
    text: str
    decision: Decision | None = None


class Tally:
    """Takes every tick and every event. ``tell`` gets each new line."""

    def __init__(self, length_s: float, tell: Callable[[Line], None] = lambda _: None) -> None:
        self.lines: deque[Line] = deque(maxlen=_LINES_KEPT)
        self.events: list[Line] = []
        self.latest: TickReport | None = None
        self.ticks = 0
        self.decisions: Counter[str] = Counter()  # by reason, holds too
        self.changes: Counter[str] = Counter()  # by reason
        self.directions: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self.drifts = 0
        self.pushes_failed = 0
        self.demand: dict[str, deque[float]] = {}  # the largest of each step of history, newest last
        self._step_s = length_s / _HISTORY_STEPS
        self._step: int | None = None
        self._tell = tell

    @property
    def broken_promises(self) -> int:
        """Plans that broke a promise, over all promises."""
        return self.violations.total()

    def event(self, at: float, text: str) -> None:
        """Something happened in the demo's world."""
        line = Line(at, text)
        self.events.append(line)
        self._add(line)

    def tick(self, report: TickReport) -> None:
        """One whole tick."""
        self.latest = report
        self.ticks += 1
        for decision in report.plan.decisions:
            self.decisions[decision.reason] += 1
            if decision.changes:
                self.changes[decision.reason] += 1
                self.directions[direction_of(decision)] += 1
                self._add(Line(report.at, decision.why, decision))
        self.outcomes.update(outcome for _, outcome in report.scale_calls)
        self.violations.update(report.violations)
        self.drifts += len(report.drift_started)
        self._remember(report)

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self._tell(line)

    def _remember(self, report: TickReport) -> None:
        step = int(report.at / self._step_s)
        for name, evidence in report.plan.services.items():
            history = self.demand.setdefault(name, deque(maxlen=_HISTORY_KEPT))
            demand = evidence.demand or 0.0
            if step == self._step and history:
                history[-1] = max(history[-1], demand)
            else:
                history.append(demand)
        self._step = step
