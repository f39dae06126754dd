"""A scenario file: a configuration, and what each tick sees as one line of a table.

The table's first line names the columns: ``at``, the signals of the service, a bar, its deployments, a bar;
what follows the last bar are events. In a cell

``at``          seconds since noon; ``15-300`` is every 15 s; a ``*`` before it asks for the transcript
a signal        ``40``; ``40@70`` is 70 s old; ``-`` has no sample; ``nan`` and other words are absences
a deployment    ``4`` set and ready; ``5/4`` five set, four ready; ``4:failed`` another phase; ``4!`` busy;
                ``-`` not seen; ``?unavailable`` could not be read; ``=`` as many as the last plan asked for
an event        ``price a5000 1.40`` · ``pause [down] 600`` · ``resume`` · ``override 4 600`` and
                ``override 2..4 600`` (limits of the service, for so many seconds) ·
                ``outcome NAME accepted`` · ``outcome NAME rejected no_capacity`` · ``clock back``;
                several are separated by ``;``

Writes of the last plan are accepted unless an event says otherwise. What deployments show is for the
author to say: nothing follows by itself but ``=``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.config import load_for_decide
from autoscaler.core.decide import step
from autoscaler.core.fleet import Fleet, Service
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Absence,
    ErrorKind,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Override,
    Pause,
    Phase,
    Plan,
    Price,
    Reading,
    Sample,
    Snapshot,
    exactly,
)
from autoscaler.core.promises import violations

NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z, a Saturday
EVERY_S = 15.0

PROVIDERS = """
[providers.exo]
kind = "exoscale"
zone = "at-vie-2"
[providers.other]
kind = "exoscale"
zone = "at-vie-2"
[sources.gateway]
kind = "push"
"""

GPUS = {"exo": "a5000", "other": "3080ti"}


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    at: float
    asked: bool
    signals: Mapping[str, str]
    deployments: Mapping[str, str]
    events: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Told:
    """One tick as it was decided, with the memory that it was decided from."""

    line: Line
    snapshot: Snapshot
    plan: Plan
    before: Memory


class Scenario:
    """A file of this folder."""

    def __init__(self, path: Path) -> None:
        body: dict[str, Any] = tomllib.loads(path.read_text())
        self.about: str = body.pop("about")
        self._config: str = body.pop("config")
        self._policies: dict[str, str] = body.pop("policies")
        self.lines = tuple(_lines(body.pop("ticks")))
        assert not body, f"{path.name}: unknown keys {sorted(body)}"

    def fleet(self, folder: Path) -> Fleet:
        """The configuration, read as the daemon reads it."""
        (folder / "policies").mkdir()
        for name, text in self._policies.items():
            (folder / "policies" / f"{name}.toml").write_text(text)
        (folder / "config.toml").write_text(PROVIDERS + self._config)
        return load_for_decide(folder / "config.toml", environ={}).fleet

    def play(self, fleet: Fleet) -> Iterator[Told]:
        """Decide every tick in turn; every plan must keep the promises."""
        (service,) = fleet.services.values()
        memory, human = Memory(), Human()
        plan: Plan | None = None
        for line in self.lines:
            human = _human(line, human, service)
            snapshot = _snapshot(line, service, human, plan)
            plan, after = step(memory, snapshot, fleet)
            assert not violations(plan, snapshot, after.human, fleet)
            yield Told(line, snapshot, plan, memory)
            memory, human = after, after.human


# --- the table -----------------------------------------------------------------------------------


def _lines(table: str) -> Iterator[Line]:
    rows = [row.split("|") for row in table.strip().splitlines()]
    head, names = rows[0][0].split(), rows[0][1].split()
    assert head[0] == "at", "the first column is at"
    for row in rows[1:]:
        when, *values = row[0].split()
        seen = row[1].split()
        assert (len(values), len(seen)) == (len(head) - 1, len(names)), f"columns of {row}"
        events = tuple(tuple(event.split()) for event in row[2].split(";") if event.strip())
        asked = when.startswith("*")
        first, _, last = when.removeprefix("*").partition("-")
        at, until = float(first), float(last or first)
        while at <= until:
            yield Line(
                at,
                asked and at + EVERY_S > until,
                dict(zip(head[1:], values, strict=True)),
                dict(zip(names, seen, strict=True)),
                events if at == float(first) else (),
            )
            at += EVERY_S


def _snapshot(line: Line, service: Service, human: Human, plan: Plan | None) -> Snapshot:
    now = NOON + line.at
    asked = {d.deployment: d.replicas_to for d in plan.decisions} if plan is not None else {}
    shown = {
        name: _observation(cell.replace("=", str(asked.get(name))), _provider(service, name))
        for name, cell in line.deployments.items()
    }
    return Snapshot(
        at=now,
        signals={service.name: {name: _reading(cell, now) for name, cell in line.signals.items()}},
        deployments={f"{service.name}/{name}": seen for name, seen in shown.items() if seen is not None},
        prices={
            f"{provider}/{gpu}": Price(float(event[2]), now)
            for event in line.events
            if event[0] == "price"
            for provider, gpu in GPUS.items()
            if gpu == event[1]
        },
        human=human,
        outcomes=_outcomes(line, service, plan),
        clock="back" if ("clock", "back") in line.events else None,
    )


def _provider(service: Service, name: str) -> str:
    return next(d.provider for d in service.deployments if d.name == name)


def _reading(cell: str, now: float) -> Reading:
    if cell == "-":
        return Absence("missing", "nothing has been pushed since the start")
    if cell[0].isalpha():
        return Absence(cell)
    value, _, age_s = cell.partition("@")
    return Sample(float(value), now - float(age_s or 2))


def _observation(cell: str, provider: str) -> Observation | None:
    if cell == "-":
        return None
    if cell.startswith("?"):
        return Observation(None, phase=Phase.UNKNOWN, error=ErrorKind(cell[1:]))
    busy = cell.endswith("!")
    counts, _, word = cell.removesuffix("!").partition(":")
    text, _, ready_text = counts.partition("/")
    replicas, ready = int(text), int(ready_text or text)
    at_rest = Phase.READY if ready >= replicas else Phase.SCALING
    return Observation(
        exactly(replicas),
        ready=ready,
        phase=Phase(word) if word else at_rest,
        gpu_type=GPUS[provider],
        gpus_per_replica=1,
        busy=busy,
        evidence=("CUDA out of memory",) if word == "failed" else (),
    )


def _outcomes(line: Line, service: Service, plan: Plan | None) -> tuple[Outcome, ...]:
    told = {
        event[1]: Outcome(
            service.name, event[1], OutcomeWord(event[2]), ErrorKind(event[3]) if event[3:] else None
        )
        for event in line.events
        if event[0] == "outcome"
    }
    writes = [d.deployment for d in plan.decisions if d.changes] if plan is not None else []
    for name in writes:
        told.setdefault(name, Outcome(service.name, name, OutcomeWord.ACCEPTED))
    return tuple(told.values())


def _human(line: Line, human: Human, service: Service) -> Human:
    now = NOON + line.at
    for event in line.events:
        if event[0] == "pause":
            direction = "down" if event[1] == "down" else None
            until = now + float(event[-1])
            human = Human((Pause(service.name, direction, until, "a freeze", "anna"),), human.overrides)
        elif event[0] == "override":
            low, _, high = event[1].partition("..")
            limits = int(low), int(high or low)
            until = now + float(event[2])
            human = Human(human.pauses, (Override(service.name, None, *limits, until, "a launch", "anna"),))
        elif event[0] == "resume":
            human = Human((), human.overrides, (service.name,))
    return human
