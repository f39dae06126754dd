"""From a configuration to a plant: what is stated wins, what is known is used, what is assumed is told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from autoscaler.sim.design import Circumstances, design_of, simulated_fleet, task_of
from autoscaler.sim.plant import Design
from autoscaler.sim.plant_file import DeploymentFacts, PlantFile, ServiceFacts
from autoscaler.world.start_up import LearnedStartUp, StartUp, StartUpTime
from tests.sim.engine.plants import START, a_demand, a_deployment, a_design, a_fleet


@dataclass(frozen=True)
class Gpus:
    gpu_type: str | None = None
    gpus_per_replica: int = 1
    usd_per_gpu_hour: float | None = None


DEMAND = a_demand([30, 60, 90, 60])  # 4, 8, 12, 8 requests at once
FLEET = a_fleet(a_design(DEMAND, a_deployment("a"), a_deployment("b")))
AROUND = Circumstances(START, DEMAND.length_s)


def _made(
    gpus: dict[str, Gpus] | None = None,
    around: Circumstances = AROUND,
    prices: dict[str, float] | None = None,
) -> tuple[Design, tuple[str, ...]]:
    fleet = replace(FLEET, fixed_prices=prices or {})
    return design_of(fleet, gpus or {}, {"chat": DEMAND}, around)


def _file(**facts: object) -> Circumstances:
    deployments = {"a": DeploymentFacts.model_validate(facts)}
    return replace(AROUND, plant=PlantFile(services={"chat": ServiceFacts(deployments=deployments)}))


def _usd(design: Design) -> dict[str, float]:
    return {one.name: one.spec.usd_per_gpu_hour for one in design.services["chat"].deployments}


def test_a_price_of_the_configuration_wins_over_what_a_vendor_told() -> None:
    told = {"chat/a": Gpus("h100", 1, 9.0), "chat/b": Gpus("l4", 1, 0.5)}
    design, notes = _made(told, prices={"vendor-a/h100": 2.0})
    assert _usd(design) == {"a": 2.0, "b": 0.5}
    assert notes == ()


def test_a_plant_file_wins_over_both() -> None:
    design, _ = _made({"chat/a": Gpus("h100", 1, 9.0)}, _file(usd_per_gpu_hour=3.5), {"vendor-a/h100": 2.0})
    assert _usd(design)["a"] == 3.5


def test_a_price_that_nobody_knows_is_assumed_and_told() -> None:
    design, notes = _made({"chat/a": Gpus("h100", 1, 9.0)})
    assert _usd(design)["b"] == 1.0
    assert [note for note in notes if "chat/b" in note]
    assert not [note for note in notes if "chat/a" in note]


def test_what_the_first_minutes_need_is_there_cheapest_first() -> None:
    told = {"chat/a": Gpus("h100", 1, 9.0), "chat/b": Gpus("l4", 1, 0.5)}
    design, _ = _made(told)
    # The busiest of them has 12 at once; at 0.8 that are 15 places, 4 replicas of 4.
    initial = {one.name: one.spec.initial_replicas for one in design.services["chat"].deployments}
    assert initial == {"a": 0, "b": 4}


@pytest.mark.parametrize("where", ["file", "history"])
def test_replicas_of_the_first_tick_can_be_stated(where: str) -> None:
    around = _file(initial_replicas=2) if where == "file" else replace(AROUND, initial={"chat/a": 2})
    design, _ = _made(None, around)
    assert next(one for one in design.services["chat"].deployments).spec.initial_replicas == 2


def test_start_up_times_are_stated_or_learned_or_the_configurations() -> None:
    learned = LearnedStartUp((60.0, 70.0))

    def of_a(around: Circumstances) -> StartUpTime:
        return _made(None, around)[0].services["chat"].deployments[0].spec.start_up

    assert of_a(_file(start_up_median_s=100.0, start_up_p95_s=150.0)) == StartUp(100.0, 150.0)
    assert of_a(replace(AROUND, start_ups={"chat/a": learned})) == learned
    assert of_a(replace(AROUND, start_up=StartUp.fixed(5.0))) == StartUp.fixed(5.0)
    assert of_a(AROUND) == StartUp(180.0, 400.0)


def test_demand_beyond_all_replicas_is_told() -> None:
    much = a_demand([6000, 6000])
    _, notes = design_of(FLEET, {}, {"chat": much}, AROUND)
    assert any("max_replicas hold 80" in note for note in notes)


def test_a_service_that_only_observes_acts_in_a_simulation() -> None:
    services = {"chat": replace(FLEET.services["chat"], mode="observe")}
    simulated = simulated_fleet(replace(FLEET, services=services), services)
    assert simulated.services["chat"].mode == "act"


def test_a_rival_is_told_the_bounds_and_the_peak_of_its_deployment() -> None:
    design, _ = _made({"chat/a": Gpus("h100", 2, 1.0), "chat/b": Gpus("l4", 1, 1.5)})
    task = task_of(design.services["chat"], 15.0)  # b: 1.5 a replica, a: 2.0
    assert (task.min_replicas, task.max_replicas, task.concurrency) == (0, 10, 4)
    assert task.peak_at_once == pytest.approx(12.0)
    assert task.service_s == pytest.approx(8.0)
