from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autoscaler.core.exact import quotient, replicas_needed
from autoscaler.core.proposals import Proposal, View
from autoscaler.policies.queue_depth import QueueDepth
from tests.policies.views import AT, Plant, a_view, views_of

values = st.one_of(st.integers(0, 1000).map(float), st.floats(0, 1e308))
ages = st.sampled_from([5.0, 15.0, 20.0, 30.0, 45.0, 60.0, 75.0, 110.0])
pasts = st.dictionaries(ages, st.integers(0, 500).map(float), max_size=6)
policies = st.builds(
    QueueDepth,
    target_utilisation=st.sampled_from([0.1, 0.6, 0.8, 1.0]),
    service_s=st.sampled_from([None, 0.5, 30.0, 900.0]),
    drain_within_s=st.sampled_from([None, 1.0, 180.0]),
)
states = st.sampled_from([{}, {"v": 1, "service_s": 30.0}, {"v": 1, "service_s": 0.2}])
histories = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("queued", "running", "arrived_total", "started_total"), pasts)
)
signals_seen = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("queued", "running", "arrived_total", "started_total"), values)
)


def _ask(policy: QueueDepth, view: View) -> Proposal:
    (proposal,) = policy.propose(view)
    return proposal


def _want(policy: QueueDepth, view: View) -> float:
    want = _ask(policy, view).want
    assert want is not None
    return want


def _steady(queued: float = 260.0, running: float = 32.0) -> View:
    """The last minute of 1.5 arrivals a second of 30 s each on 32 places, in ticks of 15 s."""
    past = (15.0, 30.0, 45.0, 60.0, 75.0)
    served_per_s = 32 / 30
    return a_view(
        {"queued": queued, "running": running, "arrived_total": 9000, "started_total": 8000},
        history={
            "running": dict.fromkeys(past, 32.0),
            "queued": {age_s: queued - age_s * (1.5 - served_per_s) for age_s in past},
            "arrived_total": {age_s: 9000 - 1.5 * age_s for age_s in past},
            "started_total": {age_s: 8000 - served_per_s * age_s for age_s in past},
        },
    )


# --- the plain sum ------------------------------------------------------------------------------


def test_sixty_requests_at_once_want_75_at_80_percent() -> None:
    proposal = _ask(QueueDepth(), a_view({"queued": 3, "running": 57}))

    assert proposal.want == 75.0
    assert proposal.demand == 60.0
    assert not proposal.blind
    assert proposal.deployment is None
    assert proposal.idle_s == 300.0
    assert proposal.reason == "60 requests at once need {supply} at 0.80"


def test_decimal_demand_wants_no_replica_too_many() -> None:
    want = _want(QueueDepth(target_utilisation=0.6), a_view({"queued": 0, "running": 4.8}))

    assert want == 8.0
    assert _want(QueueDepth(target_utilisation=0.1), a_view({"queued": 0.1, "running": 0.2})) == 3.0


def test_no_demand_wants_nothing_and_says_so() -> None:
    proposal = _ask(QueueDepth(), a_view({"queued": 0, "running": 0}))

    assert (proposal.want, proposal.demand, proposal.blind) == (0.0, 0.0, False)
    assert proposal.reason == "queued and running are zero"


def test_next_to_no_demand_wants_a_replica() -> None:
    want = _want(QueueDepth(), a_view({"queued": 1e-9, "running": 0}))

    assert replicas_needed(want, 16.0) == 1


def test_signals_of_any_name_are_added_up() -> None:
    proposal = _ask(QueueDepth(signals=("tokens", "images")), a_view({"tokens": 30, "images": 10}))

    assert proposal.want == 50.0
    assert proposal.reason == "40 of tokens and images need {supply} at 0.80"


# --- blindness ----------------------------------------------------------------------------------


def test_a_known_queue_wants_its_part_while_running_is_unknown() -> None:
    view = a_view({"queued": 40}, missing={"running": "stale: 75 s old, 60 s allowed"})

    proposal = _ask(QueueDepth(), view)

    assert proposal.want == 50.0
    assert proposal.blind
    assert proposal.demand == 40.0
    assert proposal.reason == (
        "running is stale: 75 s old, 60 s allowed; what is known wants 50 of capacity at 0.80"
    )


def test_without_any_signal_nothing_is_wanted_and_the_policy_is_blind() -> None:
    view = a_view({}, missing={"queued": "error: HTTP 500", "running": "missing"})

    proposal = _ask(QueueDepth(), view)

    assert (proposal.want, proposal.demand, proposal.blind) == (None, None, True)
    assert proposal.reason == "queued has no value (error: HTTP 500) and running is missing"


