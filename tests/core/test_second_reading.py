"""What a second reading of the rules found: combinations that no rule alone shows."""

from __future__ import annotations

from autoscaler.core.fleet import Deployment
from autoscaler.core.model import Human, Override, Phase
from tests.core.fleets import START, a_fleet, a_service, ranged, seen
from tests.core.run import Run, chat_run, unread

BOTH = (Deployment("chat", "a", "cheap", 16, 6), Deployment("chat", "b", "exo", 16, 6))


def by_hand(deployment: str | None, at_least: int | None, at_most: int | None) -> Human:
    """One override without an end."""
    return Human(overrides=(Override("chat", deployment, at_least, at_most, START + 10_000),))


def test_what_max_replicas_makes_us_write_during_a_hold_is_no_foreign_change() -> None:
    run = chat_run(stabilise_down_s=30).tick(0, 64, a=5)
    run.tick(0, 64, a=9)
    assert run.verdict() == (6, "bounds")

    run.tick(0, 64, a=6)

    assert run.known().drifts == (START + 30,)
    assert run.known().drift_until == START + 30 + 600


def test_two_corrections_by_max_replicas_do_not_leave_the_deployment_alone() -> None:
    run = chat_run(stabilise_down_s=30, drift_hold_s=30).tick(0, 64, a=5)
    for _ in range(2):
        run.tick(0, 64, a=9)
        for _ in range(4):
            run.tick(0, 64, a=6)

    assert run.known().left_alone_until is None


def test_max_replicas_binds_the_range_of_a_drifted_deployment() -> None:
    floor = (Deployment("chat", "a", "exo", 16, 6, control="floor"),)
    run = Run(a_fleet(a_service(deployments=floor))).tick(0, 20, a=ranged(2, 6, 2))
    run.tick(0, 20, a=ranged(2, 9, 2))
    decision = run.decision()
    assert (decision.range_to, decision.reason) == ((2, 6), "bounds")

    run.tick(0, 20, a=ranged(7, 9, 7))
    assert run.decision().range_to == (6, 6)


def test_the_last_replica_does_not_leave_before_another_serves() -> None:
    run = Run(a_fleet(a_service(deployments=BOTH, stabilise_down_s=30))).tick(0, 10, a=0, b=1)
    run.tick(0, 0, a=0, b=1)
    for _ in range(3):
        run.tick(0, 0, a=0, b=1)
        assert run.to("b") == 1


def test_a_baseline_moves_make_before_break() -> None:
    service = a_service(
        deployments=BOTH,
        demand=False,
        signals={},
        baseline_replicas=1,
        stabilise_down_s=0,
        switch_payback_s=7200,
    )
    run = Run(a_fleet(service)).tick(a=0, b=1)
    assert (run.to("a"), run.to("b")) == (1, 1)
    run.tick(a=seen(1, 0, provider="cheap"), b=1)
    assert run.to("b") == 1
    run.tick(a=1, b=1)
    assert run.to("b") == 0


def test_cooldown_delays_what_lies_below_a_persons_ceiling_on_the_service() -> None:
    run = chat_run(stabilise_down_s=0, cooldown_s=60).tick(0, 64, a=2)
    assert run.to() == 5

    run.tick(0, 16, a=5, human=by_hand(None, None, 3))

    assert run.to() == 3


def test_ready_not_known_is_not_no_replica_ready() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 64, a=seen(5, 0, phase=Phase.STARTING))
    observation = seen(5, phase=Phase.READY)
    run.tick(0, None, a=type(observation)(observation.replicas, None, None, Phase.READY, "gpua5000", 1))

    assert run.verdict() == (5, "blind")


def test_what_a_ceiling_took_while_blind_is_not_owed_when_it_ends() -> None:
    run = chat_run(stabilise_down_s=30).tick(None, None, a=5, human=by_hand(None, None, 2))
    assert run.to() == 2

    run.tick(None, None, a=2)
    run.tick(None, None, a=2, human=Human())

    assert run.to() == 2


def test_the_maximum_that_spills_to_a_dearer_deployment_is_named() -> None:
    few = (Deployment("chat", "a", "cheap", 16, 1), Deployment("chat", "b", "exo", 16, 5))
    run = Run(a_fleet(a_service(deployments=few))).tick(0, 24, a=0, b=0)

    assert run.verdict("a") == (1, "bounds")
    assert run.to("b") == 1


def test_an_override_of_zero_is_named_where_a_dearer_deployment_takes_over() -> None:
    run = Run(a_fleet(a_service(deployments=BOTH))).tick(0, 24, a=0, b=0, human=by_hand("a", None, 0))

    assert run.verdict("a") == (0, "override")
    assert run.to("b") == 2


def test_a_change_of_the_maximum_alone_names_what_made_it() -> None:
    floor = (Deployment("chat", "a", "exo", 16, 6, control="floor"),)
    run = Run(a_fleet(a_service(deployments=floor))).tick(
        0, 20, a=ranged(2, 6, 2), human=by_hand(None, None, 3)
    )

    decision = run.decision()
    assert (decision.range_to, decision.reason) == ((2, 3), "override")


def test_fallback_is_named_at_a_tie_with_blindness() -> None:
    run = chat_run(fallback_replicas=4, blind_after_s=30).tick(None, None, a=4)
    run.tick(None, None, a=4)
    run.tick(None, None, a=4)

    assert run.verdict() == (4, "fallback")


def test_an_unread_deployment_with_a_new_need_is_covered_once() -> None:
    run = Run(a_fleet(a_service(deployments=BOTH))).tick(0, 48, a=4, b=0)
    run.tick(0, 48, a=unread(), b=0)

    assert run.to("b") == 0, "what could not be read counts with what was last seen"
