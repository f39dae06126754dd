"""4.1: what policies may say, what they see, and what they remember."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from autoscaler.core.fleet import NamedPolicy, SignalRule
from autoscaler.core.model import Absence, Sample
from autoscaler.core.proposals import Policy, Proposal, View
from tests.core.fleets import START, Limit, a_service, seen
from tests.core.run import Run, a_run, chat_run


class Wish(Policy, kind="wish"):
    """Wants a fixed capacity, for one deployment or the service."""

    want: float
    deployment: str | None = None

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return (Proposal("a wish", self.deployment, want=self.want),)


class Counting(Policy, kind="counting"):
    """Counts its ticks, and wants nothing."""

    history_s: ClassVar[float] = 60.0
    grows_by: int = 1

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return (Proposal(f"seen {view.state.get('ticks', 0)} ticks", at_most=view.state.get("ticks", 9)),)

    def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
        return {"v": 1, "ticks": state.get("ticks", 0) + self.grows_by}


class Hoarder(Policy, kind="hoarder"):
    """Remembers more than it may, from its second tick on."""

    def propose(self, view: View) -> tuple[Proposal, ...]:
        return ()

    def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
        return {"v": 1, "pad": "x" * 70_000} if state else {"v": 1}


def with_policy(policy: Policy, name: str = "extra", **settings: object) -> Run:
    return chat_run(policies=(NamedPolicy(name, policy),), **settings)


@pytest.mark.parametrize(
    ("queued", "running", "replicas"),
    [
        (0.0, 0.1, 1),
        (3.0, 9.8, 1),
        (3.0, 9.9, 2),
        (0.0, 12.8, 1),
        (0.0, 25.6, 2),
        (3.0, 57.0, 5),
        (3.0, 61.0, 5),
    ],
)
def test_a_want_is_demand_by_target_rounded_up_exactly(queued: float, running: float, replicas: int) -> None:
    run = chat_run().tick(queued, running, a=1)

    assert run.evidence().want == pytest.approx((queued + running) / 0.8)
    assert run.to() == replicas


def test_sixty_requests_at_eighty_percent_want_seventy_five_and_say_so() -> None:
    run = chat_run().tick(3, 57, a=4)

    assert run.evidence().want == 75
    assert run.verdict() == (5, "queue_depth")
    assert run.why() == "60 requests at once need 5 replicas of 16 at 0.80"


def test_known_facts_count_even_when_others_are_missing() -> None:
    run = chat_run().tick(40, None, a=2)

    assert run.evidence().want == 50
    assert run.evidence().blind
    assert run.verdict() == (4, "queue_depth")


def test_a_want_for_one_deployment_is_a_want_of_the_service() -> None:
    run = with_policy(Wish(want=33, deployment="a")).tick(0, 0, a=1)

    assert run.verdict() == (3, "wish")


def test_a_policy_that_is_silent_about_demand_is_blind() -> None:
    class Mute(Policy, kind="mute", demand=True):
        def propose(self, view: View) -> tuple[Proposal, ...]:
            return ()

    run = with_policy(Mute()).settle(30, a=5)

    assert run.evidence().blind
    assert run.verdict() == (5, "blind")


def test_a_policy_learns_from_tick_to_tick() -> None:
    run = with_policy(Counting())

    for ticks in (1, 2, 3, 4):
        run.tick(0, 100, a=0)
        assert run.past().policies["extra"]["ticks"] == ticks
        ceilings = [o.at_most for o in run.evidence().opinions if o.policy == "extra"]
        assert ceilings == [ticks - 1 if ticks > 1 else 9], "a view holds what earlier ticks had taught"


def test_what_a_policy_learned_survives_in_a_checkpoint() -> None:
    run = with_policy(Counting()).settle(5, a=0)

    assert run.memory.services["chat"].policies == {"extra": {"v": 1, "ticks": 5}}


def test_more_than_sixty_four_kibibytes_are_not_remembered() -> None:
    run = with_policy(Hoarder()).settle(3, a=0)

    assert run.past().policies["extra"] == {"v": 1}


def test_history_goes_back_as_far_as_a_policy_asks_and_holds_each_sample_once() -> None:
    run = with_policy(Counting(), demand=False)
    for index in range(10):
        run.tick(index, 0, a=1)
        run.tick(index, 0, a=1, signals={"queued": Sample(index, START + run.at)}, after=5.0)
        run.tick(index, 0, a=1, signals={"queued": Sample(index, START + run.at)}, after=5.0)

    times = [sample.at - START for sample in run.past().history["queued"]]
    assert times == sorted(set(times))
    assert run.at - times[0] <= 60.0


def test_a_view_names_why_a_signal_is_absent() -> None:
    heard: list[Mapping[str, str]] = []

    class Ear(Policy, kind="ear"):
        def propose(self, view: View) -> tuple[Proposal, ...]:
            heard.append(view.missing)
            return ()

    rules = {"queued": SignalRule(60, True), "running": SignalRule(60), "other": SignalRule(60)}
    run = with_policy(Ear(), signals=rules)
    run.tick(None, 3, a=1, age_s=61, signals={"other": Absence("nan")})

    assert heard[-1] == {
        "queued": "missing",
        "running": "stale: 61 s old, 60 s allowed",
        "other": "nan",
    }


@pytest.mark.parametrize(("age_s", "is_blind"), [(60.0, False), (60.001, True)])
def test_a_sample_is_fresh_up_to_its_max_age(age_s: float, is_blind: bool) -> None:
    assert chat_run().tick(3, 3, a=1, age_s=age_s).evidence().blind is is_blind


def test_limits_of_policies_are_replicas_and_never_compared_with_capacity() -> None:
    run = with_policy(Limit(at_most=3), capacity=0.5, replicas_max=100).tick(0, 20, a=2)

    assert run.verdict() == (3, "limit"), (
        "25 of capacity are 50 replicas of 0.5, and the ceiling is 3 replicas"
    )


def test_the_opinions_of_all_policies_are_kept_with_their_reasons() -> None:
    run = with_policy(Limit(at_most=3)).tick(3, 57, a=2)

    spoken = {(o.policy, o.kind, o.want, o.at_most) for o in run.evidence().opinions}
    assert spoken == {("queue-depth", "queue_depth", 75.0, None), ("extra", "limit", None, 3)}


def test_services_do_not_hear_each_other() -> None:
    run = a_run(a_service("chat"), a_service("draw"))
    run.tick(0, 60, a=1, services={"draw": (0, 0)}, keys={"draw/a": seen(1)})

    assert (run.to(), run.to(service="draw")) == (5, 1)
