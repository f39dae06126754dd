"""Any reply of the vendor becomes facts or one of our errors, and never a leak."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from autoscaler.core.model import Observation, Phase, exactly
from autoscaler.ports import (
    BadReply,
    Busy,
    NotFound,
    Observed,
    ProviderError,
    Receipt,
    Rejected,
    Unauthorized,
    Unavailable,
)
from autoscaler.providers.exoscale.adapter import Exoscale
from autoscaler.providers.exoscale.replies import (
    Entry,
    parse_entry,
    parse_families,
    parse_listing,
    parse_logs,
    parse_operation,
)
from tests.providers.support import (
    CHAT,
    OPERATION,
    OTHER,
    REF,
    SECRET,
    Recorder,
    deployment,
    raw_server,
    settings,
)
from tests.providers.test_http import everything_said


@pytest.mark.parametrize(
    ("word", "replicas", "phase", "ready"),
    [
        ("creating", 2, Phase.STARTING, None),
        ("preparing", 2, Phase.STARTING, None),
        ("deploying", 2, Phase.STARTING, None),
        ("scaling", 2, Phase.SCALING, None),
        ("updating", 2, Phase.SCALING, None),
        ("ready", 2, Phase.READY, 2),
        ("ready", 0, Phase.STOPPED, 0),
        ("scaling", 0, Phase.SCALING, None),
        ("error", 2, Phase.FAILED, None),
        ("hibernating", 2, Phase.UNKNOWN, None),
        ("hibernating", 0, Phase.UNKNOWN, None),
    ],
)
def test_a_state_word_has_one_meaning(word: str, replicas: int, phase: Phase, ready: int | None) -> None:
    entry = parse_entry(deployment(state=word, replicas=replicas))

    assert (entry.phase, entry.ready) == (phase, ready)


def test_the_least_entry_that_the_seeds_promise_is_readable() -> None:
    entry = parse_entry({"id": CHAT.upper(), "status": "ready", "replicas": 1})

    assert (entry.id, entry.phase, entry.ours) == (CHAT, Phase.READY, True)
    assert (entry.gpu_type, entry.gpus_per_replica, entry.model) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"replicas": "2"}, "replicas"),
        ({"replicas": -1}, "replicas"),
        ({"replicas": None}, "replicas"),
        ({"replicas": ...}, "replicas"),
        ({"replicas": True}, "replicas"),
        ({"state": 1}, "state"),
        ({"state": ...}, "state"),
        ({"gpu_count": 0}, "gpu-count"),
        ({"gpu_type": 5}, "gpu-type"),
        ({"visibility": ["public"]}, "visibility"),
    ],
)
def test_a_deployment_that_cannot_be_read_names_the_field_and_hides_no_other(
    fields: dict[str, Any], named: str
) -> None:
    listing = parse_listing({"deployments": [deployment(id=OTHER), deployment(**fields)]})

    assert isinstance(listing.entries[OTHER], Entry)
    bad = listing.entries[CHAT]
    assert isinstance(bad, BadReply)
    assert f"'{named}'" in str(bad)


def test_a_field_that_no_decision_needs_may_have_any_type() -> None:
    entry = parse_entry(deployment(name=7, model="x", deployment_url=None, state_details=[], service_level=1))

    assert (entry.name, entry.model, entry.details) == ("", None, "")


@pytest.mark.parametrize("visibility", ["public", "shared", "PUBLIC"])
def test_only_private_deployments_are_ours(visibility: str) -> None:
    assert not parse_entry(deployment(visibility=visibility)).ours


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("busy", Busy),
        ("conflict", Busy),
        ("unavailable", Unavailable),
        ("interrupted", Unavailable),
        ("fault", Unavailable),
        ("unknown", Unavailable),
        ("incorrect", Rejected),
        ("unsupported", Rejected),
        ("partial", Rejected),
        ("forbidden", Unauthorized),
        ("not-found", NotFound),
        ("moonphase", Unavailable),
        (None, Unavailable),
    ],
)
@pytest.mark.parametrize("word", ["failure", "timeout"])
def test_why_an_operation_failed_is_one_of_our_errors(
    word: str, reason: str | None, error: type[ProviderError]
) -> None:
    operation = parse_operation(
        {"id": OPERATION, "state": word, "reason": reason, "message": f"x {SECRET}"}, [SECRET]
    )

    assert type(operation.error) is error
    assert str(operation.error).endswith("x ***")


def test_an_operation_word_that_we_do_not_know_is_no_end() -> None:
    assert parse_operation({"id": OPERATION, "state": "queued"}).state == "unknown"


def test_log_lines_keep_their_order_and_lose_what_is_no_line() -> None:
    logs = {"logs": [{"time": "t1", "node": "n", "message": "a"}, 7, {}, {"message": "b"}]}

    assert parse_logs(logs) == ("t1 a", "b")


def test_families_say_what_the_account_may_use() -> None:
    body = {
        "instance-types": [
            {"family": "gpu3", "authorized": False},
            {"family": "gpua5000", "authorized": True},
        ]
    }

    assert parse_families(body) == {"gpu3": False, "gpua5000": True}


# --- any reply ----------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from([10**30, 0.5, "", "ready", "x\ud800", CHAT])
)
ANY = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "state", "detail", "error", "logs"]), inner, max_size=3)
    ),
    max_leaves=5,
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([CHAT, CHAT.upper(), OTHER, "x"]) | SCALARS,
        "state": st.sampled_from(["ready", "scaling", "error", "odd"]) | ANY,
        "replicas": st.integers(-1, 3) | ANY,
        "visibility": st.sampled_from(["private", "public"]) | ANY,
        "gpu-count": ANY,
        "gpu-type": ANY,
        "state-details": st.just(f"key {SECRET}") | ANY,
        "model": ANY,
    },
)
BODIES = st.one_of(
    st.lists(ENTRIES | ANY, max_size=3).map(lambda entries: {"deployments": entries}),
    st.fixed_dictionaries(
        {"id": SCALARS, "state": st.sampled_from(["pending", "success", "failure", "odd"])}
    ),
    st.fixed_dictionaries({"error": st.just(f"echo {SECRET}") | ANY, "detail": ANY}),
    ANY,
)
STATUSES = st.sampled_from([200, 200, 200, 201, 400, 401, 404, 409, 412, 429, 500])


@given(body=BODIES, status=STATUSES, cut=st.booleans())
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_any_reply_is_an_observation_or_one_of_our_errors(body: Any, status: int, cut: bool) -> None:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    reply = head.encode() + (content[:-1] if cut else content)
    said = ""
    async with raw_server(reply) as (url, _):
        provider = Exoscale("exo", settings(url), SystemClock(), Recorder())
        try:
            for call in (provider.observe([REF]), provider.read(REF), provider.set_replicas(REF, exactly(1))):
                try:
                    result = await call
                except ProviderError as error:
                    said += everything_said(error)
                    continue
                assert isinstance(result, Observed | Observation | Receipt)
                said += repr(result)
                if isinstance(result, Observed):
                    assert set(result.deployments) == {REF.key}
                    for told in result.deployments.values():
                        assert isinstance(told, Observation | ProviderError)
                        said += everything_said(told) if isinstance(told, ProviderError) else ""
        finally:
            await provider.close()
    assert SECRET not in said
