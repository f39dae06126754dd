from __future__ import annotations

from collections.abc import Iterable

import pytest

from autoscaler.sim.rivals.knative import Knative, KnativeSettings
from autoscaler.sim.rivals.knative_zero import ZeroSettings
from tests.sim.rivals.asking import a_task, asked_in_a_row, facts

TASK = a_task(concurrency=10, max_replicas=100)
FULL = KnativeSettings(utilisation=1.0)  # target 10 at once per replica


def answers(rival: Knative, samples: Iterable[tuple[float, int, int]]) -> list[int]:
    """Answers to (instant, requests at once, ready)."""
    return [rival.tick(facts(at, running=load, ready=ready)) for at, load, ready in samples]


# Windows


def test_the_target_is_the_concurrency_times_the_utilisation() -> None:
    assert Knative(TASK).tick(facts(running=7, ready=1)) == 1  # 0.7 x 10
    assert Knative(TASK).tick(facts(running=8, ready=1)) == 2


def test_queued_requests_are_concurrency() -> None:
    assert Knative(TASK, FULL).tick(facts(queued=5, running=10, ready=1)) == 2


def test_the_stable_window_is_the_mean_of_four_questions() -> None:
    samples = [(0, 10, 1), (15, 10, 1), (30, 10, 1), (45, 14, 1), (60, 14, 1)]

    # means 10, 10, 10, 11, 12 over the target 10; ceil(14/10)/1 = 2 panics, and panic takes its own window
    assert answers(Knative(TASK, FULL), samples) == [1, 1, 1, 2, 2]
    calm = KnativeSettings(utilisation=1.0, panic_threshold_percent=1000.0)
    assert answers(Knative(TASK, calm), [*samples[:3], (45, 50, 1), (60, 0, 1)]) == [1, 1, 1, 2, 2]
    # 80/4 = 20 -> 2; 70/4 = 17.5 -> 2


def test_a_window_not_yet_full_is_what_there_is_of_it() -> None:
    calm = KnativeSettings(utilisation=1.0, panic_threshold_percent=1000.0)

    assert answers(Knative(TASK, calm), [(0, 40, 1), (15, 20, 1)]) == [4, 3]


# Panic


def test_panic_begins_at_twice_what_is_ready() -> None:
    quiet = [(100 + 15 * turn, 5, 1) for turn in range(4)]
    below = Knative(TASK, FULL)
    assert answers(below, [*quiet, (160, 10, 1)])[-1] == 1  # ceil(1.0)/1 = 1 of 2
    over = Knative(TASK, FULL)
    assert (
        answers(over, [*quiet, (160, 38, 1)])[-1] == 4
    )  # ceil(3.8)/1: the panic window asks for 4, the mean for 2


def test_panic_is_judged_by_whole_replicas() -> None:
    quiet = [(100 + 15 * turn, 5, 1) for turn in range(4)]

    # 11 at once is only 1.1 of a replica, and ceil(1.1)/1 = 2 is panic: the answer is 2, the mean says 1.
    assert answers(Knative(TASK, FULL), [*quiet, (160, 11, 1)])[-1] == 2


def test_in_panic_it_never_goes_down_and_leaves_after_a_calm_stable_window() -> None:
    rival = Knative(TASK, FULL)
    counts = answers(rival, [(0, 100, 1), *((15.0 * turn, 10, 10) for turn in range(1, 7))])

    # Over at 0. At 60 the window has only just passed, which is not longer; at 75 it is over:
    # then the mean is 10, one replica, but only half of what is ready may go.
    assert counts == [10, 10, 10, 10, 10, 5, 5]


def test_what_is_over_again_in_panic_starts_its_window_again() -> None:
    samples = [(0, 100, 1), (15, 10, 10), (30, 10, 10), (45, 200, 10)]
    samples += [(45 + 15 * turn, 10, 20) for turn in range(1, 6)]

    assert answers(Knative(TASK, FULL), samples) == [10, 10, 10, 20, 20, 20, 20, 20, 10]


def test_the_most_of_one_panic_is_forgotten_in_the_next() -> None:
    calm = [(15.0 * turn, 10, 1) for turn in range(1, 7)]  # one replica ready: down as far as it likes
    rival = Knative(TASK, FULL)

    assert answers(rival, [(0, 100, 1), *calm]) == [10, 10, 10, 10, 10, 1, 1]
    assert answers(rival, [(105, 30, 1)]) == [3]


