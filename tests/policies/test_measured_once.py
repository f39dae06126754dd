"""What queue_depth measures once for a view is what it would measure each time it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.model import Sample
from autoscaler.core.proposals import View
from autoscaler.policies.queue_depth import QueueDepth
from tests.policies.views import AT, a_view

counts = st.integers(0, 300).map(float)
pasts = st.dictionaries(st.sampled_from([15.0, 30.0, 45.0, 60.0, 110.0]), counts, max_size=5)
SIGNALS = ("queued", "running", "arrived_total", "started_total")
views = st.builds(
    a_view,
    signals=st.fixed_dictionaries({}, optional=dict.fromkeys(SIGNALS, counts)),
    history=st.fixed_dictionaries({}, optional=dict.fromkeys(SIGNALS, pasts)),
    state=st.sampled_from([{}, {"v": 1, "service_s": 30.0}]),
)
policies = st.builds(
    QueueDepth,
    signals=st.sampled_from([("queued", "running"), ("running",)]),
    service_s=st.sampled_from([None, 12.5]),
)


def _answers(policy: QueueDepth, view: View) -> tuple[Any, Any]:
    return policy.propose(view), policy.remember(view.state, view)


@given(policies, views)
def test_a_view_that_was_measured_is_answered_as_one_that_was_not(policy: QueueDepth, view: View) -> None:
    measured = replace(view, measured=policy.measure(view))

    assert _answers(policy, measured) == _answers(policy, view)


@given(policies, views, counts)
def test_a_measurement_never_speaks_for_other_samples(policy: QueueDepth, view: View, level: float) -> None:
    signals = {**view.signals, "arrived_total": Sample(level, AT), "started_total": Sample(level, AT)}
    changed = replace(view, signals=signals)

    assert _answers(policy, replace(changed, measured=policy.measure(view))) == _answers(policy, changed)
