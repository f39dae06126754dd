"""The referee calls what is foul in journals made by hand, and nothing in a fair one."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.core.model import ReplicaRange, exactly
from autoscaler.ports import Record
from tests.sim.soak.hands import Hands
from tests.sim.soak.referee import Referee
from tests.sim.soak.rules import limit_of, total_of
from tests.sim.soak.scenario import Configuration, Place, Shop

START = 1_795_262_400.0  # 2026-11-21T12:00:00Z
QUEUE = {"queue-depth": {"kind": "queue_depth", "target_utilisation": 0.8}}


def a_place(name: str = "a", **keys: Any) -> Place:
    return Place(**{"name": name, "provider": "exo", "gpu_type": "a5000", "max_replicas": 6, **keys})


def a_referee(*places: Place, **keys: Any) -> Referee:
    shop = Shop(name="chat", policies=("queue-depth",), places=places or (a_place(),), keys=keys)
    prices = {"exo/a5000": 1.0}
    referee = Referee(15.0)
    referee.configured(Configuration(shops=(shop,), policies=QUEUE, fixed_prices=prices))
    return referee


def a_move(was: int | None, to: int | None, deployment: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "service": "chat",
        "deployment": deployment,
        "replicas_from": was,
        "replicas_to": to,
        "reason": "queue_depth",
        "why": "a sentence",
        **more,
    }


def a_tick(
    at: float,
    *moves: dict[str, Any],
    running: float | None = 16.0,
    want: float | None = 20.0,
    seen: dict[str, tuple[int, int]] | None = None,
    writes: bool = True,
    opinions: list[dict[str, Any]] | None = None,
) -> Record:
    """A tick ``at`` seconds after the start. ``seen``: set and ready by deployment, if not what moves say."""
    instant = f"2026-11-21T12:{int(at) // 60:02d}:{int(at) % 60:02d}Z"
    counts = {m["deployment"]: (m["replicas_from"], m["replicas_from"]) for m in moves}
    deployments = {
        f"chat/{name}": {"replicas_set": one[0], "replicas_ready": one[1], "gpu_type": "a5000"}
        for name, one in {**counts, **(seen or {})}.items()
        if one[0] is not None
    }
    readings: dict[str, Any] = {"queued": {"value": 0.0, "at": instant}}
    readings["running"] = {"absent": "missing"} if running is None else {"value": running, "at": instant}
    changed = [f"chat/{m['deployment']}" for m in moves if m["replicas_from"] != m["replicas_to"]]
    evidence: dict[str, Any] = {"want": want, "opinions": opinions or [], "deployments": {}}
    if running is None:
        evidence["blind"] = True
    return Record(
        "tick",
        START + at,
        {
            "snapshot": {"at": instant, "signals": {"chat": readings}, "deployments": deployments},
            "plan": {"at": instant, "decisions": list(moves), "services": {"chat": evidence}},
            "writes": changed if writes else [],
        },
    )


def called(referee: Referee, *records: Record) -> list[str]:
    """Which checks call a foul on these records."""
    for seq, record in enumerate(records, 1):
        referee.recorded(record, seq)
    return [foul.check for foul in referee.fouls]


def a_pause(direction: str | None = None) -> Record:
    pause = {"service": "chat", "direction": direction, "until": "2026-11-21T13:00:00Z"}
    return Record("human", START, {"human": {"pauses": [pause], "overrides": []}})


def an_override(**limits: int) -> Record:
    override = {"service": "chat", "deployment": None, "until": None, **limits}
    return Record("human", START, {"human": {"pauses": [], "overrides": [override]}})


def test_a_fair_tick_is_no_foul() -> None:
    referee = a_referee()
    assert called(referee, a_tick(0, a_move(1, 2))) == []
    referee.sends("chat/a", exactly(2))
    assert referee.fouls == []


def test_a_write_that_no_record_names_is_foul() -> None:
    referee = a_referee()
    called(referee, a_tick(0, a_move(1, 2), writes=False))
    referee.sends("chat/a", exactly(2))
    assert [foul.check for foul in referee.fouls] == ["10"]


def test_a_second_write_of_one_plan_is_foul() -> None:
    referee = a_referee()
    called(referee, a_tick(0, a_move(1, 2)))
    referee.sends("chat/a", exactly(2))
    referee.sends("chat/a", exactly(2))
    assert [foul.check for foul in referee.fouls] == ["10"]


def test_another_count_than_the_journals_is_foul() -> None:
    referee = a_referee()
    called(referee, a_tick(0, a_move(1, 2)))
    referee.sends("chat/a", ReplicaRange(2, 3))
    assert [foul.check for foul in referee.fouls] == ["10"]


def test_a_write_after_its_process_ended_is_foul() -> None:
    referee = a_referee()
    called(referee, a_tick(0, a_move(1, 2)))
    referee.ended()
    referee.sends("chat/a", exactly(2))
    assert [foul.check for foul in referee.fouls] == ["10"]


def test_deciding_what_was_not_observed_is_foul() -> None:
    tick = a_tick(0, a_move(1, 2), seen={"a": (None, None)})  # type: ignore[dict-item]
    assert "1" in called(a_referee(), tick)


def test_starting_from_another_count_is_foul() -> None:
    assert called(a_referee(), a_tick(0, a_move(1, 3), seen={"a": (2, 2)})) == ["2"]


@pytest.mark.parametrize("words", [{"reason": "because"}, {"why": ""}])
def test_a_decision_without_a_reason_is_foul(words: dict[str, str]) -> None:
    assert called(a_referee(), a_tick(0, a_move(2, 2, **words))) == ["3"]


def test_a_count_above_the_maximum_is_foul() -> None:
    assert called(a_referee(a_place(max_replicas=2)), a_tick(0, a_move(2, 3))) == ["4"]


def test_a_step_towards_the_nearest_bound_is_fair() -> None:
    assert called(a_referee(a_place(max_replicas=2)), a_tick(0, a_move(5, 4))) == []


def test_a_decrease_while_blind_is_foul() -> None:
    assert called(a_referee(), a_tick(0, a_move(3, 2), running=None, want=None)) == ["5"]


def test_a_decrease_to_a_ceiling_while_blind_is_fair() -> None:
    opinions = [{"policy": "office", "kind": "schedule", "at_most": 2}]
    tick = a_tick(0, a_move(3, 2), running=None, want=None, opinions=opinions)
    assert called(a_referee(), tick) == []


def test_blindness_that_the_plan_does_not_admit_is_foul() -> None:
    tick = a_tick(0, a_move(3, 3), running=None, want=None)
    del tick.body["plan"]["services"]["chat"]["blind"]
    assert called(a_referee(), tick) == ["blind"]


def test_a_want_that_the_signals_do_not_give_is_foul() -> None:
    assert called(a_referee(), a_tick(0, a_move(3, 3), want=10.0)) == ["want"]


def test_going_below_min_replicas_is_foul() -> None:
    referee = a_referee(a_place(min_replicas=2))
    assert "6" in called(referee, a_tick(0, a_move(2, 1), running=0.0, want=0.0))


def test_staying_below_a_floor_without_an_obstacle_is_foul() -> None:
    referee = a_referee(a_place(min_replicas=2))
    assert called(referee, a_tick(0, a_move(1, 1, reason="hold"))) == ["6"]


def test_staying_below_a_floor_with_an_obstacle_is_fair() -> None:
    referee = a_referee(a_place(min_replicas=2))
    assert called(referee, a_tick(0, a_move(1, 1, reason="no_capacity"))) == []


def test_a_person_may_go_below_min_replicas() -> None:
    referee = a_referee(a_place(min_replicas=2))
    acts = an_override(at_most=1)
    assert called(referee, acts, a_tick(0, a_move(2, 1, reason="override"), running=0.0, want=0.0)) == []


def test_a_decrease_below_the_largest_want_of_the_window_is_foul() -> None:
    busy = a_tick(0, a_move(3, 3), running=32.0, want=40.0)
    quiet = a_tick(60, a_move(3, 2), running=0.0, want=0.0)
    assert set(called(a_referee(), busy, quiet)) == {"7"}


def test_a_decrease_after_the_window_is_fair() -> None:
    busy = a_tick(0, a_move(3, 3), running=32.0, want=40.0)
    quiet = a_tick(61, a_move(3, 2), running=0.0, want=0.0)
    assert called(a_referee(stabilise_down_s=60.0), busy, quiet) == []


def test_giving_back_what_serves_for_what_only_starts_is_foul() -> None:
    referee = a_referee(a_place("a"), a_place("b"))
    tick = a_tick(0, a_move(2, 0), a_move(2, 2, "b"), seen={"b": (2, 0)}, running=16.0, want=20.0)
    assert called(referee, tick) == ["7"]


def test_what_really_serves_counts_where_nobody_lies() -> None:
    referee = a_referee(a_place("a"), a_place("b"))
    referee.truth, referee.trusts = (lambda _: {"chat/a": 2, "chat/b": 0}), (lambda: True)
    assert called(referee, a_tick(0, a_move(2, 0), a_move(2, 2, "b"))) == ["7"]


def test_an_increase_beyond_the_budget_is_foul() -> None:
    referee = a_referee(budget_usd_per_hour=2.0)
    assert called(referee, a_tick(0, a_move(2, 3), running=40.0, want=50.0)) == ["8"]


def test_a_floor_may_exceed_the_budget() -> None:
    referee = a_referee(a_place(min_replicas=3), budget_usd_per_hour=2.0)
    assert called(referee, a_tick(0, a_move(2, 3), running=40.0, want=50.0)) == []


def test_a_deployment_that_nobody_configured_is_foul() -> None:
    tick = a_tick(0, a_move(1, 1), a_move(1, 2, "stranger"))
    assert "9" in called(a_referee(), tick)


def test_a_change_during_a_pause_is_foul() -> None:
    assert called(a_referee(), a_pause(), a_tick(0, a_move(1, 2))) == ["11"]


def test_an_increase_during_a_pause_downwards_is_fair() -> None:
    assert called(a_referee(), a_pause("down"), a_tick(0, a_move(1, 2))) == []


def test_a_write_that_leaves_after_a_pause_is_foul() -> None:
    referee = a_referee()
    called(referee, a_tick(0, a_move(1, 2)), a_pause())
    referee.sends("chat/a", exactly(2))
    assert [foul.check for foul in referee.fouls] == ["11"]


def test_a_change_of_what_somebody_else_has_just_set_is_foul() -> None:
    first, then = a_tick(0, a_move(1, 1)), a_tick(15, a_move(5, 4), seen={"a": (5, 5)})
    assert called(a_referee(), first, then) == ["drift"]


def test_resume_ends_hands_off() -> None:
    hands = Hands()
    hands.see("chat/a", (1, 1), 0.0, 600.0)
    hands.see("chat/a", (5, 5), 15.0, 600.0)
    assert hands.are_off("chat/a", 30.0)
    hands.resume(["chat"])
    assert not hands.are_off("chat/a", 30.0)


def test_what_we_meant_is_nobody_elses() -> None:
    hands = Hands()
    hands.see("chat/a", (1, 1), 0.0, 600.0)
    hands.meant("chat/a", (5, 5), 0.0)
    hands.see("chat/a", (5, 5), 15.0, 600.0)
    assert not hands.are_off("chat/a", 30.0)


def test_limits_fold_by_their_strength() -> None:
    opinions: list[dict[str, Any]] = [{"at_most": 1, "deployment": "a"}, {"at_least": 9}]
    each = {"a": limit_of(a_place(min_replicas=2), opinions, ())}
    assert (each["a"].low, each["a"].high) == (2, 2)
    total, _ = total_of(each, opinions, ())
    assert total.low == 6  # of the nine, what max_replicas allows
    total, _ = total_of(each, opinions, [{"at_most": 3}])
    assert (total.low, total.forced) == (3, 3)
