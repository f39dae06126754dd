"""The figures: what is compared with what, and that nothing unknown becomes a number."""

from __future__ import annotations

import json
import math

import pytest

from autoscaler.sim.report.as_json import as_json
from autoscaler.sim.report.figures import compare, compare_service
from tests.sim.report.samples import a_comparison, a_run, a_service

IDEAL = a_run("clairvoyant", a_service(usd=8.0), kind="clairvoyant")


# --- comparing ----------------------------------------------------------------------------------


def test_the_ratio_is_cost_over_that_of_the_clairvoyant_run_wherever_it_stands() -> None:
    assert [one.cost_ratio for one in compare([a_run(), IDEAL])] == [1.5, 1.0]
    assert [one.cost_ratio for one in compare([IDEAL, a_run()])] == [1.0, 1.5]


def test_without_a_clairvoyant_run_no_ratio_is_known() -> None:
    assert [one.cost_ratio for one in compare([a_run("old"), a_run("new")])] == [None, None]


def test_nothing_is_compared_with_a_plan_that_costs_nothing() -> None:
    free = a_run("clairvoyant", a_service(usd=0.0), kind="clairvoyant")

    assert [one.cost_ratio for one in compare([a_run(), free])] == [None, None]


def test_the_ratio_to_the_lower_bound_is_known_where_a_run_tells_the_bound() -> None:
    told = a_run("clairvoyant", a_service(usd=8.0), kind="clairvoyant", usd_lower_bound=6.0)

    assert [one.bound_ratio for one in compare([a_run(), told])] == [2.0, 8 / 6]
    assert [one.bound_ratio for one in compare([a_run(), IDEAL])] == [None, None]


def test_a_service_is_compared_with_the_same_service_of_the_clairvoyant_run() -> None:
    run = a_run("new", a_service("chat", usd=12.0), a_service("code", usd=30.0))
    ideal = a_run("best", a_service("chat", usd=8.0), a_service("code", usd=10.0), kind="clairvoyant")

    assert [one.cost_ratio for one in compare_service([run, ideal], "code")] == [3.0, 1.0]


def test_a_run_without_the_service_is_left_out_of_its_table() -> None:
    one, both = a_run("one", a_service("chat")), a_run("both", a_service("chat"), a_service("code"))

    assert [figures.name for figures in compare_service([one, both], "code")] == ["both"]


def test_totals_are_of_all_services() -> None:
    (total,) = compare([a_run("new", a_service("chat", late=2), a_service("code", late=10, requests=300))])

    assert (total.requests, total.late, total.usd, total.gpu_hours) == (400, 12, 24.0, 20.0)
    assert total.on_time_share == pytest.approx(0.97)
    assert total.changes_per_hour == 8.0


def test_a_run_waits_as_long_as_the_service_that_waits_longest() -> None:
    short = a_service("chat", p50_s=0.0, p95_s=9.0, p99_s=10.0, requests=1_000_000)
    long = a_service("code", p50_s=2.0, p95_s=5.0, p99_s=60.0, requests=10)
    silent = a_service("batch", p50_s=None, p95_s=None, p99_s=None, requests=0, late=0)

    (total,) = compare([a_run("new", short, long, silent)])

    assert (total.p50_s, total.p95_s, total.p99_s) == (2.0, 9.0, 60.0)


def test_where_nothing_arrived_nothing_is_said_about_waits() -> None:
    silent = a_service(p50_s=None, p95_s=None, p99_s=None, requests=0, late=0)

    (total,) = compare([a_run("new", silent)])

    assert (total.on_time_share, total.p50_s, total.p95_s, total.p99_s) == (None, None, None, None)


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_not_known(nonsense: float) -> None:
    run = a_run("new", a_service(usd=nonsense, gpu_hours=nonsense, p99_s=nonsense))

    for (one,) in (compare([run]), compare_service([run], "chat")):
        assert (one.usd, one.gpu_hours, one.p99_s, one.cost_ratio) == (None, None, None, None)


def test_a_run_of_no_length_changes_nothing_per_hour() -> None:
    (one,) = compare([a_run(length_s=0.0)])

    assert one.changes_per_hour is None


# --- as JSON ------------------------------------------------------------------------------------


def test_the_json_holds_every_figure_under_a_name_with_its_unit() -> None:
    body = as_json([a_run(violations={"7": 2}, notes=("A note.",), took_s=1.5), IDEAL])

    assert body["usd_lower_bound"] is None
    assert body["runs"][0] == {
        "name": "new",
        "kind": "config",
        "starts_at": "2026-11-23T00:00:00Z",
        "length_s": 3600.0,
        "interval_s": 15.0,
        "requests": 100,
        "late": 2,
        "on_time_share": 0.98,
        "wait_p50_s": 0.0,
        "wait_p95_s": 4.5,
        "wait_p99_s": 12.25,
        "usd": 12.0,
        "gpu_hours": 10.0,
        "changes_per_hour": 4.0,
        "cost_ratio": 1.5,
        "cost_ratio_to_lower_bound": None,
        "violations": {"7": 2},
        "notes": ["A note."],
        "took_s": 1.5,
        "services": [
            {
                "name": "chat",
                "promise_wait_s": 10.0,
                "requests": 100,
                "late": 2,
                "on_time_share": 0.98,
                "wait_p50_s": 0.0,
                "wait_p95_s": 4.5,
                "wait_p99_s": 12.25,
                "usd": 12.0,
                "gpu_hours": 10.0,
                "billed_replica_s": 36_000.0,
                "changes": 4,
                "changes_per_hour": 4.0,
                "cost_ratio": 1.5,
                "reasons": {"hold": 230, "queue_depth": 10},
            }
        ],
    }


def test_the_json_has_no_word_for_infinity_and_needs_none() -> None:
    broken = a_service(usd=math.nan, gpu_hours=math.inf, p99_s=-math.inf, billed_replica_s=math.nan)

    text = json.dumps(as_json([a_run("new", broken, took_s=math.nan), IDEAL]), allow_nan=False)

    assert json.loads(text)["runs"][0]["services"][0]["usd"] is None


def test_two_runs_of_one_name_keep_their_own_figures() -> None:
    body = as_json([a_run("new", a_service(usd=1.0)), a_run("new", a_service(usd=2.0))])

    assert [run["services"][0]["usd"] for run in body["runs"]] == [1.0, 2.0]


def test_the_json_leaves_the_series_out() -> None:
    assert len(json.dumps(as_json(a_comparison(2000)))) < 10_000
