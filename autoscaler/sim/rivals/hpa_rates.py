"""How fast the Kubernetes HPA may change a count: the policies of its ``behavior``, and the cap without.

Source: Kubernetes, autoscaling/v2, ``behavior.scaleUp`` and ``behavior.scaleDown``.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """At most ``value`` pods, or ``value`` percent of them, in ``period_s`` seconds."""

    kind: Literal["Pods", "Percent"]
    value: int
    period_s: float = 15.0

    def up_to(self, base: int) -> int:
        """The most that ``base`` may become; a broken pod counts as a whole one."""
        return base + self.value if self.kind == "Pods" else math.ceil(base * (1 + self.value / 100))

    def down_to(self, base: int) -> int:
        """The least that ``base`` may become; truncated."""
        return base - self.value if self.kind == "Pods" else int(base * (1 - self.value / 100))


@dataclass(frozen=True, slots=True)
class Rates:
    """Policies of one direction. ``Max`` takes the one that allows the largest change, ``Min`` the smallest.

    Raises: ValueError without a policy.
    """

    policies: tuple[RatePolicy, ...]
    select: Literal["Max", "Min", "Disabled"] = "Max"

    def __post_init__(self) -> None:
        if not self.policies:
            raise ValueError("policies: none; one at least")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Both directions, in what Kubernetes fills in for a direction that is left out."""

    up: Rates = Rates((RatePolicy("Pods", 4), RatePolicy("Percent", 100)))
    down: Rates = Rates((RatePolicy("Percent", 100),))


@dataclass(slots=True)
class Changes:
    """Pods added and removed, as long as a policy's period may ask for them."""

    keep_s: float
    _noted: deque[tuple[float, int]] = field(default_factory=deque)  # (when, replicas added; < 0: removed)

    def note(self, at: float, added: int) -> None:
        """The count changed by ``added``."""
        self._noted.append((at, added))
        while self._noted and self._noted[0][0] <= at - self.keep_s:
            self._noted.popleft()

    def base(self, at: float, replicas: int, period_s: float) -> int:
        """What the count was before the changes of the last ``period_s``."""
        return replicas - sum(added for when, added in self._noted if when > at - period_s)


def most(behaviour: Behaviour | None, changes: Changes, at: float, replicas: int) -> int:
    """The largest count that may be asked for now; without a behaviour the double, and 4 always."""
    if behaviour is None:
        return max(2 * replicas, 4)
    rates = behaviour.up
    limits = [one.up_to(changes.base(at, replicas, one.period_s)) for one in rates.policies]
    limit = {"Max": max(limits), "Min": min(limits), "Disabled": replicas}[rates.select]
    return max(limit, replicas)


def least(behaviour: Behaviour | None, changes: Changes, at: float, replicas: int) -> int:
    """The smallest count that may be asked for now; without a behaviour any."""
    if behaviour is None:
        return 0
    rates = behaviour.down
    limits = [one.down_to(changes.base(at, replicas, one.period_s)) for one in rates.policies]
    limit = {"Max": min(limits), "Min": max(limits), "Disabled": replicas}[rates.select]
    return min(limit, replicas)
