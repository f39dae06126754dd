"""What would have changed a decision, compared with a scan over ``decide`` through every value there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.decide import decide, step
from autoscaler.core.elsewhen import moved_memory, moved_snapshot
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy
from autoscaler.core.memory import Memory
from autoscaler.core.model import Absence, Plan, Price, Reading, Sample, Snapshot
from autoscaler.daemon.counterfactuals import ASKED_MAX, counterfactuals, total_of
from autoscaler.daemon.turns import nearest
from autoscaler.policies.gpu_price import GpuPrice
from autoscaler.policies.schedule import Schedule
from tests.core.fleets import START, a_fleet, a_service, a_snapshot, seen

VALUES = range(120)  # more than fills every replica that there may be


@dataclass
class Case:
    """One service, its memory before the last tick, and that tick."""

    fleet: Fleet
    snapshot: Snapshot
    memory: Memory = field(default_factory=Memory)

    @property
    def plan(self) -> Plan:
        return decide(self.snapshot, self.memory, self.fleet)

    @property
    def total(self) -> int | None:
        return total_of(self.plan.decisions)

    def told(self) -> tuple[list[dict[str, Any]], list[str]]:
        return counterfactuals("chat", self.snapshot, self.plan, self.memory, self.fleet)

    def with_signal(self, name: str, value: float) -> Case:
        own = {**self.snapshot.signals["chat"], name: Sample(value, self.snapshot.at - 2)}
        return replace(self, snapshot=replace(self.snapshot, signals={"chat": own}))

    def with_price(self, key: str, usd: float) -> Case:
        if key in self.fleet.fixed_prices:
            return replace(
                self, fleet=replace(self.fleet, fixed_prices={**self.fleet.fixed_prices, key: usd})
            )
        prices = {**self.snapshot.prices, key: Price(usd, self.snapshot.at)}
        return replace(self, snapshot=replace(self.snapshot, prices=prices))

    def later(self, by_s: float) -> Case:
        return replace(
            self, snapshot=moved_snapshot(self.snapshot, by_s), memory=moved_memory(self.memory, by_s)
        )

    def caps(self) -> dict[str | None, int | None]:
        opinions = self.plan.services["chat"].opinions
        return {o.deployment: o.at_most for o in opinions if o.kind == "gpu_price" and o.at_most is not None}


def scanned(values: range, now: float, differs: Callable[[int], bool]) -> dict[bool, int | None]:
    """The nearest value above (True) and below (False) at which something differs, by looking at all."""
    found = [value for value in values if differs(value)]
    return {
        True: min((v for v in found if v > now), default=None),
        False: max((v for v in found if v < now), default=None),
    }


def told_of(found: list[dict[str, Any]], key: str, name: str, now: float) -> dict[bool, int | None]:
    own = [one["value"] for one in found if one.get(key) == name]
    return {
        True: next((v for v in own if v > now), None),
        False: next((v for v in own if v < now), None),
    }


# --- signals ------------------------------------------------------------------------------------


def a_case(queued: float, running: float, replicas: int, earlier: float, **settings_: object) -> Case:
    """Two ticks of a service: ``earlier`` ran at the first, which the window remembers."""
    fleet = a_fleet(a_service(**settings_))  # type: ignore[arg-type]
    first = a_snapshot(0, 0, earlier, replicas=replicas)
    _, memory = step(Memory(), first, fleet)
    return Case(fleet, a_snapshot(15, queued, running, replicas=replicas), memory)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 40),
    st.sampled_from([0.0, 3.0, 12.5, 16.0, 57.0, 90.0]),
    st.integers(0, 6),
    st.sampled_from([0.0, 20.0, 70.0]),
    st.sampled_from(
        [
            {},
            {"stabilise_down_s": 0.0},
            {"step_up_replicas_max": 1},
            {"cooldown_s": 600.0},
            {"replicas_max": 3},
        ]
    ),
)
def test_the_signals_that_are_told_are_the_ones_that_a_scan_finds(
    queued: int, running: float, replicas: int, earlier: float, settings_: dict[str, object]
) -> None:
    """For holds as for changes; monotone in each signal, so that the nearest turn is the only one."""
    case = a_case(float(queued), running, replicas, earlier, **settings_)
    found, unsaid = case.told()

    for name, now in (("queued", float(queued)), ("running", running)):
        expected = scanned(VALUES, now, lambda v, n=name: case.with_signal(n, v).total != case.total)  # type: ignore[misc]
        assert told_of(found, "signal", name, now) == expected
        for word, value in (("larger", expected[True]), ("smaller", expected[False])):
            if value is None and (word == "larger" or now > 0):
                assert any(f"no {word} {name}" in text for text in unsaid)
    for one in found:
        assert case.with_signal(one["signal"], one["value"]).total == one["replicas"]
        assert one["replicas_now"] == case.total


def test_a_signal_that_is_not_known_and_a_counter_are_not_imagined() -> None:
    case = a_case(3.0, 20.0, 2, 20.0)
    signals: dict[str, Reading] = {
        "queued": Absence("timeout"),
        "running": Sample(20.0, START + 15),
        "arrived_total": Sample(9.0, START),
    }
    case.snapshot = replace(case.snapshot, signals={"chat": signals})

    found, unsaid = case.told()

    assert {one["signal"] for one in found} <= {"running"}
    assert "queued is not known, so no other value of it is imagined" in unsaid
    assert "arrived_total count what is past: another value is another past" in unsaid


def test_a_turn_is_found_where_steps_that_double_meet_one() -> None:
    for turn in range(1, 400):
        assert nearest(lambda v, t=turn: v >= t, 0, 1 << 20, up=True) == turn  # type: ignore[misc]
        assert nearest(lambda v, t=turn: v < t, 400, 1 << 20, up=False) == turn - 1  # type: ignore[misc]
    assert nearest(lambda v: False, 0, 1 << 20, up=True) is None
    assert nearest(lambda v: False, 7, 1 << 20, up=False) is None
    assert nearest(lambda v: v == 0, 7, 1 << 20, up=False) == 0


# --- prices -------------------------------------------------------------------------------------


CAP = NamedPolicy("gpu-price", GpuPrice(price_usd_per_gpu_hour_max=0.04))


@pytest.mark.parametrize("price", [0.0, 0.0399, 0.04, 0.0401])
@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("capped", [True, False])
def test_the_prices_that_are_told_are_the_ones_that_a_scan_finds(
    price: float, fixed: bool, capped: bool
) -> None:
    key = "exo/gpua5000"
    fleet = a_fleet(a_service(policies=(CAP,)), fixed_prices={key: price} if fixed else {})
    before = Case(fleet, a_snapshot(0, 0, 60, prices={key: Price(0.05 if capped else 0.01, START)}))
    if fixed:
        before = before.with_price(key, 0.05 if capped else 0.01)
    _, memory = step(Memory(), before.snapshot, before.fleet)
    case = Case(fleet, a_snapshot(15, 0, 60, prices={key: Price(price, START + 15)}), memory)
    now = round(price * 10_000)

    found, unsaid = case.told()

    caps = case.caps()
    expected = scanned(range(600), now, lambda v: case.with_price(key, round(v / 10_000, 4)).caps() != caps)
    told = {
        up: None if v is None else round(v * 10_000) for up, v in told_of(found, "price", key, price).items()
    }
    assert told == expected
    for one in found:
        if "price" in one:
            assert case.with_price(key, one["value"]).total == one["replicas"]
            assert ("begins" in one["text"]) == (one["value"] > price)
    assert not any("begins or ends" in text for text in unsaid)


def test_a_price_policy_without_a_cap_says_that_no_price_begins_one() -> None:
    fleet = a_fleet(a_service(policies=(NamedPolicy("gpu-price", GpuPrice()),)))

    _, unsaid = Case(fleet, a_snapshot(0, 0, 60)).told()

    assert "no price of exo/gpua5000 that was tried begins or ends a cap" in unsaid


# --- time ---------------------------------------------------------------------------------------


def a_schedule(*windows: dict[str, object]) -> NamedPolicy:
    return NamedPolicy("hours", Schedule.model_validate({"time_zone": "UTC", "windows": windows}))


WINDOWS = {
    "opens": ({"start": "13:00", "end": "14:00", "at_least": 5},),
    "opens early": ({"start": "13:00", "end": "14:00", "at_least": 5, "lead_s": 600},),
    "is below what is needed": (
        {"start": "12:30", "end": "12:45", "at_least": 1},
        {"start": "15:00", "end": "16:00", "at_most": 2},
    ),
    "is open": ({"start": "11:00", "end": "12:07", "at_least": 6},),
    "changes nothing": ({"start": "13:00", "end": "14:00", "at_least": 1},),
}


@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS)
def test_the_instant_that_is_told_is_the_one_that_a_scan_finds(
    windows: tuple[dict[str, object], ...],
) -> None:
    only = Deployment("chat", "a", "exo", 16.0, 6, start_up_s=120.0)
    fleet = a_fleet(a_service(policies=(a_schedule(*windows),), deployments=(only,), stabilise_down_s=0.0))
    _, memory = step(Memory(), a_snapshot(0, 0, 60, replicas=4), fleet)
    case = Case(fleet, a_snapshot(15, 0, 60, replicas=4), memory)

    found, unsaid = case.told()

    minutes = range(5 * 60)
    differing = [m for m in minutes if case.later(m * 60.0 + 45.0).total != case.total]
    times = [one for one in found if "time" in one]
    if not differing:
        assert times == []
        assert any(text.startswith("no edge of the schedule up to 2026-") for text in unsaid)
        return
    (one,) = times
    at = datetime.fromisoformat(one["time"]).timestamp()
    assert START + (differing[0] - 1) * 60 + 60 < at <= START + differing[0] * 60 + 60
    assert case.later(at - case.snapshot.at).total == one["replicas"] != case.total
    assert case.later(at - 1 - case.snapshot.at).total == case.total


def test_a_lead_that_was_fixed_before_tells_the_instant_and_not_the_one_learned_since() -> None:
    """The schedule's own list of edges knows what is learned; ``decide`` knows what was fixed."""
    only = Deployment("chat", "a", "exo", 16.0, 6, start_up_s=120.0)
    hours = a_schedule({"start": "13:00", "end": "14:00", "at_least": 6})
    fleet = a_fleet(a_service(policies=(hours,), deployments=(only,)))
    _, memory = step(Memory(), a_snapshot(0, 0, 60, replicas=4), fleet)
    fixed = {"hours": {"v": 1, "leads": {str(int(START + 3600)): 600.0}}}
    chat = replace(memory.services["chat"], policies=fixed)
    case = Case(fleet, a_snapshot(15, 0, 60, replicas=4), replace(memory, services={"chat": chat}))

    found, _ = case.told()

    (one,) = [one for one in found if "time" in one]
    assert one["time"] == "2026-11-21T12:50:00Z"


