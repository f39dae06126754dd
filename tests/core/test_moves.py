"""4.5: moving to cheaper replicas, and make before break."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.fleet import Deployment, NamedPolicy
from autoscaler.core.model import Human, Observation, Override, Phase, Price, exactly
from autoscaler.core.proposals import Policy, Preference, Proposal, View
from tests.core.fleets import START, Limit, a_fleet, a_service, seen
from tests.core.run import Run

DEAR = Deployment("chat", "a", "exo", 16, 6)
CHEAP = Deployment("chat", "b", "cheap", 16, 6)


class Threshold(Policy, kind="gpu_price"):
    """Only the threshold of the price policy."""

    percent: float = 0.0
    max_age_s: float = 3600.0

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return ()

    def prefer(self, view: View) -> Preference:
        return Preference(self.percent, self.max_age_s)


def run_of(
    prices: dict[str, float] | None = None,
    policies: tuple[NamedPolicy, ...] = (),
    deployments: tuple[Deployment, ...] = (DEAR, CHEAP),
    fleet: dict[str, object] | None = None,
    **settings: Any,
) -> Run:
    fixed = prices if prices is not None else {"exo/gpua5000": 1.0, "cheap/l4": 0.5}
    service = a_service(deployments=deployments, policies=policies, **settings)
    return Run(a_fleet(service, fixed_prices=fixed, **(fleet or {})))


def ripe(run: Run, **counts: object) -> Run:
    """The same 32 requests for a whole window: all that is left to decide is where."""
    return run.settle(21, running=32, **{"a": 3, "b": 0, **counts})


def test_a_move_waits_until_the_window_has_records() -> None:
    run = run_of().settle(20, running=32, a=3, b=0)
    assert run.counts() == {"a": 3, "b": 0}
    run.tick(0, 32, a=3, b=0)

    assert run.counts() == {"a": 3, "b": 3}, "the new ones first"
    assert run.reason("b") == "moving"


def test_old_replicas_go_when_the_new_ones_serve_and_not_before() -> None:
    run = ripe(run_of())
    run.tick(0, 32, a=3, b=seen(3, 0, provider="cheap"))
    assert run.counts() == {"a": 3, "b": 3}
    run.tick(0, 32, a=3, b=seen(3, 1, provider="cheap"))
    assert run.counts() == {"a": 2, "b": 3}, "40 are needed: 1 of b and 2 of a serve 48"
    run.tick(0, 32, a=2, b=seen(3, 2, provider="cheap"))
    assert run.counts() == {"a": 1, "b": 3}
    run.tick(0, 32, a=1, b=seen(3, 3, provider="cheap"))
    assert run.counts() == {"a": 0, "b": 3}
    run.tick(0, 32, a=0, b=3)
    assert run.counts() == {"a": 0, "b": 3}


def test_a_move_over_three_deployments_never_serves_less_than_the_need() -> None:
    dearest = Deployment("chat", "c", "dear", 16, 6)
    run = run_of({"exo/gpua5000": 1.0, "cheap/l4": 0.5, "dear/h100": 4.0}, deployments=(DEAR, CHEAP, dearest))
    run.settle(21, running=32, a=2, b=0, c=seen(1, provider="dear"))
    ready_b = 0
    for _ in range(6):
        counts = run.counts()
        serving = (counts["a"] or 0) + (counts["c"] or 0) + ready_b
        assert serving * 16 >= 40
        run.tick(
            0,
            32,
            a=counts["a"],
            b=seen(3, ready_b, provider="cheap"),
            c=seen(counts["c"] or 0, provider="dear"),
        )
        if ready_b == 1:
            assert run.counts() == {"a": 2, "b": 3, "c": 0}, "the dearest goes first"
        ready_b = min(3, ready_b + 1)
    assert run.counts() == {"a": 0, "b": 3, "c": 0}


@pytest.mark.parametrize(("payback_s", "moves"), [(180.0, False), (180.001, True)])
def test_a_move_must_pay_back_more_than_it_costs(payback_s: float, moves: bool) -> None:
    # A is 3 x 1.0, B is 3 x 0.5: 1.5 USD/h saved. Paid twice: 3 x 0.5 x 180 s. Equal at 180 s of payback.
    run = ripe(run_of(switch_payback_s=payback_s))

    assert (run.to("b") == 3) is moves


@pytest.mark.parametrize(("prior_s", "moves"), [(3600.0, False), (3599.999, True)])
def test_the_start_up_time_of_the_new_ones_is_what_is_paid_twice(prior_s: float, moves: bool) -> None:
    slow = Deployment("chat", "b", "cheap", 16, 6, start_up_s=prior_s)
    run = ripe(run_of(deployments=(DEAR, slow)))

    assert (run.to("b") == 3) is moves


@pytest.mark.parametrize(("payback_s", "moves"), [(300.0, False), (300.001, True)])
def test_the_slow_starts_count_and_not_the_usual_ones(payback_s: float, moves: bool) -> None:
    run = run_of(switch_payback_s=payback_s).settle(20, running=32, a=3, b=0)
    learned = (30.0,) * 8 + (300.0,) * 2
    memory = replace(run.known("b"), start_ups_s=learned)
    run.memory = replace(run.memory, deployments={**run.memory.deployments, "chat/b": memory})
    run.tick(0, 32, a=3, b=0)

    assert (run.to("b") == 3) is moves


@pytest.mark.parametrize(
    ("price", "percent", "moves"),
    [(0.9, 10.0, True), (0.91, 10.0, False), (0.93, 7.0, True), (0.7, 30.0, True), (0.99, 0.0, True)],
)
def test_a_move_must_save_the_percentage_asked_for(price: float, percent: float, moves: bool) -> None:
    policies = (NamedPolicy("price", Threshold(percent=percent)),)
    run = ripe(run_of({"exo/gpua5000": 1.0, "cheap/l4": price}, policies, switch_payback_s=1e6))

    assert (run.to("b") == 3) is moves, f"{price} instead of 1.00 saves {100 - 100 * price:.0f} percent"


def test_equal_prices_move_nothing() -> None:
    assert ripe(run_of({"exo/gpua5000": 1.0, "cheap/l4": 1.0})).counts() == {"a": 3, "b": 0}


def test_a_refused_move_is_explained() -> None:
    run = ripe(run_of(switch_payback_s=60))

    assert any("no move" in note for note in run.evidence().notes)


@pytest.mark.parametrize(("age_s", "moves"), [(3600.0, True), (3600.001, False)])
def test_an_old_price_starts_no_move(age_s: float, moves: bool) -> None:
    run = run_of({"exo/gpua5000": 1.0})
    run.settle(20, running=32, a=3, b=0)
    run.tick(0, 32, a=3, b=0, prices={"cheap/l4": Price(0.5, START + run.at + 15 - age_s)})

    assert (run.to("b") == 3) is moves


def test_price_max_age_s_of_a_policy_counts() -> None:
    run = run_of({"exo/gpua5000": 1.0}, (NamedPolicy("price", Threshold(max_age_s=60)),))
    run.settle(20, running=32, a=3, b=0)
    run.tick(0, 32, a=3, b=0, prices={"cheap/l4": Price(0.5, START + run.at + 15 - 61)})

    assert run.counts() == {"a": 3, "b": 0}


def test_a_price_never_known_is_no_reason_for_a_move() -> None:
    assert ripe(run_of({"cheap/l4": 0.5})).counts() == {"a": 3, "b": 0}
    assert ripe(run_of({"exo/gpua5000": 1.0})).counts() == {"a": 3, "b": 0}


def test_a_move_does_not_count_twice_against_at_most() -> None:
    run = ripe(run_of(policies=(NamedPolicy("cap", Limit(at_most=3)),)))

    assert run.counts() == {"a": 3, "b": 3}, "replicas being replaced do not count against at_most"
    run.tick(0, 32, a=3, b=seen(3, 0, provider="cheap"))
    assert run.counts() == {"a": 3, "b": 3}, "nor while they start"
    run.tick(0, 32, a=3, b=3)
    assert run.counts() == {"a": 0, "b": 3}


def test_a_move_counts_twice_against_the_budget_and_waits_where_that_has_no_room() -> None:
    run = ripe(run_of(budget_usd_per_hour=4.49))
    assert run.counts() == {"a": 3, "b": 0}
    assert any("budget" in note for note in run.evidence().notes)

    assert ripe(run_of(budget_usd_per_hour=4.5)).counts() == {"a": 3, "b": 3}


def test_a_move_that_the_fleets_budget_cannot_hold_twice_waits() -> None:
    assert ripe(run_of(fleet={"budget_usd_per_hour": 4.49})).counts() == {"a": 3, "b": 0}


def test_a_ceiling_on_a_deployment_is_obeyed_first_from_what_is_there() -> None:
    run = run_of().settle(10, running=32, a=3, b=0)
    run.tick(0, 32, a=3, b=0, human=Human(overrides=(Override("chat", "a", None, 1, None),)))

    assert run.counts() == {"a": 1, "b": 2}, "at once, although nobody else serves yet"
    assert run.reason("a") == "override"


def test_a_decrease_by_a_policy_ceiling_on_one_waits_for_nothing_either() -> None:
    run = run_of().settle(10, running=32, a=3, b=0)
    run.fleet = a_fleet(
        a_service(
            deployments=(DEAR, CHEAP), policies=(NamedPolicy("dear", Limit(deployment="a", at_most=1)),)
        ),
        fixed_prices=run.fleet.fixed_prices,
    )
    run.tick(0, 32, a=3, b=0)

    assert run.counts() == {"a": 1, "b": 2}


def test_ready_not_known_counts_with_what_was_last_known() -> None:
    run = ripe(run_of())
    silent = Observation(exactly(3), None, None, Phase.SCALING, "l4", 1)
    run.tick(0, 32, a=3, b=seen(3, 1, provider="cheap"))
    assert run.to("a") == 2
    run.tick(0, 32, a=2, b=silent)

    assert run.to("a") == 2, "one of b was known to serve, and no more"


def test_a_move_does_not_turn_back_while_its_replicas_start() -> None:
    run = ripe(run_of())
    for ready in (0, 0, 0, 0, 0, 0):
        run.tick(0, 32, a=3, b=seen(3, ready, provider="cheap"))
        assert run.counts() == {"a": 3, "b": 3}


def test_demand_that_grows_during_a_move_is_served() -> None:
    run = ripe(run_of())
    run.tick(0, 80, a=3, b=seen(3, 0, provider="cheap"))  # 100 wanted: 7 replicas

    assert run.counts() == {"a": 3, "b": 6}, "a stays until b serves"


def test_demand_that_grows_where_no_move_pays_takes_what_it_needs() -> None:
    run = run_of(switch_payback_s=0).settle(21, running=32, a=3, b=0)
    run.tick(0, 80, a=3, b=0)

    assert run.counts() == {"a": 3, "b": 4}


def test_a_persons_ceiling_on_the_total_counts_replicas_being_replaced() -> None:
    three = Human(overrides=(Override("chat", None, None, 3, None),))
    run = ripe(run_of())
    run.tick(0, 32, a=3, b=seen(3, 0, provider="cheap"), human=three)

    assert run.counts() == {"a": 3, "b": 0}, "obeyed at once, and from what does not serve"


def test_a_new_ceiling_on_the_total_takes_first_what_does_not_serve() -> None:
    run = run_of(switch_payback_s=0).settle(3, running=60, a=3, b=seen(2, 0, provider="cheap"))
    run.fleet = a_fleet(
        a_service(
            deployments=(DEAR, CHEAP), policies=(NamedPolicy("cap", Limit(at_most=3)),), switch_payback_s=0
        ),
        fixed_prices=run.fleet.fixed_prices,
    )
    run.tick(0, 60, a=3, b=seen(2, 0, provider="cheap"))
    assert run.to("a") == 3
    assert run.verdict("b") == (2, "changing"), "as every decrease, it waits until the provider is done"
    run.tick(0, 60, a=3, b=seen(2, 0, provider="cheap", phase=Phase.READY))
    assert run.counts() == {"a": 3, "b": 0}


def test_prices_that_wobble_do_not_move_replicas_to_and_fro() -> None:
    run = run_of({"exo/gpua5000": 1.0}, switch_payback_s=1800)
    run.settle(20, running=32, a=3, b=0)
    moved = 0
    counts: dict[str, int | None] = {"a": 3, "b": 0}
    for index in range(40):
        price = 0.95 if index % 2 else 1.05
        run.tick(0, 32, prices={"cheap/l4": Price(price, START + run.at)}, a=counts["a"], b=counts["b"])
        moved += run.counts() != counts
        counts = run.counts()
    assert moved <= 2
