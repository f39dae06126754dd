"""``autoscaler simulate``: several scalers over the same demand and plant, and what each would have cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from autoscaler.cli.collector import settle
from autoscaler.cli.commands.simulation_inputs import Inputs, Wish, inputs_of
from autoscaler.cli.commands.simulation_journal import KeptJournal
from autoscaler.cli.commands.simulation_rivals import rival_entries
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.progress import bars
from autoscaler.cli.terminal.say import answer, answer_json, note
from autoscaler.cli.terminal.simulation import print_simulation
from autoscaler.config import Config
from autoscaler.core.codec import instant_text
from autoscaler.core.fleet import Fleet
from autoscaler.ports import JournalError
from autoscaler.sim.contest import Entry, Progress, contest, processors
from autoscaler.sim.design import Gpus, design_of, simulated_fleet
from autoscaler.sim.gate import Gate, GateError
from autoscaler.sim.history import AsRecorded, FromHistory, Past, memory_at
from autoscaler.sim.plant import Design
from autoscaler.sim.report.as_json import as_json
from autoscaler.sim.report.page import page
from autoscaler.sim.result import RunResult
from autoscaler.sim.run import run
from autoscaler.sim.scaler import OurDecision
from autoscaler.sim.signals import UnknownSignal

T = TypeVar("T")

RECORDED: Final = "recorded"
"""The name of the run that repeats what was there."""


def run_simulation(wish: Wish) -> int:
    """Run, show, and judge. Raises: Trouble."""
    gates = [_gated(partial(Gate, text)) for text in wish.fail_if]
    inputs = inputs_of(wish)
    entries = list(_entries(wish, inputs))
    for gate in gates:
        _gated(partial(gate.check_runs, [one.name for one in entries]))
    settle()
    jobs = processors() if wish.jobs is None else wish.jobs
    with bars([one.name for one in entries], shown=not wish.as_json) as show:
        try:
            results = contest(entries, jobs, show)
        except JournalError as error:
            raise Trouble(str(error), Exit.UNREACHABLE) from error
    _tell(wish, inputs, results)
    return _judge(gates, results)


# --- what runs ------------------------------------------------------------------------------------


def _entries(wish: Wish, inputs: Inputs) -> Iterator[Entry]:
    designs: dict[str, Design] = {}
    for name, config in inputs.configs.items():
        try:
            design, notes = design_of(
                config.fleet, _hardware(config, inputs.past), inputs.demands, inputs.around
            )
        except UnknownSignal as error:
            raise Trouble(f"{config.path}: {error}") from error
        designs[name] = design
        fleet = simulated_fleet(config.fleet, design.services)
        yield Entry(name, partial(_ours, name, design, fleet, inputs.past, wish.keep, notes))
    (first, config), *_ = inputs.configs.items()
    if inputs.past is not None:
        yield Entry(RECORDED, partial(_recorded, designs[first], inputs.past, config.daemon.interval_s))
    yield from rival_entries(wish.rivals, designs[first], config.daemon.interval_s, wish.share)


def _hardware(config: Config, past: Past | None) -> Mapping[str, Gpus]:
    """What the configuration tells of GPUs, or better, what vendors told the daemon of the journal."""
    if past is None:
        return config.gpus
    return {**config.gpus, **past.hardware}


def _ours(
    name: str,
    design: Design,
    fleet: Fleet,
    past: Past | None,
    keep: Path | None,
    notes: tuple[str, ...],
    progress: Progress,
) -> RunResult:
    journal = None if keep is None else KeptJournal(keep / f"{name}.db", fleet)
    told = None if journal is None else journal.take
    scaler: OurDecision
    if past is None:
        scaler = OurDecision(fleet, told=told)
    else:
        first = next(past.ticks()).record
        scaler = FromHistory(fleet, memory_at(past.path, fleet, first), past.ticks(), told)
    try:
        result = run(
            name,
            "config",
            design,
            scaler,
            fleet.interval_s,
            instants=None if past is None else past.instants,
            progress=progress,
            violations=lambda: scaler.broken,
            notes=notes,
        )
    finally:
        if journal is not None:
            journal.close()
    return replace(result, notes=(*result.notes, *_difference(scaler)))


def _difference(scaler: OurDecision) -> Iterator[str]:
    if not isinstance(scaler, FromHistory):
        return
    if scaler.differs_at is None:
        yield "writes what was written then, at every tick"
    else:
        yield f"first writes something else at {instant_text(scaler.differs_at)}; modelled from there"


def _recorded(design: Design, past: Past, interval_s: float, progress: Progress) -> RunResult:
    return run(
        RECORDED,
        "rival",
        design,
        AsRecorded(past.ticks()),
        interval_s,
        instants=past.instants,
        progress=progress,
    )


# --- what is shown --------------------------------------------------------------------------------


def _tell(wish: Wish, inputs: Inputs, results: Sequence[RunResult]) -> None:
    if wish.html is not None:
        try:
            wish.html.write_text(page(results, title=_title(inputs)), encoding="utf-8")
        except OSError as error:
            raise Trouble(f"--html {wish.html}: {error.strerror}") from error
    if wish.as_json:
        answer_json(as_json(results))
        return
    answer(_title(inputs))
    print_simulation(results)
    for text in inputs.notes:
        note(f"note: {text}")
    if wish.html is not None:
        note(f"report: {wish.html}")


def _title(inputs: Inputs) -> str:
    sources = dict.fromkeys(one.source for one in inputs.demands.values())
    days = inputs.around.length_s / 86_400
    length = f"{days:.3g} days" if days >= 2 else f"{days * 24:.3g} hours"
    return f"{', '.join(inputs.demands)}: {length} of {', '.join(sources)}"


# --- the gate -------------------------------------------------------------------------------------


def _gated(ask: Callable[[], T]) -> T:
    """What a gate answers. Raises: Trouble where it cannot."""
    try:
        return ask()
    except GateError as error:
        raise Trouble(f"--fail-if: {error}") from error


def _judge(gates: Sequence[Gate], results: Sequence[RunResult]) -> int:
    status = Exit.OK
    for gate in gates:
        if _gated(partial(gate.holds, results)):
            note(f"failed: {gate.text}")
            status = Exit.NO
    if any(one.violations for one in results):
        note("a promise was broken in the simulation: please report this as a bug")
        status = Exit.NO
    return status
