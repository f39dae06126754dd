"""Policies are other people's code: what one of them does wrong hurts no other, and takes nothing away."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.proposals import Policy, Preference, Proposal, View
from tests.core.fleets import a_fleet, a_service, seen
from tests.core.run import Run, chat_run


class Scripted(Policy, kind="scripted"):
    """Says exactly what it is told to."""

    proposals: Any = ()

    def propose(self, view: View) -> tuple[Proposal, ...]:
        said: tuple[Proposal, ...] = self.proposals
        return said


class Raising(Policy, kind="raising"):
    """Breaks in one of its methods."""

    method: str
    error: type[Exception] = ZeroDivisionError

    def propose(self, view: View) -> tuple[Proposal, ...]:
        if self.method == "propose":
            raise self.error("secret-token-123")
        return ()

    def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
        if self.method == "remember":
            raise self.error("boom")
        return state

    def prefer(self, view: View) -> Preference | None:
        if self.method == "prefer":
            raise self.error("boom")
        return None


def with_policy(policy: Policy) -> Run:
    return chat_run(policies=(NamedPolicy("odd", policy),))


NONSENSE: list[tuple[str, Any]] = [
    ("want -1", (Proposal("x", want=-1.0),)),
    ("want nan", (Proposal("x", want=math.nan),)),
    ("want inf", (Proposal("x", want=math.inf),)),
    ("demand nan", (Proposal("x", want=1.0, demand=math.nan),)),
    ("demand -1", (Proposal("x", want=1.0, demand=-1.0),)),
    ("idle nan", (Proposal("x", want=0.0, idle_s=math.nan),)),
    ("at_least -1", (Proposal("x", at_least=-1),)),
    ("at_most -1", (Proposal("x", at_most=-1),)),
    ("at_most 1.5", (Proposal("x", at_most=1.5),)),  # type: ignore[arg-type]
    ("at_most nan", (Proposal("x", at_most=math.nan),)),  # type: ignore[arg-type]
    ("at_least text", (Proposal("x", at_least="3"),)),  # type: ignore[arg-type]
    ("want text", (Proposal("x", want="3"),)),  # type: ignore[arg-type]
    ("no reason", (Proposal(None, want=3.0),)),  # type: ignore[arg-type]
    ("not a proposal", (3, None)),
    ("not a tuple", 7),
    ("nothing", None),
    ("too many", tuple(Proposal("x", want=1.0) for _ in range(1001))),
]


@pytest.mark.parametrize(("what", "said"), NONSENSE, ids=[what for what, _ in NONSENSE])
def test_nonsense_is_blindness_by_name(what: str, said: Any) -> None:
    run = with_policy(Scripted(proposals=said)).settle(30, running=10, a=5)

    assert run.verdict() == (5, "blind"), f"{what}: an opinion that is none let replicas go"
    assert "odd" in run.why(), "and nobody is told whose it was"


@pytest.mark.parametrize(("what", "said"), NONSENSE, ids=[what for what, _ in NONSENSE])
def test_nonsense_stops_no_increase_of_the_others(what: str, said: Any) -> None:
    run = with_policy(Scripted(proposals=said)).tick(0, 60, a=2)

    assert run.verdict() == (5, "queue_depth"), f"{what}: users wait because of a broken rule"


@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError, AssertionError, MemoryError])
def test_a_policy_that_raises_is_blind_and_its_text_stays_inside(error: type[Exception]) -> None:
    run = with_policy(Raising(method="propose", error=error)).settle(30, running=10, a=5)

    assert run.verdict() == (5, "blind")
    assert "odd" in run.why()
    assert "secret-token-123" not in run.why(), "an exception's text may hold a secret"


def test_another_service_does_not_notice() -> None:
    broken = a_service("draw", policies=(NamedPolicy("odd", Raising(method="propose")),))
    run = Run(a_fleet(a_service(), broken)).settle(
        21, running=10, a=5, services={"draw": (0, 10)}, keys={"draw/a": seen(5)}
    )

    assert (run.to(), run.to(service="draw")) == (1, 5)


def test_a_policy_that_cannot_learn_keeps_what_it_knew() -> None:
    run = with_policy(Raising(method="remember")).settle(3, running=60, a=5)

    assert run.verdict() == (5, "hold") or run.to() == 5
    assert run.past().policies == {}


def test_a_policy_that_cannot_say_what_it_prefers_moves_nothing() -> None:
    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "cheap", 16, 6))
    odd = (NamedPolicy("odd", Raising(method="prefer")),)
    run = Run(a_fleet(a_service(deployments=both, policies=odd))).settle(25, running=30, a=3, b=0)

    assert run.counts() == {"a": 3, "b": 0}, "a rule that may have forbidden the move was not heard"
    assert run.tick(0, 60, a=3, b=0).counts() == {"a": 3, "b": 2}


@pytest.mark.parametrize("percent", [math.nan, 1e9, -1e9])
def test_a_preference_that_is_nonsense_breaks_no_tick(percent: float) -> None:
    class Odd(Policy, kind="odd"):
        def propose(self, view: View) -> tuple[Proposal, ...]:
            return ()

        def prefer(self, view: View) -> Preference:
            return Preference(switch_if_saves_percent=percent)

    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "cheap", 16, 6))
    run = Run(a_fleet(a_service(deployments=both, policies=(NamedPolicy("odd", Odd()),))))
    run.settle(25, running=30, a=3, b=0)

    assert run.to("a") == 3, "make before break holds whatever the preference"


def test_a_floor_above_a_ceiling_is_the_floor() -> None:
    run = with_policy(Scripted(proposals=(Proposal("x", at_least=5, at_most=2),))).tick(a=1)

    assert run.verdict() == (5, "scripted")


def test_a_limit_for_a_deployment_that_does_not_exist_limits_nothing() -> None:
    run = with_policy(Scripted(proposals=(Proposal("x", "ghost", at_most=0),))).tick(0, 60, a=2)

    assert run.verdict() == (5, "queue_depth"), "a typing error in a policy file closed a service"


def test_a_thousand_proposals_are_heard() -> None:
    many = tuple(Proposal("x", want=float(n)) for n in range(1000))
    run = chat_run(policies=(NamedPolicy("odd", Scripted(proposals=many)),), replicas_max=100).tick(a=1)

    assert run.to() == 63, "999 of capacity are 63 replicas of 16"


@pytest.mark.parametrize("value", [10**12, 10**400])
def test_floors_and_ceilings_beyond_all_bounds_are_the_bounds(value: int) -> None:
    run = with_policy(Scripted(proposals=(Proposal("x", at_least=value, at_most=value),))).tick(a=1)

    assert run.verdict() == (6, "bounds")


def test_braces_in_a_reason_are_only_braces() -> None:
    run = with_policy(Scripted(proposals=(Proposal("{0} {supply} {x!r} %d", want=60.0),))).tick(a=1)

    assert run.why() == "{0} 4 replicas of 16 {x!r} %d"


def test_a_policy_whose_state_is_no_json_keeps_what_it_knew() -> None:
    class Odd(Policy, kind="odd"):
        def propose(self, view: View) -> tuple[Proposal, ...]:
            return ()

        def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
            return {"v": 1, "n": math.nan if state else 1.0}

    run = with_policy(Odd()).settle(3, a=0)

    assert run.past().policies["odd"] == {"v": 1, "n": 1.0}, "a checkpoint with NaN is no JSON"
