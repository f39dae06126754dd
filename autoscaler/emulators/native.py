"""A vendor's own autoscaler: it moves a deployment's replicas inside the bounds that were set."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from autoscaler.emulators.load import Loads
from autoscaler.world.plant import OutOfStock, World

STEP_S: Final = 10.0
"""How often it looks, in seconds."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When replicas are added and removed.

    ``per_replica`` requests at once are one replica's share (target x utilisation). Replicas are
    added when the average over ``window_s`` asks for more, and removed when for
    ``scale_down_delay_s`` it never asked for as many. ``maximum_waits``: a lowered maximum waits for that
    delay too; else it is obeyed at once.
    """

    per_replica: float
    window_s: float = 60.0
    scale_down_delay_s: float = 900.0
    maximum_waits: bool = False

    def __post_init__(self) -> None:
        if self.per_replica <= 0 or self.window_s < 0 or self.scale_down_delay_s < 0:
            raise ValueError("needs per_replica > 0, window_s and scale_down_delay_s >= 0")


class NativeAutoscaler:
    """One deployment under a vendor's rule. It lives in the world's time from its making on.

    ``stopped`` deployments have no replicas whatever the bounds say. Replicas that the stock does not
    hold are ``pending`` and asked for again at every step. ``changed`` is told after every change.
    """

    def __init__(
        self,
        world: World,
        loads: Loads,
        deployment_id: str,
        bounds: tuple[int, int],
        rule: Rule,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.bounds = bounds
        self.rule = rule
        self.stopped = False
        self.pending = 0
        self._world = world
        self._loads = loads
        self._id = deployment_id
        self._changed = changed
        self._demands: deque[tuple[float, float]] = deque()  # (when, requests at once)
        self._wishes: deque[tuple[float, int]] = deque()  # (when, replicas asked for)
        self._holds_until = world.now + rule.scale_down_delay_s  # nobody looked before: nothing is removed
        world.call_at(world.now + STEP_S, self._step)

    def set(self, bounds: tuple[int, int], rule: Rule | None = None) -> None:
        """Other bounds, and another rule where one is given; obeyed at once as far as the rule allows.

        Raises: ValueError for a minimum above the maximum or below zero.
        """
        low, high = bounds
        if not 0 <= low <= high:
            raise ValueError(f"bounds {low} to {high}: the minimum is 0 to the maximum")
        self.rule = rule or self.rule
        if low < self.bounds[0] or high < self.bounds[1]:
            # The delay counts from when fewer were allowed, not from when fewer were needed.
            self._holds_until = max(self._holds_until, self._world.now + self.rule.scale_down_delay_s)
        self.bounds = bounds
        self._settle()

    def stop(self) -> None:
        """No replicas until ``start``."""
        self.stopped = True
        self._settle()

    def start(self) -> None:
        """As many as the minimum, at least one where the maximum allows it, and then as demand asks."""
        self.stopped = False
        self._wishes.append((self._world.now, min(max(1, self.bounds[0]), self.bounds[1])))
        self._settle()

    def wake(self) -> None:
        """Traffic came: at least one replica, for at least the scale-down delay."""
        if not self.stopped:
            self._wishes.append((self._world.now, min(1, self.bounds[1])))
            self._settle()

    def _step(self, at: float) -> None:
        if self._id not in self._world.deployment_ids:
            return  # Deleted: nothing to look after any more.
        load = self._loads.of(self._id)
        self._demands.append((at, load.running + load.waiting))
        _forget(self._demands, at - max(self.rule.window_s, STEP_S))
        average = sum(demand for _, demand in self._demands) / len(self._demands)
        self._wishes.append((at, math.ceil(average / self.rule.per_replica - 1e-9)))
        self._settle()
        self._world.call_at(at + STEP_S, self._step)

    def _settle(self) -> None:
        now = self._world.now
        _forget(self._wishes, now - self.rule.scale_down_delay_s)
        before = self._world.status(self._id).replicas_set
        wanted = 0 if self.stopped else self._wanted(before)
        self.pending = 0
        if wanted != before:
            self._ask(wanted, before, now)
        self._changed()

    def _wanted(self, before: int) -> int:
        low, high = self.bounds
        asked = max((count for _, count in self._wishes), default=0)
        holding = self._world.now < self._holds_until
        if holding:
            asked = max(asked, before)
        if holding and self.rule.maximum_waits:
            high = max(high, before)
        return min(max(low, asked), high)

    def _ask(self, wanted: int, before: int, now: float) -> None:
        try:
            self._world.set_replicas(self._id, wanted, now)
        except OutOfStock as error:
            spec = self._world.spec(self._id)
            fits = before + error.gpus_free // spec.gpus_per_replica
            self.pending = wanted - fits
            self._world.set_replicas(self._id, fits, now)


def _forget(dated: deque[tuple[float, float]] | deque[tuple[float, int]], before: float) -> None:
    while dated and dated[0][0] < before:
        dated.popleft()
