"""What retention keeps of a tick, by its pure rules."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.journals.retention import FULL_DETAIL_S, KEPT_S, facts_of, needed_from, still_in_force

DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("ready", "expected"),
    [([2, 3], 5.0), ([2, 0], 2.0), ([2, None], None), ([None, None], None), ([], None)],
)
def test_one_part_that_is_not_known_makes_the_sum_not_known(ready: list[Any], expected: float | None) -> None:
    deployments = {f"d{i}": {"replicas_set": 4, "replicas_ready": one} for i, one in enumerate(ready)}
    body = {"plan": {"services": {"chat": {"demand": 3, "deployments": deployments}}}}

    (facts,) = facts_of(body)

    assert facts.replicas_ready == expected
    assert facts.replicas_set == (4.0 * len(ready) or None)


@pytest.mark.parametrize(("until", "expected"), [(None, True), (99.0, False), (100.0, False), (101.0, True)])
def test_a_human_act_is_in_force_until_its_end_and_without_one_for_ever(
    until: float | None, expected: bool
) -> None:
    assert still_in_force({"until": until}, 100.0) is expected


def test_whoever_starts_from_a_checkpoint_needs_its_tick_too() -> None:
    assert needed_from(9, {"after_seq": 7}) == 7
    assert needed_from(9, {}) == 9


def test_ticks_are_whole_for_a_week_and_the_rest_is_kept_for_more_than_a_year() -> None:
    assert (FULL_DETAIL_S, KEPT_S) == (7 * DAY_S, 400 * DAY_S)
