"""4.4, 4.5: budgets stop increases, and nothing else."""

from __future__ import annotations

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy, Service
from autoscaler.core.model import Human, Observation, Override, Phase, Price, exactly
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run


def fleet_run(budget: float, *services: Service) -> Run:
    return Run(a_fleet(a_service("chat", demand=False), *services, budget_usd_per_hour=budget))


def tick(run: Run, after: float = 15.0, **levels: tuple[float, Observation]) -> Run:
    """Services by name: what runs there at once, and what is seen of its deployment ``a``."""
    return run.tick(
        a=0,
        after=after,
        services={name: (0.0, demand) for name, (demand, _) in levels.items()},
        keys={f"{name}/a": observed for name, (_, observed) in levels.items()},
    )


# Every replica of provider exo costs 1.10 USD an hour and carries 12.8 at the target.


def test_a_budget_stops_an_increase_where_it_ends() -> None:
    run = chat_run(budget_usd_per_hour=3.3).tick(0, 76, a=1)

    assert run.verdict() == (3, "budget"), "3 x 1.10 are exactly 3.30"
    assert "3.30" in run.why()
    assert chat_run(budget_usd_per_hour=3.29).tick(0, 76, a=1).to() == 2


def test_a_lowered_budget_takes_nothing_away() -> None:
    run = chat_run(budget_usd_per_hour=1.0).settle(30, running=60, a=5)

    assert run.to() == 5


def test_a_risen_price_takes_nothing_away() -> None:
    run = Run(a_fleet(a_service(budget_usd_per_hour=5.5), fixed_prices={}))
    run.tick(0, 60, a=5, prices={"exo/gpua5000": Price(1.1, START)})
    run.tick(0, 60, a=5, prices={"exo/gpua5000": Price(9.9, START + 30)})
    assert run.to() == 5
    run.tick(0, 76, a=5)
    assert run.verdict() == (5, "budget")


def test_floors_exceed_the_budget_and_say_so() -> None:
    run = chat_run(budget_usd_per_hour=2.2, policies=(NamedPolicy("f", Limit(at_least=4)),)).tick(0, 76, a=1)

    assert run.verdict() == (4, "floor_over_budget")


def test_floors_exceed_the_fleets_budget_and_say_so() -> None:
    floored = a_service("s0", policies=(NamedPolicy("f", Limit(at_least=4)),))

    assert tick(fleet_run(2.2, floored), s0=(0, seen(1))).verdict(service="s0") == (4, "floor_over_budget")


def test_an_override_exceeds_the_budget() -> None:
    boost = Human(overrides=(Override("chat", None, 5, None, None),))

    assert chat_run(budget_usd_per_hour=2.2).tick(a=1, human=boost).verdict() == (5, "floor_over_budget")


def test_the_fleets_floors_come_first() -> None:
    floored = a_service("s1", policies=(NamedPolicy("f", Limit(at_least=3)),))
    run = tick(fleet_run(4.4, a_service("s0", priority=9), floored), s0=(76, seen(0)), s1=(0, seen(0)))

    assert run.to(service="s1") == 3
    assert run.verdict(service="s0") == (1, "budget")


def test_then_priority_decides() -> None:
    run = fleet_run(4.4, a_service("s0"), a_service("s1", priority=1))
    tick(run, s0=(76, seen(0)), s1=(30, seen(0)))

    assert (run.to(service="s0"), run.to(service="s1")) == (1, 3)


def test_then_the_relative_shortage() -> None:
    run = fleet_run(4.4, a_service("s0"), a_service("s1"))
    tick(run, s0=(25.6, seen(0)), s1=(76.8, seen(0)))

    assert (run.to(service="s0"), run.to(service="s1")) == (1, 3), "a third to each third"


def test_then_the_name() -> None:
    run = tick(fleet_run(3.3, a_service("s0"), a_service("s1")), s0=(38, seen(0)), s1=(38, seen(0)))

    assert (run.to(service="s0"), run.to(service="s1")) == (2, 1)


def test_one_services_budget_is_not_the_fleets() -> None:
    run = fleet_run(11.0, a_service("s0", budget_usd_per_hour=2.2), a_service("s1"))
    tick(run, s0=(76, seen(0)), s1=(76, seen(0)))

    assert (run.to(service="s0"), run.to(service="s1")) == (2, 6)