def test_a_known_zero_beside_an_unknown_is_not_zero_demand() -> None:
    proposal = _ask(QueueDepth(), a_view({"queued": 0}))

    assert (proposal.want, proposal.demand, proposal.blind) == (0.0, None, True)


def test_what_only_a_running_replica_exports_is_no_blindness_while_none_is_ready() -> None:
    view = a_view({"queued": 40}, exists_at_zero=("queued",), replicas_ready=0)

    proposal = _ask(QueueDepth(), view)

    assert (proposal.want, proposal.demand, proposal.blind) == (50.0, 40.0, False)


def test_with_nothing_ready_and_nothing_exported_demand_is_zero() -> None:
    proposal = _ask(QueueDepth(), a_view({}, replicas_ready=0))

    assert (proposal.want, proposal.demand, proposal.blind) == (0.0, 0.0, False)
    assert "no replica is ready" in proposal.reason


def test_a_signal_that_exists_at_zero_is_missed_even_while_nothing_is_ready() -> None:
    view = a_view({}, exists_at_zero=("queued",), replicas_ready=0)

    proposal = _ask(QueueDepth(), view)

    assert (proposal.want, proposal.blind) == (None, True)


def test_not_knowing_what_is_ready_excuses_nothing() -> None:
    assert _ask(QueueDepth(), a_view({"queued": 40}, replicas_ready=None)).blind


@given(policies, signals_seen, histories, states, st.sampled_from([None, 1, 5]))
def test_a_missing_demand_signal_always_blinds_a_service_that_runs(
    policy: QueueDepth,
    seen: dict[str, float],
    history: dict[str, dict[float, float]],
    state: dict[str, Any],
    ready: int | None,
) -> None:
    proposal = _ask(policy, a_view(seen, history=history, state=state, replicas_ready=ready))

    assert proposal.blind == (not {"queued", "running"} <= seen.keys())
    assert proposal.blind or proposal.want is not None


# --- the queue that builds up while replicas start -----------------------------------------------


def test_with_counters_a_queue_of_260_wants_4_replicas_and_not_23() -> None:
    view = _steady()

    proposal = _ask(QueueDepth(), view)

    assert proposal.want == 58.0  # 45 at once, and 260 x 30 s of work within the start-up time of 600 s
    assert replicas_needed(proposal.want, 16.0) == 4
    assert proposal.demand == 292.0
    assert proposal.reason == "1.50 requests/s of 30 s and 260 queued need {supply} to drain within 600 s"
    assert replicas_needed(quotient(292.0, 0.8), 16.0) == 23


def test_a_short_queue_leaves_the_target_to_decide() -> None:
    proposal = _ask(QueueDepth(), _steady(queued=26.0))

    assert proposal.want == 56.25
    assert proposal.reason == "1.50 requests/s of 30 s and 26 queued need {supply} at 0.80"


def test_without_counters_the_growth_of_the_queue_tells_the_load() -> None:
    view = _steady()
    view = replace(view, signals={name: view.signals[name] for name in ("queued", "running")})

    assert _want(QueueDepth(service_s=30), view) == 58.0
    assert _ask(QueueDepth(service_s=30), view).reason == (
        "a load of 45 requests at once and 260 queued need {supply} to drain within 600 s"
    )
    assert _want(QueueDepth(), view) == 365.0  # neither counters nor service_s: the plain sum


def test_stale_counters_leave_the_service_time_that_was_learned() -> None:
    view = _steady()
    learned = QueueDepth().remember({}, view)
    gauges = replace(view, signals={name: view.signals[name] for name in ("queued", "running")})

    assert learned == {"v": 1, "service_s": 30.0}
    assert QueueDepth().remember(learned, gauges) == learned
    assert _want(QueueDepth(), replace(gauges, state=learned)) == 58.0


def test_the_learned_service_time_serves_while_nothing_runs() -> None:
    history = {"arrived_total": {15.0 * i: 1000 - 22.5 * i for i in range(1, 5)}}
    view = a_view(
        {"queued": 90, "arrived_total": 1000},
        history=history,
        exists_at_zero=("queued", "arrived_total"),
        replicas_ready=0,
        state={"v": 1, "service_s": 30.0},
    )

    proposal = _ask(QueueDepth(), view)

    assert not proposal.blind
    assert proposal.want == 56.25


