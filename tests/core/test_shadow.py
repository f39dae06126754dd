"""Shadow policies: decided on the same signals, carried out on an imagined plant, accounted side by side."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.codec import plan_from_json, plan_to_json, snapshot_from_json, snapshot_to_json
from autoscaler.core.decide import step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    ErrorKind,
    Human,
    Observation,
    Override,
    Phase,
    Plan,
    ReplicaRange,
    Snapshot,
)
from autoscaler.core.shadow import Shadow, advance, begin, shadow_from_json, shadow_to_json
from autoscaler.policies.queue_depth import QueueDepth
from tests.core.fleets import Limit, Plant, a_fleet, a_service, a_snapshot, random_fleet, ranged, seen
from tests.core.run import Run

Record = tuple[Snapshot, Plan]


def alone(fleet: Fleet, *policies: NamedPolicy, service: str = "chat") -> Fleet:
    """The shadow of a service: these policies, or its own where none is given."""
    own = fleet.services[service]
    return replace(
        fleet,
        services={service: replace(own, policies=policies or own.policies, mode="act")},
        budget_usd_per_hour=None,
        config_hash="shadow",
    )


def queue(target: float = 0.8) -> NamedPolicy:
    return NamedPolicy("queue-depth", QueueDepth(target_utilisation=target))


class Lived:
    """A service whose real plant starts replicas in exactly ``start_up_s`` and takes every write."""

    def __init__(self, shadow: Fleet, fleet: Fleet, start_up_s: float = 60.0) -> None:
        self.run, self.alone, self.start_up_s = Run(fleet), shadow, start_up_s
        self.set, self.due = 2, [0.0, 0.0]
        self.shadow: Shadow | None = None
        self.records: list[Record] = []

    def tick(
        self, running: float | None, *, queued: float = 0.0, after: float = 15.0, **more: object
    ) -> Shadow:
        at = self.run.at + after
        ready = sum(1 for due in self.due if due <= at)
        snapshot = a_snapshot(
            at,
            queued,
            running,
            age_s=0.0,
            replicas=self.set,
            ready=ready,
            outcomes=self.run._accepted(),
            **more,  # type: ignore[arg-type]
        )
        plan = self.run.look(snapshot)
        (decision,) = plan.decisions
        if (
            decision.changes
            and decision.replicas_to is not None
            and self.run.fleet.services["chat"].mode == "act"
        ):
            self.set = decision.replicas_to
            self.due = sorted(self.due)[: self.set] + [at + self.start_up_s] * (self.set - len(self.due))
        return self.look(snapshot, plan)

    def look(self, snapshot: Snapshot, plan: Plan) -> Shadow:
        self.records.append((snapshot, plan))
        known = self.shadow or begin(snapshot, self.run.memory, self.alone)
        self.shadow, _ = advance(known, snapshot, plan, self.alone)
        return self.shadow


def a_day(lived: Lived, levels: Sequence[float], ticks: int = 20) -> Shadow:
    """Each level of demand for so many ticks."""
    for level in levels:
        for _ in range(ticks):
            last = lived.tick(level)
    return last


def service_60(**more: object) -> Fleet:
    """``chat`` on one deployment that starts in a minute, at 1.10 USD an hour for each replica."""
    more.setdefault("stabilise_down_s", 60.0)
    only = Deployment("chat", "a", "exo", 16.0, 6, start_up_s=60.0)
    return a_fleet(a_service(deployments=(only,), **more))  # type: ignore[arg-type]


# --- the account --------------------------------------------------------------------------------


def test_the_same_policies_have_the_same_account_and_never_differ() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet), fleet)

    shadow = a_day(lived, [10, 40, 70, 20, 0, 33, 90, 5])

    assert shadow.shadow == shadow.active
    assert shadow.active.changes >= 5
    assert shadow.active.short_s > 0
    assert shadow.differs_first is None
    assert shadow.differences == ()


def test_the_account_is_cost_and_missing_capacity_from_tick_to_tick() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet, queue(0.4)), fleet)

    lived.tick(20)  # 20 at 0.8 is 25: 2 replicas of 16. At 0.4 it is 50: 4 replicas, from 2.
    for _ in range(4):
        shadow = lived.tick(20)
    # What was asked for at the first tick is seen at the second, and serves 60 s after the first.
    assert shadow.active.usd == pytest.approx(60 / 3600 * 2 * 1.1)
    assert shadow.shadow.usd == pytest.approx((15 * 2 + 45 * 4) / 3600 * 1.1)
    assert shadow.shadow.replica_s == 15 * 2 + 45 * 4
    assert (shadow.active.changes, shadow.shadow.changes) == (0, 1)
    assert shadow.plant["chat/a"].ready == 4

    lived.tick(40)  # above the real 32, below the shadow's 64
    shadow = lived.tick(40)

    assert (shadow.active.short_s, shadow.active.short_capacity_s) == (15, 15 * 8)
    assert (shadow.shadow.short_s, shadow.shadow.short_capacity_s) == (0, 0)


def test_replicas_of_the_shadow_serve_after_the_learned_median_and_go_at_once() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet, NamedPolicy("five", Limit(at_least=5)), queue()), fleet)

    ready = [lived.tick(10).plant["chat/a"].ready for _ in range(6)]
    assert ready == [2, 2, 2, 2, 5, 5]

    lived.alone = alone(fleet, NamedPolicy("one", Limit(at_most=1)), queue())
    assert lived.tick(10).plant["chat/a"].running == 1


def test_a_difference_is_told_once_where_a_side_changes_something() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet, queue(0.4)), fleet)

    shadow = a_day(lived, [20], ticks=10)

    (one,) = shadow.differences
    assert (one.at, one.deployment) == (lived.records[0][0].at, "a")
    assert (one.active.replicas_to, one.active.reason) == (2, "hold")
    assert (one.shadow.replicas_from, one.shadow.replicas_to, one.shadow.reason) == (2, 4, "queue_depth")
    assert shadow.differs_first == lived.records[0][0].at
    assert shadow.differs_last == lived.records[-1][0].at


def test_in_a_gap_cost_goes_on_and_no_short_time_is_made_up() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet, queue(0.4)), fleet)
    lived.tick(60)
    short_s = lived.tick(60).active.short_s
    assert short_s > 0

    shadow = lived.tick(10, after=3600.0)

    assert shadow.unseen_s == 3600.0
    assert shadow.active.short_s == short_s
    assert shadow.active.usd == pytest.approx((15 * 2 + 3600 * 5) / 3600 * 1.1)


def test_a_service_that_only_observes_is_compared_with_what_really_runs() -> None:
    fleet = service_60(mode="observe")
    lived = Lived(alone(fleet), fleet)

    shadow = a_day(lived, [60], ticks=8)

    assert lived.set == 2
    assert (shadow.active.changes, shadow.shadow.changes) == (0, 1)
    assert shadow.plant["chat/a"].ready == 5
    assert shadow.differences == ()  # Both want 5; that one of them does not get it is in the account.


def test_a_decision_that_is_only_repeated_is_one_difference() -> None:
    fleet = service_60(mode="observe")
    lived = Lived(alone(fleet, queue(0.4)), fleet)

    shadow = a_day(lived, [40], ticks=8)

    told = [(one.active.replicas_to, one.shadow.replicas_from) for one in shadow.differences]
    assert told == [(4, 2), (4, 6)]  # The active one asks again and again; the shadow's has grown by then.


# --- the imagined plant -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "real",
    [
        seen(2, phase=Phase.FAILED, evidence=("out of memory",)),
        seen(2, phase=Phase.UNKNOWN),
        Observation(None, error=ErrorKind.UNAVAILABLE),
        replace(seen(2), error=ErrorKind.UNAUTHORIZED),
        replace(seen(2), available=False),
    ],
)
def test_what_is_in_the_way_of_the_real_deployment_is_in_the_shadows_way(real: Observation) -> None:
    fleet = service_60()
    lived = Lived(alone(fleet), fleet)
    lived.tick(20)

    shadow = lived.tick(80, deployments={"chat/a": real})

    assert shadow.wanted.get("a", 2) == 2
    assert shadow.plant["chat/a"].replicas == ReplicaRange(2, 2)


def test_a_range_is_imagined_to_run_what_the_vendor_runs_within_it() -> None:
    only = Deployment("chat", "a", "exo", 16.0, 6, control="floor", start_up_s=60.0)
    fleet = a_fleet(a_service(deployments=(only,)))
    lived = Lived(alone(fleet, NamedPolicy("cap", Limit(at_most=3)), queue()), fleet)

    lived.tick(20, deployments={"chat/a": ranged(2, 6, 2)})
    shadow = lived.tick(20, deployments={"chat/a": ranged(2, 6, 5)})

    assert shadow.plant["chat/a"].replicas == ReplicaRange(2, 3)
    assert shadow.plant["chat/a"].running == 3


def test_people_speak_to_the_shadow_too() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet), fleet)
    lived.tick(20)
    override = Override("chat", None, 5, None, None)

    shadow = lived.tick(20, human=Human(overrides=(override,)))

    assert shadow.wanted == {"a": 5}


def test_a_shadow_begun_under_an_override_knows_it() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet), fleet)
    lived.tick(20, human=Human(overrides=(Override("chat", None, None, 1, None),)))
    lived.shadow = None  # It is configured now, and nothing new is said by people.

    assert lived.tick(20).wanted == {"a": 1}


def test_a_failure_takes_from_the_shadow_what_it_takes_from_the_real_deployment() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet), fleet)
    lived.tick(20)
    failed = seen(2, 0, phase=Phase.FAILED)

    lived.tick(20, deployments={"chat/a": failed})
    shadow = lived.tick(20, deployments={"chat/a": failed})

    assert (shadow.active.short_s, shadow.shadow.short_s) == (15, 15)


def test_nothing_decreases_by_demand_before_the_shadow_has_seen_a_whole_window() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet, queue(1.0)), fleet)

    counts = [lived.tick(3).plant["chat/a"].running for _ in range(8)]

    assert counts[:4] == [2, 2, 2, 2]
    assert counts[-1] == 1


def test_imagined_start_ups_teach_nothing() -> None:
    fleet = service_60()
    lived = Lived(alone(fleet, queue(0.5)), fleet)

    shadow = a_day(lived, [10, 60, 10, 60, 10, 60, 10, 60, 10, 60, 10, 60, 10, 60])

    assert shadow.shadow.changes >= 12
    assert shadow.memory.deployments["chat/a"].start_ups_s == ()


# --- a fold -------------------------------------------------------------------------------------


def another(fleet: Fleet, rng: random.Random) -> dict[str, Fleet]:
    """A shadow for each service."""
    policies = (queue(rng.choice([0.3, 0.6, 1.0])), NamedPolicy("limit", Limit(at_most=rng.randint(0, 5))))
    return {name: alone(fleet, *policies[: rng.randint(1, 2)], service=name) for name in fleet.services}


def lived_with_faults(
    seed: int, ticks: int = 25
) -> tuple[dict[str, Fleet], list[Record], list[dict[str, Shadow]]]:
    """Shadows of a fleet in trouble: what the journal holds, and each shadow after each tick."""
    rng = random.Random(seed)
    fleet = random_fleet(rng)
    shadows = another(fleet, rng)
    plant = Plant(fleet, rng, faults=0.6)
    memory = Memory()
    records: list[Record] = []
    states: list[dict[str, Shadow]] = []
    for _ in range(ticks):
        snapshot = plant.snapshot()
        plan, memory = step(memory, snapshot, fleet)
        now = {}
        for name, one in shadows.items():
            known = states[-1][name] if states else begin(snapshot, memory, one)
            now[name], own = advance(known, snapshot, plan, one)
            assert [d.service for d in own.decisions] == [name] * len(own.decisions)
        records.append((snapshot, plan))
        states.append(now)
        plant.carry_out(plan)
    return shadows, records, states


def read_back(record: Record) -> Record:
    snapshot, plan = record
    return (
        snapshot_from_json(json.loads(json.dumps(snapshot_to_json(snapshot)))),
        plan_from_json(json.loads(json.dumps(plan_to_json(plan)))),
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 24))
def test_a_checkpoint_anywhere_and_the_tail_are_the_whole(seed: int, at: int) -> None:
    shadows, records, states = lived_with_faults(seed)
    for name, one in shadows.items():
        known = shadow_from_json(json.loads(json.dumps(shadow_to_json(states[at][name]))))
        assert known == states[at][name]
        for record in records[at + 1 :]:
            assert known is not None
            known, _ = advance(known, *read_back(record), one)
        assert known == states[-1][name]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_accounts_only_grow_and_remember_a_bounded_number_of_differences(seed: int) -> None:
    _, _, states = lived_with_faults(seed)
    for before, after in pairwise(states):
        for name, now in after.items():
            for was, one in ((before[name].active, now.active), (before[name].shadow, now.shadow)):
                assert one.usd >= was.usd
                assert one.short_s >= was.short_s
                assert one.changes >= was.changes
            assert len(now.differences) <= 10
            assert all(p.running <= p.replicas.maximum for p in now.plant.values())


def test_a_state_of_another_version_is_not_taken() -> None:
    body = shadow_to_json(Shadow("x", 1.0, 1.0))

    assert shadow_from_json({**body, "version": 2}) is None
