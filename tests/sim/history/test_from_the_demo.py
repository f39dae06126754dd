"""A history that the demo's daemon recorded, simulated: the decisions are those that were taken live."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.config import Config
from autoscaler.core.model import Outcome, Snapshot
from autoscaler.core.turn import Turn
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.sim.design import Circumstances, design_of, simulated_fleet
from autoscaler.sim.history import AsRecorded, FromHistory, Past, memory_at, read_past
from autoscaler.sim.plant import Design
from autoscaler.sim.result import RunResult
from autoscaler.sim.run import run
from tests.sim.history.recording import recorded_day


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Past]:
    """Three hours of the demo's morning, at whose end a vendor runs out of GPUs."""
    config = recorded_day(tmp_path_factory.mktemp("demo"), 3.0)
    return config, read_past(config.daemon.journal_path, config.fleet)


def _design(config: Config, past: Past) -> Design:
    around = Circumstances(past.starts_at, past.length_s, initial=past.initial)
    return design_of(config.fleet, past.hardware, past.demands, around)[0]


def _again(config: Config, past: Past) -> tuple[RunResult, FromHistory, list[Turn]]:
    """What today's decision makes of it, with this configuration."""
    turns: list[Turn] = []

    def told(snapshot: Snapshot, turned: Turn, outcomes: tuple[Outcome, ...]) -> None:
        turns.append(turned)

    design = _design(config, past)
    fleet = simulated_fleet(config.fleet, design.services)
    first = next(past.ticks()).record
    memory = memory_at(past.path, fleet, first)
    scaler = FromHistory(fleet, memory, past.ticks(), told)
    made = run("again", "config", design, scaler, 15.0, instants=past.instants)
    return made, scaler, turns


@pytest.fixture(scope="module")
def again(recorded: tuple[Config, Past]) -> tuple[RunResult, FromHistory, list[Turn]]:
    """The same history, decided again with the same configuration."""
    return _again(*recorded)


def test_the_decisions_are_those_that_were_taken_live(
    recorded: tuple[Config, Past], again: tuple[RunResult, FromHistory, list[Turn]]
) -> None:
    _, past = recorded
    live = [one.decisions for one in past.ticks()]
    assert sum(decision.changes for decisions in live for decision in decisions) >= 10, "nothing happened"
    _, scaler, turns = again
    assert scaler.differs_at is None
    assert [turned.plan.decisions for turned in turns] == live


def test_it_costs_what_the_record_cost(
    recorded: tuple[Config, Past], again: tuple[RunResult, FromHistory, list[Turn]]
) -> None:
    config, past = recorded
    made, _, _ = again
    design = _design(config, past)
    was = run("recorded", "rival", design, AsRecorded(past.ticks()), 15.0, instants=past.instants)
    assert made.requests == was.requests > 10_000
    # A write takes effect a tick before the record shows it.
    assert made.usd == pytest.approx(was.usd, rel=0.02)


def test_another_policy_leaves_the_record_where_it_first_writes_something_else(
    recorded: tuple[Config, Past],
) -> None:
    config, past = recorded
    services = dict(config.fleet.services)
    chat = services["chat"]
    eager = tuple(
        replace(one, policy=QueueDepth(target_utilisation=0.4, service_s=8.0))
        if one.name == "queue-depth"
        else one
        for one in chat.policies
    )
    services["chat"] = replace(chat, policies=eager)
    other = replace(config, fleet=replace(config.fleet, services=services))
    made, scaler, turns = _again(other, past)
    assert scaler.differs_at is not None
    live = {one.at: one.writes for one in past.ticks()}
    before = [turned for turned in turns if turned.plan.at < scaler.differs_at]
    assert all(
        {f"{d.service}/{d.deployment}": d.range_to for d in turned.writes} == live[turned.plan.at]
        for turned in before
    )
    series = made.services["chat"].series
    assert series is not None
    assert len(series.at) == len(past.instants)


def test_the_recorded_demand_is_what_the_gateways_counted(recorded: tuple[Config, Past]) -> None:
    _, past = recorded
    ticks = list(past.ticks())
    for service in past.demands:
        counted = [
            one.snapshot.signals[service]["arrived_total"] for one in ticks if service in one.snapshot.signals
        ]
        values = [reading.value for reading in counted if hasattr(reading, "value")]
        expected = sum(row.requests for row in past.demands[service].rows())
        assert expected == pytest.approx(values[-1] - values[0], abs=1)
