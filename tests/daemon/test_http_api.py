"""The HTTP API over a real socket: who may do what, what is refused and how."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.model import Human, Override, Pause
from autoscaler.daemon import bodies
from autoscaler.daemon.report import ControlError, Invalid
from autoscaler.ports import JournalError
from tests.daemon.daemon_double import ADMIN, PUSH, KeptDaemon, bearer, served
from tests.daemon.reports import AT, Case, Member, a_report

NOW = AT + 7
WHO = {"for_s": 600, "reason": "launch day", "actor": "anna"}


def a_daemon() -> KeptDaemon:
    members = [Member("exo-a5000", low=1, high=6), Member("di-h100", provider="di", high=4)]
    return KeptDaemon(a_report(Case("chat", members=members), Case("embed")))


WRITES = [
    ("POST", "/v1/pause", WHO),
    ("POST", "/v1/resume", WHO),
    ("POST", "/v1/services/chat/override", {"replicas": 3, **WHO}),
    ("DELETE", "/v1/services/chat/override", None),
    ("POST", "/v1/signals/chat/queued", {"value": 3}),
]


# --- who may ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_write_without_a_token_or_with_a_wrong_one_is_401(
    method: str, path: str, body: object
) -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        for headers in ({}, bearer("wrong"), bearer(""), {"Authorization": f"Basic {ADMIN}"}, bearer("ä€")):
            async with client.request(method, path, json=body, headers=headers) as reply:
                assert reply.status == 401
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")
                assert "error" in await reply.json()
    assert daemon.acts == []


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_write_is_403_where_no_token_is_configured(method: str, path: str, body: object) -> None:
    daemon = a_daemon()
    async with served(daemon, admin=None, push="") as client:
        for headers in ({}, bearer(ADMIN), bearer("")):
            async with client.request(method, path, json=body, headers=headers) as reply:
                assert reply.status == 403
    assert daemon.acts == []


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_the_admin_token_may_do_everything(method: str, path: str, body: object) -> None:
    daemon = a_daemon()
    async with (
        served(daemon) as client,
        client.request(method, path, json=body, headers=bearer(ADMIN)) as reply,
    ):
        assert reply.status == 200
    assert len(daemon.acts) == 1


@pytest.mark.parametrize(("method", "path", "body"), WRITES[:-1])
async def test_the_push_token_pushes_and_does_nothing_else(method: str, path: str, body: object) -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        async with client.request(method, path, json=body, headers=bearer(PUSH)) as reply:
            assert reply.status == 401
        async with client.post("/v1/signals/chat/queued", json={"value": 3}, headers=bearer(PUSH)) as reply:
            assert reply.status == 200
    assert daemon.acts == [("push", "chat", "queued", 3.0, NOW)]


async def test_without_an_admin_token_a_push_token_still_pushes_and_acts_are_403() -> None:
    async with served(a_daemon(), admin=None) as client:
        async with client.post("/v1/signals/chat/queued", json={"value": 3}, headers=bearer(PUSH)) as reply:
            assert reply.status == 200
        async with client.post("/v1/pause", json=WHO, headers=bearer(PUSH)) as reply:
            assert reply.status == 403


async def test_without_a_push_token_the_admin_token_pushes() -> None:
    async with served(a_daemon(), push=None) as client:
        async with client.post("/v1/signals/chat/queued", json={"value": 3}, headers=bearer(ADMIN)) as reply:
            assert reply.status == 200
        async with client.post("/v1/signals/chat/queued", json={"value": 3}) as reply:
            assert reply.status == 401


# --- acts ------------------------------------------------------------------------------------


async def posted(client: TestClient[Any, Any], path: str, body: object) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client.post(path, data=data, headers=bearer(ADMIN)) as reply:
        return reply.status, await reply.json()


async def test_a_pause_says_until_when_by_whom_and_why() -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        code, body = await posted(client, "/v1/pause", {"service": "chat", "direction": "down", **WHO})

    assert code == 200
    assert daemon.acts == [(Pause("chat", "down", NOW + 600, "launch day", "anna"),)]
    assert body == {
        "service": "chat",
        "direction": "down",
        "until": "2026-11-21T12:10:07Z",
        "reason": "launch day",
        "actor": "anna",
    }


async def test_a_pause_without_a_service_is_the_fleets() -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        assert (await posted(client, "/v1/pause", {"service": None, **WHO}))[0] == 200
        assert (await posted(client, "/v1/resume", b""))[0] == 200

    assert daemon.acts == [
        (Pause(None, None, NOW + 600, "launch day", "anna"),),
        ("resume", None, None, "", ""),
    ]


async def test_an_exact_override_is_a_floor_and_a_ceiling() -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        body = {"replicas": 0, "deployment": "exo-a5000", **WHO}  # below min_replicas is allowed
        assert (await posted(client, "/v1/services/chat/override", body))[0] == 200
        assert (await posted(client, "/v1/services/chat/override", {"at_least": 10, **WHO}))[0] == 200

    assert daemon.acts == [
        (Override("chat", "exo-a5000", 0, 0, NOW + 600, "launch day", "anna"),),
        (Override("chat", None, 10, None, NOW + 600, "launch day", "anna"),),
    ]


@pytest.mark.parametrize(
    ("limits", "bounds"),
    [
        ({"replicas": 11}, {"min_replicas": 1, "max_replicas": 10}),
        ({"at_least": 7, "deployment": "exo-a5000"}, {"min_replicas": 1, "max_replicas": 6}),
        ({"at_most": 5, "deployment": "di-h100"}, {"min_replicas": 0, "max_replicas": 4}),
    ],
)
async def test_an_override_above_max_replicas_is_409_with_the_bounds(
    limits: dict[str, Any], bounds: dict[str, int]
) -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        code, body = await posted(client, "/v1/services/chat/override", {**limits, **WHO})

    assert (code, body["allowed"]) == (409, bounds)
    assert "max_replicas" in body["error"]
    assert daemon.acts == []


async def test_an_override_ends_by_delete_without_a_body() -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        path = "/v1/services/chat/override"
        async with client.delete(path, headers=bearer(ADMIN)) as reply:
            assert reply.status == 200
        async with client.delete(path + "?deployment=di-h100", headers=bearer(ADMIN)) as reply:
            assert reply.status == 200
        async with client.delete(path, json={"deployment": "di-h100"}, headers=bearer(ADMIN)) as reply:
            assert reply.status == 200

    assert [act[2] for act in daemon.acts] == [None, "di-h100", "di-h100"]


async def test_a_push_may_be_dated_with_a_zone() -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        path = "/v1/signals/chat/queued"
        assert (await posted(client, path, {"value": 3, "at": "2026-11-21T13:00:00+01:00"}))[0] == 200
        assert (await posted(client, path, {"value": 0.5, "at": AT - 1}))[0] == 200
        assert (await posted(client, path, {"value": 3, "at": "2026-11-21T12:00:00"}))[0] == 400

    assert [act[3:] for act in daemon.acts] == [(3.0, AT), (0.5, AT - 1)]


@pytest.mark.parametrize(
    ("path", "body", "known"),
    [
        ("/v1/services/nope/override", {"replicas": 1, **WHO}, ["chat", "embed"]),
        ("/v1/services/chat/override", {"replicas": 1, "deployment": "x", **WHO}, ["di-h100", "exo-a5000"]),
        ("/v1/pause", {"service": "nope", **WHO}, ["chat", "embed"]),
        ("/v1/resume", {"service": "nope"}, ["chat", "embed"]),
        ("/v1/signals/nope/queued", {"value": 1}, ["chat", "embed"]),
        ("/v1/signals/chat/nope", {"value": 1}, ["queued", "running"]),
    ],
)
async def test_an_unknown_name_is_404_and_lists_the_known_ones(
    path: str, body: object, known: list[str]
) -> None:
    async with served(a_daemon()) as client:
        code, answer = await posted(client, path, body)

    assert (code, answer["allowed"]) == (404, known)


OVERRIDE = "/v1/services/chat/override"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/pause", b"", "JSON"),
        ("/v1/pause", b"\xff", "JSON"),
        ("/v1/pause", b"[1]", "object"),
        ("/v1/pause", b"[" * 5000, "JSON"),
        ("/v1/pause", {"for_s": 60, "reason": "x"}, "actor is missing"),
        ("/v1/pause", {**WHO, "for_s": 0}, "for_s"),
        ("/v1/pause", {**WHO, "for_s": 2_592_001}, "for_s"),
        ("/v1/pause", {**WHO, "for_s": True}, "for_s must be a number"),
        ("/v1/pause", {**WHO, "for_s": "60"}, "for_s must be a number"),
        ("/v1/pause", {**WHO, "for_s": float("nan")}, "NaN"),
        ("/v1/pause", b'{"for_s": 1e999, "reason": "x", "actor": "y"}', "for_s"),
        ("/v1/pause", b'{"for_s": 60, "for_s": 61, "reason": "x", "actor": "y"}', "twice"),
        ("/v1/pause", {**WHO, "direction": "up"}, "direction"),
        ("/v1/pause", {**WHO, "direction": 0}, "direction"),
        ("/v1/pause", {**WHO, "reason": ""}, "reason"),
        ("/v1/pause", {**WHO, "actor": "a\nb"}, "actor"),
        ("/v1/pause", {**WHO, "actor": "\ud800"}, "JSON"),
        ("/v1/pause", {**WHO, "until": 5}, "unknown key"),
        (OVERRIDE, WHO, "no limit"),
        (OVERRIDE, {**WHO, "replicas": 1, "at_most": 1}, "excludes"),
        (OVERRIDE, {**WHO, "at_least": 3, "at_most": 2}, "above"),
        (OVERRIDE, {**WHO, "replicas": -1}, "replicas"),
        (OVERRIDE, {**WHO, "replicas": 10_001}, "replicas"),
        (OVERRIDE, {**WHO, "replicas": True}, "whole number"),
        (OVERRIDE, {**WHO, "replicas": 2.0}, "whole number"),
        ("/v1/signals/chat/queued", {}, "value is missing"),
        ("/v1/signals/chat/queued", {"value": -1}, "value"),
        ("/v1/signals/chat/queued", {"value": False}, "value"),
        ("/v1/signals/chat/queued", {"value": 1, "at": "soon"}, "at is no instant"),
    ],
)
async def test_a_wrong_body_is_400_and_says_what_is_allowed(path: str, body: object, said: str) -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        code, answer = await posted(client, path, body)

    assert code == 400
    assert said in answer["error"]
    assert answer["allowed"]
    assert daemon.acts == []


async def test_an_unknown_key_is_refused_with_the_allowed_ones_named() -> None:
    async with served(a_daemon()) as client:
        _, answer = await posted(client, "/v1/signals/chat/queued", {"value": 1, "vaule": 2})

    assert answer == {"error": 'unknown key "vaule"', "allowed": ["at", "value"]}


async def test_a_body_over_64_kib_is_refused() -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        code, answer = await posted(client, "/v1/pause", {**WHO, "reason": "x" * 70_000})

    assert (code, daemon.acts) == (413, [])
    assert "65536" in answer["allowed"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "value",
    "at",
    "service",
    "direction",
    "for_s",
    "reason",
    "actor",
    "replicas",
    "at_least",
    "at_most",
    "deployment",
)


def as_json(body: object) -> bytes:
    return json.dumps(body).encode()


BODIES = st.one_of(
    st.binary(max_size=40),
    st.dictionaries(st.sampled_from(KEYS), JSON_VALUES, max_size=8).map(as_json),
    # Mostly right, so that the later checks are reached too.
    st.dictionaries(st.sampled_from(KEYS), JSON_VALUES, max_size=3).map(
        lambda body: as_json({**WHO, **body})
    ),
    JSON_VALUES.map(as_json),
)


@settings(max_examples=300, deadline=None)
@given(raw=BODIES)
def test_no_body_whatever_is_more_than_a_refusal(raw: bytes) -> None:
    refusals: list[type[ControlError]] = []
    for read in (
        lambda: bodies.read_pause(raw, NOW),
        lambda: bodies.read_resume(raw),
        lambda: bodies.read_override(raw, "chat", NOW),
        lambda: bodies.read_clear(raw, {}),
        lambda: bodies.read_push(raw, NOW),
    ):
        try:
            read()
        except ControlError as refusal:
            refusals.append(type(refusal))
            json.dumps([str(refusal), getattr(refusal, "allowed", None)], ensure_ascii=False).encode()
    assert set(refusals) <= {Invalid}


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=30) | st.from_regex(r"-?\d{1,13}[smhd.]?\d{0,7}", fullmatch=True))
def test_no_instant_whatever_is_more_than_a_refusal(text: str) -> None:
    try:
        at = bodies.parse_at(text, NOW)
    except Invalid:
        return
    assert 0 <= at < 1e12


async def test_no_body_over_http_is_ever_a_500() -> None:
    daemon = a_daemon()
    paths = [path for method, path, _ in WRITES if method == "POST"]
    odd = [b"", b"{", b"null", b"\x00", b'{"value":1e400}', b'{"a":' * 900, b'"\\ud800"', b"9" * 5000]
    async with served(daemon) as client:
        for path in paths:
            for raw in odd:
                async with client.post(path, data=raw, headers=bearer(ADMIN)) as reply:
                    assert reply.status in (200, 400), (path, raw)
                    await reply.json()


# --- watching --------------------------------------------------------------------------------


async def got(client: TestClient[Any, Any], path: str) -> tuple[int, Any]:
    async with client.get(path) as reply:
        return reply.status, await reply.json()


async def test_services_tell_replicas_cost_and_the_last_decision() -> None:
    async with served(a_daemon()) as client:
        code, fleet = await got(client, "/v1/services")
        _, chat = await got(client, "/v1/services/chat")

    assert code == 200
    assert [one["service"] for one in fleet["services"]] == ["chat", "embed"]
    assert fleet["usd_per_hour"] == pytest.approx(3 * 4.4)
    assert (fleet["at"], fleet["mode"], fleet["budget_usd_per_hour"]) == ("2026-11-21T12:00:00Z", "act", 60.0)
    assert chat == fleet["services"][0]
    assert [one["deployment"] for one in chat["deployments"]] == ["di-h100", "exo-a5000"]
    assert chat["deployments"][1]["decision"]["reason"] == "hold"
    assert chat["signals"]["queued"] == {"value": 3.0, "at": "2026-11-21T11:59:58Z", "age_s": 2.0}


async def test_what_is_not_known_is_null_and_makes_the_sum_incomplete() -> None:
    unread = Member(replicas=None, ready=None, starting=None, price=None, to=None)
    async with served(KeptDaemon(a_report(Case(demand=None, members=[unread])))) as client:
        _, chat = await got(client, "/v1/services/chat")

    one = chat["deployments"][0]
    assert chat["demand"] is None
    assert chat["usd_per_hour_complete"] is False
    for key in ("replicas_set", "replicas_ready", "replicas_starting", "usd_per_hour", "phase"):
        assert one[key] is None, key


async def test_human_acts_show_in_the_service() -> None:
    human = Human(
        pauses=(Pause(None, "down", AT + 60, "x", "anna"),),
        overrides=(Override("chat", None, 4, None, None, "y", "ben"),),
    )
    async with served(KeptDaemon(a_report(Case(), human=human))) as client:
        _, chat = await got(client, "/v1/services/chat")

    assert chat["paused"] == "down"
    assert chat["overrides"][0]["at_least"] == 4
    assert chat["overrides"][0]["until"] is None


async def test_the_plan_lists_every_decision_and_ranges_only_where_they_mean_something() -> None:
    members = [Member(to=5), Member("floor", replicas=(1, 4), control="floor")]
    async with served(KeptDaemon(a_report(Case(members=members)))) as client:
        _, plan = await got(client, "/v1/plan")

    assert [one["direction"] for one in plan["decisions"]] == ["up", "hold"]
    assert "range_to" not in plan["decisions"][0]
    assert plan["decisions"][1]["range_to"] == [1, 4]


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("", None),
        ("?at=2026-11-21T11:00:00Z", AT - 3600),
        ("?at=2026-11-21T12:00:00+01:00", AT - 3600),
        ("?at=2026-11-21T12:00:00%2B01:00", AT - 3600),
        ("?at=-2h", NOW - 7200),
        ("?at=1795262400", AT),
    ],
)
async def test_why_takes_an_instant(query: str, at: float | None) -> None:
    async with served(a_daemon()) as client:
        code, body = await got(client, "/v1/services/chat/why" + query)

    assert (code, body) == (200, {"service": "chat", "asked_at": at})


async def test_why_refuses_what_is_no_instant_and_what_is_no_service() -> None:
    async with served(a_daemon()) as client:
        for query in (
            "?at=yesterday",
            "?at=2026-11-21T11:00:00",
            "?when=now",
            "?at=",
            "?at=9999-12-31T23:59:59-12:00",
        ):
            assert (await got(client, "/v1/services/chat/why" + query))[0] == 400, query
        code, body = await got(client, "/v1/services/nope/why")

    assert (code, body["allowed"]) == (404, ["chat", "embed"])


async def test_before_the_first_tick_all_answer_and_nothing_is_invented() -> None:
    async with served(KeptDaemon(None)) as client:
        for path in ("/v1/services", "/v1/services/chat", "/v1/plan", "/v1/prices", "/readyz"):
            async with client.get(path) as reply:
                assert reply.status == 503, path
        for path in ("/", "/metrics", "/healthz"):
            async with client.get(path) as reply:
                assert reply.status == 200, path


async def test_health_says_why_not() -> None:
    daemon = a_daemon()
    async with served(daemon) as client:
        async with client.get("/healthz") as reply:
            assert (reply.status, await reply.text()) == (200, "ok: the last tick ended 7 s ago\n")
        daemon.sick = "the last tick ended 95 s ago"
        async with client.get("/healthz") as reply:
            assert (reply.status, await reply.text()) == (503, "the last tick ended 95 s ago\n")
        async with client.get("/readyz") as reply:
            assert reply.status == 200


async def test_metrics_say_their_format() -> None:
    async with served(a_daemon()) as client, client.get("/metrics") as reply:
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert b"autoscaler_replicas_set{" in await reply.read()


READS = [
    "/",
    "/metrics",
    "/healthz",
    "/readyz",
    "/v1/services",
    "/v1/services/chat",
    "/v1/plan",
    "/v1/prices",
]


@pytest.mark.parametrize("path", [*READS, "/v1/services/chat/why", "/static/page.css"])
async def test_head_works_and_other_methods_are_405_with_allow(path: str) -> None:
    async with served(a_daemon()) as client:
        async with client.head(path) as reply:
            assert reply.status == 200
            assert await reply.read() == b""
        async with client.put(path) as reply:
            assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
            assert (await reply.json())["allowed"] == ["GET", "HEAD"]


@pytest.mark.parametrize("path", [*READS, "/static/page.css", "/nowhere"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    async with served(a_daemon()) as client, client.get(path) as reply:
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Server"] == "autoscaler"
        assert "aiohttp" not in str(reply.headers)


async def test_an_unknown_path_is_404_and_names_the_known_ones() -> None:
    async with served(a_daemon()) as client:
        code, body = await got(client, "/v2/services")
        unknown, _ = await got(client, "/v1/services/%E2%82%AC%00")

    assert (code, unknown) == (404, 404)
    assert "/v1/services/{service}/why" in body["allowed"]


# --- trouble ---------------------------------------------------------------------------------


async def test_a_request_has_a_deadline() -> None:
    class Slow(KeptDaemon):
        async def pause(self, pause: Pause) -> None:
            await asyncio.sleep(30)

    async with served(Slow(a_report(Case())), deadline_s=0.05) as client:
        code, body = await posted(client, "/v1/pause", WHO)

    assert code == 503
    assert "0.05 s" in body["error"]


async def test_an_unwritable_journal_is_503_and_does_not_tell_paths() -> None:
    daemon = a_daemon()
    daemon.trouble = JournalError("/var/lib/secret-place/autoscaler.db: read-only")
    async with served(daemon) as client:
        code, body = await posted(client, "/v1/pause", WHO)

    assert code == 503
    assert "secret-place" not in json.dumps(body)


async def test_a_fault_of_ours_is_a_500_that_tells_nothing() -> None:
    daemon = a_daemon()
    daemon.trouble = RuntimeError("the-admin-token")
    async with served(daemon) as client:
        code, body = await posted(client, "/v1/pause", WHO)

    assert (code, body) == (500, {"error": "internal error; the log has the details"})
