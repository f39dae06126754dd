"""The rivals of a simulation: which were asked for by name, and their runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

from autoscaler.cli.terminal.exits import Trouble
from autoscaler.sim.clairvoyant import NumpyMissing
from autoscaler.sim.contest import Entry, Progress
from autoscaler.sim.design import task_of
from autoscaler.sim.known_future import NAME as CLAIRVOYANT
from autoscaler.sim.known_future import clairvoyant_run
from autoscaler.sim.plant import Design
from autoscaler.sim.result import RunResult
from autoscaler.sim.rivals import RIVALS
from autoscaler.sim.run import run
from autoscaler.sim.scaler import RivalScaler


def rival_entries(text: str, design: Design, interval_s: float, share: float) -> Iterator[Entry]:
    """A run for each rival that the option names. Raises: Trouble for an unknown name or a missing extra."""
    for name in _names(text):
        if name == CLAIRVOYANT:
            yield Entry(name, partial(_clairvoyant, design, interval_s, share))
        else:
            yield Entry(name, partial(_rival, name, design, interval_s))


def _names(text: str) -> list[str]:
    known = [*RIVALS, CLAIRVOYANT]
    if text == "none":
        return []
    if not text:
        return [CLAIRVOYANT] if _has_numpy() else []
    names = known if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise Trouble(f"--rivals: {name!r} is no rival; allowed are all, none and {', '.join(known)}")
    if CLAIRVOYANT in names and not _has_numpy():
        raise Trouble(f"--rivals: {NumpyMissing()}")
    return list(dict.fromkeys(names))


def _has_numpy() -> bool:
    return find_spec("numpy") is not None


def _rival(name: str, design: Design, interval_s: float, progress: Progress) -> RunResult:
    kind = RIVALS[name]
    rivals = {service.name: kind.make(task_of(service, interval_s)) for service in design.services.values()}
    return run(
        name,
        "rival",
        design,
        RivalScaler(rivals),
        interval_s,
        progress=progress,
        notes=(kind.setting,),
    )


def _clairvoyant(design: Design, interval_s: float, share: float, progress: Progress) -> RunResult:
    return clairvoyant_run(design, interval_s, share=share, progress=progress)
