from __future__ import annotations

import pytest

from autoscaler.sim.rivals.fixed_peak import FixedPeak, FixedPeakSettings
from tests.sim.rivals.asking import a_task, facts


@pytest.mark.parametrize(
    ("peak_at_once", "replicas"),
    [
        (48.0, 12),  # 0.92 x 48 / 4 = 11.04
        (100.0, 23),  # 23.0 exactly
        (500.0, 24),  # at most 24
        (0.0, 1),  # at least 1
    ],
)
def test_it_is_0_92_of_the_peak_rounded_up_within_the_bounds(peak_at_once: float, replicas: int) -> None:
    assert FixedPeak(a_task(peak_at_once=peak_at_once)).tick(facts()) == replicas


def test_nothing_that_happens_changes_it() -> None:
    rival = FixedPeak(a_task(), FixedPeakSettings(share_of_peak=0.5))

    assert [rival.tick(facts(at, queued=500, ready=1)) for at in (0, 15, 86_400)] == [6, 6, 6]
