"""A fixed count, sized once for nearly the busiest minute: what many run before they scale at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoscaler.sim.facts import Facts, Task


@dataclass(frozen=True, slots=True)
class FixedPeakSettings:
    """``share_of_peak`` of the work that the busiest minute offers; source: the benchmark's definition."""

    share_of_peak: float = 0.92


class FixedPeak:
    """``ceil(share x peak / concurrency)`` within the bounds, always. Knows the peak beforehand.

    A question more or less often makes no difference to it.
    """

    def __init__(self, task: Task, settings: FixedPeakSettings = FixedPeakSettings()) -> None:
        self._replicas = task.clip(math.ceil(settings.share_of_peak * task.peak_at_once / task.concurrency))

    def tick(self, facts: Facts) -> int:
        """The same at every question."""
        del facts
        return self._replicas
