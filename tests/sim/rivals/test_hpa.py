from __future__ import annotations

import pytest

from autoscaler.sim.rivals.hpa import HorizontalPodAutoscaler, Hpa, HpaSettings, proposal
from autoscaler.sim.rivals.hpa_rates import Behaviour, RatePolicy, Rates
from tests.sim.rivals.asking import a_task, asked_in_a_row, facts

TEN = HpaSettings(target=10.0)  # requests at once per replica, so that ratios are seen at a glance
QUICK = HpaSettings(target=10.0, downscale_stabilisation_s=0.0)


def controller(settings: HpaSettings = TEN, low: int = 1, high: int = 24) -> HorizontalPodAutoscaler:
    return HorizontalPodAutoscaler(settings, low, high)


# The proposal of the metric


@pytest.mark.parametrize(
    ("requests", "replicas"),
    [
        (20, 2),
        (22, 2),  # 1.1, the edge, is inside
        (23, 3),  # 1.15: ceil(2.3)
        (18, 2),  # 0.9, the edge, is inside
        (17, 2),  # 0.85 is outside, and ceil(1.7) is 2 all the same
        (10, 1),  # 0.5: ceil(1.0)
        (61, 7),  # ceil(6.1)
        (0, 0),
    ],
)
def test_inside_the_tolerance_the_count_stays_and_outside_it_is_rounded_up(
    requests: int, replicas: int
) -> None:
    assert proposal(TEN, facts(running=requests, ready=2)) == replicas


def test_the_tolerance_has_a_side_for_each_direction() -> None:
    settings = HpaSettings(target=10.0, tolerance_up=0.0, tolerance_down=0.5)

    assert proposal(settings, facts(running=21, ready=2)) == 3
    assert proposal(settings, facts(running=10, ready=2)) == 2
    assert proposal(settings, facts(running=9, ready=2)) == 1


def test_an_average_value_counts_queued_requests_and_loading_replicas() -> None:
    # 44 over 4 that exist is 1.1 each of 10: inside the tolerance, though the one that serves is overrun.
    assert proposal(TEN, facts(queued=34, running=10, ready=1, starting=3)) == 4
    assert proposal(TEN, facts(queued=34, running=10, ready=1, starting=0)) == 5


def test_an_average_value_at_zero_is_all_over_the_target() -> None:
    assert proposal(TEN, facts(queued=11)) == 2
    assert proposal(TEN, facts()) == 0


def test_a_value_multiplies_what_is_ready() -> None:
    settings = HpaSettings(target=10.0, metric="Value")

    assert proposal(settings, facts(running=30, ready=2, starting=1)) == 3  # 1.5 x 2 ready, not x 3
    assert proposal(settings, facts(running=22, ready=2, starting=1)) == 3  # 1.1: what is set stays
    assert proposal(settings, facts(queued=25)) == 3  # at zero: ceil of the ratio


def test_a_value_with_none_ready_proposes_none() -> None:
    assert proposal(HpaSettings(target=10.0, metric="Value"), facts(queued=500, starting=3)) == 0


# Stabilise, then rate, then bounds


def test_a_fresh_controller_takes_nothing_away_for_its_window() -> None:
    hpa = controller()
    answers = {at: hpa.sync(facts(at, running=10, ready=8)) for at in range(0, 316, 15)}

    assert {answers[at] for at in range(0, 300, 15)} == {8}
    assert answers[300] == 1  # the seed of instant 0 has just left


def test_down_goes_to_the_largest_proposal_of_the_window() -> None:
    hpa = controller(HpaSettings(target=10.0, downscale_stabilisation_s=60.0))
    answers = [
        hpa.sync(facts(at, running=load, ready=8))
        for at, load in [(0, 80), (15, 50), (30, 30), (45, 10), (60, 10), (75, 10), (90, 10)]
    ]

    # proposals 8 5 3 1 1 1 1, window of 60 s: at 60 the 8 is gone and the 5 the largest, at 75 the 3
    assert answers == [8, 8, 8, 8, 5, 3, 1]


def test_proposals_are_kept_as_they_were_made_and_not_as_they_were_obeyed() -> None:
    hpa = controller(HpaSettings(target=10.0, downscale_stabilisation_s=60.0))
    hpa.sync(facts(0, running=200, ready=2))  # 20 proposed, 4 obeyed: the cap

    assert hpa.sync(facts(15, running=30, ready=8)) == 8  # ceil 3, but 20 is in the window: no decrease
    assert hpa.sync(facts(60, running=30, ready=8)) == 3


def test_up_waits_for_the_smallest_proposal_of_its_window() -> None:
    hpa = controller(HpaSettings(target=10.0, upscale_stabilisation_s=30.0))
    loads = [30, 40, 60, 60]
    answers = [hpa.sync(facts(15 * turn, running=load, ready=3)) for turn, load in enumerate(loads)]

    # proposals 3 4 6 6; window of 30 s: at 30 the smallest left is the 4 of 15, at 45 the 6 of 30
    assert answers == [3, 3, 4, 6]


def test_without_behaviour_the_double_is_the_cap_and_four_always() -> None:
    assert controller().sync(facts(running=200, ready=1)) == 4
    assert controller().sync(facts(running=200, ready=2)) == 4
    assert controller().sync(facts(running=200, ready=3)) == 6
    assert controller(low=0).sync(facts(queued=200)) == 4


def test_the_rate_is_limited_after_stabilising_and_the_bounds_come_last() -> None:
    hpa = controller(HpaSettings(target=10.0, downscale_stabilisation_s=0.0), low=2, high=5)

    assert hpa.sync(facts(0, running=200, ready=3)) == 5  # 20 wanted, 6 by the rate, 5 by the bound
    assert hpa.sync(facts(15, running=0, ready=5)) == 2


