"""Section 9: one reason code for each number, and a sentence that a person can read."""

from __future__ import annotations

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import REASONS, Human, Override
from tests.core.fleets import Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run


def test_need_forty_max_six_is_bounds() -> None:
    run = chat_run().tick(0, 512, a=2)

    assert run.verdict() == (6, "bounds")
    assert "max_replicas is 6" in run.why()


def test_no_change_and_nothing_bound_is_hold() -> None:
    assert chat_run().settle(25, running=60, a=5).verdict() == (5, "hold")


@pytest.mark.parametrize(
    ("low", "cap", "floor", "expected"),
    [
        (0, None, None, "queue_depth"),
        (0, 5, None, "limit"),  # need 5 and a ceiling of 5: the ceiling
        (5, None, None, "bounds"),  # need 5 and min_replicas 5
        (0, None, 5, "limit"),
    ],
)
def test_at_a_tie_the_later_rule_speaks(low: int, cap: int | None, floor: int | None, expected: str) -> None:
    policies = (NamedPolicy("rule", Limit(at_most=cap, at_least=floor)),)
    deployment = Deployment("chat", "a", "exo", 16, 9, low)
    run = Run(a_fleet(a_service(deployments=(deployment,), policies=policies))).tick(0, 60, a=2)

    assert run.verdict() == (5, expected)


def test_a_floor_speaks_after_a_ceiling() -> None:
    policies = (NamedPolicy("c", Limit(at_most=2)),)
    deployment = Deployment("chat", "a", "exo", 16, 9, 2)
    run = Run(a_fleet(a_service(deployments=(deployment,), policies=policies))).tick(0, 10, a=0)

    assert run.verdict() == (2, "bounds")


def test_an_override_that_sets_the_number_is_named() -> None:
    run = chat_run().tick(
        0, 60, a=2, human=Human(overrides=(Override("chat", None, None, 3, None, "calm", "bo"),))
    )

    assert run.verdict() == (3, "override")
    assert "bo" in run.why()


def test_a_budget_speaks_after_a_ceiling() -> None:
    run = chat_run(replicas_max=3, budget_usd_per_hour=2.2).tick(0, 76, a=1)

    assert run.verdict() == (2, "budget")


def test_below_a_floor_what_is_overdue_is_named_and_not_a_budget_that_stops_another() -> None:
    late = Deployment("chat", "a", "cheap", 4, 4, 2, start_up_s=30)
    dear = Deployment("chat", "b", "dear", 16, 4)
    service = a_service(deployments=(late, dear), budget_usd_per_hour=3.0, step_up_replicas_max=1)
    run = Run(a_fleet(service)).tick(0, 60, a=0, b=0)
    assert run.to("a") == 1
    run.settle(10, running=60, a=seen(1, 0, provider="cheap"), b=0)

    assert run.reason("a") == "overdue"
    assert run.reason("b") == "budget"


def test_a_guard_speaks_after_a_budget() -> None:
    run = chat_run(step_up_replicas_max=1, budget_usd_per_hour=3.3).tick(0, 76, a=1)

    assert run.verdict() == (2, "step")


def test_every_sentence_is_whole() -> None:
    run = chat_run(policies=(NamedPolicy("c", Limit(at_most=4)),), fallback_replicas=2, blind_after_s=30)
    for levels in ((3, 57), (None, 10), (None, None), (0, 0), (500, 500)):
        for _ in range(3):
            run.tick(*levels, a=2)
            assert "{" not in run.why()
            assert run.why()
            assert run.reason() in REASONS | {"queue_depth", "limit"}


def test_the_account_shows_each_guard_with_its_numbers() -> None:
    run = chat_run(step_up_replicas_max=1).tick(0, 60, a=2)
    (step,) = run.evidence().deployments["a"].steps

    assert (step.rule, step.before, step.after) == ("step", 5, 3)


def test_evidence_holds_the_facts_of_the_decision() -> None:
    run = chat_run().tick(3, 57, a=4)
    evidence, site = run.evidence(), run.evidence().deployments["a"]

    assert (evidence.demand, evidence.want, evidence.need, evidence.blind) == (60, 75, 75, False)
    assert (site.replicas_set, site.replicas_ready, site.replicas_starting) == (4, 4, 0)
    assert (site.floor, site.ceiling, site.usd_per_replica_hour) == (0, 6, 1.1)
    assert evidence.usd_per_hour == pytest.approx(4.4)


def test_decisions_come_by_name_and_every_deployment_has_one() -> None:
    names = ("b", "a", "c")
    deployments = tuple(Deployment("chat", name, "exo", 16, 6) for name in names)
    run = Run(a_fleet(a_service("zoo"), a_service(deployments=deployments))).tick(a=1)

    decided = [(d.service, d.deployment) for d in run.plan.decisions]
    assert decided == [("chat", "a"), ("chat", "b"), ("chat", "c"), ("zoo", "a")]


def test_a_service_that_only_observes_is_decided_like_any_other_and_remembers_no_write() -> None:
    run = chat_run(mode="observe").tick(0, 60, a=2)
    assert run.verdict() == (5, "queue_depth")
    assert run.known().intents == ()
    assert run.tick(0, 60, a=2).verdict() == (5, "queue_depth")