def test_a_service_without_a_schedule_is_not_asked_about_other_times() -> None:
    found, unsaid = Case(a_fleet(), a_snapshot(0, 0, 60)).told()

    assert not any("time" in one for one in found)
    assert not any("schedule" in text for text in unsaid)


# --- what cannot be said ------------------------------------------------------------------------


def test_what_other_services_bind_is_said_to_be_theirs() -> None:
    other = a_service("code", deployments=(Deployment("code", "a", "exo", 16.0, 6),), priority=1)
    fleet = a_fleet(a_service(), other, budget_usd_per_hour=5.0)
    signals = {name: dict(a_snapshot(0, 0, 60).signals["chat"]) for name in ("chat", "code")}
    snapshot = replace(
        a_snapshot(0, 0, 60, deployments={"chat/a": seen(2), "code/a": seen(2)}), signals=signals
    )

    found, unsaid = Case(fleet, snapshot).told()

    assert found == []
    (text,) = unsaid
    assert "alone, decide gives 5 and not 2: other services bind it" in text


def test_a_decision_of_another_configuration_is_said_to_be_one() -> None:
    case = a_case(0.0, 60.0, 2, 60.0)
    now = replace(a_fleet(a_service(replicas_max=3)), config_hash="bbbb")
    same = replace(case.fleet, config_hash="bbbb")

    found, unsaid = counterfactuals("chat", case.snapshot, case.plan, case.memory, now, "aaaa")
    still, besides = counterfactuals("chat", case.snapshot, case.plan, case.memory, same, "aaaa")

    assert found == []
    assert unsaid == [
        "it was decided with configuration aaaa; bbbb is asked now",
        "asked about this service alone, decide gives 3 and not 5",
    ]
    assert still != []
    assert besides[0] == unsaid[0]


def test_a_tick_without_any_count_says_so() -> None:
    case = Case(a_fleet(), a_snapshot(0, 0, 60, deployments={}))

    assert case.told() == (
        [],
        ["no count of this service was known at this tick, so there is nothing to compare with"],
    )


def test_decide_is_asked_a_bounded_number_of_times() -> None:
    names = [f"s{index}" for index in range(60)]
    fleet = a_fleet()
    snapshot = a_snapshot(0, 0, 60)
    signals = {**snapshot.signals["chat"], **{name: Sample(5.0, snapshot.at) for name in names}}
    snapshot = replace(snapshot, signals={"chat": signals})

    _, unsaid = Case(fleet, snapshot).told()

    assert unsaid[-1] == f"the search ended after {ASKED_MAX} questions"
