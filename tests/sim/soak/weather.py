"""Which acts of a scenario are in force, and whom they strike."""

from __future__ import annotations

import random
from collections import Counter

from autoscaler.world.chance import stream
from tests.sim.soak.scenario import Act, Scenario, What


class Weather:
    """The acts of one run by tick. Chance of an act is its own: cutting one leaves the others as they are."""

    def __init__(self, scenario: Scenario) -> None:
        self.tick = -1
        self.struck: Counter[str] = Counter()
        """How often each kind really did something."""
        self._seed = scenario.seed
        self._ahead = sorted(scenario.acts, key=lambda act: -act.tick)
        self._active: dict[What, list[tuple[Act, random.Random]]] = {}
        self.last_lie = -1
        """The last tick at which somebody told the daemon something untrue about the world."""

    def turn(self, tick: int) -> list[Act]:
        """Go to this tick; the acts that begin with it, in the order of the scenario."""
        self.tick = tick
        begun: list[Act] = []
        while self._ahead and self._ahead[-1].tick <= tick:
            act = self._ahead.pop()
            begun.append(act)
            chance = stream(self._seed, act.what, act.target, act.word, str(act.tick))
            self._active.setdefault(act.what, []).append((act, chance))
        if self._active:
            kept = {
                what: [pair for pair in pairs if pair[0].covers(tick)] for what, pairs in self._active.items()
            }
            self._active = {what: pairs for what, pairs in kept.items() if pairs}
        return begun

    @property
    def is_calm(self) -> bool:
        """Nothing goes on at this tick."""
        return not self._active

    def on(self, what: What, target: str, call: str = "") -> Act | None:
        """The act of this kind that strikes this call of this target now, if any; counted."""
        for act, chance in self._active.get(what, ()):
            if act.target not in ("", target) or (call and act.word not in ("", "all", call)):
                continue
            if act.share >= 1.0 or chance.random() < act.share:
                self.note(what)
                return act
        return None

    def acts(self, what: What) -> list[Act]:
        """What is in force of this kind now; nothing is counted."""
        return [act for act, _ in self._active.get(what, ())]

    def note(self, what: What) -> None:
        """It really happened."""
        self.struck[what.value] += 1
