"""4.7: guards per deployment, in order: steps, cooldown, changing, bounds."""

from __future__ import annotations

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import ErrorKind, Human, OutcomeWord, Override, Phase
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run, said


def forced(at_least: int | None = None, at_most: int | None = None, deployment: str | None = None) -> Human:
    return Human(overrides=(Override("chat", deployment, at_least, at_most, None),))


# --- steps ----------------------------------------------------------------------------------------


def test_an_increase_takes_at_most_its_step_per_period() -> None:
    run = chat_run(step_up_replicas_max=2, step_period_s=60).tick(0, 76, a=0)
    assert run.verdict() == (2, "step")
    for _ in range(3):
        run.follow(1, running=76)
        assert run.verdict() == (2, "step"), "the period is in seconds, not in ticks"
    run.follow(1, running=76)
    assert run.verdict() == (4, "step")
    run.follow(3, running=76)
    assert run.to() == 4
    run.follow(1, running=76)
    assert run.verdict() == (6, "bounds")


def test_small_steps_add_up_within_a_period() -> None:
    run = chat_run(step_up_replicas_max=3, step_period_s=60).tick(0, 12, a=0)
    assert run.to() == 1
    run.follow(1, running=25)
    assert run.to() == 2
    run.follow(1, running=70)
    assert run.verdict() == (3, "step")


def test_a_decrease_takes_at_most_its_step_per_period() -> None:
    run = chat_run(step_down_replicas_max=1, step_period_s=60, stabilise_down_s=30).settle(5, running=60, a=5)
    run.settle(2, running=10, a=5)
    assert run.verdict() == (4, "step")
    run.follow(3, running=10)
    assert run.verdict() == (4, "step")
    run.follow(1, running=10)
    assert run.verdict() == (3, "step")


def test_an_increase_leaves_the_steps_of_decreases_alone() -> None:
    run = chat_run(step_down_replicas_max=1, step_up_replicas_max=1, stabilise_down_s=0).tick(0, 30, a=2)
    assert run.to() == 3
    run.follow(1, running=10)
    assert run.to() == 2


def test_steps_limit_floors_and_policy_ceilings_too() -> None:
    run = chat_run(step_up_replicas_max=1, policies=(NamedPolicy("f", Limit(at_least=4)),)).tick(a=0)
    assert run.verdict() == (1, "step")
    run = chat_run(step_down_replicas_max=1, policies=(NamedPolicy("c", Limit(at_most=1)),)).tick(a=5)
    assert run.verdict() == (4, "step")


def test_max_replicas_is_obeyed_in_one_step() -> None:
    run = chat_run(replicas_max=2, step_down_replicas_max=1, cooldown_s=600).tick(a=6)

    assert run.verdict() == (2, "bounds")


@pytest.mark.parametrize("deployment", [None, "a"])
def test_a_person_is_obeyed_in_one_step(deployment: str | None) -> None:
    steps: dict[str, object] = {"step_up_replicas_max": 1, "step_down_replicas_max": 1}
    assert chat_run(**steps).tick(a=1, human=forced(at_least=5, deployment=deployment)).verdict() == (
        5,
        "override",
    )
    assert chat_run(**steps).tick(a=6, human=forced(at_most=1, deployment=deployment)).verdict() == (
        1,
        "override",
    )


def test_what_goes_beyond_an_override_takes_steps() -> None:
    run = chat_run(step_up_replicas_max=1).tick(0, 76, a=1, human=forced(at_least=3))

    assert run.verdict() == (3, "step")


def test_a_step_limit_of_a_write_of_unknown_fate_counts() -> None:
    run = chat_run(step_up_replicas_max=1, step_period_s=60).tick(0, 76, a=2)
    assert run.to() == 3
    run.tick(0, 76, a=2, outcomes=None)
    assert run.to() == 3, "3 may be on its way, and was this period's step"


def test_a_write_that_was_not_executed_uses_up_no_step() -> None:
    run = chat_run(step_up_replicas_max=1, step_period_s=60).tick(0, 76, a=2)
    run.tick(0, 76, a=2, outcomes=said(OutcomeWord.STALE))
    assert run.to() == 3
    assert [by for _, by in run.known().changes] == [1]


def test_a_step_limit_of_zero_replicas_lets_nothing_pass() -> None:
    assert chat_run(step_up_replicas_max=0).tick(0, 76, a=2).verdict() == (2, "step")


# --- cooldown -------------------------------------------------------------------------------------


def test_cooldown_delays_decreases_after_any_change() -> None:
    run = chat_run(cooldown_s=120, stabilise_down_s=0).tick(0, 60, a=1)
    assert run.to() == 5
    for _ in range(7):
        run.follow(1, running=10)
        assert run.verdict() == (5, "cooldown"), run.at
    run.follow(1, running=10)
    assert run.to() == 1
    run.follow(1, running=30)
    assert run.to() == 3, "never increases"
    run.follow(7, running=10)
    assert run.verdict() == (3, "cooldown"), "after a decrease too, and the increase began it anew"


