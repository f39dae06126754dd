from __future__ import annotations

from autoscaler.sim.rivals.hpa import HpaSettings
from autoscaler.sim.rivals.keda import Keda, KedaSettings
from tests.sim.rivals.asking import a_task, facts

TEN = KedaSettings(hpa=HpaSettings(target=10.0))
TO_ZERO = a_task(min_replicas=0)


def test_the_first_replica_is_one_step_of_the_operator() -> None:
    keda = Keda(TO_ZERO, TEN)
    assert keda.tick(facts(0, queued=500)) == 1


def test_the_first_replicas_are_the_minimum() -> None:
    assert Keda(a_task(min_replicas=3), TEN).tick(facts(0, queued=500)) == 3


def test_what_comes_between_two_polls_waits_for_the_next() -> None:
    keda = Keda(TO_ZERO, TEN)
    answers = [keda.tick(facts(at, queued=int(at > 0))) for at in (0, 15, 30)]

    assert answers == [0, 0, 1]  # polled at 0 and at 30; the HPA leaves zero alone


def test_after_the_first_step_the_hpa_goes_on_with_its_own_cap() -> None:
    keda = Keda(TO_ZERO, TEN)
    keda.tick(facts(0, queued=500))

    assert keda.tick(facts(15, queued=500, starting=1)) == 4
    assert keda.tick(facts(30, queued=500, starting=4)) == 8


def test_queued_and_running_are_one_trigger() -> None:
    keda = Keda(a_task(), KedaSettings(hpa=HpaSettings(target=10.0, downscale_stabilisation_s=0.0)))

    assert keda.tick(facts(0, queued=20, running=20, ready=2)) == 4  # the larger of the two alone asks for 2


def test_the_hpa_never_goes_below_one() -> None:
    keda = Keda(TO_ZERO, KedaSettings(HpaSettings(target=10.0, downscale_stabilisation_s=0.0)))
    keda.tick(facts(0, running=30, ready=3))

    assert keda.tick(facts(15, ready=3)) == 1


def test_all_replicas_go_in_one_write_once_the_trigger_was_idle_for_longer_than_the_cooldown() -> None:
    slow = KedaSettings(HpaSettings(target=10.0, downscale_stabilisation_s=3600.0))
    keda = Keda(TO_ZERO, slow)
    answers = {at: keda.tick(facts(at, running=80 * (at == 0), ready=8)) for at in range(0, 346, 15)}

    assert {answers[at] for at in range(0, 330, 15)} == {8}  # at 300 it is exactly the cooldown: not longer
    assert answers[330] == 0  # from eight, past the HPA's window of an hour


def test_any_activity_starts_the_cooldown_anew() -> None:
    keda = Keda(TO_ZERO, KedaSettings(HpaSettings(target=10.0, downscale_stabilisation_s=3600.0)))
    answers = {at: keda.tick(facts(at, running=int(at in (0, 150)), ready=2)) for at in range(0, 481, 15)}

    assert [at for at, count in answers.items() if count == 0] == [480]


def test_a_service_that_never_was_active_has_only_the_initial_cooldown() -> None:
    assert [Keda(TO_ZERO, TEN).tick(facts(0, ready=2))] == [2]

    keda = Keda(TO_ZERO, TEN)
    assert [keda.tick(facts(at, ready=2)) for at in (0, 15, 30)] == [2, 2, 0]

    patient = Keda(TO_ZERO, KedaSettings(hpa=HpaSettings(target=10.0), initial_cooldown_s=60.0))
    assert [patient.tick(facts(at, ready=2)) for at in (0, 30, 60, 90)] == [2, 2, 2, 0]


def test_at_the_activation_threshold_it_is_not_active() -> None:
    settings = KedaSettings(hpa=HpaSettings(target=10.0), activation_threshold=5.0)

    assert Keda(TO_ZERO, settings).tick(facts(0, queued=5)) == 0
    assert Keda(TO_ZERO, settings).tick(facts(0, queued=6)) == 1


def test_with_a_minimum_the_operator_takes_nothing_away() -> None:
    keda = Keda(
        a_task(min_replicas=1), KedaSettings(HpaSettings(target=10.0, downscale_stabilisation_s=9000.0))
    )
    answers = [keda.tick(facts(at, ready=5)) for at in range(0, 285, 15)]
    answers += [keda.tick(facts(at, ready=5)) for at in range(3600, 7200, 30)]

    assert set(answers) == {5}


def test_too_few_without_activity_are_raised_to_the_minimum() -> None:
    assert Keda(a_task(min_replicas=2), TEN).tick(facts(0)) == 2


def test_how_often_the_operator_looks_is_seconds_and_not_questions() -> None:
    keda = Keda(a_task(min_replicas=0, interval_s=5.0), TEN)
    answers = [keda.tick(facts(5.0 * turn, queued=int(turn > 0))) for turn in range(7)]

    assert answers == [0, 0, 0, 0, 0, 0, 1]
