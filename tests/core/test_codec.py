"""Section 7: what a line may hold, and what comes back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.codec import (
    BadLine,
    instant,
    instant_text,
    line_of_plan,
    memory_from_json,
    memory_to_json,
    plan_from_json,
    plan_to_json,
    snapshot_from_json,
    snapshot_to_json,
)
from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Absence,
    ErrorKind,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Override,
    Pause,
    Phase,
    Price,
    ReplicaRange,
    Sample,
    Snapshot,
    ZeroCapability,
    exactly,
)
from tests.core.run import chat_run

LINE: dict[str, Any] = {
    "at": "2026-11-21T12:00:00Z",
    "signals": {
        "chat": {
            "queued": {"value": 3, "at": "2026-11-21T11:59:58Z"},
            "running": {"value": 57, "at": "2026-11-21T11:59:58Z"},
        }
    },
    "deployments": {
        "chat/a": {
            "replicas_set": 4,
            "replicas_ready": 4,
            "phase": "ready",
            "gpu_type": "gpua5000",
            "gpus_per_replica": 1,
        }
    },
    "prices": {"exo/gpua5000": {"usd_per_gpu_hour": 1.10, "at": "2026-11-21T11:00:00Z"}},
}


def test_the_example_of_the_documentation_gives_its_decision() -> None:
    run = chat_run()
    plan = run.look(snapshot_from_json(LINE))

    assert line_of_plan(plan) == {
        "at": "2026-11-21T12:00:00Z",
        "decisions": [
            {
                "service": "chat",
                "deployment": "a",
                "replicas_from": 4,
                "replicas_to": 5,
                "reason": "queue_depth",
                "why": "60 requests at once need 5 replicas of 16 at 0.80",
            }
        ],
    }


def test_the_order_of_keys_in_an_output_line_is_fixed() -> None:
    text = json.dumps(line_of_plan(chat_run().look(snapshot_from_json(LINE))))

    assert text.index('"at"') < text.index('"decisions"')
    assert (
        text.index('"replicas_from"')
        < text.index('"replicas_to"')
        < text.index('"reason"')
        < text.index('"why"')
    )


def with_(path: str, value: Any) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(json.dumps(LINE))
    *parents, last = path.split(" ")
    place = line
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return line


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("at", None),
        ("at", 1795262400),
        ("at", "2026-11-21T12:00:00"),
        ("at", "noon"),
        ("signals", []),
        ("signals chat", 3),
        ("signals chat queued", 3),
        ("signals chat queued", {"value": 3}),
        ("signals chat queued value", -1),
        ("signals chat queued value", True),
        ("signals chat queued value", "3"),
        ("signals chat queued value", float("nan")),
        ("signals chat queued value", float("inf")),
        ("signals chat queued value", 10**400),
        ("deployments chat/a", None),
        ("deployments chat/a replicas_set", -1),
        ("deployments chat/a replicas_set", 1.5),
        ("deployments chat/a replicas_set", True),
        ("deployments chat/a replicas_set", 10_001),
        ("deployments chat/a range", [3, 2]),
        ("deployments chat/a range", [1]),
        ("deployments chat/a replicas_ready", "4"),
        ("deployments chat/a gpus_per_replica", 0),
        ("deployments chat/a native", 1),
        ("deployments chat/a error", "oops"),
        ("deployments chat/a phase", 7),
        ("deployments chat/a evidence", "x"),
        ("prices exo/gpua5000 usd_per_gpu_hour", -0.1),
        ("prices exo/gpua5000", {"usd_per_gpu_hour": 1.0}),
        ("human", []),
        ("human", {"pauses": {}}),
        ("human", {"pauses": [{"direction": "up"}]}),
        ("human", {"overrides": [{"deployment": "a"}]}),
        ("human", {"overrides": [{"service": "chat", "at_least": 4, "at_most": 2}]}),
        ("outcomes", {}),
        ("outcomes", [{"service": "chat", "deployment": "a", "outcome": "maybe"}]),
        ("clock", "sideways"),
    ],
)
def test_a_malformed_line_names_the_place_and_changes_nothing(path: str, value: Any) -> None:
    with pytest.raises(BadLine) as caught:
        snapshot_from_json(with_(path, value))

    assert path.split(" ", maxsplit=1)[0] in str(caught.value)


@pytest.mark.parametrize("line", [None, 3, "x", [], True, [LINE]])
def test_a_line_that_is_no_object_is_refused(line: Any) -> None:
    with pytest.raises(BadLine):
        snapshot_from_json(line)


def test_unknown_keys_services_and_deployments_are_ignored() -> None:
    line = with_("deployments other/x", {"replicas_set": 3})
    line["signals"]["other"] = {"queued": {"value": 1, "at": LINE["at"]}}
    line["weather"] = "fine"
    line["deployments"]["chat/a"]["colour"] = "red"

    assert (
        chat_run().look(snapshot_from_json(line)).decisions
        == chat_run().look(snapshot_from_json(LINE)).decisions
    )


def test_absent_is_not_known_and_never_zero() -> None:
    run = chat_run()
    run.look(snapshot_from_json({"at": LINE["at"]}))

    assert run.verdict() == (None, "provider_error")
    assert run.evidence().blind


def test_a_phase_that_we_do_not_know_is_unknown() -> None:
    seen = snapshot_from_json(with_("deployments chat/a phase", "hibernating")).deployments["chat/a"]

    assert seen.phase is Phase.UNKNOWN


def test_absent_outcomes_are_unknown_and_an_empty_list_is_none() -> None:
    assert snapshot_from_json(LINE).outcomes is None
    assert snapshot_from_json(with_("outcomes", [])).outcomes == ()


# --- there and back -------------------------------------------------------------------------------

counts = st.integers(0, 3)
times = st.integers(0, 10_000_000).map(lambda ms: round(1_795_262_400.0 + ms / 1000, 3))
texts = st.sampled_from(["", "chat", 'a "b"', "ü\n", "0" * 40])
observations = st.builds(
    Observation,
    replicas=st.none() | st.builds(lambda a, b: ReplicaRange(a, a + b), counts, counts),
    ready=st.none() | counts,
    starting=st.none() | counts,
    phase=st.sampled_from(Phase),
    gpu_type=st.none() | texts,
    gpus_per_replica=st.none() | st.integers(1, 8),
    instance_type=st.none() | texts,
    native=st.booleans(),
    wakes=st.booleans(),
    zero=st.sampled_from(ZeroCapability),
    available=st.none() | st.booleans(),
    busy=st.booleans(),
    start_up_p50_s=st.none() | st.sampled_from([0.0, 30.5]),
    start_up_p90_s=st.none() | st.sampled_from([0.0, 90.0]),
    error=st.none() | st.sampled_from(ErrorKind),
    evidence=st.lists(texts, max_size=2).map(tuple),
)
readings = st.builds(Sample, st.sampled_from([0.0, 0.1, 3.0, 1e300]), times) | st.builds(
    Absence, st.sampled_from(["nan", "missing"]), texts
)
humans = st.builds(
    Human,
    st.lists(
        st.builds(Pause, st.none() | texts, st.sampled_from([None, "down"]), st.none() | times), max_size=2
    ).map(tuple),
    st.lists(
        st.builds(lambda s, n, t: Override(s, None, n, n, t), texts, st.none() | counts, st.none() | times),
        max_size=2,
    ).map(tuple),
    st.lists(st.none() | texts, max_size=2).map(tuple),
)
snapshots = st.builds(
    Snapshot,
    at=times,
    signals=st.dictionaries(texts, st.dictionaries(texts, readings, max_size=2), max_size=2),
    deployments=st.dictionaries(texts, observations, max_size=2),
    prices=st.dictionaries(texts, st.builds(Price, st.sampled_from([0.0, 1.1]), times), max_size=2),
    human=st.none() | humans,
    outcomes=st.none()
    | st.lists(
        st.builds(
            Outcome,
            texts,
            texts,
            st.sampled_from(OutcomeWord),
            st.none() | st.sampled_from(ErrorKind),
            st.sampled_from([None, 0.0, 30.0]),
        ),
        max_size=2,
    ).map(tuple),
    clock=st.sampled_from([None, "back", "ahead"]),
)


@given(snapshots)
def test_a_snapshot_comes_back_from_its_line(snapshot: Snapshot) -> None:
    assert snapshot_from_json(json.loads(json.dumps(snapshot_to_json(snapshot), allow_nan=False))) == snapshot


@given(times)
def test_an_instant_comes_back_to_the_millisecond(at: float) -> None:
    assert instant(instant_text(at), "at") == at


@pytest.mark.parametrize(
    "text", ["2026-11-21T12:00:00.9996Z", "2026-11-21T13:00:00+01:00", "2026-11-21T12:00:00,5Z"]
)
def test_instants_in_other_spellings_are_read(text: str) -> None:
    assert abs(instant(text, "at") - 1_795_262_400.0) <= 1


def test_a_plan_with_evidence_comes_back() -> None:
    run = chat_run(step_up_replicas_max=1, budget_usd_per_hour=9.0).tick(3, 57, a=1)

    assert plan_from_json(json.loads(json.dumps(plan_to_json(run.plan)))) == run.plan


def test_an_empty_memory_comes_back() -> None:
    assert memory_from_json(memory_to_json(Memory())) == Memory()


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"version": 2}, {"version": 1, "services": 3}, {"version": 1, "deployments": {"a": {}}}],
)
def test_a_damaged_checkpoint_is_refused(body: Any) -> None:
    with pytest.raises(BadLine):
        memory_from_json(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts,
        lambda x: st.lists(x) | st.dictionaries(texts, x),
    )
)
def test_whatever_a_line_holds_it_is_read_or_refused(value: Any) -> None:
    for line in (
        value,
        {"at": LINE["at"], "signals": {"chat": value}},
        {"at": LINE["at"], "deployments": {"chat/a": value}},
    ):
        with suppress(BadLine):
            snapshot_from_json(line)


def test_a_float_that_is_whole_is_a_count() -> None:
    assert snapshot_from_json(with_("deployments chat/a replicas_set", 4.0)).deployments[
        "chat/a"
    ].replicas == exactly(4)
