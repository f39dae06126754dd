"""One run: ticks in virtual time, over a plant of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from typing import Final, Literal

from autoscaler.sim.plant import Design, Plant
from autoscaler.sim.recorder import Recorder
from autoscaler.sim.result import RunResult
from autoscaler.sim.scaler import Scaler

TICKS_PER_TELLING: Final = 240
"""How many ticks pass from one call of ``progress`` to the next: an hour, at the usual interval."""


def every(interval_s: float, design: Design) -> Iterator[float]:
    """The instants of the ticks of a run: from its start on, one interval apart."""
    for tick in count():
        at = round(design.starts_at + tick * interval_s, 3)
        if at >= design.starts_at + design.length_s:
            return
        yield at


def run(
    name: str,
    kind: Literal["config", "rival", "clairvoyant"],
    design: Design,
    scaler: Scaler,
    interval_s: float,
    *,
    instants: Iterable[float] | None = None,
    progress: Callable[[float], None] = lambda _: None,
    violations: Callable[[], Mapping[str, int]] = dict,
    notes: tuple[str, ...] = (),
) -> RunResult:
    """Tick at every instant, then let time pass to the end of the design.

    ``progress`` is told the share that is done, from 0 to 1. ``violations`` is asked at the end.
    """
    plant = Plant(design)
    recorder = Recorder(plant)
    ends_at = design.starts_at + design.length_s
    for tick, at in enumerate(every(interval_s, design) if instants is None else instants):
        plant.world.advance(at)
        recorder.note(scaler.tick(plant))
        if tick % TICKS_PER_TELLING == 0:
            progress((at - design.starts_at) / design.length_s)
    plant.world.advance(ends_at)
    progress(1.0)
    return RunResult(
        name=name,
        kind=kind,
        starts_at=design.starts_at,
        length_s=design.length_s,
        interval_s=interval_s,
        services=recorder.results(),
        violations=violations(),
        notes=notes,
    )