def test_a_restart_with_several_ready_begins_in_panic() -> None:
    samples = [(15.0 * turn, 10, 8) for turn in range(6)]

    assert answers(Knative(TASK, FULL), samples) == [8, 8, 8, 8, 8, 4]
    assert answers(Knative(TASK, FULL), [(0, 0, 1), (15, 0, 1)]) == [1, 1]


# Rates


def test_at_most_half_of_what_is_ready_goes_at_once() -> None:
    quiet = KnativeSettings(utilisation=1.0, stable_window_s=6.0)
    rival = Knative(TASK, quiet)
    rival.tick(facts(0, running=10, ready=1))  # begins calm

    assert answers(rival, [(15, 10, 9), (30, 10, 5), (45, 10, 3), (60, 10, 2)]) == [4, 2, 1, 1]


def test_the_rate_up_is_a_factor_of_what_is_ready() -> None:
    slow = KnativeSettings(utilisation=1.0, scale_up_rate_max=1.5)

    assert Knative(TASK, slow).tick(facts(queued=900, ready=3)) == 5  # ceil(4.5)
    assert Knative(TASK, slow).tick(facts(queued=900)) == 2  # none ready counts as one


def test_the_activation_scale_raises_what_is_above_zero() -> None:
    settings = KnativeSettings(utilisation=1.0, activation_scale=4)

    assert Knative(TASK, settings).tick(facts(running=1, ready=1)) == 4
    assert Knative(TASK, settings).tick(facts(running=55, ready=1)) == 6
    assert Knative(TASK, settings).tick(facts(running=0, ready=1)) == 1


# Delay


def test_the_scale_down_delay_holds_the_largest_decision() -> None:
    settings = KnativeSettings(
        utilisation=1.0, stable_window_s=6.0, scale_down_delay_s=60.0, panic_threshold_percent=1000.0
    )
    rival = Knative(TASK, settings)
    loads = [30, 20, 10, 10, 10, 10, 10]

    # decisions 3 2 1 ...; at 60 the 3 of instant 0 is out, at 75 the 2
    assert answers(rival, [(15.0 * turn, load, 1) for turn, load in enumerate(loads)]) == [
        3,
        3,
        3,
        3,
        2,
        1,
        1,
    ]


def test_the_delay_is_kept_in_ticks_of_two_seconds() -> None:
    settings = KnativeSettings(
        utilisation=1.0, stable_window_s=6.0, scale_down_delay_s=10.0, panic_threshold_percent=1000.0
    )
    task = a_task(concurrency=10, interval_s=1.0)
    rival = Knative(task, settings)
    loads = [(1.0, 30), *((float(at), 10) for at in range(2, 13))]
    counts = {at: rival.tick(facts(at, running=load, ready=1)) for at, load in loads}

    # The 3 of second 1 is of tick 0, which is out with tick 5, at second 10 and not at 11. Then the largest
    # is the ceil(20 / 10) of second 2.
    assert counts[9] == 3
    assert counts[10] == 2


# Zero


def test_with_a_minimum_of_one_it_stays_there() -> None:
    assert asked_in_a_row(Knative(TASK), TASK, 200 * [0], ready=1)[-1] == 1


def test_one_replica_is_held_until_it_was_active_for_a_stable_window() -> None:
    task = a_task(min_replicas=0)
    counts = asked_in_a_row(Knative(task), task, 6 * [0], ready=1)

    assert counts == [1, 1, 1, 1, 0, 0]  # active since 0: at 60 inactive, with the activator long in the path


def test_what_still_starts_beside_the_one_that_is_held_goes() -> None:
    assert Knative(a_task(min_replicas=0)).tick(facts(0, ready=1, starting=2)) == 1


def test_a_grace_period_passes_where_the_activator_was_not_in_the_path() -> None:
    task = a_task(min_replicas=0)
    counts = asked_in_a_row(Knative(task, KnativeSettings(burst_capacity=0.0)), task, 8 * [0], ready=1)

    assert counts == [1, 1, 1, 1, 1, 1, 0, 0]  # inactive at 60, 30 s of grace


