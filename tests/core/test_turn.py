"""What of a plan may be written: nothing that breaks a promise, nothing of a service that only observes."""

from __future__ import annotations

from typing import Any

from autoscaler.core.fleet import NamedPolicy
from autoscaler.core.memory import Memory
from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.core.turn import turn
from tests.core.fleets import a_fleet, a_service, a_snapshot

ASKED: list[int] = []


class Moody(Policy, kind="moody", demand=True):
    """Wants more each time that it is asked: what a policy must not do."""

    def propose(self, view: View) -> tuple[Proposal, ...]:
        ASKED.append(1)
        return (Proposal("a mood", want=16.0 * (4 + len(ASKED))),)


def moody(**settings: Any) -> Any:
    return a_fleet(a_service(policies=(NamedPolicy("moody", Moody()),), demand=False, **settings))


def test_a_plan_that_breaks_a_promise_is_not_written() -> None:
    ASKED.clear()
    fleet = moody()

    turned = turn(Memory(), a_snapshot(0, replicas=4), fleet, twice=True)

    assert [violation.promise for violation in turned.broken] == ["12"]
    assert [d.changes for d in turned.plan.decisions] == [True]
    assert turned.writes == ()


def test_a_plan_that_keeps_its_promises_is_written() -> None:
    ASKED.clear()

    turned = turn(Memory(), a_snapshot(0, replicas=4), moody())

    assert turned.broken == ()
    assert turned.writes == turned.plan.decisions


def test_of_a_service_that_only_observes_nothing_is_written() -> None:
    ASKED.clear()

    turned = turn(Memory(), a_snapshot(0, replicas=4), moody(mode="observe"))

    assert [d.changes for d in turned.plan.decisions] == [True]
    assert turned.writes == ()