def test_the_default_behaviour_adds_four_or_doubles_whichever_is_more() -> None:
    settings = HpaSettings(target=10.0, behaviour=Behaviour())

    assert controller(settings).sync(facts(running=200, ready=3)) == 7
    assert controller(settings).sync(facts(running=200, ready=6)) == 12


def test_changes_of_the_period_count_against_the_limit() -> None:
    up = Rates((RatePolicy("Pods", 4, 60.0),))
    hpa = controller(HpaSettings(target=10.0, behaviour=Behaviour(up=up)))
    answers = [
        hpa.sync(facts(at, running=200, ready=ready)) for at, ready in [(0, 2), (15, 6), (45, 6), (60, 6)]
    ]

    assert answers == [6, 6, 6, 10]  # the four of instant 0 are out of the minute at 60


def test_percent_is_rounded_up_on_the_way_up_and_cut_on_the_way_down() -> None:
    ten_percent = Rates((RatePolicy("Percent", 10),))
    settings = HpaSettings(
        target=10.0, downscale_stabilisation_s=0.0, behaviour=Behaviour(up=ten_percent, down=ten_percent)
    )

    assert controller(settings).sync(facts(running=200, ready=5)) == 6  # ceil(5.5)
    assert controller(settings).sync(facts(running=0, ready=5)) == 4  # int(4.5)


def test_removed_replicas_of_the_period_raise_the_base() -> None:
    down = Rates((RatePolicy("Pods", 2, 60.0),))
    hpa = controller(HpaSettings(target=10.0, downscale_stabilisation_s=0.0, behaviour=Behaviour(down=down)))
    answers = [
        hpa.sync(facts(at, running=10, ready=ready)) for at, ready in [(0, 9), (15, 7), (45, 7), (60, 7)]
    ]

    assert answers == [7, 7, 7, 5]


@pytest.mark.parametrize(("select", "up", "down"), [("Max", 16, 2), ("Min", 9, 7), ("Disabled", 8, 8)])
def test_of_several_policies_the_selected_one_binds(select: str, up: int, down: int) -> None:
    policies = (RatePolicy("Pods", 1), RatePolicy("Percent", 100), RatePolicy("Pods", 6))
    few = (RatePolicy("Pods", 1), RatePolicy("Percent", 50), RatePolicy("Pods", 6))
    settings = HpaSettings(
        target=10.0,
        downscale_stabilisation_s=0.0,
        behaviour=Behaviour(Rates(policies, select), Rates(few, select)),  # type: ignore[arg-type]
    )

    assert controller(settings).sync(facts(running=240, ready=8)) == up
    assert controller(settings).sync(facts(running=0, ready=8)) == down


def test_the_longest_period_of_all_policies_is_remembered() -> None:
    up = Rates((RatePolicy("Pods", 8, 60.0), RatePolicy("Percent", 100)), "Min")
    hpa = controller(HpaSettings(target=10.0, behaviour=Behaviour(up=up)))
    counts, count = [], 2
    for at in range(0, 61, 15):
        count = hpa.sync(facts(at, running=240, ready=count))
        counts.append(count)

    # Doubled twice; then 2 and eight more is the limit of the minute, until the two of instant 0 leave it.
    assert counts == [4, 8, 10, 10, 12]


def test_a_limit_that_is_already_passed_turns_nothing_back() -> None:
    a_minute = Behaviour(Rates((RatePolicy("Pods", 4, 60.0),)), Rates((RatePolicy("Pods", 1, 60.0),)))
    settings = HpaSettings(target=10.0, downscale_stabilisation_s=0.0, behaviour=a_minute)
    raised, lowered = controller(settings, low=10), controller(settings, high=3)
    raised.sync(facts(0, running=10, ready=1))  # to the bound: nine more than the four of a minute
    lowered.sync(facts(0, running=10, ready=9))

    assert raised.sync(facts(15, running=240, ready=10)) == 10
    assert lowered.sync(facts(15, running=10, ready=3)) == 3


def test_rates_without_a_policy_are_refused() -> None:
    with pytest.raises(ValueError, match="one at least"):
        Rates(())


# Bounds and zero


def test_outside_the_bounds_neither_metric_nor_window_nor_rate_has_a_say() -> None:
    assert controller(low=5).sync(facts(running=0, ready=1)) == 5  # more than the cap of 4
    assert controller(high=3).sync(facts(running=200, ready=9)) == 3  # at once, no window


def test_zero_under_a_minimum_is_a_pause_by_hand() -> None:
    assert controller(low=1).sync(facts(queued=500)) == 0


def test_a_pause_leaves_no_proposal_behind() -> None:
    hpa = controller(QUICK)
    hpa.sync(facts(0, queued=500))

    assert hpa.sync(facts(15, running=10, ready=5)) == 1


def test_the_rival_ends_a_pause_that_nobody_made() -> None:
    assert Hpa(a_task(min_replicas=2), TEN).tick(facts(queued=500)) == 2


def test_with_a_minimum_of_zero_it_goes_there_after_its_window_and_comes_back() -> None:
    task = a_task(min_replicas=0)
    answers = asked_in_a_row(Hpa(task, HpaSettings(target=3.6)), task, [4] + 21 * [0] + [9], ready=2)

    assert answers[:20] == 20 * [2]  # seeded with 2 at instant 0, which leaves at 300
    assert answers[20] == 0  # the 2 proposed for 4 requests left with it
    assert answers[22] == 3  # ceil(9 / 3.6 = 2.5)
