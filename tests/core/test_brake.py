"""4.3, the fleet brake: when over half of the fleet's demand vanishes in one tick, doubt the data first."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.core.fleet import NamedPolicy
from autoscaler.core.model import Human, Override
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run

NAMES = tuple(f"s{index}" for index in range(5))


def fleet_run(count: int = 5, **settings: Any) -> Run:
    services = [a_service(name, stabilise_down_s=30, **settings) for name in NAMES[:count]]
    return Run(a_fleet(a_service("chat", demand=False), *services))


def tick(run: Run, *levels: float | None, **more: Any) -> Run:
    services = {name: (0.0, level) for name, level in zip(NAMES, levels, strict=False)}
    keys = {f"{name}/a": seen(3) for name in NAMES[: len(levels)]}
    return run.tick(a=0, services=services, keys=keys, **more)


def busy(run: Run, count: int = 5, ticks: int = 4) -> Run:
    for _ in range(ticks):
        tick(run, *[30.0] * count)
    return run


def test_over_half_at_zero_in_one_tick_brakes_those_that_fell() -> None:
    run = tick(busy(fleet_run()), 0, 0, 0, 30, 30)

    assert run.plan.brake == ("s0", "s1", "s2")
    for _ in range(2):
        tick(run, 0, 0, 0, 10, 30)
    assert run.to(service="s3") == 1, "the others go on by their demand"
    for _ in range(30):
        tick(run, 0, 0, 0, 10, 30)
    assert [run.verdict(service=name) for name in NAMES[:3]] == [(3, "brake")] * 3


@pytest.mark.parametrize("levels", [(0.0, 0.0, 30.0, 30.0), (0.0, 0.1, 0.1, 0.1)])
def test_half_is_not_over_half_and_low_is_not_zero(levels: tuple[float, ...]) -> None:
    run = tick(busy(fleet_run(4), 4), *levels)

    assert run.plan.brake == ()


@pytest.mark.parametrize(("count", "brakes"), [(2, False), (3, True)])
def test_it_takes_at_least_three_services_with_demand(count: int, brakes: bool) -> None:
    run = tick(busy(fleet_run(count), count), *[0.0] * count)

    assert bool(run.plan.brake) is brakes


def test_services_without_demand_before_do_not_count() -> None:
    run = fleet_run()
    for _ in range(4):
        tick(run, 30, 30, 0, 0, 0)
    tick(run, 0, 0, 0, 0, 0)

    assert run.plan.brake == ()


def test_falling_over_two_ticks_is_ordinary_life() -> None:
    run = busy(fleet_run())
    tick(run, 0, 0, 30, 30, 30)
    tick(run, 0, 0, 0, 30, 30)

    assert run.plan.brake == ()


def test_going_blind_is_not_falling_to_zero() -> None:
    run = tick(busy(fleet_run()), None, None, None, None, 30)

    assert run.plan.brake == ()


@pytest.mark.parametrize("by", ["policy", "override", "deployment"])
def test_services_shut_on_purpose_do_not_count(by: str) -> None:
    run = busy(fleet_run())
    human = None
    if by == "override":
        human = Human(overrides=tuple(Override(name, None, None, 0, None) for name in NAMES[:3]))
    else:
        scope = "a" if by == "deployment" else None
        cap = (NamedPolicy("cap", Limit(deployment=scope, at_most=0)),)
        services = [
            a_service(n, stabilise_down_s=30, policies=cap if i < 3 else ()) for i, n in enumerate(NAMES)
        ]
        run.fleet = a_fleet(a_service("chat", demand=False), *services)
    tick(run, 0, 0, 0, 30, 30, human=human)

    assert run.plan.brake == ()
    assert run.to(service="s0") == 0


def test_a_sample_above_zero_releases_that_service_only() -> None:
    run = tick(busy(fleet_run()), 0, 0, 0, 0, 0)
    tick(run, 0.5, 0, 0, 0, 0)

    assert run.plan.brake == ("s1", "s2", "s3", "s4")


@pytest.mark.parametrize("who", [None, "s0"])
def test_resume_releases(who: str | None) -> None:
    run = tick(busy(fleet_run()), 0, 0, 0, 0, 0)
    tick(run, 0, 0, 0, 0, 0, human=Human(resumes=(who,)))

    assert run.plan.brake == (() if who is None else ("s1", "s2", "s3", "s4"))


def test_an_hour_releases() -> None:
    run = tick(busy(fleet_run()), 0, 0, 0, 0, 0)
    began = run.at
    while run.at < began + 3600 - 15:
        tick(run, 0, 0, 0, 0, 0)
        assert len(run.plan.brake) == 5
    tick(run, 0, 0, 0, 0, 0)
    assert run.plan.brake == ()
    assert run.verdict(service="s0")[0] == 0


def test_ceilings_act_as_always_under_the_brake() -> None:
    run = tick(busy(fleet_run()), 0, 0, 0, 0, 0)
    tick(run, 0, 0, 0, 0, 0, human=Human(overrides=(Override("s0", None, None, 1, None),)))

    assert run.verdict(service="s0") == (1, "override")


def test_the_brake_is_no_blindness_and_brings_no_fallback() -> None:
    run = tick(busy(fleet_run(fallback_replicas=5, blind_after_s=0)), 0, 0, 0, 0, 0)
    for _ in range(5):
        tick(run, 0, 0, 0, 0, 0)

    assert run.verdict(service="s0") == (3, "brake")
    assert not run.evidence("s0").blind


def test_the_brake_survives_a_restart() -> None:
    run = tick(busy(fleet_run()), 0, 0, 0, 0, 0)
    tick(run, 0, 0, 0, 0, 0, after=900.0, outcomes=None)

    assert len(run.plan.brake) == 5
    assert run.plan.at == START + run.at


def test_the_brake_holds_for_an_hour_to_the_second() -> None:
    run = tick(busy(fleet_run()), 0, 0, 0, 30, 30)

    assert run.past("s0").brake_until == START + run.at + 3600.0
