"""What a schedule does to decisions, through the same step that the daemon makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from autoscaler.core.codec import memory_from_json, memory_to_json
from autoscaler.core.decide import fold, step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.memory import Memory
from autoscaler.core.model import Observation, Outcome, OutcomeWord, Phase, Plan, Sample, Snapshot, exactly
from autoscaler.core.promises import violations
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.policies.schedule import Schedule
from tests.policies.schedules import ZURICH, a_schedule, instant

WEEKEND = (
    {"name": "Friday evening", "days": ["fri"], "start": "19:00", "exactly": 0},
    {"name": "Weekend", "days": ["sat", "sun"], "exactly": 0},
    {"name": "Monday morning", "days": ["mon"], "end": "07:00", "exactly": 0},
)
OFFICE = {
    "name": "Office hours",
    "days": ["mon", "tue", "wed", "thu", "fri"],
    "start": "08:00",
    "end": "19:00",
    "at_least": 3,
}


class AService:
    """A service at work: what was decided is there at the next tick, and memory is written and read back."""

    def __init__(
        self, schedule: Schedule, *, demand: bool = True, replicas: int = 0, **settings: Any
    ) -> None:
        own = (NamedPolicy("queue-depth", QueueDepth()),) if demand else ()
        service = Service(
            "chat",
            (*own, NamedPolicy("calendar", schedule)),
            (Deployment("chat", "a", "exo", 16.0, 6, start_up_s=settings.pop("start_up_s", 180.0)),),
            {"queued": SignalRule(60, True), "running": SignalRule(60)},
            **settings,
        )
        self.fleet = Fleet({"chat": service}, fixed_prices={"exo/gpua5000": 1.1})
        self.memory, self.replicas = Memory(), replicas
        self.plan: Plan | None = None

    def tick(self, at: float, signals: Mapping[str, float] | None = None) -> tuple[int, str]:
        """One tick; without signals nothing is known. What was decided, and the sentence for it."""
        word = Phase.READY if self.replicas else Phase.STOPPED
        seen = Observation(exactly(self.replicas), self.replicas, None, word, "gpua5000", 1)
        known = {name: Sample(value, at) for name, value in (signals or {}).items()}
        written = self.plan is not None and any(d.changes for d in self.plan.decisions)
        outcomes = (Outcome("chat", "a", OutcomeWord.ACCEPTED),) if written else ()
        snapshot = Snapshot(at, {"chat": known}, {"chat/a": seen}, {}, None, outcomes)
        self.plan, after = step(self.memory, snapshot, self.fleet)
        assert not violations(self.plan, snapshot, after.human, self.fleet)
        assert fold(self.memory, snapshot, self.plan, self.fleet) == after
        self.memory = memory_from_json(json.loads(json.dumps(memory_to_json(after))))
        (decision,) = self.plan.decisions
        assert decision.replicas_to is not None
        self.replicas = decision.replicas_to
        return decision.replicas_to, decision.why

    def reason(self) -> str:
        assert self.plan is not None
        return self.plan.decisions[0].reason


def test_a_service_is_off_all_weekend_though_its_signals_are_gone() -> None:
    service = AService(
        a_schedule(*WEEKEND), replicas=4, fallback_replicas=2, blind_after_s=300.0, stabilise_down_s=300.0
    )
    friday, monday = instant("2026-11-20 18:00", ZURICH), instant("2026-11-23 07:00", ZURICH)
    decided: dict[float, int] = {}
    at = friday
    while at < monday + 1800:
        outage = at >= instant("2026-11-20 18:30", ZURICH)
        decided[at] = service.tick(at, None if outage else {"queued": 0, "running": 60})[0]
        at += 60.0

    evening = instant("2026-11-20 19:00", ZURICH)
    assert {n for t, n in decided.items() if t < evening} <= {4, 5}
    assert {n for t, n in decided.items() if evening <= t < monday} == {0}
    assert decided[monday + 600] == 2  # What the fallback keeps from then on.


def test_the_reason_names_the_window() -> None:
    service = AService(a_schedule(*WEEKEND), replicas=4)
    service.tick(instant("2026-11-20 18:59:45", ZURICH), {"queued": 0, "running": 60})

    count, why = service.tick(instant("2026-11-20 19:00", ZURICH), {"queued": 0, "running": 60})

    assert (count, service.reason()) == (0, "schedule")
    assert "calendar: Friday evening (fri 19:00-24:00 Europe/Zurich) until sat 00:00" in why


def test_a_floor_is_there_before_its_window_and_stays_when_start_up_gets_faster() -> None:
    service = AService(a_schedule(OFFICE), demand=False, start_up_s=600.0)
    start = instant("2026-11-23 08:00", ZURICH)
    decided = {by: service.tick(start + by)[0] for by in range(-1200, 120, 15)}

    assert {n for by, n in decided.items() if by < -600} == {0}
    assert {n for by, n in decided.items() if by >= -600} == {3}


def test_the_lead_is_fixed_when_it_first_acts_whatever_is_learned_later() -> None:
    quick, slow = 60.0, 600.0
    schedule = a_schedule(OFFICE)
    service = AService(schedule, demand=False, start_up_s=slow)
    start = instant("2026-11-23 08:00", ZURICH)
    assert service.tick(start - 615)[0] == 0
    assert service.tick(start - 600)[0] == 3
    assert service.memory.services["chat"].policies["calendar"] == {"v": 1, "leads": {str(int(start)): slow}}

    service.fleet = AService(schedule, demand=False, start_up_s=quick).fleet
    told = [service.tick(start - 585 + by)[1] for by in range(0, 585, 15)]

    assert all("opened 600 s early" in why for why in told)
    assert service.replicas == 3
    service.tick(start)
    assert service.memory.services["chat"].policies.get("calendar", {}) == {}


def test_at_the_end_of_a_floor_demand_decides_again() -> None:
    service = AService(a_schedule(OFFICE), replicas=3, stabilise_down_s=300.0)
    end = instant("2026-11-23 19:00", ZURICH)
    for by in range(-900, 0, 15):
        assert service.tick(end + by, {"queued": 0, "running": 10})[0] == 3

    assert service.tick(end, {"queued": 0, "running": 10})[0] == 1


def test_a_ceiling_at_night_holds_against_demand_and_a_floor_of_another_schedule_beats_it() -> None:
    night = {"name": "Night", "start": "22:00", "end": "06:00", "at_most": 1}
    at = instant("2026-11-23 23:00", ZURICH)
    alone = AService(a_schedule(night), replicas=4)
    with_floor = AService(a_schedule(night, {"at_least": 2}), replicas=4)

    assert alone.tick(at, {"queued": 200, "running": 64})[0] == 1
    assert with_floor.tick(at, {"queued": 200, "running": 64})[0] == 2


def test_a_replayed_decision_is_the_same_from_a_schedule_that_knows_nothing() -> None:
    start = instant("2026-11-23 07:45", ZURICH)
    live = AService(a_schedule(OFFICE, *WEEKEND))
    plans = []
    for by in range(0, 1800, 15):
        live.tick(start + by, {"queued": 0, "running": 5})
        plans.append(live.plan)
    again = AService(a_schedule(OFFICE, *WEEKEND))
    for by, plan in zip(range(0, 1800, 15), plans, strict=True):
        again.fleet = AService(a_schedule(OFFICE, *WEEKEND)).fleet
        again.tick(start + by, {"queued": 0, "running": 5})
        assert again.plan == plan
