"""The page: everything a person needs is on it, and nothing that a browser would have to run."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from autoscaler.core.model import Absence, ErrorKind, Human, Override, Pause, Phase, ReplicaRange
from autoscaler.daemon import page
from autoscaler.daemon.report import TickReport
from tests.daemon.daemon_double import KeptDaemon, served
from tests.daemon.reports import AT, Case, Member, a_fleet, a_report


class Reader(HTMLParser):
    """Tags, their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def page_of(report: TickReport | None, now: float) -> str:
    return "".join(page.parts(report, now))


def read(*cases: Case, human: Human | None = None, brake: tuple[str, ...] = (), age_s: float = 7) -> Reader:
    return Reader(page_of(a_report(*cases, human=human, brake=brake), AT + age_s))


def test_a_service_shows_demand_need_replicas_cost_and_why() -> None:
    text = read(Case(budget=12.0, members=[Member(to=5, reason="queue_depth", low=1)])).text

    for part in (
        "chat",
        "demand 60",
        "need 75",
        "4.40 USD/h",
        "of 12.00",
        "1 to 6",
        "gpua5000",
        "1.10",
        "exo",
    ):
        assert part in text
    assert "4 → 5 queue_depth 60 requests at once need 4 replicas of 16 at 0.80" in text


def test_the_fleet_shows_cost_against_budget_the_last_tick_and_the_mode() -> None:
    text = read(Case(members=[Member(price=7.5)])).text

    for part in ("30.00 USD/h", "60.00 USD/h", "50 %", "7 s ago", "2026-11-21 12:00:00 UTC", "act"):
        assert part in text


def test_trouble_and_human_acts_are_badges() -> None:
    human = Human(
        pauses=(Pause("chat", "down", AT + 60, "load test", "anna"),),
        overrides=(Override("chat", "exo-a5000", 4, 4, None, "launch", "ben"),),
    )
    case = Case(
        blind=True,
        mode="observe",
        demand=None,
        signals={"queued": Absence("several_series", "2 series")},
        members=[Member(overdue=2, phase=Phase.FAILED, reason="drift")],
    )
    text = read(case, human=human, brake=("chat",)).text

    for part in (
        "blind",
        "paused : no decreases",
        "override",
        "observe only",
        "2 overdue",
        "failed",
        "drift",
        "demand not known",
        "No value for signal queued: several series (2 series)",
        "until 2026-11-21 12:01:00 UTC by anna: load test",
        "exactly 4 replicas until further notice by ben: launch",
        "Fleet brake",
    ):
        assert part in text.replace("paused: no", "paused : no"), part


def test_what_is_not_known_is_said_and_never_zero() -> None:
    unread = Member(
        replicas=None,
        ready=None,
        starting=None,
        price=None,
        to=None,
        error=ErrorKind.RATE_LIMITED,
        gpu_type=None,
    )
    text = read(Case(members=[unread])).text

    assert "? / ?" in text
    assert "rate limited" in text
    assert "cost not known" in text
    assert "0.00" not in text.split("chat", 1)[1]


def test_a_change_of_the_maximum_alone_shows_the_maximum() -> None:
    report = a_report(Case(members=[Member(replicas=(1, 4), control="floor")]))
    decision = report.plan.decisions[0]
    plan = replace(report.plan, decisions=(replace(decision, range_to=ReplicaRange(1, 6)),))

    assert "at most 4 → 6" in Reader(page_of(replace(report, plan=plan), AT)).text


def test_old_ticks_are_announced() -> None:
    assert "Ticks have stopped" in read(Case(), age_s=46).text
    assert "Ticks have stopped" not in read(Case(), age_s=44).text


def test_without_a_report_or_services_the_page_still_stands() -> None:
    assert "first tick has not ended" in Reader(page_of(None, AT)).text
    empty = a_report(fleet=a_fleet(budget=None))
    assert "names no service" in Reader(page_of(empty, AT)).text


def test_the_page_asks_nothing_of_others_and_runs_nothing() -> None:
    reader = read(Case())
    tags = dict(reader.tags)

    assert {tag for tag, _ in reader.tags}.isdisjoint({"script", "style", "img", "iframe", "form"})
    for tag, attributes in reader.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        for name in ("href", "src"):
            assert "//" not in (attributes.get(name) or "")
    assert ("meta", {"http-equiv": "refresh", "content": "15"}) in reader.tags
    assert tags["html"]["lang"] == "en"


def test_a_name_that_is_markup_stays_text() -> None:
    hostile = "<script>alert(1)</script>"
    case = Case(
        members=[Member(why=hostile, gpu_type=f'"{hostile}')], signals={"queued": Absence("error", hostile)}
    )
    html = page_of(a_report(case), AT)

    assert "<script" not in html
    assert hostile in Reader(html).text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "not known"), (0.0, "0.00"), (0.0125, "0.0125"), (1.1, "1.10"), (1234.5, "1,234.50")],
)
def test_money_reads_as_money(value: float | None, text: str) -> None:
    assert page.usd(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h"), (200_000, "2 d"), (None, "not known")],
)
def test_durations_read_as_durations(seconds: float | None, text: str) -> None:
    assert page.span(seconds) == text


async def test_the_style_sheet_that_the_page_names_is_served() -> None:
    async with served(KeptDaemon(a_report(Case()))) as client:
        async with client.get("/") as reply:
            html = await reply.text()
            assert reply.content_type == "text/html"
        links = [attributes for tag, attributes in Reader(html).tags if tag == "link"]
        assert len(links) == 1
        async with client.get("/" + str(links[0]["href"])) as reply:
            assert (reply.status, reply.content_type) == (200, "text/css")
            assert "prefers-color-scheme: dark" in await reply.text()
