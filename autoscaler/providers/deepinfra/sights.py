"""Facts that DeepInfra's pages leave open, and words that they do not have: told when they are seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from autoscaler.core.model import ReplicaRange
from autoscaler.ports import Clock, Telemetry
from autoscaler.providers.deepinfra.replies import PHASES, TYPES, UNLISTED, Entry

UNSEEN_MAX_S: Final = 3600.0  # a change that does not show by then was undone by somebody


class Sights:
    """What is worth telling of one account. It decides nothing."""

    def __init__(self, name: str, clock: Clock, telemetry: Telemetry) -> None:
        self._name = name
        self._clock = clock
        self._telemetry = telemetry
        self._asked: dict[str, tuple[ReplicaRange, float]] = {}  # not shown yet; by deployment id

    def asked(self, deployment: str, bounds: ReplicaRange) -> None:
        """A change was accepted just now."""
        self._asked[deployment] = (bounds, self._clock.monotonic())

    def minimum_zero(self, seen: str) -> None:
        """What became of a minimum of zero below a maximum that is not."""
        self._tell("min_instances 0 with max_instances above 0", seen)

    def bounds_while_stopped(self, seen: str) -> None:
        """What became of bounds for a stopped deployment."""
        self._tell("bounds set while stopped", seen)

    def look(self, entries: Iterable[Entry]) -> None:
        """Tell what these show."""
        shown = tuple(entries)
        for word in sorted({one.word for one in shown} - PHASES.keys()):
            self._telemetry.unknown_word(self._name, word, "deployment.status")
        for type_ in sorted({one.type for one in shown} - TYPES):
            self._telemetry.unknown_word(self._name, type_, "deployment.type")
        for one in shown:
            self._look_at(one)

    def _look_at(self, entry: Entry) -> None:
        if entry.word in UNLISTED:
            self._tell("a status beyond the vendor's list", entry.word)
        if entry.stopped:
            self._tell("instances while stopped", f"running {entry.running}, pending {entry.pending}")
        self._compare_instances(entry)
        self._compare_with_asked(entry)

    def _compare_instances(self, entry: Entry) -> None:
        if entry.word != "running" or entry.bounds is None or entry.running is None or entry.pending:
            return
        if not entry.bounds.minimum <= entry.running <= entry.bounds.maximum:
            side = "below" if entry.running < entry.bounds.minimum else "above"
            self._tell(f"running {side} the bounds, none pending", f"{entry.running} at {entry.bounds[:]}")

    def _compare_with_asked(self, entry: Entry) -> None:
        asked = self._asked.get(entry.id)
        if asked is None:
            return
        after_s = self._clock.monotonic() - asked[1]
        if entry.replicas == asked[0]:
            self._tell("time until a change is shown", f"{entry.word} after {after_s:.0f} s")
        if entry.replicas == asked[0] or after_s > UNSEEN_MAX_S:
            del self._asked[entry.id]

    def _tell(self, fact: str, seen: str) -> None:
        self._telemetry.first_sight(self._name, fact, seen)
