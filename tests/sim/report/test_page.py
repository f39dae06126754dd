"""The page: whole in itself, small enough, and nobody's name is markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from array import array
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sim.report.page import page
from autoscaler.sim.report.payload import BUCKETS_MAX, encoded, payload
from autoscaler.sim.result import DeploymentSeries, RunResult, ServiceSeries
from autoscaler.world.chance import stream
from tests.sim.report.samples import AT, a_comparison, a_run, a_series, recorded

WEEK_TICKS = 40_320
SIZE_MAX = 1_500_000  # bytes of a page
HOSTILE = "</script><script>document.documentElement.dataset.pwned=1</script><img src=x onerror=pwn()><!--"


class Reader(HTMLParser):
    """Tags with their attributes, the texts of scripts and styles, and the text that a person sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._open: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open in ("script", "style"):
            self.inside.append((self.tags[-1][1], data))
        else:
            self.text += data

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script draws."""
        body: dict[str, Any] = json.loads(
            next(text for attrs, text in self.inside if attrs.get("id") == "data")
        )
        return body


@cache
def a_day() -> str:
    return page(a_comparison(), "A day")


def one(demand: list[int], **more: Any) -> RunResult:
    """A run of a service with this demand and two replicas."""
    return a_run("new", recorded(a_series(demand, {"exo": [2] * len(demand)}, **more)))


# --- whole in itself ----------------------------------------------------------------------------


def test_the_page_refers_to_nothing_outside_of_it() -> None:
    reader = Reader(a_day())
    links = [
        value for _, attrs in reader.tags for key, value in attrs.items() if key in ("src", "href", "data")
    ]

    assert links == ["data:,"]
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttpRequest|WebSocket|import\(", a_day())
    outside = set(re.findall(r"[a-z]+://[^\s\"'`]*", a_day())) - {"http://www.w3.org/2000/svg"}
    assert not outside


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else() -> None:
    reader = Reader(a_day())
    (policy,) = (
        attrs["content"] for _, attrs in reader.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    texts = [text for attrs, text in reader.inside if attrs.get("type") != "application/json"]
    style, script = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts
    )

    assert policy == (
        f"default-src 'none'; style-src {style}; script-src {script}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_no_element_carries_a_style_or_a_script_of_its_own() -> None:
    attributes = {key for _, attrs in Reader(a_day()).tags for key in attrs}

    assert not {key for key in attributes if key == "style" or key.startswith("on")}


def test_the_same_results_give_the_same_page() -> None:
    assert page(a_comparison(300), "t") == page(a_comparison(300), "t")


def test_the_page_shows_the_table_with_what_was_broken_and_the_notes() -> None:
    text = re.sub(r"\s+", " ", Reader(a_day()).text)

    for part in (
        "A day",
        "1 d from 2026-11-23 00:00:00 UTC",
        "in time%",
        "ratioideal",
        "candidate-policy",
        "config.example broke promises",
        "config.example broke promise 7 (no decrease lowers capacity",
        "config.example: Replicas fail once a day.",
        "clairvoyant",
    ):
        assert part in text


def test_without_a_recorded_series_the_page_says_so_and_runs_no_script() -> None:
    reader = Reader(page([a_run()], "t"))

    assert "nothing to plot" in reader.text
    assert "script" not in {tag for tag, _ in reader.tags}


def test_with_scripts_off_the_page_says_that_the_table_is_complete() -> None:
    assert "scripts are off. The table above is complete" in Reader(a_day()).text


# --- names --------------------------------------------------------------------------------------


def hostile_runs() -> list[RunResult]:
    series = a_series([1, 2, 3], {HOSTILE: [1, 1, 1]}, reasons=[HOSTILE, "hold", HOSTILE])
    run = a_run(
        HOSTILE,
        recorded(series, HOSTILE),
        recorded(series, "chat"),
        notes=(HOSTILE,),
        violations={HOSTILE: 1},
    )
    return [run, a_run("other", recorded(series, HOSTILE), recorded(series, "chat"))]


def test_no_name_from_a_users_file_becomes_markup() -> None:
    plain = Reader(page([replace(run, name=str(at)) for at, run in enumerate(a_comparison(3))], "t"))
    reader = Reader(page(hostile_runs(), HOSTILE))

    scripts = [attrs for tag, attrs in reader.tags if tag == "script"]
    assert scripts == [attrs for tag, attrs in plain.tags if tag == "script"]
    assert not {"img"} & {tag for tag, _ in reader.tags}
    assert reader.text.count("dataset.pwned=1</script>") > 5
    assert reader.data["runs"][0]["name"] == HOSTILE


@given(st.text(max_size=30))
def test_any_name_arrives_in_the_script_as_it_is(name: str) -> None:
    text = encoded({"name": name})

    assert json.loads(text) == {"name": name}
    assert "<" not in text


# --- the series ---------------------------------------------------------------------------------


def test_a_bucket_tells_the_lowest_and_the_highest_of_each_series() -> None:
    ticks = 2 * BUCKETS_MAX
    demand, queued = [10] * ticks, [0] * ticks
    demand[801], queued[801] = 500, 450
    data = payload([one(demand, queued=queued)])
    assert data is not None
    (service,) = data["runs"][0]["services"]

    assert (data["count"], data["width_s"], data["start"], data["end"]) == (1500, 30, AT, AT + 15 * ticks)
    assert (service["demand"][0][400], service["demand"][1][400]) == (10, 490)
    assert (service["queued"][0][400], service["queued"][1][400]) == (0, 450)
    assert sum(service["queued"][1]) == 450


def test_capacity_is_that_of_all_deployments_ready_and_with_those_that_start() -> None:
    series = a_series([5, 5], {"a": [1, 2], "b": [0, 1]}, starting={"a": [1, 0], "b": [3, 0]}, capacity=7.5)
    data = payload([a_run("new", recorded(series))])
    assert data is not None
    (service,) = data["runs"][0]["services"]

    assert service["ready"] == [[7.5, 22.5], 0]
    assert service["all"] == [[37.5, 22.5], 0]
    assert [(one["name"], one["set"], one["ready"]) for one in service["deployments"]] == [
        ("a", [[2, 2], 0], [[1, 2], 0]),
        ("b", [[3, 1], 0], [[0, 1], 0]),
    ]


def test_totals_end_where_the_run_ended() -> None:
    ticks = 4000
    data = payload([one([1] * ticks, late=[1] * ticks, usd_per_tick=0.25)])
    assert data is not None
    (service,) = data["runs"][0]["services"]

    assert (service["late"][-1], service["usd"][-1]) == (4000, 1000)


def test_a_bucket_tells_all_its_reasons_with_their_ticks() -> None:
    reasons = ["hold"] * 3000
    reasons[1200], reasons[2001] = "queue_depth", "stabilised"
    data = payload([one([1] * 3000, reasons=reasons)])
    assert data is not None
    (service,) = data["runs"][0]["services"]

    assert service["reasons"] == ["hold", "queue_depth", "stabilised"]
    assert service["shares"] == [2998, 1, 1]
    assert (service["reason"][600], service["reason"][1000]) == ([0, 1, 1, 1], [0, 1, 2, 1])
    assert set(map(str, service["reason"])) == {"0", "[0, 1, 1, 1]", "[0, 1, 2, 1]"}


def test_runs_without_a_series_are_in_the_table_and_in_no_plot() -> None:
    data = payload([one([1, 2]), a_run("bare")])
    assert data is not None

    assert [len(run["services"]) for run in data["runs"]] == [1, 0]


# --- size ---------------------------------------------------------------------------------------


def noise(deployments: int, ticks: int = WEEK_TICKS) -> ServiceSeries:
    """The worst case: every value of every tick is another one."""
    draw = stream(7, "noise")

    def some(least: int, most: int) -> array[int]:
        return array("i", draw.choices(range(least, most), k=ticks))

    return ServiceSeries(
        deployments={
            f"deployment-{at}": DeploymentSeries("exo", 16.2, some(0, 24), some(0, 24), some(0, 24))
            for at in range(deployments)
        },
        at=array("d", (AT + 15.0 * tick for tick in range(ticks))),
        queued=some(0, 500),
        running=some(0, 500),
        arrived_total=array("q", range(ticks)),
        late_total=array("q", range(0, 31 * ticks, 31)),
        usd_total=array("d", (0.0123 * tick for tick in range(ticks))),
        reason=array("B", draw.choices(range(6), k=ticks)),
        reasons=["hold", "queue_depth", "stabilised", "cooldown", "bounds", "moving"],
    )


def test_a_week_of_ten_runs_over_three_deployments_stays_within_its_size_whatever_happened() -> None:
    service = recorded(noise(deployments=3))

    text = page([a_run(f"run-{at}", service, length_s=604_800.0) for at in range(10)], "t")

    assert len(text.encode()) <= SIZE_MAX
    assert Reader(text).data["count"] > 700


def test_a_fleet_is_told_in_wider_buckets_and_stays_within_its_size() -> None:
    service = recorded(noise(deployments=1, ticks=1000))

    text = page([a_run("new", *(replace(service, name=f"service-{at}") for at in range(60)))], "t")

    assert len(text.encode()) <= SIZE_MAX
    assert Reader(text).data["count"] >= 100


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_a_gap_in_the_plot(bad: float) -> None:
    series = a_series([1, 2, 3], {"a": [1, 1, 1]}, usd_per_tick=0.5)
    series.usd_total[1] = bad

    data = Reader(page([a_run("new", recorded(series))], "t")).data

    assert data["runs"][0]["services"][0]["usd"] == [0.5, None, 1.5]
