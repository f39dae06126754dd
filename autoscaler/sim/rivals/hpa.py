"""The Kubernetes Horizontal Pod Autoscaler (autoscaling/v2) on one metric: queued and running requests.

Source: Kubernetes, ``pkg/controller/podautoscaler`` and its documentation, August 2026.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

from autoscaler.sim.facts import Facts, Task
from autoscaler.sim.rivals.hpa_rates import Behaviour, Changes, least, most


@dataclass(frozen=True, slots=True)
class HpaSettings:
    """``target`` is requests at once per replica; Kubernetes has no default for it.

    ``metric`` is ``target.type`` of the metric. ``AverageValue`` divides all requests by the replicas that
    exist, loading ones included. ``Value`` compares the mean of the ready ones (all requests, where none is
    ready) and multiplies the ready ones.
    """

    target: float
    metric: Literal["AverageValue", "Value"] = "AverageValue"
    downscale_stabilisation_s: float = (
        300.0  # documentation: --horizontal-pod-autoscaler-downscale-stabilization
    )
    upscale_stabilisation_s: float = 0.0  # documentation: behavior.scaleUp.stabilizationWindowSeconds
    tolerance_down: float = 0.1  # share of the target; documentation: --horizontal-pod-autoscaler-tolerance
    tolerance_up: float = 0.1
    behaviour: Behaviour | None = None  # API: absent; then an increase is capped at max(2 x replicas, 4)

    @property
    def longest_period_s(self) -> float:
        """As long as changes must be remembered."""
        both = (self.behaviour.up, self.behaviour.down) if self.behaviour else ()
        return max((one.period_s for rates in both for one in rates.policies), default=0.0)


class HorizontalPodAutoscaler:
    """The controller's rule for one object, as Kubernetes has it; ``Hpa`` is the rival made of it.

    First the raw proposal is stabilised, then its rate is limited, then the bounds hold. What is remembered
    is the raw proposals, not what became of them.
    """

    def __init__(self, settings: HpaSettings, min_replicas: int, max_replicas: int) -> None:
        self._settings = settings
        self._min = min_replicas
        self._max = max_replicas
        self._proposals: deque[tuple[float, int]] | None = None  # (when, raw proposal)
        self._changes = Changes(settings.longest_period_s)

    def sync(self, facts: Facts) -> int:
        """The count that the controller leaves in ``spec.replicas``.

        Zero stays zero where the minimum is not: that is how a person pauses it (``ScalingDisabled``).
        """
        spec = facts.replicas_set
        if (
            self._proposals is None
        ):  # A fresh controller cannot know why so many run: it takes them as asked for.
            self._proposals = deque([(facts.at, spec)])
        if spec == 0 and self._min != 0:
            return 0
        wanted = max(self._min, min(self._max, spec))
        if wanted == spec:  # Outside the bounds neither metrics nor behaviour have a say.
            wanted = self._within_rates(facts.at, spec, self._stabilised(facts, self._proposals))
        if wanted != spec:
            self._changes.note(facts.at, wanted - spec)
        return wanted

    def _stabilised(self, facts: Facts, proposals: deque[tuple[float, int]]) -> int:
        raw = proposal(self._settings, facts)
        down_since = facts.at - self._settings.downscale_stabilisation_s
        up_since = facts.at - self._settings.upscale_stabilisation_s
        at_least = min([raw, *(count for when, count in proposals if when > up_since)])
        at_most = max([raw, *(count for when, count in proposals if when > down_since)])
        proposals.append((facts.at, raw))
        while proposals and proposals[0][0] <= min(down_since, up_since):
            proposals.popleft()
        return min(max(facts.replicas_set, at_least), at_most)

    def _within_rates(self, at: float, spec: int, wanted: int) -> int:
        if wanted > spec:
            return min(wanted, self._max, most(self._settings.behaviour, self._changes, at, spec))
        if wanted < spec:
            return max(wanted, self._min, least(self._settings.behaviour, self._changes, at, spec))
        return spec


def proposal(settings: HpaSettings, facts: Facts) -> int:
    """What the metric alone asks for, in replicas: the present count inside the tolerance."""
    usage = facts.queued + facts.running
    if settings.metric == "AverageValue":
        asked = usage / settings.target
        present = facts.replicas_set  # status.replicas: what exists, whether or not it serves yet
        if present == 0:
            return math.ceil(asked)
        return present if _tolerated(settings, usage / (settings.target * present)) else math.ceil(asked)
    ratio = usage / max(1, facts.ready) / settings.target
    if facts.replicas_set == 0:
        return math.ceil(ratio)
    # With none ready this proposes none, however many wait (kubernetes/kubernetes#130130).
    return facts.replicas_set if _tolerated(settings, ratio) else math.ceil(ratio * facts.ready)


def _tolerated(settings: HpaSettings, ratio: float) -> bool:
    return 1 - settings.tolerance_down <= ratio <= 1 + settings.tolerance_up


class Hpa:
    """The HPA asked once an interval: one question is one sync, and it sees no other instants.

    The original syncs every 15 s; its windows and periods are seconds and hold at any interval. The metric
    is always there, so nothing is held for lack of one. From zero with a minimum of zero it scales by the
    metric (``HPAScaleToZero``). Nobody pauses it here: found at zero under a minimum, it starts the minimum.
    """

    def __init__(self, task: Task, settings: HpaSettings) -> None:
        self._task = task
        self._controller = HorizontalPodAutoscaler(settings, task.min_replicas, task.max_replicas)

    def tick(self, facts: Facts) -> int:
        """One sync."""
        return self._task.clip(self._controller.sync(facts))
