"""4.8: vendors with an autoscaler of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.absorb import count_of
from autoscaler.core.codec import decision_from_json, decision_to_json
from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import Human, Observation, Override, Pause, Phase, ReplicaRange, exactly
from tests.core.fleets import Limit, a_fleet, a_service, ranged, seen
from tests.core.run import Run, chat_run

FLOOR = Deployment("chat", "a", "exo", 16, 6, control="floor")


def floor_run(*policies: NamedPolicy, low: int = 0, **settings: Any) -> Run:
    deployment = Deployment("chat", "a", "exo", 16, 6, low, control="floor")
    return Run(a_fleet(a_service(deployments=(deployment,), policies=policies, **settings)))


def test_floor_mode_sets_min_to_the_need_and_max_to_max_replicas() -> None:
    run = floor_run().tick(0, 30, a=ranged(1, 6, 1))

    decision = run.decision()
    assert (decision.replicas_from, decision.replicas_to) == (1, 3)
    assert (decision.range_from, decision.range_to) == (ReplicaRange(1, 6), ReplicaRange(3, 6))


def test_a_change_of_max_alone_is_a_change() -> None:
    run = floor_run(NamedPolicy("cap", Limit(at_most=4))).tick(0, 30, a=ranged(3, 6, 3))

    decision = run.decision()
    assert (decision.replicas_from, decision.replicas_to) == (3, 3)
    assert decision.range_to == ReplicaRange(3, 4)
    assert decision.changes


def test_floor_mode_at_rest_changes_nothing() -> None:
    run = floor_run().tick(0, 30, a=ranged(3, 6, 3))

    assert not run.decision().changes


def test_the_budget_bounds_the_max() -> None:
    run = floor_run(budget_usd_per_hour=3.5).tick(0, 12, a=ranged(1, 6, 1))

    assert run.decision().range_to == ReplicaRange(1, 3), "3 replicas of 1.10 fit into 3.50"


def test_the_max_never_falls_below_what_runs_for_a_budgets_sake() -> None:
    run = floor_run(budget_usd_per_hour=2.2).tick(0, 12, a=ranged(1, 6, 5))

    assert run.decision().range_to == ReplicaRange(1, 5)


def test_a_ceiling_bounds_the_max_although_more_run() -> None:
    run = floor_run(NamedPolicy("cap", Limit(at_most=2))).tick(0, 12, a=ranged(1, 6, 5))

    assert run.decision().range_to == ReplicaRange(1, 2)


def test_the_fleets_budget_leaves_the_max_what_others_do_not_spend() -> None:
    service = a_service(deployments=(FLOOR,))
    run = Run(a_fleet(service, a_service("draw", demand=False, baseline_replicas=3), budget_usd_per_hour=6.6))
    run.tick(0, 12, a=ranged(1, 6, 1), keys={"draw/a": seen(3)})

    assert run.decision().range_to == ReplicaRange(1, 3), (
        "of six replicas that it affords, three run elsewhere"
    )


def test_two_native_ranges_do_not_spend_the_same_money() -> None:
    chat = a_service(deployments=(FLOOR,))
    draw = a_service("draw", deployments=(Deployment("draw", "a", "exo", 16, 6, control="floor"),))
    run = Run(a_fleet(chat, draw, budget_usd_per_hour=6.6))
    run.tick(0, 12, a=ranged(1, 6, 1), services={"draw": (0, 12)}, keys={"draw/a": ranged(1, 6, 1)})

    tops = [run.decision(service=name).range_to for name in ("chat", "draw")]
    assert all(top is not None for top in tops)
    assert sum(top.maximum for top in tops if top is not None) == 6


def test_cost_counts_what_runs_and_never_the_min() -> None:
    run = floor_run().tick(0, 30, a=ranged(3, 6, 4))
    assert run.evidence().usd_per_hour == pytest.approx(4.4)


def test_an_override_and_a_pause_act_on_ranges() -> None:
    both = Human(overrides=(Override("chat", None, 2, 4, None),))
    assert floor_run().tick(0, 0, a=ranged(1, 6, 1), human=both).decision().range_to == ReplicaRange(2, 4)

    still = Human(pauses=(Pause(None, None, None),))
    assert not floor_run().tick(0, 30, a=ranged(1, 4, 1), human=still).decision().changes

    down = Human(pauses=(Pause(None, "down", None),))
    run = floor_run(NamedPolicy("cap", Limit(at_most=2))).tick(0, 0, a=ranged(1, 6, 1), human=down)
    assert not run.decision().changes, "a lower max is a decrease too"


def test_pin_sets_both_ends() -> None:
    run = chat_run().tick(0, 30, a=ranged(1, 6, 2))

    assert run.decision().range_to == exactly(3)


def test_pin_pins_an_open_range_although_the_count_is_right() -> None:
    run = chat_run().tick(0, 20, a=ranged(1, 6, 2))

    assert (run.decision().replicas_from, run.decision().replicas_to) == (2, 2)
    assert run.decision().range_to == exactly(2)
    assert run.decision().changes
    assert run.verdict() == (2, "queue_depth")
    assert "its bounds were 1 to 6: pinned to this count" in run.why()


@pytest.mark.parametrize(
    ("low", "high", "ready", "pin", "floor"),
    [(2, 2, 1, 2, 2), (1, 6, 3, 3, 1), (1, 6, 9, 6, 1), (1, 6, 0, 1, 1), (1, 6, None, 6, 1)],
)
def test_what_is_there_is_the_min_in_floor_mode_and_what_runs_in_pin_mode(
    low: int, high: int, ready: int | None, pin: int, floor: int
) -> None:
    observation = Observation(ReplicaRange(low, high), ready, None, Phase.READY)

    assert (count_of(observation, "pin"), count_of(observation, "floor")) == (pin, floor)


def test_a_write_of_a_range_is_confirmed_by_the_range() -> None:
    run = floor_run().tick(0, 30, a=ranged(1, 6, 1))
    run.tick(0, 30, a=ranged(3, 6, 2))

    assert run.reason() != "drift"
    assert run.known().read_back == ReplicaRange(3, 6)


def test_a_foreign_change_of_max_alone_is_drift() -> None:
    run = floor_run().settle(2, running=30, a=ranged(3, 6, 3))
    run.tick(0, 30, a=ranged(3, 5, 3))

    assert run.verdict() == (3, "drift")
    assert not run.decision().changes


def test_the_vendors_own_moves_inside_the_range_are_no_drift() -> None:
    run = floor_run()
    for ready in (3, 5, 4, 6, 3):
        run.tick(0, 30, a=ranged(3, 6, ready))
        assert run.reason() == "hold"


def test_zero_in_floor_mode_is_zero_to_max() -> None:
    run = floor_run().settle(21, a=ranged(1, 6, 1))

    assert run.decision().range_to == ReplicaRange(0, 6)


def test_a_line_has_the_ranges_of_a_vendor_with_an_autoscaler_also_at_rest() -> None:
    run = chat_run().settle(2, running=40, a=replace(ranged(4, 4, 4), native=True))
    line = decision_to_json(run.decision())

    assert (line["range_from"], line["range_to"], line["native"]) == ([4, 4], [4, 4], True)
    assert decision_from_json(line) == run.decision()
