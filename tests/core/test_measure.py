"""A policy measures a view once a tick: what it found reaches its own opinion and memory, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.core.fleet import NamedPolicy
from autoscaler.core.proposals import Policy, Proposal, View
from tests.core.run import chat_run


class Measuring(Policy, kind="measuring"):
    """Measures what runs, twice as much as there is, and says so."""

    def measure(self, view: View) -> float:
        return 2.0 * view.signals["running"].value

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return (Proposal(f"measured {view.measured}", at_most=9),)

    def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
        return {"v": 1, "before": state.get("now"), "now": view.measured}


class Clumsy(Measuring, kind="clumsy"):
    """Cannot measure, and gets by without."""

    def measure(self, view: View) -> float:
        raise ZeroDivisionError


class Deaf(Policy, kind="deaf"):
    """Measures nothing."""

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return (Proposal(f"measured {view.measured}", at_most=9),)


def test_opinion_and_memory_rest_on_the_measurement_of_the_tick() -> None:
    run = chat_run(policies=(NamedPolicy("m", Measuring()), NamedPolicy("d", Deaf())))
    for running, before in ((10.0, None), (11.0, 20.0), (12.0, 22.0)):
        run.tick(0, running, a=1)

        said = {opinion.policy: opinion.reason for opinion in run.evidence().opinions}
        assert said["m"] == f"measured {2 * running}"
        assert said["d"] == "measured None"
        assert run.past().policies["m"] == {"v": 1, "before": before, "now": 2 * running}


def test_a_policy_that_cannot_measure_is_still_heard_and_hurts_no_other() -> None:
    run = chat_run(policies=(NamedPolicy("c", Clumsy()), NamedPolicy("m", Measuring()))).tick(0, 10.0, a=1)

    said = {opinion.policy: opinion.reason for opinion in run.evidence().opinions}
    assert said["c"] == "measured None"
    assert said["m"] == "measured 20.0"
    assert run.to() == 1