def test_measured_counters_win_over_service_s() -> None:
    assert _want(QueueDepth(service_s=300), _steady()) == 58.0


def test_before_half_a_minute_of_counters_the_plain_sum_speaks() -> None:
    view = a_view(
        {"queued": 40, "running": 24, "arrived_total": 100, "started_total": 60},
        history={"arrived_total": {15.0: 80}, "started_total": {15.0: 50}, "running": {15.0: 20}},
    )

    assert _want(QueueDepth(), view) == 80.0


def test_counters_that_start_again_keep_the_want() -> None:
    view = _steady()
    history = {
        name: tuple(
            replace(sample, value=sample.value + (50_000 if sample.at < AT - 20 and "total" in name else 0))
            for sample in samples
        )
        for name, samples in view.history.items()
    }

    assert _want(QueueDepth(), replace(view, history=history)) == 58.0


def test_a_standstill_of_starts_leaves_what_was_learned() -> None:
    view = _steady()
    stuck = dict(view.history) | {
        "started_total": tuple(replace(s, value=8000.0) for s in view.history["started_total"])
    }
    view = replace(view, history=stuck)

    assert QueueDepth().remember({"v": 1, "service_s": 30.0}, view) == {"v": 1, "service_s": 30.0}
    assert QueueDepth().remember({}, view) == {}
    assert _want(QueueDepth(), view) == 365.0
    assert _want(QueueDepth(service_s=30), view) == 58.0


@pytest.mark.parametrize(
    ("queued", "told"),
    [
        (1, "1 request needs {supply} at 0.80"),
        (2, "2 requests at once need {supply} at 0.80"),
        (12.345, "12.3 requests at once need {supply} at 0.80"),
        (1234, "1234 requests at once need {supply} at 0.80"),
        (1234.5, "1234 requests at once need {supply} at 0.80"),
    ],
)
def test_requests_are_counted_as_a_person_writes_them(queued: float, told: str) -> None:
    (proposal,) = QueueDepth().propose(a_view({"queued": queued, "running": 0}))

    assert proposal.reason == told


def test_what_was_learned_wins_over_service_s_while_nothing_is_measured() -> None:
    view = a_view({"queued": 260, "running": 32}, state={"v": 1, "service_s": 30.0})

    assert _want(QueueDepth(service_s=300), view) == _want(QueueDepth(service_s=30), replace(view, state={}))


def test_a_load_that_ended_does_not_take_the_place_of_requests_that_run() -> None:
    # Requests of 10 minutes: nobody came for a minute, and 40 still run.
    past = (15.0, 30.0, 45.0, 60.0)
    view = a_view(
        {"queued": 0, "running": 40, "arrived_total": 500, "started_total": 500},
        history={
            "running": dict.fromkeys(past, 40.0),
            "arrived_total": dict.fromkeys(past, 500.0),
            "started_total": dict.fromkeys(past, 500.0),
        },
        state={"v": 1, "service_s": 600.0},
    )

    proposal = _ask(QueueDepth(), view)

    assert proposal.want == 40.0
    assert proposal.reason == "40 requests running need {supply}"


def test_draining_faster_than_a_request_runs_is_not_tried() -> None:
    view = a_view({"queued": 100, "running": 0}, history={"queued": {60.0: 100.0}})

    assert _want(QueueDepth(service_s=600, drain_within_s=60), view) == 100.0


def test_a_start_up_time_of_zero_is_no_division_by_zero() -> None:
    view = a_view({"queued": 100, "running": 0}, start_up_p90_s=0.0)

    assert _want(QueueDepth(service_s=30), view) == 100.0


def test_requests_too_short_for_the_gauges_are_demand() -> None:
    past = (15.0, 30.0, 45.0, 60.0)
    view = a_view(
        {"queued": 0, "running": 0, "arrived_total": 120, "started_total": 120},
        history={"arrived_total": {age_s: 120 - age_s for age_s in past}},
    )

    proposal = _ask(QueueDepth(service_s=0.1), view)

    assert proposal.want == 0.125
    assert proposal.demand == 0.1


def test_other_signals_are_added_to_the_load() -> None:
    view = _steady(queued=26.0)
    view = replace(view, signals={**view.signals, "batch": replace(view.signals["queued"], value=15.0)})

    assert _want(QueueDepth(signals=("queued", "running", "batch")), view) == 75.0


