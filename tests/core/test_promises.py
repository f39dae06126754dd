"""Section 10: the checker, shown bad plans made by hand, and good ones of a random fleet."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from autoscaler.core.decide import step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Decision,
    DeploymentEvidence,
    Human,
    Override,
    Pause,
    Plan,
    ReplicaRange,
    ServiceEvidence,
    Snapshot,
    exactly,
)
from autoscaler.core.promises import PROMISES, violations
from tests.core.fleets import START, Limit, Plant, a_fleet, a_service, a_snapshot, random_fleet, ranged, seen
from tests.core.run import unread

A = Deployment("chat", "a", "exo", 16, 6, 1)
B = Deployment("chat", "b", "cheap", 16, 6)
FLEET = a_fleet(a_service(deployments=(A, B), policies=(NamedPolicy("cap", Limit()),)))
BUDGETED = replace(FLEET, budget_usd_per_hour=5.0)


def a_site(count: int = 3, **facts: object) -> DeploymentEvidence:
    plain: dict[str, object] = {
        "replicas_set": count,
        "replicas_ready": count,
        "replicas_starting": 0,
        "replicas_overdue": 0,
        "floor": 0,
        "ceiling": 6,
        "forced_ceiling": 6,
        "override_floor": None,
        "price_usd_per_gpu_hour": 1.0,
        "price_age_s": 0.0,
        "usd_per_replica_hour": 1.0,
        "start_up_p50_s": 180.0,
        "start_up_p90_s": 180.0,
        "obstacle": None,
    }
    return DeploymentEvidence(**{**plain, **facts})  # type: ignore[arg-type]


def an_account(a: DeploymentEvidence, b: DeploymentEvidence, **facts: object) -> ServiceEvidence:
    plain: dict[str, object] = {
        "demand": 0.0,
        "want": 0.0,
        "need": 0.0,
        "need_reason": "queue_depth",
        "blind": False,
        "floor": 0,
        "ceiling": 12,
        "forced_ceiling": 12,
        "paused": None,
        "overridden": False,
        "opinions": (),
        "usd_per_hour": 6.0,
    }
    return ServiceEvidence(deployments={"a": a, "b": b}, **{**plain, **facts})  # type: ignore[arg-type]


def change(
    name: str, old: int | None, new: int | None, reason: str = "queue_depth", **more: object
) -> Decision:
    ranges: dict[str, object] = {
        "range_from": exactly(old) if old is not None else None,
        "range_to": exactly(new) if new is not None else None,
    }
    return Decision("chat", name, old, new, reason, "because", **{**ranges, **more})  # type: ignore[arg-type]


def broken(
    *decisions: Decision,
    a: DeploymentEvidence | None = None,
    b: DeploymentEvidence | None = None,
    observed: dict[str, object] | None = None,
    human: Human | None = None,
    fleet: Fleet = FLEET,
    **account: object,
) -> set[str]:
    """The promises that a plan of these decisions breaks; 3 of each are set and serve, unless told."""
    seen_now = observed if observed is not None else {"chat/a": seen(3), "chat/b": seen(3, provider="cheap")}
    snapshot = Snapshot(START, {}, seen_now)  # type: ignore[arg-type]
    held = {d.deployment for d in decisions}
    holds = [change(name, 3, 3, "hold") for name in ("a", "b") if name not in held and observed is None]
    evidence = an_account(a or a_site(), b or a_site(), **account)
    plan = Plan(START, (*decisions, *holds), {"chat": evidence})
    return {violation.promise for violation in violations(plan, snapshot, human or Human(), fleet)}


def test_a_good_plan_breaks_nothing() -> None:
    assert broken(change("a", 3, 4), change("b", 3, 2), need=80.0) == set()


def test_there_are_twelve_promises() -> None:
    assert list(PROMISES) == [str(number) for number in range(1, 13)]


SHUT = Human(overrides=(Override("chat", None, None, 0, None),))
DOWN = Human(pauses=(Pause("chat", "down", None),))
ALL = Human(pauses=(Pause(None, None, None),))

BAD: list[tuple[str, str, Callable[[], set[str]]]] = [
    ("1", "decides what was not observed", lambda: broken(change("a", None, 2), observed={})),
    (
        "1",
        "writes what could not be read",
        lambda: broken(change("a", 3, 2), observed={"chat/a": unread(), "chat/b": seen(3, provider="cheap")}),
    ),
    ("2", "starts from another count", lambda: broken(change("a", 2, 4))),
    (
        "2",
        "starts from another range",
        lambda: broken(
            change("a", 3, 4, range_from=exactly(3)),
            observed={"chat/a": ranged(3, 5, 3), "chat/b": seen(3, provider="cheap")},
        ),
    ),
    ("3", "names no reason that exists", lambda: broken(change("a", 3, 4, "because_i_can"))),
    ("3", "has no sentence", lambda: broken(replace(change("a", 3, 4), why=""))),
    ("4", "rises above max_replicas", lambda: broken(change("a", 3, 7))),
    (
        "4",
        "rises further above max_replicas",
        lambda: broken(change("a", 7, 8), a=a_site(7), observed={"chat/a": seen(7)}),
    ),
    ("4", "falls below min_replicas", lambda: broken(change("a", 3, 0))),
    ("4", "opens a range above max_replicas", lambda: broken(change("a", 3, 3, range_to=ReplicaRange(3, 9)))),
    ("5", "falls while blind", lambda: broken(change("a", 3, 2), blind=True)),
    (
        "5",
        "falls while blind below the ceiling that allows less",
        lambda: broken(change("a", 3, 1), a=a_site(ceiling=2), blind=True),
    ),
    ("5", "moves while blind", lambda: broken(change("a", 3, 1), change("b", 3, 5), blind=True)),
    ("6", "falls below a floor", lambda: broken(change("a", 3, 1), a=a_site(floor=2))),
    ("6", "falls below the floor of the service", lambda: broken(change("a", 3, 1), floor=6)),
    (
        "6",
        "stays below a floor and names no obstacle",
        lambda: broken(change("a", 3, 3, "hold"), a=a_site(floor=5)),
    ),
    ("7", "takes capacity below the need", lambda: broken(change("a", 3, 1), need=90.0)),
    (
        "7",
        "takes what serves for what only starts",
        lambda: broken(change("a", 3, 1), change("b", 3, 5), b=a_site(3, replicas_ready=0), need=48.0),
    ),
    (
        "7",
        "takes from two, each harmless alone",
        lambda: broken(change("a", 3, 1), change("b", 3, 1), need=64.0),
    ),
    (
        "7",
        "takes what serves for a ceiling that starting replicas exceed",
        lambda: broken(
            change("a", 3, 1), b=a_site(3, replicas_ready=0), need=48.0, ceiling=3, forced_ceiling=12
        ),
    ),
    ("8", "rises beyond the budget", lambda: broken(change("a", 3, 4), fleet=BUDGETED)),
    (
        "8",
        "rises beyond the budget and a floor",
        lambda: broken(change("a", 3, 5), a=a_site(floor=4), fleet=BUDGETED),
    ),
    (
        "8",
        "rises at an unknown price under a budget",
        lambda: broken(
            change("a", 3, 4),
            a=a_site(usd_per_replica_hour=None),
            fleet=replace(FLEET, budget_usd_per_hour=99),
        ),
    ),
    ("9", "touches what no configuration names", lambda: broken(replace(change("c", 3, 4)))),
    (
        "9",
        "touches what no configuration names, and raises something else under a budget",
        lambda: broken(change("c", 3, 4), change("a", 3, 4), fleet=replace(FLEET, budget_usd_per_hour=99)),
    ),
    (
        "9",
        "touches a service that no configuration names",
        lambda: broken(replace(change("a", 3, 4), service="other")),
    ),
    ("11", "writes although paused", lambda: broken(change("a", 3, 4), human=ALL)),
    ("11", "falls although paused downwards", lambda: broken(change("a", 3, 2), human=DOWN)),
    (
        "11",
        "lowers a maximum although paused downwards",
        lambda: broken(
            change("a", 3, 3, range_from=ReplicaRange(3, 5), range_to=ReplicaRange(3, 4)),
            observed={"chat/a": ranged(3, 5, 3), "chat/b": seen(3, provider="cheap")},
            human=DOWN,
        ),
    ),
]


@pytest.mark.parametrize(("promise", "what", "plan"), BAD, ids=[f"{p}: {w}" for p, w, _ in BAD])
def test_a_plan_is_caught_that(promise: str, what: str, plan: Callable[[], set[str]]) -> None:
    assert promise in plan(), f"a plan that {what} breaks promise {promise}: {PROMISES[promise]}"


GOOD: list[tuple[str, Callable[[], set[str]]]] = [
    ("falls below min_replicas by an override", lambda: broken(change("a", 3, 0), human=SHUT, ceiling=0)),
    ("falls to a ceiling while blind", lambda: broken(change("a", 3, 2), a=a_site(ceiling=2), blind=True)),
    ("falls to the service's ceiling while blind", lambda: broken(change("a", 3, 1), ceiling=4, blind=True)),
    (
        "falls towards max_replicas",
        lambda: broken(change("a", 9, 8), a=a_site(9), observed={"chat/a": seen(9)}),
    ),
    (
        "rises towards min_replicas",
        lambda: broken(change("a", 0, 1), a=a_site(0), observed={"chat/a": seen(0)}),
    ),
    ("obeys a ceiling below the need", lambda: broken(change("a", 3, 1), a=a_site(ceiling=1), need=96.0)),
    (
        "stays below a floor with an obstacle",
        lambda: broken(change("a", 3, 3, "no_capacity"), a=a_site(floor=5)),
    ),
    (
        "rises to a floor beyond the budget",
        lambda: broken(change("a", 3, 4), a=a_site(floor=4), fleet=BUDGETED),
    ),
    ("rises although paused downwards", lambda: broken(change("a", 3, 4), human=DOWN)),
    (
        "takes what does not serve",
        lambda: broken(change("b", 3, 0), b=a_site(3, replicas_ready=0), need=48.0),
    ),
    (
        "holds in an outage",
        lambda: broken(change("a", None, None, "provider_error"), observed={"chat/a": unread()}),
    ),
    ("holds although short of the need", lambda: broken(change("a", 3, 3, "hold"), need=960.0)),
]


@pytest.mark.parametrize(("what", "plan"), GOOD, ids=[what for what, _ in GOOD])
def test_no_promise_is_broken_by_a_plan_that(what: str, plan: Callable[[], set[str]]) -> None:
    assert plan() == set(), f"a plan that {what} is a good one"


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_a_random_fleet_with_faults_keeps_every_promise(first: int) -> None:
    for seed in range(first, first + 20):
        rng = random.Random(seed)
        fleet = random_fleet(rng)
        plant = Plant(fleet, rng, faults=rng.choice([0.0, 0.3, 1.0]))
        memory = Memory()
        for tick in range(50):
            snapshot = plant.snapshot()
            plan, memory = step(memory, snapshot, fleet)
            found = violations(plan, snapshot, memory.human, fleet)
            assert not found, f"seed {seed}, tick {tick}: {found}"
            plant.carry_out(plan)


def test_the_checker_needs_no_evidence_to_check_a_decision_alone() -> None:
    snapshot = a_snapshot(0, replicas=3)
    plan = Plan(snapshot.at, (change("a", 3, 9),), {})

    assert {v.promise for v in violations(plan, snapshot, Human(), FLEET)} == {"4"}


def test_a_violation_names_the_write_that_it_stops() -> None:
    snapshot = a_snapshot(0, replicas=3)
    (violation,) = violations(Plan(snapshot.at, (change("a", 3, 9),), {}), snapshot, Human(), FLEET)

    assert violation.key == "chat/a"
    assert "9" in violation.text