@pytest.mark.parametrize("rule", ["ceiling", "override", "max"])
def test_cooldown_delays_only_demand_and_moves(rule: str) -> None:
    run = chat_run(cooldown_s=600).tick(0, 60, a=1)
    assert run.to() == 5
    cap = (NamedPolicy("c", Limit(at_most=2)),) if rule == "ceiling" else ()
    run.fleet = a_fleet(a_service(cooldown_s=600, policies=cap, replicas_max=2 if rule == "max" else 6))
    run.follow(1, running=60, human=forced(at_most=2) if rule == "override" else None)

    assert run.to() == 2


# --- changing -------------------------------------------------------------------------------------


def test_a_busy_provider_gets_no_other_change() -> None:
    run = chat_run().tick(0, 10, a=2)
    run.tick(0, 60, a=seen(2, 1, busy=True))

    assert run.verdict() == (2, "changing")


def test_an_increase_beyond_a_pending_change_is_sent_where_the_provider_takes_it() -> None:
    run = chat_run().tick(0, 20, a=1)
    assert run.to() == 2
    run.tick(0, 60, a=1)
    assert run.verdict() == (5, "queue_depth")


def test_the_same_increase_is_not_sent_twice_while_it_is_pending() -> None:
    run = chat_run().tick(0, 60, a=1)
    for _ in range(10):
        run.tick(0, 60, a=1)
        assert run.verdict() == (1, "changing")


def test_a_decrease_waits_while_replicas_start() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=1)
    run.tick(0, 60, a=seen(5, 1))
    run.tick(0, 20, a=seen(5, 2))

    assert run.verdict() == (5, "changing")


def test_a_decrease_may_follow_when_the_change_is_done() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=1)
    run.tick(0, 60, a=seen(5, 1))
    run.tick(0, 20, a=5)

    assert run.to() == 2


def test_changing_without_a_known_operation_ends_at_the_deadline() -> None:
    run = chat_run(stabilise_down_s=0).tick(0, 60, a=1)
    while run.at < 15 + 360:
        run.tick(0, 20, a=seen(5, 2))
        assert run.verdict() == (5, "changing"), run.at
    run.settle(2, running=20, a=seen(5, 2))
    assert run.to() == 2


def test_a_scaling_phase_that_never_ends_does_not_block_for_ever() -> None:
    run = chat_run(stabilise_down_s=0).settle(2, running=60, a=5)
    stuck = seen(5, 5, phase=Phase.SCALING)
    for _ in range(24):
        run.tick(0, 10, a=stuck)
        assert run.verdict() == (5, "changing")
    run.settle(2, running=10, a=stuck)
    assert run.to() == 1


def test_busy_ends_an_attempt_quietly() -> None:
    run = chat_run().tick(0, 60, a=1)
    run.tick(0, 60, a=1, outcomes=said(OutcomeWord.REJECTED, ErrorKind.BUSY))

    assert run.verdict() == (5, "queue_depth")
    assert run.known().backoff is None


def test_max_replicas_waits_for_no_starting_replica() -> None:
    run = chat_run().tick(0, 60, a=1)
    run.fleet = a_fleet(a_service(replicas_max=2))
    run.tick(0, 60, a=seen(5, 1))

    assert run.verdict() == (2, "bounds")


# --- order and bounds -----------------------------------------------------------------------------


def test_steps_come_before_cooldown_and_cooldown_before_changing() -> None:
    run = chat_run(cooldown_s=300, step_down_replicas_max=1, stabilise_down_s=0).tick(0, 60, a=1)
    run.tick(0, 10, a=seen(5, 2))

    rules = [step.rule for step in run.evidence().deployments["a"].steps]
    assert rules == ["step", "cooldown"]
    assert run.verdict() == (5, "cooldown")


def test_a_pause_stands_before_all_guards() -> None:
    from autoscaler.core.model import Pause

    run = chat_run(step_up_replicas_max=1).tick(0, 60, a=1, human=Human(pauses=(Pause(None, None, None),)))

    assert [s.rule for s in run.evidence().deployments["a"].steps] == ["paused"]


def test_each_deployment_has_its_own_steps() -> None:
    both = (Deployment("chat", "a", "exo", 16, 3), Deployment("chat", "b", "cheap", 16, 3))
    run = Run(a_fleet(a_service(deployments=both, step_up_replicas_max=1))).tick(0, 76, a=0, b=0)

    assert run.counts() == {"a": 1, "b": 1}


def test_steps_are_counted_in_seconds_across_a_gap() -> None:
    run = chat_run(step_up_replicas_max=1, step_period_s=1000).tick(0, 76, a=0)
    assert run.to() == 1
    run.follow(1, running=76, after=900)
    assert run.verdict() == (1, "step")
    run.follow(1, running=76, after=100)
    assert run.to() == 2


def test_an_above_max_count_falls_only_to_max() -> None:
    run = chat_run(replicas_max=2).tick(0, 76, a=6)

    assert run.verdict() == (2, "bounds")
    assert START + run.at == run.plan.at
