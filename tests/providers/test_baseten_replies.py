from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.model import Phase, ReplicaRange, exactly
from autoscaler.ports import BadReply, Ref, Rejected
from autoscaler.providers.baseten import calls, replies
from autoscaler.providers.baseten.instance_types import parse_priced, parse_types, prices_of
from autoscaler.providers.baseten.neutral import PHASES, phase_of, replicas_of, starting_of
from autoscaler.providers.baseten.replies import Listing, Unit
from autoscaler.providers.baseten.settings import BasetenIds
from autoscaler.providers.baseten.targets import Chainlet, ModelEnvironment, OneDeployment, target_of
from autoscaler.providers.baseten.zero import LEAST_BOUNDS, from_bounds, to_bounds
from tests.providers.baseten_support import (
    H100,
    LIVE,
    LLM,
    ONE,
    bounds,
    chain_deployment,
    chain_environment,
    chainlet,
    deployment,
    environment,
)

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

PARSERS: Final = (
    replies.parse_unit,
    replies.parse_deployments,
    replies.parse_environment,
    replies.parse_environments,
    replies.parse_chain_deployments,
    replies.parse_chain_environments,
    replies.parse_answer,
    replies.parse_success,
    replies.parse_starting,
    replies.parse_start_ups,
    lambda value: replies.parse_named(value, "models"),
    lambda value: replies.parse_deployment(value, "wxyz789"),
    parse_types,
    parse_priced,
)