def test_where_the_activator_is_in_the_path_follows_from_the_free_places() -> None:
    def gone(burst_capacity: float) -> int:
        task = a_task(min_replicas=0, concurrency=10)
        settings = KnativeSettings(burst_capacity=burst_capacity)
        return asked_in_a_row(Knative(task, settings), task, 10 * [0], ready=1).index(0)

    assert gone(10.0) == 6  # 1 x 10 places - 10 = 0: enough, so the grace begins when inactive
    assert gone(11.0) == 4  # -1: in the path all along
    assert gone(-1.0) == 4  # always in the path


def test_the_last_replica_may_be_retained() -> None:
    task = a_task(min_replicas=0)
    settings = KnativeSettings(zero=ZeroSettings(retention_s=90.0))
    counts = asked_in_a_row(Knative(task, settings), task, 12 * [0], ready=1)

    assert counts.index(0) == 10  # inactive at 60, gone at 150


def test_work_keeps_the_last_replica_until_it_has_left_the_window() -> None:
    task = a_task(min_replicas=0)
    counts = asked_in_a_row(Knative(task), task, [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0], ready=1)

    # At 60 it would have gone but for the work, which leaves the window at 120.
    assert counts == [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]


def test_work_while_inactive_ends_that_and_the_grace_begins_anew() -> None:
    task = a_task(min_replicas=0)
    rival = Knative(task, KnativeSettings(burst_capacity=0.0))
    counts = asked_in_a_row(rival, task, [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0], ready=1)

    # Inactive at 60, active at 75 by work that leaves the window at 135: inactive then, gone at 165.
    assert counts.index(0) == 11


def test_the_first_request_at_zero_is_seen_at_once_and_not_diluted() -> None:
    task = a_task(min_replicas=0)
    rival = Knative(task)
    asked_in_a_row(rival, task, 30 * [0], ready=1)  # at zero since 60, nobody reports since 75

    assert rival.tick(facts(450.0, queued=9)) == 4  # ceil(9 / 2.8 = 3.2)


def test_it_may_be_told_never_to_go_to_zero() -> None:
    task = a_task(min_replicas=0)
    settings = KnativeSettings(zero=ZeroSettings(enabled=False))

    assert asked_in_a_row(Knative(task, settings), task, 100 * [0], ready=1)[-1] == 1


def test_the_initial_scale_is_a_minimum_until_it_is_reached() -> None:
    task = a_task(min_replicas=0, max_replicas=5)
    rival = Knative(task, KnativeSettings(initial_scale=3))

    assert answers(rival, [(0, 0, 1), (15, 0, 2), (30, 0, 3)]) == [3, 3, 1]
    assert answers(rival, [(45, 0, 1)]) == [1]  # reached once is reached


def test_a_start_that_takes_longer_than_the_deadline_is_given_up_when_nothing_is_wanted() -> None:
    task = a_task(min_replicas=0)
    rival = Knative(task, KnativeSettings(initial_scale=0))
    rival.tick(facts(0, queued=1))
    loads = {15.0 * turn: rival.tick(facts(15.0 * turn, queued=1, starting=1)) for turn in range(1, 20)}
    assert set(loads.values()) == {1}
    # The work goes elsewhere; the replica that never comes is kept until 630 s after it was wanted.
    counts = {15.0 * turn: rival.tick(facts(15.0 * turn, starting=1)) for turn in range(20, 50)}

    assert max(at for at, count in counts.items() if count == 1) == 630.0
    assert counts[645.0] == 0


def test_without_reports_the_last_decision_stays() -> None:
    task = a_task(min_replicas=0)
    at_zero = Knative(task)
    asked_in_a_row(at_zero, task, 10 * [0], ready=1)

    assert at_zero.tick(facts(3600.0, starting=2)) == 0


def test_before_the_first_report_what_is_set_stays() -> None:
    rival = Knative(a_task(min_replicas=0))

    assert [rival.tick(facts(at, starting=3)) for at in (0.0, 15.0, 600.0)] == [3, 3, 3]


@pytest.mark.parametrize("load", [1, 17, 40])
def test_constant_work_ends_in_the_count_of_the_definition(load: int) -> None:
    expected = {1: 1, 17: 6, 40: 14}[load]  # ceil(load / (4 x 0.75 = 3))

    assert asked_in_a_row(
        Knative(a_task(), KnativeSettings(utilisation=0.75, scale_down_delay_s=300.0)),
        a_task(),
        100 * [load],
        ready=1,
    )[-50:] == 50 * [expected]
