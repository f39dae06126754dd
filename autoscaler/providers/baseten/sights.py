"""What is told beside the figures: notes for a person, unknown words, and facts that the pages leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from autoscaler.core.model import Phase, ReplicaRange
from autoscaler.ports import Telemetry
from autoscaler.providers.baseten.looks import Seen
from autoscaler.providers.baseten.neutral import PHASES, SWITCHED_OFF
from autoscaler.providers.baseten.replies import PROMOTION_WORDS
from autoscaler.providers.baseten.targets import Chainlet, OneDeployment, Target
from autoscaler.providers.baseten.zero import LEAST_BOUNDS

_NAMES_MAX: Final = 5


def schedules_on(seen: Seen, now: float) -> tuple[str, ...]:
    """Names of the environment's schedules that may still act; one that came once and ended does not."""
    return tuple(one.name for one in seen.schedules if one.may_act(now))[:_NAMES_MAX]


def notes_on(target: Target, seen: Seen, now: float) -> tuple[str, ...]:
    """Why a person may wonder; the weightiest first."""
    unit = seen.unit
    notes: list[str] = []
    if PHASES.get(unit.word) is Phase.FAILED:
        notes.append(f"status {unit.word}")
    schedules = schedules_on(seen, now)
    if schedules:
        notes.append(
            f"the environment has schedules of its own ({', '.join(schedules)}), which set its bounds: "
            "nothing is written until they are switched off"
        )
    if seen.promotion is not None:
        notes.append(f"a promotion is under way ({seen.promotion}): nothing is written until it has ended")
    if unit.bounds is None and unit.word not in SWITCHED_OFF:
        notes.append(f"status {unit.word}, no autoscaling settings yet: it has not finished deploying")
    if unit.active > 0 and unit.bounds == LEAST_BOUNDS:
        notes.append(
            f"asked for zero, and {unit.active} still run: they go once no request has come for the "
            'scale_down_delay; the account\'s zero = "deactivate" ends them at once'
        )
    if unit.word in SWITCHED_OFF:
        how = "in the vendor's console" if isinstance(target, Chainlet) else "when replicas are needed"
        notes.append(f"status {unit.word}: no traffic wakes it; it is activated {how}")
    if isinstance(target, OneDeployment) and unit.environment is not None:
        notes.append(
            f"it belongs to environment {unit.environment}: a promotion undoes what is set here; "
            "name the environment instead of deployment_id"
        )
    return tuple(notes)


class Sights:
    """Reports words that are not in the tables, and what the vendor's pages leave open."""

    def __init__(self, name: str, telemetry: Telemetry) -> None:
        self._name = name
        self._telemetry = telemetry

    def tell(self, seen: Mapping[Target, Seen], now: float) -> None:
        """Of one look, each unknown word once."""
        for word in sorted({one.unit.word for one in seen.values()} - PHASES.keys()):
            self._telemetry.unknown_word(self._name, word, "deployment.status")
        promotions = {one.promotion for one in seen.values() if one.promotion is not None}
        for word in sorted(promotions - PROMOTION_WORDS):
            self._telemetry.unknown_word(self._name, word, "promotion.status")
        for target, one in seen.items():
            self._tell_of(target, one, now)

    def tell_of_answer(self, word: str | None, was: ReplicaRange | None, asked: ReplicaRange) -> None:
        """Of a write's answer."""
        if word is None:
            self._fact("the answer to a change of bounds", "none")
        elif word == "UNCHANGED" and was != asked:
            self._fact("UNCHANGED for bounds that are not shown", f"shown {was}, asked {asked}")
        elif word == "QUEUED":
            self._fact("an answer QUEUED", f"shown {was}, asked {asked}")

    def _tell_of(self, target: Target, seen: Seen, now: float) -> None:
        unit, bounds = seen.unit, seen.unit.bounds
        if isinstance(target, OneDeployment) and unit.environment is not None:
            self._fact("a deployment steered by its id is in an environment", unit.environment)
        if schedules_on(seen, now):
            self._fact("an environment with schedules of its own", "nothing is written there")
        if bounds is None:
            return
        if seen.own_bounds is not None and seen.own_bounds != bounds and seen.promotion is None:
            self._fact("bounds of an environment and of its current deployment differ", unit.word)
        if unit.active > bounds.maximum:
            self._fact("replicas above a lowered maximum stay for a while", unit.word)
        if bounds.maximum == 0:
            self._fact("a maximum of zero", unit.word)
        if unit.active == 0 and bounds.minimum == 0 and unit.word != "SCALED_TO_ZERO":
            self._fact("status without replicas", unit.word)

    def _fact(self, fact: str, seen: str) -> None:
        self._telemetry.first_sight(self._name, fact, seen)
