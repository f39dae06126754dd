"""4.4: limits in replicas, by precedence; ceilings first, then floors."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import Human, Override, Pause
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run


def acts(*overrides: Override, pauses: tuple[Pause, ...] = ()) -> Human:
    return Human(pauses, overrides)


def override(
    at_least: int | None = None, at_most: int | None = None, deployment: str | None = None
) -> Override:
    return Override("chat", deployment, at_least, at_most, None, "a test", "ann")


PAUSE = "pause"
MAX = "max_replicas 2"
OVER_LEAST = "override at_least 5"
OVER_MOST = "override at_most 1"
MIN = "min_replicas 4"
LEAST = "at_least 5"
MOST = "at_most 1"
BUDGET = "budget for 3"
NEED = "need 6"

# (the stronger, the weaker, what is set, what must come out, its reason)
PRECEDENCE = [
    (PAUSE, MAX, 3, 3, "paused"),
    (PAUSE, OVER_LEAST, 3, 3, "paused"),
    (PAUSE, OVER_MOST, 3, 3, "paused"),
    (PAUSE, MIN, 3, 3, "paused"),
    (PAUSE, LEAST, 3, 3, "paused"),
    (PAUSE, MOST, 3, 3, "paused"),
    (PAUSE, NEED, 3, 3, "paused"),
    (PAUSE, BUDGET, 3, 3, "paused"),
    (MAX, OVER_LEAST, 3, 2, "bounds"),
    (MAX, LEAST, 3, 2, "bounds"),
    (MAX, MOST, 3, 1, "limit"),
    (MAX, OVER_MOST, 3, 1, "override"),
    (MAX, NEED, 3, 2, "bounds"),
    (MAX, BUDGET, 3, 2, "bounds"),
    (OVER_MOST, MIN, 3, 1, "override"),
    (OVER_MOST, LEAST, 3, 1, "override"),
    (OVER_MOST, NEED, 3, 1, "override"),
    (OVER_MOST, BUDGET, 3, 1, "override"),
    (OVER_LEAST, MIN, 3, 5, "override"),
    (OVER_LEAST, MOST, 3, 5, "override"),
    (OVER_LEAST, BUDGET, 3, 5, "floor_over_budget"),
    (OVER_LEAST, NEED, 3, 6, "queue_depth"),
    (MIN, MOST, 3, 4, "bounds"),
    (MIN, BUDGET, 3, 4, "floor_over_budget"),
    (MIN, LEAST, 3, 5, "limit"),
    (LEAST, MOST, 3, 5, "limit"),
    (LEAST, BUDGET, 3, 5, "floor_over_budget"),
    (MOST, BUDGET, 3, 1, "limit"),
    (MOST, NEED, 3, 1, "limit"),
    (BUDGET, NEED, 2, 3, "budget"),
    (BUDGET, NEED, 5, 5, "budget"),
]


@pytest.mark.parametrize("scopes", ["service", "deployment", "mixed", "mixed the other way"])
@pytest.mark.parametrize(("stronger", "weaker", "replicas", "expected", "reason"), PRECEDENCE)
def test_the_stronger_rule_wins(
    stronger: str, weaker: str, replicas: int, expected: int, reason: str, scopes: str
) -> None:
    scope_of = {
        "service": (None, None),
        "deployment": ("a", "a"),
        "mixed": (None, "a"),
        "mixed the other way": ("a", None),
    }[scopes]
    where = dict(zip((stronger, weaker), scope_of, strict=True))
    rules = {stronger, weaker}
    policies = tuple(
        NamedPolicy(rule.split()[0], Limit(deployment=where[rule], **{rule.split()[0]: int(rule.split()[1])}))
        for rule in (LEAST, MOST)
        if rule in rules
    )
    service = a_service(
        policies=policies,
        deployments=(Deployment("chat", "a", "exo", 16, 2 if MAX in rules else 9, 4 if MIN in rules else 0),),
        budget_usd_per_hour=3.3 if BUDGET in rules else None,
    )
    overrides = []
    if OVER_LEAST in rules:
        overrides.append(override(at_least=5, deployment=where[OVER_LEAST]))
    if OVER_MOST in rules:
        overrides.append(override(at_most=1, deployment=where[OVER_MOST]))
    pauses = (Pause(None, None, None),) if PAUSE in rules else ()
    run = Run(a_fleet(service))
    run.tick(0, 76 if NEED in rules else 0, a=replicas, human=acts(*overrides, pauses=pauses))

    assert run.to() == expected, f"{stronger} is stronger than {weaker}: {run.why()}"
    assert run.reason() == reason, run.why()


def two(low_a: int = 0, low_b: int = 0, top: int = 6) -> tuple[Deployment, ...]:
    return (Deployment("chat", "a", "exo", 16, top, low_a), Deployment("chat", "b", "cheap", 16, top, low_b))


def run_of(*policies: NamedPolicy, deployments: tuple[Deployment, ...] = (), **settings: Any) -> Run:
    return Run(a_fleet(a_service(deployments=deployments or two(), policies=policies, **settings)))


def total(run: Run) -> int:
    return sum(count or 0 for count in run.counts().values())


def test_a_floor_above_the_sum_of_max_replicas_is_that_sum() -> None:
    run = run_of(NamedPolicy("floor", Limit(at_least=50))).tick(a=0, b=0)

    assert run.counts() == {"a": 6, "b": 6}
    assert run.evidence().floor == 12


def test_a_floor_of_the_service_fills_the_deployment_without_a_ceiling_first() -> None:
    capped = NamedPolicy("price", Limit(deployment="b", at_most=1))
    run = run_of(NamedPolicy("floor", Limit(at_least=4)), capped).tick(a=0, b=0)

    assert run.counts() == {"a": 3, "b": 1}


def test_a_floor_of_the_service_beats_a_ceiling_on_a_deployment_by_no_more_than_it_must() -> None:
    capped = NamedPolicy("price", Limit(deployment="b", at_most=1))
    run = run_of(NamedPolicy("floor", Limit(at_least=9)), capped).tick(0, 500, a=0, b=0)

    assert run.counts() == {"a": 6, "b": 3}


def test_an_override_of_the_service_beats_a_policy_ceiling_on_a_deployment() -> None:
    capped = NamedPolicy("price", Limit(deployment="a", at_most=1))
    run = Run(a_fleet(a_service(policies=(capped,)))).tick(a=1, human=acts(override(at_least=4)))

    assert run.verdict() == (4, "override")


def test_an_override_on_a_deployment_beats_a_floor_of_the_service() -> None:
    floor = NamedPolicy("floor", Limit(at_least=8))
    run = run_of(floor).tick(a=4, b=4, human=acts(override(at_most=1, deployment="b")))

    assert run.to("b") == 1
    assert run.to("a") == 6


def test_the_largest_of_several_floors_and_the_least_of_several_ceilings_bind() -> None:
    floors = (NamedPolicy("f1", Limit(at_least=1)), NamedPolicy("f2", Limit(at_least=3)))
    ceilings = (NamedPolicy("c1", Limit(at_most=5)), NamedPolicy("c2", Limit(at_most=4)))

    assert total(run_of(*floors, *ceilings).tick(a=0, b=0)) == 3
    assert total(run_of(*floors, *ceilings).tick(0, 500, a=0, b=0)) == 4


def test_floors_of_deployments_add_up_against_a_ceiling_of_the_service() -> None:
    run = run_of(NamedPolicy("cap", Limit(at_most=3)), deployments=two(2, 2)).tick(0, 200, a=0, b=0)

    assert run.counts() == {"a": 2, "b": 2}


def test_a_persons_ceiling_below_the_floors_gives_back_no_more_than_asked() -> None:
    run = run_of(deployments=two(2, 2)).tick(a=2, b=2, human=acts(override(at_most=3)))

    assert total(run) == 3
    assert run.counts() == {"a": 1, "b": 2}, "the dearer goes"


def test_an_override_may_go_below_min_replicas() -> None:
    run = run_of(deployments=two(2, 2)).tick(a=2, b=2, human=acts(override(at_most=0, deployment="a")))

    assert run.verdict("a") == (0, "override")
    assert run.to("b") == 2


def test_an_override_ends_at_its_time() -> None:
    run = chat_run(stabilise_down_s=0)
    boost = acts(Override("chat", None, 4, None, START + 60))
    run.tick(0, 10, a=1, human=boost)
    assert run.to() == 4
    run.follow(2, running=10)
    assert run.to() == 4, "still in force, though the line did not repeat it"
    run.follow(1, running=10)
    assert run.at == 60
    assert run.to() == 1


def test_an_override_names_its_actor_and_reason() -> None:
    run = chat_run().tick(a=1, human=acts(override(at_least=4)))

    assert "ann" in run.why()
    assert "a test" in run.why()


def test_an_empty_human_takes_overrides_back_and_an_absent_one_does_not() -> None:
    run = chat_run(stabilise_down_s=0).tick(a=1, human=acts(override(at_least=4)))
    assert run.follow(1).to() == 4
    assert run.follow(1, human=Human()).to() == 1, "the last replica waits for idle_s"


def test_pause_down_lets_increases_pass() -> None:
    down = acts(pauses=(Pause("chat", "down", None),))
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=2, human=down)
    assert run.verdict() == (5, "queue_depth")
    run.follow(1, running=10)
    assert run.verdict() == (5, "paused")


def test_a_pause_of_one_service_is_none_of_another() -> None:
    run = Run(a_fleet(a_service("chat"), a_service("draw")))
    paused = acts(pauses=(Pause("chat", None, None),))
    run.tick(0, 60, a=1, human=paused, services={"draw": (0, 60)}, keys={"draw/a": seen(1)})

    assert (run.to(), run.to(service="draw")) == (1, 5)


def test_a_pause_ends_at_its_time() -> None:
    run = chat_run().tick(0, 60, a=1, human=acts(pauses=(Pause(None, None, START + 30),)))
    assert run.to() == 1
    run.tick(0, 60, a=1)
    assert run.verdict() == (5, "queue_depth")


def test_overrides_on_both_scopes_hold_together() -> None:
    both = acts(override(at_least=6), override(at_most=1, deployment="b"))
    run = run_of().tick(a=1, b=1, human=both)

    assert run.counts() == {"a": 5, "b": 1}


def test_limits_and_needs_stay_exact_at_the_largest_counts() -> None:
    run = chat_run(replicas_max=10_000, capacity=0.1).tick(0, 800, a=0)

    assert run.to() == 10_000, "1000 of capacity are 10,000 replicas of 0.1"


def test_a_shortage_of_gpus_gives_back_nothing_that_a_floor_of_the_service_needs() -> None:
    policies = (
        NamedPolicy("office", Limit(at_least=2)),
        NamedPolicy("price", Limit(deployment="a", at_most=0)),
    )
    run = chat_run(stabilise_down_s=0, policies=policies).settle(3, a=2)
    assert run.verdict() == (2, "limit")

    run.tick(keys={"chat/a": seen(2, available=False)})
    assert run.to() == 2, "it may not grow, and has what the floor asks for"

    run = chat_run(stabilise_down_s=0, policies=policies).tick(keys={"chat/a": seen(3, available=False)})
    assert run.to() == 2, "the ceiling is lifted by no more than the floor needs"