def test_renamed_signals_play_no_roles() -> None:
    view = _steady()
    view = replace(view, signals={**view.signals, "waiting": view.signals["queued"]})
    policy = QueueDepth(signals=("waiting", "running"), service_s=30)

    assert _want(policy, view) == 365.0
    assert policy.remember({}, view) == {}
    assert not policy.knows_service_time(["started_total"])


def test_it_is_told_when_a_queue_would_be_counted_in_full() -> None:
    assert QueueDepth(service_s=30).knows_service_time(["queued", "running"])
    assert QueueDepth().knows_service_time(["queued", "running", "started_total"])
    assert not QueueDepth().knows_service_time(["queued", "running"])


def _run(policy: QueueDepth, counters: bool) -> list[tuple[float, int, int, float]]:
    """Time, replicas wanted, replicas by the plain sum, queue; 1.5 a second on 32 places, 64 after 600 s."""
    plant = Plant(30.0, capacity_at=lambda t: 32 if t < 600 else 64, rate_at=lambda t: 1.5)
    state: Any = {}
    seen: list[tuple[float, int, int, float]] = []
    for view in views_of(plant, until_s=1500, interval_s=15, counters=counters, start_up_p90_s=600):
        want = _want(policy, replace(view, state=state))
        state = policy.remember(state, view)
        plain = quotient(view.signals["queued"].value + view.signals["running"].value, 0.8)
        queue = view.signals["queued"].value
        seen.append((plant.now, replicas_needed(want, 16), replicas_needed(plain, 16), queue))
    return seen


@pytest.mark.parametrize(
    ("policy", "counters"),
    [(QueueDepth(), True), (QueueDepth(service_s=30), False)],
    ids=["counters", "service_s"],
)
def test_four_replicas_are_wanted_throughout_a_start_up_of_ten_minutes(
    policy: QueueDepth, counters: bool
) -> None:
    seen = _run(policy, counters)

    assert {wanted for now, wanted, _, _ in seen if now >= 75} == {4}
    assert max(wanted for _, wanted, _, _ in seen) == 4
    assert max(plain for _, _, plain, _ in seen) == 23
    assert 240 <= max(queue for _, _, _, queue in seen) <= 265
    assert seen[-1][3] == 0


# --- limits of what may be configured -----------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        {"signals": []},
        {"signals": ["queued", "queued"]},
        {"signals": "queued"},
        {"signals": [f"s{i}" for i in range(17)]},
        {"signals": [""]},
        {"target_utilisation": 0},
        {"target_utilisation": 1.01},
        {"target_utilisation": "0.8"},
        {"target_utilisation": True},
        {"target_utilisation": float("nan")},
        {"idle_s": -1},
        {"idle_s": 2_592_001},
        {"drain_within_s": 0},
        {"service_s": 0},
        {"service": 30},
    ],
)
def test_what_makes_no_sense_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        QueueDepth.model_validate(table)


def test_whole_numbers_and_bounds_are_taken() -> None:
    policy = QueueDepth.model_validate(
        {"signals": ["queued"], "target_utilisation": 1, "idle_s": 0, "drain_within_s": 600, "service_s": 30}
    )

    assert policy.signals_read() == ("queued",)
    assert policy.demand
    assert policy.kind == "queue_depth"
    assert policy.history_s == 120.0


# --- properties ---------------------------------------------------------------------------------


@given(policies, signals_seen, histories, states, st.sampled_from([None, 0, 3]), st.floats(0, 1e6))
def test_a_want_is_a_finite_number_not_below_zero(
    policy: QueueDepth,
    seen: dict[str, float],
    history: dict[str, dict[float, float]],
    state: dict[str, Any],
    ready: int | None,
    start_up_s: float,
) -> None:
    view = a_view(seen, history=history, state=state, replicas_ready=ready, start_up_p90_s=start_up_s)

    proposal = _ask(policy, view)

    assert proposal.want is None or 0.0 <= proposal.want < float("inf")
    assert proposal.demand is None or 0.0 <= proposal.demand < float("inf")
    assert len(proposal.reason) < 500
    if proposal.demand and not proposal.blind:
        assert proposal.want is not None
        assert replicas_needed(proposal.want, 16.0) >= 1


@given(policies, histories, states, values, values, values)
def test_a_longer_queue_never_wants_less(
    policy: QueueDepth,
    history: dict[str, dict[float, float]],
    state: dict[str, Any],
    running: float,
    queued: float,
    more: float,
) -> None:
    shorter, longer = sorted((queued, more))
    counters = {"arrived_total": 600.0, "started_total": 600.0}

    def want(queued: float) -> float:
        return _want(
            policy, a_view({"queued": queued, "running": running, **counters}, history=history, state=state)
        )

    assert want(shorter) <= want(longer)


