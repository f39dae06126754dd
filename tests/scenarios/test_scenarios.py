"""Every scenario of this folder ends in the transcript next to it: decisions, and why, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.cli.terminal.transcript import render
from autoscaler.core.codec import instant_text
from autoscaler.core.fleet import Fleet
from autoscaler.daemon.explain import explain
from tests.scenarios.scenario import Scenario, Told

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_decisions_and_their_reasons_are_those_of_the_transcript(
    path: Path, tmp_path: Path, update_golden: bool
) -> None:
    scenario = Scenario(path)
    fleet = scenario.fleet(tmp_path)
    told = list(scenario.play(fleet))
    assert any(one.line.asked for one in told), "a * asks for a transcript"
    text = "\n".join([scenario.about.strip(), "", *_changes(told), "", *_transcripts(told, fleet)]) + "\n"
    golden = path.with_suffix(".txt")
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text(), "run with --update-golden and read the difference"


def _changes(told: list[Told]) -> Iterator[str]:
    """The decisions that say something new, one a line."""
    last: dict[str, tuple[object, ...]] = {}
    for one in told:
        for d in one.plan.decisions:
            new = (d.replicas_from, d.replicas_to, d.reason)
            if last.get(d.deployment) == new:
                continue
            last[d.deployment] = new
            before, after = ("?" if n is None else n for n in (d.replicas_from, d.replicas_to))
            when = instant_text(one.plan.at)[11:19]
            yield f"{when}  {d.deployment}  {before} -> {after}  {d.reason}: {d.why}"


def _transcripts(told: list[Told], fleet: Fleet) -> Iterator[str]:
    (service,) = fleet.services
    for one in told:
        if one.line.asked:
            yield "-" * 80
            yield render(explain(service, one.snapshot, one.plan, one.before, fleet))
            yield ""
