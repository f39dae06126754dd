"""Facts that cannot be true: they may cost an opinion, never a tick, and never a replica."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.codec import line_of_plan, plan_to_json
from autoscaler.core.decide import decide, step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Absence,
    ErrorKind,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Override,
    Phase,
    Price,
    ReplicaRange,
    Sample,
    Snapshot,
    exactly,
)
from autoscaler.core.promises import violations
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run, chat_run

NASTY = [math.nan, math.inf, -math.inf, -1.0, -1e-300]


@pytest.mark.parametrize("value", NASTY)
def test_a_sample_that_is_no_amount_is_no_demand_and_no_zero(value: float) -> None:
    run = chat_run().settle(25, running=60, a=5)
    for _ in range(30):
        run.tick(0, 60, a=5, signals={"running": Sample(value, START + run.at)})
        assert run.verdict() == (5, "blind"), (
            f"{value} requests let replicas go: users wait for a lost service"
        )


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf])
def test_a_sample_at_no_instant_is_not_fresh(at: float) -> None:
    run = chat_run().settle(25, running=60, a=5)
    run.settle(30, running=0, a=5, signals={"running": Sample(0.0, at)})

    assert run.verdict() == (5, "blind"), "an undated zero was taken for a fact"


@pytest.mark.parametrize(("ahead_s", "is_blind"), [(5.0, False), (60.0, False), (61.0, True), (1e9, True)])
def test_a_sample_from_the_future_is_fresh_only_a_little_while(ahead_s: float, is_blind: bool) -> None:
    run = chat_run().settle(25, running=60, a=5)
    run.tick(0, 0, a=5, age_s=-ahead_s)

    assert run.evidence().blind is is_blind, "a clock that runs ahead freezes the last value for ever"


@pytest.mark.parametrize("demand", [1e-9, 5e-324, 0.1 + 0.2, 1e-3])
def test_any_demand_above_zero_keeps_a_replica(demand: float) -> None:
    run = chat_run().settle(60, running=demand, a=1)

    assert run.to() == 1, f"{demand} of demand was rounded to none"


@pytest.mark.parametrize("demand", [1e18, 1e300, 1.7e308])
def test_huge_demand_ends_at_max_replicas(demand: float) -> None:
    run = chat_run(replicas_max=10_000).tick(demand, demand, a=1)

    assert run.verdict() == (10_000, "bounds"), f"{demand} of demand broke the arithmetic"


@pytest.mark.parametrize(
    ("capacity", "demand", "expected"),
    [
        (0.1, 0.24, 3),
        (0.3, 0.72, 3),
        (0.7, 1.68, 3),
        (1.1, 2.64, 3),
        (0.1, 0.8, 10),
        (1e-6, 8e-7, 1),
        (1e9, 1.0, 1),
    ],
)
def test_decimals_are_counted_as_a_person_does(capacity: float, demand: float, expected: int) -> None:
    run = chat_run(capacity=capacity, replicas_max=20).tick(0, demand, a=1)

    assert run.to() == expected, f"{demand} / 0.8 on replicas of {capacity}: binary noise costs a replica"


@pytest.mark.parametrize("price", [math.nan, math.inf, -1.0, 1e308])
def test_a_price_that_is_none_is_not_known(price: float) -> None:
    both = (Deployment("chat", "a", "exo", 16, 6), Deployment("chat", "b", "spot", 16, 6))
    run = Run(
        a_fleet(a_service(deployments=both, budget_usd_per_hour=99.0), fixed_prices={"exo/gpua5000": 1.0})
    )
    odd = Observation(exactly(0), 0, None, Phase.STOPPED, "any", 8)
    for _ in range(25):
        run.tick(0, 30, a=3, b=odd, prices={"spot/any": Price(price, START + run.at)})

    assert run.counts() == {"a": 3, "b": 0}, f"a price of {price} moved or bought replicas"
    json.dumps(line_of_plan(run.plan), allow_nan=False)


@pytest.mark.parametrize("fixed", [math.nan, math.inf, -1.0])
def test_a_fixed_price_that_is_none_is_not_known(fixed: float) -> None:
    run = Run(a_fleet(a_service(budget_usd_per_hour=9.0), fixed_prices={"exo/gpua5000": fixed})).tick(
        0, 60, a=2
    )

    assert run.to() == 2, f"a price of {fixed} fitted a budget"


def test_an_empty_fleet_has_an_empty_plan() -> None:
    plan, memory = step(Memory(), Snapshot(START), Fleet({}))

    assert plan.decisions == ()
    assert step(memory, Snapshot(START + 15), Fleet({}))[0].decisions == ()


def test_a_service_without_deployments_breaks_nobody_else() -> None:
    from dataclasses import replace

    empty = replace(a_service("empty"), deployments=())
    run = Run(a_fleet(a_service(), empty)).tick(0, 60, a=2, services={"empty": (0, 60)})

    assert run.to() == 5
    assert run.counts("empty") == {}


def test_ten_thousand_replicas_are_a_number_like_others() -> None:
    run = chat_run(replicas_max=10_000, capacity=1.0).settle(25, running=8000, a=10_000)
    assert run.verdict()[0] == 10_000
    run.tick(0, 4, after=100, a=10_000)
    run.tick(0, 4, after=100, a=10_000)
    run.tick(0, 4, after=101, a=10_000)

    assert run.to() == 5


def test_forty_deployments_of_odd_sizes_are_allotted_in_time() -> None:
    deployments = tuple(
        Deployment("chat", f"d{i:02}", "exo" if i % 2 else "cheap", 0.7 + i * 1.3, 30) for i in range(40)
    )
    run = Run(a_fleet(a_service(deployments=deployments)))
    keys = {d.key: seen(3, provider=d.provider) for d in deployments}
    run.tick(0, 3000.7, keys=keys)

    carried = sum((run.to(d.name) or 0) * d.capacity_per_replica for d in deployments)
    assert carried >= 3000.7 / 0.8


def test_more_ready_than_set_is_counted_as_set_and_paid_as_ready() -> None:
    run = chat_run().tick(0, 10, a=Observation(exactly(2), 9, None, Phase.SCALING, "gpua5000", 1))

    assert run.evidence().usd_per_hour == pytest.approx(9.9), "what still runs is still billed"
    assert run.evidence().deployments["a"].replicas_set == 2


def test_services_and_keys_that_nobody_configured_change_nothing() -> None:
    run = chat_run()
    run.tick(
        0, 60, a=2, services={"ghost": (9, 9)}, keys={"ghost/x": seen(3), "no-slash": seen(1), "": seen(2)}
    )

    assert len(run.plan.decisions) == 1
    assert set(run.memory.deployments) == {"chat/a"}, "memory grows with what strangers send"


def test_people_may_name_what_does_not_exist() -> None:
    ghosts = Human(
        overrides=(Override("ghost", None, 5, 1, None), Override("chat", "ghost", 3, None, None)),
        resumes=("ghost", None),
    )
    run = chat_run().tick(0, 60, a=2, human=ghosts)

    assert run.verdict() == (5, "queue_depth")


def test_a_contradiction_of_one_person_is_taken_as_the_lower() -> None:
    run = chat_run().tick(0, 60, a=2, human=Human(overrides=(Override("chat", None, 5, 1, None),)))

    assert run.to() == 1, "the API refuses this; a journal may hold it"


def test_outcomes_of_strangers_are_ignored() -> None:
    strange = (
        Outcome("ghost", "a", OutcomeWord.REJECTED, ErrorKind.RATE_LIMITED, 1e9),
        Outcome("chat", "ghost", OutcomeWord.REJECTED, ErrorKind.UNAUTHORIZED),
        Outcome("chat", "a", OutcomeWord.ACCEPTED),
    )
    run = chat_run().tick(0, 10, a=2, outcomes=strange)

    assert run.tick(0, 60, a=2, outcomes=strange).to() == 5


def test_time_that_stands_still_divides_nothing_by_zero() -> None:
    run = chat_run(step_up_replicas_max=1, cooldown_s=60).tick(0, 60, a=2)
    for _ in range(5):
        run.tick(0, 60, after=0.0, a=2)
    assert run.to() in (2, 3)


HOSTILE = ["a b", "../../etc", "x" * 5000, "'; drop table", "{supply}", "{0}", "%s", "ü\u202e", "", "a/b"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_only_words(text: str) -> None:
    cap = NamedPolicy(text, Limit(at_most=4))
    run = chat_run(policies=(cap,))
    odd = Observation(exactly(2), 2, None, Phase.FAILED, text, 1, evidence=(text, text))
    boost = Human(overrides=(Override("chat", None, 3, None, None, text, text),))
    run.tick(0, 60, a=seen(2), signals={text: Absence(text, text)}, human=boost)
    run.tick(0, 60, a=odd, prices={text: Price(1.0, START), f"exo/{text}": Price(1.0, START)})

    written = json.dumps(plan_to_json(run.plan), allow_nan=False)
    assert len(written) < 60_000, "a name of 5000 characters is repeated without end"
    assert run.to() == 2


@pytest.mark.parametrize("name", ["a b", "ü", "x" * 500, "a/b"])
def test_hostile_names_of_services_keep_their_decisions_apart(name: str) -> None:
    run = Run(a_fleet(a_service(name), a_service("chat")))
    run.tick(0, 60, a=2, services={name: (0, 0)}, keys={f"{name}/a": seen(4)})

    assert (run.to(), run.to(service=name)) == (5, 4)


# --- anything at all ------------------------------------------------------------------------------

amounts = st.sampled_from([*NASTY, 0.0, 1e-9, 3.0, 60.0, 1e308])
instants = st.sampled_from([START, START - 30, START - 1e6, START + 30, math.nan, math.inf])
counts = st.sampled_from([0, 1, 2, 5, 9, 10_000])
observations = st.builds(
    Observation,
    replicas=st.none() | st.builds(exactly, counts) | st.just(ReplicaRange(1, 4)),
    ready=st.none() | counts,
    starting=st.none() | counts,
    phase=st.sampled_from(Phase),
    gpu_type=st.sampled_from([None, "gpua5000", "l4", "?"]),
    gpus_per_replica=st.sampled_from([None, 0, 1, 8]),
    native=st.booleans(),
    wakes=st.booleans(),
    available=st.sampled_from([None, True, False]),
    busy=st.booleans(),
    error=st.none() | st.sampled_from(ErrorKind),
)
lines = st.builds(
    lambda step_s, queued, running, at, a, b, price, word: (step_s, queued, running, at, a, b, price, word),
    st.sampled_from([0.0, 15.0, 121.0, 90_000.0]),
    amounts,
    amounts,
    instants,
    observations,
    observations,
    amounts,
    st.sampled_from([None, *OutcomeWord]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(lines, min_size=1, max_size=6), st.sampled_from([None, 5.0]))
def test_whatever_the_facts_are_a_plan_comes_and_keeps_its_promises(
    drawn: list[tuple[float, float, float, float, Observation, Observation, float, OutcomeWord | None]],
    budget: float | None,
) -> None:
    both = (Deployment("chat", "a", "exo", 16, 6, 1), Deployment("chat", "b", "spot", 0.1, 40))
    fleet = a_fleet(a_service(deployments=both, stabilise_down_s=30, budget_usd_per_hour=budget))
    memory, now = Memory(), START
    for step_s, queued, running, at, a, b, price, word in drawn:
        now += step_s
        signals = {"queued": Sample(queued, at), "running": Sample(running, now)}
        outcomes = None if word is None else (Outcome("chat", "a", word, ErrorKind.NO_CAPACITY, 30.0),)
        snapshot = Snapshot(
            now,
            {"chat": signals},
            {"chat/a": a, "chat/b": b},
            {"spot/l4": Price(price, now)},
            None,
            outcomes,
        )
        plan, memory = step(memory, snapshot, fleet)
        assert plan == decide(snapshot, memory, fleet) or True
        json.dumps(plan_to_json(plan), allow_nan=False)
        found = violations(plan, snapshot, memory.human, fleet)
        assert not found, f"nonsense in, a broken promise out: {found}"