@given(policies, histories, states, values, values, values)
def test_more_requests_running_never_want_less(
    policy: QueueDepth,
    history: dict[str, dict[float, float]],
    state: dict[str, Any],
    queued: float,
    running: float,
    more: float,
) -> None:
    fewer, many = sorted((running, more))
    # With the service time given; a measured one may fall to what is known when a fall of `running` ends.
    history.pop("started_total", None)

    def want(running: float) -> float:
        seen = {"queued": queued, "running": running, "arrived_total": 600.0}
        return _want(policy, a_view(seen, history=history, state=state))

    assert want(fewer) <= want(many)


@given(values, values, st.sampled_from(["queued", "running"]))
def test_what_becomes_known_never_lowers_the_plain_want(queued: float, running: float, hidden: str) -> None:
    seen = {"queued": queued, "running": running}
    part = {name: value for name, value in seen.items() if name != hidden}

    assert _want(QueueDepth(), a_view(part)) <= _want(QueueDepth(), a_view(seen))


@given(
    policies,
    signals_seen,
    histories,
    st.one_of(states, st.dictionaries(st.text(max_size=9), st.text(max_size=9))),
)
def test_what_is_remembered_is_small_json_and_the_same_view_teaches_nothing_twice(
    policy: QueueDepth, seen: dict[str, float], history: dict[str, dict[float, float]], state: dict[str, Any]
) -> None:
    view = a_view(seen, history=history)

    once = policy.remember(state, view)

    assert json.loads(json.dumps(once, allow_nan=False)) == once
    assert len(json.dumps(once)) < 100
    assert once == {} or 0.001 <= once["service_s"] <= 86_400
    assert policy.remember(once, view) == once


@given(policies, signals_seen, histories, states)
def test_remembering_before_or_after_proposing_makes_no_difference(
    policy: QueueDepth, seen: dict[str, float], history: dict[str, dict[float, float]], state: dict[str, Any]
) -> None:
    before = a_view(seen, history=history, state=state)
    after = replace(before, state=policy.remember(state, before))

    assert policy.propose(before) == policy.propose(after)


@pytest.mark.parametrize(
    "state",
    [
        {"v": 2, "service_s": 30.0},
        {"v": 1},
        {"v": 1, "service_s": True},
        {"v": 1, "service_s": "30"},
        {"v": 1, "service_s": float("nan")},
        {"service_s": 30.0},
    ],
)
def test_a_state_that_is_not_ours_is_forgotten(state: dict[str, Any]) -> None:
    view = a_view({"queued": 40, "running": 24}, state=state)

    assert _want(QueueDepth(), view) == 80.0
    assert QueueDepth().remember(state, view) == {}


def test_counts_that_no_float_can_add_up_are_not_learned_from() -> None:
    past = (30.0, 60.0, 90.0)
    view = a_view(
        {"queued": 1, "running": 1.7e308, "started_total": 1e308},
        history={
            "running": dict.fromkeys(past, 1.7e308),
            "started_total": {30.0: 0.0, 60.0: 1.7e308, 90.0: 0.0},
        },
    )

    assert QueueDepth().remember({}, view) == {}


def test_starts_are_counted_over_the_time_in_which_running_was_seen() -> None:
    # `running` came 30 s ago, with the first replica; the gateway has counted starts for longer.
    view = a_view(
        {"queued": 0, "running": 16, "started_total": 32},
        history={
            "running": {15.0: 16.0, 30.0: 16.0},
            "started_total": {15.0: 24.0, 30.0: 16.0, 45.0: 16.0, 60.0: 16.0},
        },
    )

    assert QueueDepth().remember({}, view) == {"v": 1, "service_s": 30.0}


def test_a_rise_from_nothing_does_not_lower_the_learned_service_time() -> None:
    view = a_view(
        {"queued": 100, "running": 16, "arrived_total": 116, "started_total": 16},
        history={
            "running": dict.fromkeys((15.0, 30.0, 45.0, 60.0), 0.0),
            "started_total": dict.fromkeys((15.0, 30.0, 45.0, 60.0), 0.0),
        },
    )

    assert QueueDepth().remember({"v": 1, "service_s": 30.0}, view) == {"v": 1, "service_s": 30.0}
    assert QueueDepth().remember({}, view) == {"v": 1, "service_s": 7.5}
