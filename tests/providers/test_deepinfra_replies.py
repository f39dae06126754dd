"""Any reply of DeepInfra becomes facts or one of our errors, and never a leak."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from autoscaler.core.model import Observation, Phase, ReplicaRange, exactly
from autoscaler.ports import BadReply, Observed, ProviderError, Receipt
from autoscaler.providers.deepinfra.adapter import DeepInfra
from autoscaler.providers.deepinfra.replies import (
    PHASES,
    Entry,
    parse_entry,
    parse_listing,
    parse_one,
    parse_price_list,
    validation_text,
)
from autoscaler.providers.deepinfra.stock import prices_of
from tests.providers.deepinfra_support import (
    CHAT,
    OTHER,
    REF,
    TOKEN,
    WEIGHTS_TOKEN,
    deployment,
    gpu,
    legacy,
    settings,
)
from tests.providers.support import Recorder, raw_server
from tests.providers.test_http import everything_said


@pytest.mark.parametrize(
    ("word", "running", "pending", "minimum", "phase"),
    [
        ("initializing", 0, 1, 1, Phase.STARTING),
        ("downloading", 0, 1, 1, Phase.STARTING),
        ("deploying", 1, 1, 1, Phase.STARTING),
        ("running", 2, 0, 1, Phase.READY),
        ("running", 2, 0, 0, Phase.READY),
        ("running", 2, 1, 1, Phase.SCALING),
        ("running", 0, 1, 0, Phase.SCALING),
        ("running", 0, 0, 0, Phase.STOPPED),
        ("running", 0, 0, 1, Phase.UNKNOWN),
        ("running", None, None, 1, Phase.UNKNOWN),
        ("stopped", 0, 0, 1, Phase.STOPPED),
        ("stopped", 1, 0, 1, Phase.STOPPED),
        ("stopped", None, None, 0, Phase.STOPPED),
        ("failed", 0, 0, 1, Phase.FAILED),
        ("failed", 1, 0, 1, Phase.FAILED),
        ("deployed", 1, 0, 1, Phase.READY),
        ("pending", 0, 1, 1, Phase.STARTING),
        ("updating", 1, 0, 1, Phase.SCALING),
        ("stopping", 1, 0, 1, Phase.SCALING),
        ("Running", 1, 0, 1, Phase.UNKNOWN),
        ("hibernating", 0, 0, 0, Phase.UNKNOWN),
    ],
)
def test_a_status_word_has_one_meaning(
    word: str, running: int | None, pending: int | None, minimum: int, phase: Phase
) -> None:
    instances = None if running is None else {"running": running, "pending": pending}
    bounds = {"min_instances": minimum, "max_instances": 4}
    entry = parse_entry(deployment(status=word, instances=instances, settings=bounds))

    assert (entry.phase, entry.running, entry.pending) == (phase, running, pending)
    assert entry.replicas == ((0, 0) if word == "stopped" else (minimum, 4))


def test_every_word_of_the_vendors_filter_is_known() -> None:
    words = "initializing,downloading,deploying,running,stopped,failed,deleted"

    assert set(words.split(",")) <= PHASES.keys()


def test_a_deployment_is_read_as_the_vendor_documents_it() -> None:
    assert parse_entry(deployment()) == Entry(
        id=CHAT,
        name="acme/qwen3-32b",
        word="running",
        type="llm",
        bounds=ReplicaRange(1, 4),
        running=2,
        pending=0,
        gpu_type="H100-80GB",
        gpus_per_replica=2,
        model="Qwen/Qwen3-32B",
    )


@pytest.mark.parametrize("type_", ["legacy", ..., None, ""])
def test_a_deployment_without_a_type_is_legacy_and_not_ours(type_: Any) -> None:
    assert not parse_entry(legacy(type=type_, instances="odd", settings=7)).ours


@pytest.mark.parametrize("type_", ["llm", "lora", "tts", "video"])
def test_any_other_type_is_ours(type_: str) -> None:
    assert parse_entry(deployment(type=type_)).ours


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"status": ...}, "status"),
        ({"status": 1}, "status"),
        ({"status": ""}, "status"),
        ({"type": 5}, "type"),
        ({"instances": []}, "instances"),
        ({"instances": {"running": "2", "pending": 0}}, "running"),
        ({"instances": {"running": 2}}, "pending"),
        ({"instances": {"running": -1, "pending": 0}}, "running"),
        ({"settings": "1-4"}, "settings"),
        ({"settings": {"max_instances": 4}}, "min_instances"),
        ({"settings": {"min_instances": True, "max_instances": 4}}, "min_instances"),
        ({"settings": {"min_instances": 1, "max_instances": 10**9}}, "max_instances"),
        ({"settings": {"min_instances": 5, "max_instances": 4}}, "min_instances"),
        ({"config": 7}, "config"),
        ({"config": {"gpu": 7}}, "gpu"),
        ({"config": {"num_gpus": 0}}, "num_gpus"),
    ],
)
def test_a_deployment_that_cannot_be_read_names_the_field_and_hides_no_other(
    fields: dict[str, Any], named: str
) -> None:
    listing = parse_listing([deployment(deploy_id=OTHER), deployment(**fields)])

    assert isinstance(listing.entries[OTHER], Entry)
    bad = listing.entries[CHAT]
    assert isinstance(bad, BadReply)
    assert f"'{named}'" in str(bad)


def test_a_field_that_no_decision_needs_may_have_any_type() -> None:
    config = {"gpu": "other", "num_gpus": 1, "weights": "x", "max_batch_size": "?"}
    entry = parse_entry(deployment(model_name=7, fail_reason=[], version=None, task=3, config=config))

    assert (entry.name, entry.model, entry.fail_reason, entry.gpu_type) == ("", None, "", "other")


@pytest.mark.parametrize("body", [{}, {"deployments": []}, None, "x", 7])
def test_only_a_bare_list_is_a_list(body: Any) -> None:
    with pytest.raises(BadReply):
        parse_listing(body)


def test_the_token_of_the_weights_is_in_no_fact() -> None:
    entry = parse_entry(deployment(status="failed", fail_reason=f"cannot download with {WEIGHTS_TOKEN}"))

    assert entry.fail_reason == "cannot download with ***"
    assert WEIGHTS_TOKEN not in repr(entry)


def test_the_same_configuration_twice_is_the_first() -> None:
    told = parse_price_list({"gpus": [gpu("1xL4-24GB", 0.5), gpu("1xL4-24GB", 9.0, available=False)]})

    assert [(one.usd_per_hour, one.available) for one in told.configurations] == [(0.5, True)]


@pytest.mark.parametrize("usd", [0, 0.0, -1, "4.4", None, True, 10**400, [4.4]])
def test_a_price_that_is_none_leaves_the_stock_known(usd: Any) -> None:
    told = parse_price_list({"gpus": [gpu("2xH100-80GB", usd, available=False)]})

    assert [(one.usd_per_hour, one.available) for one in told.configurations] == [(None, False)]
    assert prices_of(told, 0.0) == {}


@pytest.mark.parametrize("name", ["", "H100-80GB", "0xH100", "xH100", "2x", "2x ", "-1xH100", "2.5xH100", 7])
def test_a_line_without_a_readable_name_is_told_and_left_out(name: Any) -> None:
    told = parse_price_list({"gpus": [gpu(name, 1.0), gpu("1xnew-GPU", 1.0)]})

    assert [one.name for one in told.configurations] == ["1xnew-GPU"]
    assert len(told.odd) == 1


@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from(["A", "B", "other"]), st.floats(0.01, 100)), max_size=8
    )
)
def test_a_type_costs_what_its_smallest_configuration_costs(lines: list[tuple[int, str, float]]) -> None:
    prices = prices_of(parse_price_list({"gpus": [gpu(f"{n}x{name}", usd) for n, name, usd in lines]}), 7.0)

    first: dict[tuple[str, int], float] = {}
    for n, name, usd in lines:
        first.setdefault((name, n), round(usd / n, 9))
    for (name, n), each in first.items():
        assert prices[f"{n}x{name}"].usd_per_gpu_hour == each
        assert (prices[f"{n}x{name}"].gpu_type, prices[f"{n}x{name}"].gpus) == (name, n)
        smallest = min(count for other, count in first if other == name)
        assert prices[name].usd_per_gpu_hour == first[name, smallest]
        assert prices[name].gpu_type is None
    assert len(prices) == len(first) + len({name for name, _ in first})


def test_what_is_wrong_with_a_request_is_told_by_field() -> None:
    body = {
        "detail": [
            {"loc": ["body", "settings", "max_instances"], "msg": "too many", "type": "value_error"},
            {"loc": ["query", 0], "msg": "odd"},
            {"msg": "no place"},
            {"loc": ["fourth"], "msg": "not shown"},
        ]
    }

    assert validation_text(body) == "settings.max_instances: too many; query.0: odd; no place"


# --- any reply ----------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from([10**30, 0.5, "", "running", "x\ud800", CHAT])
)
ANY = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["deploy_id", "gpus", "detail", "error", "loc"]), inner, max_size=3)
    ),
    max_leaves=5,
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "deploy_id": st.sampled_from([CHAT, OTHER]) | SCALARS,
        "status": st.sampled_from(["running", "stopped", "failed", "deleted", "odd"]) | ANY,
        "type": st.sampled_from(["llm", "legacy", "odd"]) | ANY,
        "instances": st.fixed_dictionaries({"running": SCALARS, "pending": SCALARS}) | ANY,
        "settings": st.fixed_dictionaries({"min_instances": SCALARS, "max_instances": SCALARS}) | ANY,
        "config": st.fixed_dictionaries({"gpu": SCALARS, "num_gpus": SCALARS, "weights": ANY}) | ANY,
        "fail_reason": st.just(f"token {TOKEN}") | ANY,
        "model_name": ANY,
    },
)
WHOLE = st.builds(
    lambda fields: deployment(**fields),
    st.dictionaries(st.sampled_from(["status", "type", "instances", "settings", "config"]), ANY, max_size=2),
)
BODIES = st.one_of(
    st.lists(ENTRIES | WHOLE | ANY, max_size=3),
    WHOLE,
    st.just({"deploy_id": CHAT}),
    st.fixed_dictionaries({"error": st.just(f"echo {TOKEN}") | ANY, "detail": ANY}),
    st.lists(st.fixed_dictionaries({"loc": ANY, "msg": st.just(f"echo {TOKEN}") | ANY}), max_size=2).map(
        lambda problems: {"detail": problems}
    ),
    st.lists(st.fixed_dictionaries({"gpu_config": ANY, "usd_per_hour": ANY}) | ANY, max_size=2).map(
        lambda lines: {"gpus": lines}
    ),
    ANY,
)
STATUSES = st.sampled_from([200, 200, 200, 201, 400, 401, 402, 404, 409, 422, 423, 429, 500])


@given(body=ENTRIES | WHOLE | ANY)
def test_any_entry_is_coherent_or_a_bad_reply(body: Any) -> None:
    try:
        entry = parse_entry(body, (TOKEN,))
    except BadReply:
        return
    assert TOKEN not in repr(entry)
    assert WEIGHTS_TOKEN not in repr(entry)
    assert entry.phase in set(Phase)
    assert entry.replicas is None or 0 <= entry.replicas.minimum <= entry.replicas.maximum
    assert (entry.running is None) == (entry.pending is None)
    assert parse_one(body, entry.id) == parse_entry(body)


@given(body=BODIES)
def test_any_price_list_is_read_or_a_bad_reply(body: Any) -> None:
    try:
        told = parse_price_list(body)
    except BadReply:
        return
    for key, price in prices_of(told, 0.0).items():
        assert key
        assert math.isfinite(price.usd_per_gpu_hour)
        assert price.usd_per_gpu_hour > 0


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
        provider = DeepInfra("di", settings(url.removesuffix("/v2")), SystemClock(), Recorder())
        try:
            for call in (
                provider.observe([REF]),
                provider.read(REF),
                provider.set_replicas(REF, exactly(1)),
                provider.set_replicas(REF, exactly(0)),
                provider.prices(),
                provider.inventory(),
            ):
                try:
                    result = await call
                except ProviderError as error:
                    said += everything_said(error)
                    continue
                said += repr(result)
                if isinstance(result, Observed):
                    assert set(result.deployments) == {REF.key}
                    for told in result.deployments.values():
                        assert isinstance(told, Observation | ProviderError)
                        said += everything_said(told) if isinstance(told, ProviderError) else ""
                else:
                    assert not isinstance(result, Receipt) or result.operation_id is None
        finally:
            await provider.close()
    assert TOKEN not in said
    assert WEIGHTS_TOKEN not in said
