"""The answer to "why", as a text that a colleague understands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.cli.terminal.transcript import MEANING, render
from autoscaler.core.decide import step
from autoscaler.core.fleet import NamedPolicy
from autoscaler.core.memory import Memory
from autoscaler.core.model import REASONS, Absence, ErrorKind, Human, Observation, Override, Phase, Snapshot
from autoscaler.daemon.explain import explain
from autoscaler.policies.schedule import Schedule
from tests.core.fleets import START, a_fleet, a_service, a_snapshot, seen


def why(*snapshots: Snapshot, **settings: Any) -> Mapping[str, Any]:
    """The explanation of the last of these ticks, as it comes out of JSON."""
    fleet = a_fleet(a_service(**settings))
    memory = before = Memory()
    plan = None
    for snapshot in snapshots:
        before = memory
        plan, memory = step(memory, snapshot, fleet)
    assert plan is not None
    found: Mapping[str, Any] = json.loads(json.dumps(explain("chat", snapshots[-1], plan, before, fleet)))
    return found


def test_an_increase_is_told_from_facts_to_what_would_have_changed_it() -> None:
    text = render(why(a_snapshot(0, 3, 57)))

    assert text.startswith(
        "chat at 2026-11-21 12:00:00 UTC\n\nDecision\n  a: 4 -> 5 replicas, because queue_depth"
    )
    for line in (
        "    60 requests at once need 5 replicas of 16 at 0.80",
        "  queued:  3 (2 s old)",
        "  a: 4 replicas set, 4 ready",
        "    1.10 USD per GPU-hour, 1 gpua5000 per replica",
        "  queue-depth: wants capacity 75: 60 requests at once need capacity 75 at 0.80",
        "  need: capacity 75, the largest want of the last 5 min",
        "  service: 0 to 6 replicas",
        "  none held anything back",
        "  6 replicas from 62 running; now 57 (bounds)",
    ):
        assert line in text.splitlines(), text


def test_a_hold_says_what_would_have_ended_it_and_what_would_not() -> None:
    ticks = [a_snapshot(at, 0, 57, replicas=5) for at in (0, 15)]
    lines = render(why(*ticks, replicas_max=8)).splitlines()

    assert "  6 replicas from 65 running; now 57 (queue_depth)" in lines
    assert "  no smaller running that was tried changes it" in lines


def test_a_policy_that_said_nothing_is_named() -> None:
    closed = Schedule.model_validate(
        {"time_zone": "UTC", "windows": [{"start": "20:00", "end": "21:00", "at_least": 6}]}
    )
    lines = render(why(a_snapshot(0, 0, 57), policies=(NamedPolicy("evening", closed),))).splitlines()

    assert "  evening: said nothing" in lines
    assert (
        "  6 replicas from 2026-11-21T19:57:00Z on by the schedule, with the facts of now (schedule)" in lines
    )


def test_a_guard_and_what_it_did_are_told() -> None:
    text = render(why(a_snapshot(0, 30, 60), step_up_replicas_max=1))

    assert "  a: step made 6 into 5: at most 1 more within 60 s" in text.splitlines()
    assert "because step (a limit on how much may change at a time)" in text


def test_a_signal_that_is_absent_or_stale_is_told() -> None:
    snapshot = a_snapshot(0, None, 5, age_s=90)
    signals = {"chat": {**snapshot.signals["chat"], "queued": Absence("timeout", "source prom")}}
    text = render(why(replace(snapshot, signals=signals)))

    assert "  queued:  not known: timeout (source prom)" in text.splitlines()
    assert "  running: 5 (1 min 30 s old, stale: at most 1 min is fresh)" in text.splitlines()
    assert "blind" in text


def test_log_lines_of_a_failed_deployment_are_shown() -> None:
    failed = seen(2, 0, phase=Phase.FAILED, evidence=("CUDA out of memory", "exit code 1"))
    text = render(why(a_snapshot(0, 3, 57, deployments={"chat/a": failed})))

    assert "    | CUDA out of memory\n    | exit code 1" in text
    assert "failed" in text


def test_a_deployment_that_could_not_be_read_is_told_with_what_was_last_known() -> None:
    unread = Observation(None, phase=Phase.UNKNOWN, error=ErrorKind.UNAVAILABLE)
    text = render(why(a_snapshot(0), a_snapshot(15, deployments={"chat/a": unread})))

    assert (
        "  a: no decision, because provider_error (the vendor could not be read, or refuses)"
        in text.splitlines()
    )
    assert "could not be read (unavailable), last known 4 replicas set" in text


def test_a_person_is_named() -> None:
    human = Human(overrides=(Override("chat", None, 6, None, START + 900, "launch day", "anna"),))
    text = render(why(a_snapshot(0, 3, 10, human=human)))

    assert "override by anna: launch day" in text
    assert "an override by a person is in force" in text


def test_a_thinned_tick_shows_its_decisions_and_says_so() -> None:
    whole = why(a_snapshot(0, 3, 57))
    text = render({"service": "chat", "at": whole["at"], "decisions": whole["decisions"], "thinned": True})

    assert "4 -> 5 replicas" in text
    assert "over 7 days old" in text
    assert "Facts" not in text


def test_every_reason_of_the_core_has_words() -> None:
    assert set(MEANING) == REASONS


@given(
    st.sets(
        st.sampled_from(
            [
                "mode",
                "signals",
                "deployments",
                "decisions",
                "evidence",
                "settings",
                "brake",
                "counterfactuals",
                "unsaid",
                "silent",
            ]
        )
    )
)
def test_what_is_missing_is_left_out(missing: set[str]) -> None:
    whole = why(a_snapshot(0, 3, 57))

    assert render({key: value for key, value in whole.items() if key not in missing}).startswith("chat at ")
