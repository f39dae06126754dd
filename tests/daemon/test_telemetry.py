"""The published metrics: names, labels, types, and that nothing is said that is not known."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from autoscaler.core.model import Decision, ErrorKind, Human, Opinion, Override, Pause, ReplicaRange, Sample
from autoscaler.core.shadow import Shadow
from autoscaler.core.sides import Account, Rates
from autoscaler.daemon.report import Standing, TickReport
from autoscaler.daemon.telemetry import PrometheusTelemetry
from tests.daemon.reports import AT, Case, Member, a_fleet, a_report, missing

# Name -> type and labels, as published.
PUBLISHED = {
    "build_info": ("gauge", "version"),
    "service_demand": ("gauge", "service"),
    "signal_value": ("gauge", "service signal"),
    "signal_age_seconds": ("gauge", "service signal"),
    "policy_proposal": ("gauge", "service policy deployment verb"),
    "replicas_set": ("gauge", "service deployment provider"),
    "replicas_ready": ("gauge", "service deployment provider"),
    "replicas_starting": ("gauge", "service deployment provider"),
    "replicas_wanted": ("gauge", "service deployment provider"),
    "replicas_min": ("gauge", "service deployment provider"),
    "replicas_max": ("gauge", "service deployment provider"),
    "decisions_total": ("counter", "service deployment direction reason"),
    "scale_calls_total": ("counter", "provider outcome"),
    "provider_request_duration_seconds": ("histogram", "provider operation"),
    "provider_errors_total": ("counter", "provider kind"),
    "unknown_words_total": ("counter", "provider"),
    "start_up_seconds": ("histogram", "service deployment"),
    "start_up_estimate_seconds": ("summary", "service deployment quantile"),
    "scale_overdue": ("gauge", "service deployment"),
    "gpu_price_usd_per_hour": ("gauge", "provider gpu_type"),
    "cost_usd_per_hour": ("gauge", "service deployment"),
    "spend_usd_total": ("counter", "service deployment"),
    "budget_usd_per_hour": ("gauge", "scope"),
    "tick_duration_seconds": ("histogram", ""),
    "last_tick_timestamp_seconds": ("gauge", ""),
    "promise_violations_total": ("counter", "promise"),
    "blind": ("gauge", "service"),
    "paused": ("gauge", "service"),
    "override_active": ("gauge", "service"),
    "drift_total": ("counter", "service deployment"),
    "config_reload_ok": ("gauge", ""),
    "journal_errors_total": ("counter", ""),
    "fleet_brake": ("gauge", ""),
    "shadow_replicas_wanted": ("gauge", "service deployment"),
    "shadow_cost_usd_per_hour": ("gauge", "service"),
    "shadow_spend_usd_total": ("counter", "service set"),
    "shadow_short_seconds_total": ("counter", "service set"),
}


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def a_telemetry(*reports: TickReport, clock: Clock | None = None) -> PrometheusTelemetry:
    telemetry = PrometheusTelemetry(CollectorRegistry(), clock or Clock())
    for report in reports:
        telemetry.tick(report)
    return telemetry


async def samples(telemetry: PrometheusTelemetry, name: str) -> dict[tuple[str, ...], float]:
    """Label values in the published order -> value."""
    labels = PUBLISHED[name][1].split()
    text = (await telemetry.exposition()).decode()
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"autoscaler_{name}"
    }


def everything() -> TickReport:
    """A report in which every family has a sample."""
    opinion = Opinion("office-hours", "schedule", "exo-a5000", 2.0, 1, 6, False, "open")
    case = Case(budget=12.0, opinions=(opinion,), members=[Member(p50_p90=(170.0, 260.0))])
    report = a_report(
        case,
        scale_calls=(("exo", "accepted"),),
        start_ups=(("chat/exo-a5000", 175.0),),
        drift_started=("chat/exo-a5000",),
        violations={"7": 1},
    )
    return replace(report, shadows={"chat": Standing(("candidate",), A_SHADOW)})


A_SHADOW = Shadow(
    "hash",
    AT - 3600,
    AT,
    active=Account(usd=4.4, short_s=30.0),
    shadow=Account(usd=3.3),
    shadow_now=Rates(3.3, 3, 0.0),
    wanted={"exo-a5000": 3},
)


def check_metrics(promtool: str, text: bytes) -> None:
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


async def test_every_published_metric_has_help_and_type_before_the_first_tick() -> None:
    text = (await a_telemetry().exposition()).decode()

    types = dict(re.findall(r"^# TYPE autoscaler_(\S+) (\S+)$", text, re.MULTILINE))
    helps = set(re.findall(r"^# HELP autoscaler_(\S+) \S", text, re.MULTILINE))
    assert types == {name: kind for name, (kind, _) in PUBLISHED.items()}
    assert helps == set(PUBLISHED)


async def test_every_published_metric_carries_exactly_its_labels() -> None:
    telemetry = a_telemetry(everything())
    telemetry.request("exo", "list", 0.2, None)

    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families((await telemetry.exposition()).decode()):
        for sample in family.samples:
            name = sample.name.removeprefix("autoscaler_")
            name = re.sub("_(bucket|sum|count)$", "", name)
            found.setdefault(name, set()).update(set(sample.labels) - {"le"})

    assert found == {name: set(labels.split()) for name, (_, labels) in PUBLISHED.items()}


async def test_promtool_finds_nothing_to_complain_about(promtool: str) -> None:
    telemetry = a_telemetry(everything())
    telemetry.request("exo", "list", 0.2, ErrorKind.BAD_REPLY)
    telemetry.unknown_word("exo", "wobbling", "status")

    check_metrics(promtool, await a_telemetry().exposition())
    check_metrics(promtool, await telemetry.exposition())


async def test_a_count_that_is_not_known_is_absent_and_never_zero() -> None:
    unread = Member("unread", replicas=None, ready=None, starting=None, price=None, to=None)
    telemetry = a_telemetry(a_report(Case(demand=None, members=[Member(), unread])))

    for name in ("replicas_set", "replicas_ready", "replicas_starting", "replicas_wanted"):
        assert set(await samples(telemetry, name)) == {("chat", "exo-a5000", "exo")}, name
    assert set(await samples(telemetry, "cost_usd_per_hour")) == {("chat", "exo-a5000")}
    assert await samples(telemetry, "service_demand") == {}
    assert ("chat", "unread", "exo") in await samples(telemetry, "replicas_max")


async def test_starting_is_derived_where_the_vendor_does_not_say() -> None:
    telemetry = a_telemetry(a_report(Case(members=[Member(replicas=5, ready=3, starting=None)])))

    assert await samples(telemetry, "replicas_starting") == {("chat", "exo-a5000", "exo"): 2}


async def test_an_absent_signal_has_neither_value_nor_age() -> None:
    report = a_report(Case(signals={"queued": missing(), "running": Sample(57.0, AT - 4)}))
    telemetry = a_telemetry(report)

    assert await samples(telemetry, "signal_value") == {("chat", "running"): 57}
    assert await samples(telemetry, "signal_age_seconds") == {("chat", "running"): 4}


async def test_a_service_that_left_the_configuration_leaves_the_metrics() -> None:
    telemetry = a_telemetry(
        a_report(Case("chat"), Case("embed", members=[Member("bt", provider="bt")])), a_report(Case("chat"))
    )
    telemetry.request("exo", "list", 0.2, None)

    text = (await telemetry.exposition()).decode()

    assert 'service="chat"' in text
    assert 'service="embed"' not in text
    assert 'provider="bt"' not in text


async def test_counters_of_what_stays_survive_a_reload() -> None:
    first = a_report(Case("chat"), Case("embed"))
    telemetry = a_telemetry(first, a_report(Case("chat"), at=AT + 15))

    counted = await samples(telemetry, "decisions_total")

    assert counted == {("chat", "exo-a5000", "hold", "hold"): 2}


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ((4, 4), (5, 5), "up"),
        ((4, 4), (3, 3), "down"),
        ((4, 4), (4, 4), "hold"),
        ((1, 4), (1, 6), "up"),
        ((1, 4), (1, 2), "down"),
        (None, None, "hold"),
    ],
)
async def test_decisions_are_counted_by_direction(
    before: tuple[int, int] | None, after: tuple[int, int] | None, direction: str
) -> None:
    report = a_report(Case())
    old = None if before is None else ReplicaRange(*before)
    new = None if after is None else ReplicaRange(*after)
    decision = Decision(
        "chat", "exo-a5000", old and old.minimum, new and new.minimum, "hold", "because", old, new
    )
    telemetry = a_telemetry(replace(report, plan=replace(report.plan, decisions=(decision,))))

    assert await samples(telemetry, "decisions_total") == {("chat", "exo-a5000", direction, "hold"): 1}


async def test_two_opinions_of_one_policy_on_one_thing_are_one_series_and_the_binding_one(
    promtool: str,
) -> None:
    def opinion(at_least: int, at_most: int) -> Opinion:
        return Opinion("hours", "schedule", None, None, at_least, at_most, False, "open")

    telemetry = a_telemetry(a_report(Case(opinions=(opinion(3, 8), opinion(2, 6)))))

    assert await samples(telemetry, "policy_proposal") == {
        ("chat", "hours", "", "at_least"): 3,
        ("chat", "hours", "", "at_most"): 6,
    }
    check_metrics(promtool, await telemetry.exposition())


def cost_members() -> Sequence[tuple[Member, float | None]]:
    return [
        (Member(replicas=4, ready=4, starting=0, price=1.5), 6.0),
        (Member(replicas=2, ready=4, starting=0, price=1.5), 6.0),  # two are still going
        (Member(replicas=4, ready=1, starting=3, price=1.5, gpus=2), 12.0),
        (Member(replicas=(3, 6), ready=1, starting=0, price=1.5, control="floor"), 1.5),
        (Member(replicas=0, ready=0, starting=0, price=None), 0.0),
        (Member(replicas=1, ready=1, starting=0, price=None), None),
    ]


@pytest.mark.parametrize(("member", "usd"), cost_members())
async def test_cost_counts_all_that_is_paid_for(member: Member, usd: float | None) -> None:
    telemetry = a_telemetry(a_report(Case(members=[member])))

    expected = {} if usd is None else {("chat", "exo-a5000"): usd}
    assert await samples(telemetry, "cost_usd_per_hour") == expected


async def test_spend_is_cost_over_time_also_over_gaps_and_lost_sight() -> None:
    def seen(at: float, **facts: object) -> TickReport:
        member = Member(replicas=2, ready=2, price=1.5)
        return a_report(Case(members=[replace(member, **facts)]), at=at)  # type: ignore[arg-type]

    telemetry = a_telemetry(
        seen(AT),
        seen(AT + 3600),  # 3.00 USD/h for an hour
        seen(AT + 7200, replicas=None, ready=None, price=None),  # 3.00, and now out of sight
        seen(AT + 10_800),  # 3.00 at the last known count and price
        seen(AT + 14_400, replicas=0, ready=0),  # 3.00
        seen(AT + 90_000),  # a gap of 21 hours at zero replicas
    )

    assert await samples(telemetry, "spend_usd_total") == {("chat", "exo-a5000"): pytest.approx(12.0)}


async def test_spend_starts_at_zero_and_never_falls_when_time_stands_still() -> None:
    report = a_report(Case())
    telemetry = a_telemetry(report, report, replace(report, at=AT - 60))

    assert await samples(telemetry, "spend_usd_total") == {("chat", "exo-a5000"): 0.0}


async def test_human_acts_and_troubles_are_gauges() -> None:
    human = Human(
        pauses=(Pause("embed", "down", None),),
        overrides=(Override("chat", "exo-a5000", 1, None, AT + 60),),
    )
    blind = Case("chat", blind=True, members=[Member(overdue=2)])
    telemetry = a_telemetry(a_report(blind, Case("embed"), human=human, brake=("embed",)))

    assert await samples(telemetry, "blind") == {("chat",): 1, ("embed",): 0}
    assert await samples(telemetry, "paused") == {("chat",): 0, ("embed",): 1}
    assert await samples(telemetry, "override_active") == {("chat",): 1, ("embed",): 0}
    assert (await samples(telemetry, "scale_overdue"))["chat", "exo-a5000"] == 2
    assert await samples(telemetry, "fleet_brake") == {(): 1}


async def test_a_pause_of_the_fleet_pauses_every_service() -> None:
    telemetry = a_telemetry(a_report(Case("chat"), Case("embed"), human=Human((Pause(None, None, None),))))

    assert await samples(telemetry, "paused") == {("chat",): 1, ("embed",): 1}


async def test_configured_prices_win_and_budgets_have_a_scope_each() -> None:
    cases = (Case("fleet", budget=3.0), Case("chat", budget=12.0))
    fleet = a_fleet(*cases, budget=60.0, fixed={"exo/gpua5000": 0.9})
    telemetry = a_telemetry(a_report(*cases, fleet=fleet))

    assert await samples(telemetry, "gpu_price_usd_per_hour") == {("exo", "gpua5000"): 0.9}
    assert await samples(telemetry, "budget_usd_per_hour") == {
        ("fleet",): 60.0,
        ("service/fleet",): 3.0,
        ("chat",): 12.0,
    }


async def test_counters_start_at_zero_for_all_that_is_configured() -> None:
    telemetry = a_telemetry(a_report(Case()))

    assert set((await samples(telemetry, "promise_violations_total")).values()) == {0}
    assert len(await samples(telemetry, "promise_violations_total")) == 12
    assert {outcome for _, outcome in await samples(telemetry, "scale_calls_total")} == {
        "accepted",
        "stale",
        "rejected",
        "failed",
        "timeout",
    }
    assert {kind for _, kind in await samples(telemetry, "provider_errors_total")} == set(ErrorKind)
    assert await samples(telemetry, "drift_total") == {("chat", "exo-a5000"): 0}


async def test_the_journal_and_the_configuration_report_here() -> None:
    telemetry = a_telemetry()
    telemetry.journal_error()
    telemetry.config_reloaded(ok=False)

    assert await samples(telemetry, "journal_errors_total") == {(): 1}
    assert await samples(telemetry, "config_reload_ok") == {(): 0}


async def test_operations_are_a_bounded_set() -> None:
    telemetry = a_telemetry()
    for number in range(100):
        telemetry.request("exo", f"get-{number}", 0.1, None)

    text = (await telemetry.exposition()).decode()

    assert len(set(re.findall(r'operation="([^"]+)"', text))) == 33


def test_a_trouble_is_logged_once_when_it_starts_and_once_when_it_ends() -> None:
    clock = Clock()
    telemetry = a_telemetry(clock=clock)
    with capture_logs() as logged:
        for _ in range(20):
            telemetry.request("exo", "list", 5.0, ErrorKind.UNAVAILABLE)
            clock.seconds += 15
        for _ in range(20):
            telemetry.request("exo", "list", 0.1, None)
            clock.seconds += 15

    assert [line["event"] for line in logged] == ["provider trouble began", "provider trouble ended"]
    assert logged[1]["errors"] == 20
    assert logged[0]["kind"] == "unavailable"


def test_one_deployment_that_always_fails_among_others_is_one_trouble() -> None:
    clock = Clock()
    telemetry = a_telemetry(a_report(Case()), clock=clock)
    with capture_logs() as logged:
        for _ in range(50):
            telemetry.request("exo", "read", 0.1, None)
            telemetry.request("exo", "read", 0.1, ErrorKind.NOT_FOUND)
            telemetry.request("exo", "read", 0.1, None)
            clock.seconds += 15

    assert [line["event"] for line in logged] == ["provider trouble began"]


async def test_busy_is_counted_quietly() -> None:
    telemetry = a_telemetry(a_report(Case()))
    with capture_logs() as logged:
        telemetry.request("exo", "scale", 0.1, ErrorKind.BUSY)

    assert logged == []
    assert (await samples(telemetry, "provider_errors_total"))["exo", "busy"] == 1


async def test_an_unknown_word_is_counted_each_time_and_logged_once() -> None:
    telemetry = a_telemetry()
    with capture_logs() as logged:
        for _ in range(3):
            telemetry.unknown_word("exo", "wobbling", "status")
            telemetry.first_sight("exo", "zero is allowed", "yes")

    assert [line["event"] for line in logged] == ["provider said an unknown word", "provider fact observed"]
    assert await samples(telemetry, "unknown_words_total") == {("exo",): 3}


async def test_the_exposition_of_a_large_fleet_lets_others_run_in_between(promtool: str) -> None:
    cases = [Case(f"s{number}", [Member("a"), Member("b")]) for number in range(250)]
    telemetry = a_telemetry(a_report(*cases))
    turns = 0
    rendering = asyncio.create_task(telemetry.exposition())
    while not rendering.done():
        await asyncio.sleep(0)
        turns += 1

    text = rendering.result()
    assert turns > 50
    assert text.count(b"# TYPE") == len(PUBLISHED)
    check_metrics(promtool, text)


async def test_scrapes_at_once_share_one_rendering_and_one_that_hangs_up_harms_none() -> None:
    telemetry = a_telemetry(everything())
    first, second = asyncio.create_task(telemetry.exposition()), asyncio.create_task(telemetry.exposition())
    await asyncio.sleep(0)
    first.cancel()

    body = await second

    assert first.cancelled()
    assert body.endswith(b"\n")


async def test_a_shadow_is_told_beside_what_was_really_there() -> None:
    telemetry = a_telemetry(everything())

    assert await samples(telemetry, "shadow_replicas_wanted") == {("chat", "exo-a5000"): 3}
    assert await samples(telemetry, "shadow_cost_usd_per_hour") == {("chat",): 3.3}
    spend = {("chat", "active"): 4.4, ("chat", "shadow"): 3.3}
    assert await samples(telemetry, "shadow_spend_usd_total") == spend
    short = {("chat", "active"): 30.0, ("chat", "shadow"): 0.0}
    assert await samples(telemetry, "shadow_short_seconds_total") == short


async def test_a_shadow_that_was_set_aside_is_not_known_any_more() -> None:
    report = replace(everything(), shadows={"chat": Standing(("candidate",), A_SHADOW, "it failed")})

    telemetry = a_telemetry(report)

    assert await samples(telemetry, "shadow_replicas_wanted") == {}
    assert await samples(telemetry, "shadow_spend_usd_total") == {}
