"""Fifty seeds at every change of the code; that the same seed is the same run; and that bugs are found."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from tests.sim.soak.crew import played
from tests.sim.soak.draw import Kind, draw
from tests.sim.soak.planted import BUGS, Bug, planted
from tests.sim.soak.play import Verdict, play
from tests.sim.soak.scenario import Act, Scenario, What
from tests.sim.soak.shrink import shrunk

SEEDS = 48
HTTP_SEEDS = 2
CHUNK = 5
PERSON = {What.PAUSE, What.OVERRIDE, What.RESUME, What.CLEAR}


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_storm_breaks_a_promise_and_every_calm_brings_rest(first: int) -> None:
    for seed in range(first, min(first + CHUNK, SEEDS)):
        verdict = play(draw(seed, Kind.SHORT))
        again = f"python -m tests.sim.soak --seed {seed} --short --shrink"
        assert not verdict.fouls, f"{again}\n{verdict.fouls[:3]}"


@pytest.mark.timeout(600)  # virtual time waits for the kernel's sockets, which a busy machine hands on slowly
@pytest.mark.parametrize("seed", range(HTTP_SEEDS))
def test_the_same_holds_over_http(seed: int) -> None:
    verdict = play(draw(seed, Kind.HTTP))
    assert not verdict.fouls, f"python -m tests.sim.soak --seed {seed} --http\n{verdict.fouls[:3]}"
    assert verdict.writes > 0


@pytest.mark.parametrize("seed", [1, 7])
def test_the_same_seed_writes_the_same_journal(seed: int) -> None:
    first, second = (play(draw(seed, Kind.SHORT)) for _ in range(2))
    assert first.fingerprint == second.fingerprint


def test_a_scenario_file_is_the_scenario(tmp_path: Path) -> None:
    scenario = draw(3, Kind.SHORT)
    scenario.write(tmp_path / "scenario.json")
    assert Scenario.read(tmp_path / "scenario.json") == scenario


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    with planted(bug):
        verdict = play(draw(bug.seed, Kind.SHORT))
    assert verdict.check in bug.found_by, verdict.fouls[:3]


@pytest.mark.timeout(600)
def test_a_failing_scenario_is_cut_down_to_what_a_person_can_read() -> None:
    (bug,) = [bug for bug in BUGS if bug.name == "people are forgotten"]
    scenario = draw(bug.seed, Kind.SHORT)
    with planted(bug):
        verdict = play(scenario)
        small = shrunk(scenario, verdict, tries=30)
        assert play(small).check == verdict.check
    assert len(scenario.acts) > 15
    assert len(small.acts) <= 4, small.text()
    assert PERSON & {act.what for act in small.acts}
    assert small.storm_ticks + small.calm_ticks <= 60


def test_an_act_covers_its_ticks() -> None:
    act = Act(tick=3, what=What.HANG, ticks=2)
    assert [tick for tick in range(7) if act.covers(tick)] == [3, 4]


def test_a_run_that_breaks_is_told_by_its_seed_and_ends_no_other() -> None:
    def breaks(scenario: Scenario) -> Verdict:
        if scenario.seed == 1:
            raise KeyError("something of the harness itself")
        return Verdict(scenario.seed, [], "", 0)

    with patch("tests.sim.soak.crew.play", breaks):
        verdicts = dict(played([(0, Kind.SHORT), (1, Kind.SHORT), (2, Kind.SHORT)], jobs=1))

    assert [verdict.check for verdict in verdicts.values()] == [None, "broke", None]