def test_what_a_decrease_will_free_counts_only_when_observed() -> None:
    run = fleet_run(5.5, a_service("s0", stabilise_down_s=0), a_service("s1"))
    tick(run, s0=(50, seen(4)), s1=(10, seen(1)))
    tick(run, s0=(10, seen(4)), s1=(50, seen(1)))
    assert (run.to(service="s0"), run.to(service="s1")) == (1, 1)
    tick(run, s0=(10, seen(1, 1)), s1=(50, seen(1)))
    assert run.to(service="s1") == 4


def test_replicas_that_still_run_still_cost() -> None:
    run = fleet_run(5.5, a_service("s0", stabilise_down_s=0), a_service("s1"))
    winding_down = Observation(exactly(1), 3, 0, Phase.SCALING, "gpua5000", 1)
    tick(run, s0=(10, winding_down), s1=(50, seen(1)))

    assert run.to(service="s1") == 2, "max(set, ready + starting) of s0 is 3"


def test_a_price_never_known_allows_no_increase_above_floors() -> None:
    service = a_service(budget_usd_per_hour=100.0, policies=(NamedPolicy("f", Limit(at_least=2)),))
    run = Run(a_fleet(service, fixed_prices={})).tick(0, 76, a=1)

    assert run.to() == 2
    assert run.reason() in {"budget", "floor_over_budget"}


def test_a_price_never_known_is_no_obstacle_without_a_budget() -> None:
    assert Run(a_fleet(a_service(), fixed_prices={})).tick(0, 76, a=1).to() == 6


def test_the_last_known_price_serves_the_budget() -> None:
    run = Run(a_fleet(a_service(budget_usd_per_hour=3.3), fixed_prices={}))
    run.tick(0, 10, a=1, prices={"exo/gpua5000": Price(1.1, START)})
    run.tick(0, 76, a=1)

    assert run.to() == 3


def test_an_outage_frees_no_budget() -> None:
    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "cheap", 16, 6))
    run = Run(a_fleet(a_service(deployments=both, budget_usd_per_hour=4.0))).tick(0, 60, a=2, b=3)
    run.tick(0, 76, a=None, b=3)

    assert run.to("b") == 3, "2 x 1.10 and 3 x 0.50 are 3.70"


def test_an_accepted_increase_is_spent_before_it_is_seen() -> None:
    run = fleet_run(4.4, a_service("s0"), a_service("s1"))
    tick(run, s0=(38, seen(0)), s1=(0, seen(0)))
    assert run.to(service="s0") == 3
    tick(run, s0=(38, seen(0)), s1=(38, seen(0)))
    assert run.to(service="s1") == 1

    run = fleet_run(4.4, a_service("s0", stabilise_down_s=0), a_service("s1", priority=9))
    tick(run, s0=(38, seen(0)), s1=(0, seen(0)))
    tick(run, s0=(0, seen(0)), s1=(38, seen(0)))
    assert run.to(service="s1") == 1, "three of s0 were accepted, and may come yet"


def test_a_dear_choice_that_no_longer_fits_gives_way_to_a_cheap_one() -> None:
    big = Deployment("chat", "a", "dear", 64, 2)
    small = Deployment("chat", "b", "cheap", 4, 9)
    run = Run(a_fleet(a_service(deployments=(big, small), budget_usd_per_hour=3.0))).tick(0, 51, a=0, b=0)

    assert run.counts() == {"a": 0, "b": 6}


def test_the_baseline_is_no_floor_to_a_budget() -> None:
    run = chat_run(demand=False, baseline_replicas=5, budget_usd_per_hour=2.2).tick(a=0)

    assert run.verdict() == (2, "budget")


@pytest.mark.parametrize("budget", [0.0, 1e-9, 1.0999])
def test_a_budget_below_one_replica_starts_none(budget: float) -> None:
    assert chat_run(budget_usd_per_hour=budget).tick(0, 76, a=0).verdict() == (0, "budget")


def test_a_free_replica_fits_any_budget() -> None:
    run = Run(a_fleet(a_service(budget_usd_per_hour=0.0), fixed_prices={"exo/gpua5000": 0.0})).tick(
        0, 76, a=0
    )

    assert run.to() == 6


def test_a_price_that_is_not_known_is_named_where_it_stops_an_increase() -> None:
    run = Run(a_fleet(a_service(budget_usd_per_hour=5.0), fixed_prices={})).tick(0, 60, a=1)

    assert run.verdict() == (1, "budget")
    assert "no price is known for a" in run.why()