GOOD: Final[tuple[Any, ...]] = (
    deployment(),
    environment(in_progress_promotion={"status": "RAMPING_UP", "percent_traffic_to_new_version": 5}),
    {"deployments": [deployment()], "environments": [environment()], "models": [{"id": "a", "name": "b"}]},
    {"deployments": [chain_deployment("cd", "production", chainlet("Llm"))]},
    {"environments": [chain_environment(chain_deployment("cd", "production"))]},
    {"instance_types": [{"instance_type": H100, "price": 0.1}, H100]},
    {"total_duration_ms": {"p50_ms": 1, "p90_ms": 2}},
    {"metric_descriptors": [{"name": calls.STARTING}], "metric_values": [{"values": [[1, None, 2]]}]},
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A good reply with one value anywhere replaced by anything."""

    def damage(value: Any) -> Any:
        if isinstance(value, dict) and value and draw(st.booleans()):
            key = draw(st.sampled_from(sorted(value)))
            return {**value, key: damage(value[key])}
        if isinstance(value, list) and value and draw(st.booleans()):
            return [damage(value[0]), *value[1:]]
        return draw(JSON)

    return damage(draw(st.sampled_from(GOOD)))


@given(JSON | damaged())
def test_any_reply_is_read_or_a_bad_reply(value: Any) -> None:
    for parse in PARSERS:
        with suppress(BadReply):
            parse(value)


@given(st.lists(st.sampled_from([deployment(), deployment(id="b"), deployment(status=5), {"name": "x"}])))
def test_every_entry_with_an_id_is_told_of(bodies: list[Any]) -> None:
    listing: Listing[Unit] = replies.parse_deployments({"deployments": bodies})

    assert set(listing.entries) == {body["id"] for body in bodies if "id" in body}
    assert listing.nameless == sum("id" not in body for body in bodies)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ...},
        {"id": ""},
        {"status": None},
        {"active_replica_count": -1},
        {"active_replica_count": 2.0},
        {"active_replica_count": True},
        {"active_replica_count": ...},
        {"autoscaling_settings": []},
        {"autoscaling_settings": {"min_replica": 1}},
        {"autoscaling_settings": bounds(3, 2)},
        {"autoscaling_settings": bounds(0, 10**9)},
    ],
)
def test_what_a_decision_rests_on_is_read_strictly(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadReply):
        replies.parse_unit(deployment(**wrong))


@pytest.mark.parametrize(
    "odd",
    [{"name": 5}, {"name": ...}, {"labels": 5}, {"created_at": ...}, {"region": "x"}, {"new_field": 1}],
)
def test_what_no_decision_rests_on_hides_nothing(odd: dict[str, Any]) -> None:
    assert replies.parse_unit(deployment(**odd)).bounds == (2, 2)


def test_six_fields_of_settings_are_as_good_as_eight() -> None:
    six = {key: value for key, value in bounds(1, 4).items() if value is not None}

    assert replies.parse_unit(deployment(autoscaling_settings=six)).bounds == (1, 4)


def test_an_environment_that_does_not_say_what_runs_is_a_bad_reply() -> None:
    with pytest.raises(BadReply, match="current_deployment"):
        replies.parse_environment(environment(current_deployment=...))

    assert replies.parse_environment(environment(current_deployment=None)).current is None


# --- phases and zero ------------------------------------------------------------------------------

COUNTS = st.integers(min_value=0, max_value=6)


@given(st.sampled_from([*sorted(PHASES), "NEW"]), COUNTS, COUNTS, COUNTS, st.booleans())
def test_ready_is_said_only_of_what_serves_as_asked(
    word: str, low: int, more: int, active: int, left_open: bool
) -> None:
    unit = Unit("d", "d", word, ReplicaRange(low, max(1, low + more)), active, "H100")
    replicas = replicas_of(unit, left_open=left_open)
    assert replicas is not None
    phase = phase_of(unit, replicas)

    assert (phase is Phase.UNKNOWN) is (word == "NEW")
    if phase is Phase.READY:
        assert word == "ACTIVE"
        assert replicas.minimum <= active <= replicas.maximum
        assert replicas.maximum > 0
    if phase is Phase.STOPPED:
        assert replicas.minimum == 0
    assert starting_of(unit, replicas) in (None, 1)


@given(COUNTS, COUNTS)
def test_what_is_sent_reads_back_as_what_was_asked(low: int, more: int) -> None:
    asked = ReplicaRange(low, low + more)
    sent = to_bounds(asked)

    assert sent.maximum >= 1
    assert from_bounds(sent, left_open=asked == LEAST_BOUNDS) == asked


def test_zero_needs_no_memory() -> None:
    assert from_bounds(to_bounds(exactly(0)), left_open=False) == exactly(0)


# --- figures --------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 900_000), st.sampled_from("XY")), max_size=8))
def test_a_price_is_the_replicas_per_hour_over_its_gpus(rows: list[tuple[int, int, str]]) -> None:
    items = [
        {"instance_type": {**H100, "name": f"n{n}", "gpu_type": gpu, "gpu_count": gpus}, "price": micro / 1e6}
        for n, (gpus, micro, gpu) in enumerate(rows)
    ]
    prices = prices_of(parse_priced({"instance_types": items}), at=5.0)

    for n, (gpus, micro, _) in enumerate(rows):
        assert (f"n{n}" in prices) is (gpus > 0 and micro > 0)
        if gpus and micro:
            assert math.isclose(prices[f"n{n}"].usd_per_gpu_hour * gpus, micro * 60 / 1e6, abs_tol=1e-8)
    for gpu in "XY":
        of_gpu = [
            (gpus, micro * 60 / 1e6 / gpus) for gpus, micro, one in rows if one == gpu and gpus and micro
        ]
        assert (gpu in prices) is bool(of_gpu)
        if of_gpu:
            assert math.isclose(prices[gpu].usd_per_gpu_hour, min(of_gpu)[1], abs_tol=1e-8)
            assert prices[gpu].gpu_type is None


@pytest.mark.parametrize(
    ("values", "found"),
    [([[2]], 2), ([[2, 1]], 3), ([[None]], None), ([[None, 1]], 1), ([[]], None), ([], None), ([[0]], 0)],
)
def test_starting_replicas_are_summed_over_their_labels(values: list[Any], found: int | None) -> None:
    body = {"metric_descriptors": [{"name": calls.STARTING}], "metric_values": [{"values": values}]}

    assert replies.parse_starting(body) == found


def test_another_metrics_column_is_not_ours() -> None:
    descriptors = [{"name": "baseten_replicas_active"}, {"name": calls.STARTING}]
    body = {"metric_descriptors": descriptors, "metric_values": [{"values": [[7], [1]]}]}

    assert replies.parse_starting(body) == 1
    assert replies.parse_starting({"metric_descriptors": [], "metric_values": []}) is None


@pytest.mark.parametrize("row", [[], [None], [None, None]])
def test_a_metric_without_data_does_not_say_that_nothing_starts(row: list[None]) -> None:
    body = {"metric_descriptors": [{"name": calls.STARTING}], "metric_values": [{"values": [row]}]}

    assert replies.parse_starting(body) is None


# --- which one ------------------------------------------------------------------------------------


def test_the_three_shapes_of_ids() -> None:
    assert target_of(ONE) == OneDeployment("abcd1234", "wxyz789")
    assert target_of(LIVE) == ModelEnvironment("abcd1234", "production")
    assert target_of(LLM) == Chainlet("chain1", "production", "Llm")


@given(st.dictionaries(st.sampled_from(sorted(BasetenIds.model_fields)), st.text(max_size=6)))
def test_ids_are_one_of_the_three_shapes_or_rejected(ids: dict[str, str]) -> None:
    with suppress(Rejected):
        target = target_of(Ref("chat/x", ids))
        path = calls.set_bounds(target, exactly(1)).path
        assert path.count("/") in (5, 6, 7)
        assert ".." not in path


def test_a_row_that_cannot_be_read_hides_no_other_price() -> None:
    rows: list[Any] = [
        {"instance_type": {**H100, "gpu_count": None}, "price": 0.1},
        {"instance_type": H100, "price": 0.1},
        {"price": 0.2},
        None,
    ]
    prices = prices_of(parse_priced({"instance_types": rows}), at=5.0)

    assert [price.usd_per_gpu_hour for price in prices.values()] == [6.0]
