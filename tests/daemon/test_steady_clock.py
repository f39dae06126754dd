"""The daemon's clock never goes back, and tells of jumps once."""

from __future__ import annotations

import pytest

from autoscaler.clock import SteadyClock, SystemClock

pytestmark = pytest.mark.virtual_time

START = 1_795_262_400.0


class SetByHand(SystemClock):
    """A machine whose wall clock a person sets."""

    ahead_s = 0.0

    def now(self) -> float:
        return round(super().now() + self.ahead_s, 3)


@pytest.mark.parametrize(
    ("ahead_s", "told"),
    [
        (3601.0, "ahead"),
        (3599.0, None),
        (0.9, None),
        (-0.9, None),
        (-1.1, "back"),
        (-86_400.0, "back"),
    ],
)
async def test_only_a_jump_back_by_over_a_second_or_ahead_by_over_an_hour_is_told_and_once(
    ahead_s: float, told: str | None
) -> None:
    wall = SetByHand(starts_at=START)
    clock = SteadyClock(wall)
    await clock.sleep(10.0)
    before = clock.now()

    wall.ahead_s = ahead_s
    after = clock.now()

    assert clock.jumped() == told
    assert clock.jumped() is None
    assert after >= before
    assert after == (before + ahead_s if ahead_s > 0 else before)


async def test_after_a_jump_back_time_goes_on_until_the_wall_has_caught_up() -> None:
    wall = SetByHand(starts_at=START)
    clock = SteadyClock(wall)
    wall.ahead_s = -100.0
    clock.now()

    await clock.sleep(60.0)
    assert clock.now() == START + 60.0

    wall.ahead_s = 0.0
    await clock.sleep(60.0)
    assert clock.now() == START + 120.0


async def test_a_clock_that_must_not_be_before_an_instant_says_that_it_was_set_back() -> None:
    wall = SetByHand(starts_at=START)

    clock = SteadyClock(wall, not_before=START + 50.0)
    assert clock.jumped() == "back"
    assert clock.now() == START + 50.001

    clock = SteadyClock(wall, not_before=START - 50.0)
    assert clock.jumped() is None
    assert clock.now() == START
