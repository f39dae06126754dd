"""Section 3: tick time never goes back, and a jump ahead is a gap."""

from __future__ import annotations

from tests.core.run import chat_run


def test_after_the_clock_went_back_nothing_is_given_back_for_one_window() -> None:
    run = chat_run(stabilise_down_s=60).settle(10, running=60, a=5)
    run.tick(0, 10, a=5, clock="back")
    began = run.at
    for _ in range(3):
        run.tick(0, 10, a=5)
    assert run.at == began + 45
    assert run.verdict() == (5, "clock")
    run.tick(0, 10, a=5)
    assert run.to() == 1


def test_while_the_clock_is_doubted_increases_go_on() -> None:
    run = chat_run().settle(25, running=10, a=1)
    run.tick(0, 60, a=1, clock="back")

    assert run.verdict() == (5, "queue_depth")


def test_a_jump_ahead_is_a_gap() -> None:
    run = chat_run(stabilise_down_s=60).settle(10, running=60, a=5)
    run.tick(0, 10, a=5, clock="ahead")
    run.settle(3, running=10, a=5)
    assert run.verdict() == (5, "stabilised")
    run.tick(0, 10, a=5)
    assert run.to() == 1


def test_the_clock_hold_survives_a_restart() -> None:
    run = chat_run(stabilise_down_s=300).settle(25, running=60, a=5)
    run.tick(0, 10, a=5, clock="back")
    run.tick(0, 10, a=5, after=290, outcomes=None)

    assert run.to() == 5
