"""The referee: the promises of docs/architecture.md over what the ports and the journal really saw.

It shares no code with the planner or with the product's own checker. It is told of every record that the
journal took, every answer of a provider and every write on its way, and keeps a list of fouls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from autoscaler.core.model import Observation, ReplicaRange
from autoscaler.ports import Record
from tests.sim.soak import rules
from tests.sim.soak.hands import Hands
from tests.sim.soak.rules import Acts, Known, Limit
from tests.sim.soak.scenario import Configuration, Place, Shop
from tests.sim.soak.watched import Fingerprint

REASONS: Final = frozenset(
    {
        *("hold", "baseline", "blind", "fallback", "stabilised", "moving", "step", "cooldown", "bounds"),
        *("floor_over_budget", "budget", "changing", "drift", "override", "paused", "stale", "overdue"),
        *("reassert", "no_capacity", "provider_error", "no_wake_signal", "clock", "brake"),
    }
)
"""The closed list of reason codes; the kinds of policies are the only others."""

NO_OBSTACLE: Final = frozenset(
    {
        *("hold", "baseline", "blind", "fallback", "stabilised", "cooldown", "no_wake_signal", "clock"),
        *("brake", "budget", "queue_depth", "schedule", "gpu_price"),
    }
)
"""Reasons that are in nobody's way while a deployment stays below its floor."""

SLACK: Final = 1e-6


@dataclass(frozen=True)
class Foul:
    """A broken promise: which check found it, and what it saw."""

    check: str
    at: float
    text: str


@dataclass
class Move:
    """One decision as journalled."""

    name: str
    place: Place
    was: int
    to: int
    reason: str
    changes: bool
    spread: tuple[int, int]  # asked for
    overdue: int  # as the evidence says: deadlines rest on learned times


@dataclass
class Turn:
    """One service in one plan."""

    at: float
    shop: Shop
    moves: list[Move]
    counts: Mapping[str, int]  # of every deployment, the last known where it was not read
    opinions: Sequence[Mapping[str, Any]]
    each: Mapping[str, Limit]
    total: Limit
    overridden: bool

    @property
    def falling(self) -> list[Move]:
        return [move for move in self.moves if move.to < move.was]

    def excused(self, *, forced: bool = False) -> int:
        """Replicas that ceilings take: each deployment's own surplus, or the total's where that is more."""
        own = sum(max(0, move.was - max(move.to, self._high(move, forced=forced))) for move in self.falling)
        high = self.total.forced if forced else self.total.high
        raised = sum(max(0, min(m.to, self.each[m.name].low) - m.was) for m in self.moves)
        return max(own, sum(self.counts.values()) + raised - high, 0)

    def _high(self, move: Move, *, forced: bool) -> int:
        limit = self.each[move.name]
        return limit.forced if forced else limit.high


@dataclass
class Referee:
    """Implements :class:`~tests.sim.soak.watched.Witness`."""

    interval_s: float
    truth: Callable[[str], Mapping[str, int]] | None = (
        None  # replicas that really serve, by key, of a service
    )
    trusts: Callable[[], bool] = lambda: False  # whether nobody has told untruths lately
    fouls: list[Foul] = field(default_factory=list)
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    configuration: Configuration | None = None
    acts: Acts = field(default_factory=Acts)
    known: dict[str, Known] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)
    wants: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    due: dict[str, tuple[int, int]] = field(default_factory=dict)  # writes journalled and not sent yet
    due_at: float = 0.0
    hands: Hands = field(default_factory=Hands)
    answers: dict[str, Observation] = field(default_factory=dict)
    writes: int = 0
    last: tuple[float, Mapping[str, Any]] | None = None  # the last tick's instant and body
    one_configuration: bool = False  # since the last checkpoint

    # --- what it is told ------------------------------------------------------------------------

    def configured(self, configuration: Configuration) -> None:
        """The configuration in force from the next tick on."""
        self.one_configuration = self.one_configuration and configuration is self.configuration
        self.configuration = configuration

    def answered(self, answers: Mapping[str, Observation]) -> None:
        self.answers.update(answers)

    def sends(self, key: str, replicas: ReplicaRange) -> None:
        self.writes += 1
        due = self.due.pop(key, None)
        if due is None:
            self._foul(
                "10", f"{key}: a write of {tuple(replicas)} that no journalled plan names, or a second one"
            )
        elif due != tuple(replicas):
            self._foul("10", f"{key}: {tuple(replicas)} is written, the journalled plan says {due}")
        self._paused(key, replicas)

    def recorded(self, record: Record, seq: int) -> None:
        self.fingerprint.add(record, seq)
        if record.kind == "human":
            human = record.body["human"]
            self.acts = Acts.of(human)
            self.hands.resume(human.get("resumes", ()))
        elif record.kind == "checkpoint":
            self.one_configuration = True
        elif record.kind == "tick":
            self.last = record.at, record.body
            self._judge(record)
            self.answers = {}

    def ended(self) -> None:
        """The tick is over, or its process: what was not sent by now must never be."""
        self.due = {}

    def _foul(self, check: str, text: str) -> None:
        self.fouls.append(Foul(check, self.due_at, text))

    # --- one write ------------------------------------------------------------------------------

    def _paused(self, key: str, replicas: ReplicaRange) -> None:
        known = self.known.get(key)
        falls = known is None or replicas.minimum < known.spread[0] or replicas.maximum < known.spread[1]
        for pause in self.acts.pauses_on(key.partition("/")[0], self.due_at):
            if pause.get("direction") != "down" or falls:
                self._foul("11", f"{key}: {tuple(replicas)} is written during a pause")

    # --- one plan -------------------------------------------------------------------------------

    def _judge(self, record: Record) -> None:
        assert self.configuration is not None, "the referee was told of no configuration"
        snapshot, plan = record.body["snapshot"], record.body["plan"]
        self.due_at = record.at
        places = self.configuration.places()
        self.known = {key: one for key, one in self.known.items() if key in places}
        names = {shop.name for shop in self.configuration.shops}
        self.wants = {name: wants for name, wants in self.wants.items() if name in names}
        self._look(snapshot, places)
        decisions: dict[str, list[Mapping[str, Any]]] = {}
        for decision in plan["decisions"]:
            decisions.setdefault(decision["service"], []).append(decision)
            if f"{decision['service']}/{decision['deployment']}" not in places:
                self._foul("9", f"{decision['service']}/{decision['deployment']} is not in the configuration")
        turns = []
        for shop in self.configuration.shops:
            turn = self._turn(record, shop, decisions.get(shop.name, []))
            if turn is not None:
                turns.append(turn)
                self._service(turn, snapshot, plan["services"].get(shop.name, {}))
        self._budgets(turns)
        self._due(record, plan)

    def _due(self, record: Record, plan: Mapping[str, Any]) -> None:
        self.due = {}
        written = set(record.body["writes"])
        for decision in plan["decisions"]:
            key = f"{decision['service']}/{decision['deployment']}"
            if key not in written:
                continue
            spread = _spread(decision, "to")
            assert spread is not None
            self.due[key] = spread
            self.hands.meant(key, spread, record.at)

    def _look(self, snapshot: Mapping[str, Any], places: Mapping[str, Place]) -> None:
        assert self.configuration is not None
        holds_s = {s.name: float(s.keys.get("drift_hold_s", 600.0)) for s in self.configuration.shops}
        for key, price in snapshot.get("prices", {}).items():
            self.prices[key] = price["usd_per_gpu_hour"]
        self.hands.forget_all_but(places)
        for key, seen in snapshot.get("deployments", {}).items():
            spread = rules.observed(seen)
            if key not in places or spread is None:
                continue
            self.known[key] = rules.look(self.known.get(key), seen, places[key].control)
            self.hands.see(key, spread, self.due_at, holds_s[key.partition("/")[0]])
            answer = self.answers.get(key)
            if answer is not None and answer.replicas is not None and tuple(answer.replicas) != spread:
                self._foul(
                    "1", f"{key}: {spread} is journalled, the provider answered {tuple(answer.replicas)}"
                )

    def _turn(self, record: Record, shop: Shop, decisions: list[Mapping[str, Any]]) -> Turn | None:
        """The service's decisions, each of which is checked alone on the way."""
        at, snapshot = record.at, record.body["snapshot"]
        evidence = record.body["plan"]["services"].get(shop.name, {})
        opinions = evidence.get("opinions", ())
        places = {place.name: place for place in shop.places}
        each = {
            name: rules.limit_of(place, opinions, self.acts.overrides_on(shop.name, name, at))
            for name, place in places.items()
        }
        by_hand = self.acts.overrides_on(shop.name, None, at)
        total, each = rules.total_of(each, opinions, by_hand)
        moves = []
        if sorted(d["deployment"] for d in decisions) != sorted(places):
            self._foul("1", f"{shop.name}: {len(decisions)} decisions for {len(places)} deployments")
            return None
        kinds = {self.configuration.policies[name]["kind"] for name in shop.policies}  # type: ignore[union-attr]
        for decision in decisions:
            name = decision["deployment"]
            key = f"{shop.name}/{name}"
            seen = snapshot.get("deployments", {}).get(key)
            self._alone(key, decision, seen, kinds)
            spread = _spread(decision, "to")
            if spread is None or decision["replicas_from"] is None or key not in self.known:
                continue
            site = evidence.get("deployments", {}).get(name, {})
            moves.append(
                Move(
                    name,
                    places[name],
                    decision["replicas_from"],
                    decision["replicas_to"],
                    decision["reason"],
                    spread != _spread(decision, "from"),
                    spread,
                    site.get("replicas_overdue", 0),
                )
            )
        counts = {n: self.known[f"{shop.name}/{n}"].count for n in places if f"{shop.name}/{n}" in self.known}
        overridden = bool(by_hand) or any(self.acts.overrides_on(shop.name, name, at) for name in places)
        return Turn(at, shop, moves, counts, opinions, each, total, overridden)

    def _alone(
        self, key: str, decision: Mapping[str, Any], seen: Mapping[str, Any] | None, kinds: set[str]
    ) -> None:
        if decision["reason"] not in REASONS | kinds or not decision["why"]:
            self._foul("3", f"{key}: {decision['reason']!r}, {decision['why']!r}")
        spread = rules.observed(seen)
        if spread is None:
            if decision["replicas_to"] is not None:
                self._foul("1", f"{key}: decided, and not observed")
        elif _spread(decision, "from") != spread:
            self._foul("2", f"{key}: starts from {_spread(decision, 'from')}, observed {spread}")

    # --- one service ----------------------------------------------------------------------------

    def _service(self, turn: Turn, snapshot: Mapping[str, Any], evidence: Mapping[str, Any]) -> None:
        blind = self._is_blind(turn.shop, snapshot)
        self._sight(turn, snapshot, evidence, blind)
        for move in turn.moves:
            if move.changes:
                self._bounds(turn, move)
                self._unpaused(turn, move)
        if blind:
            overdue = sum(move.overdue for move in turn.falling)
            gone = sum(move.was - move.to for move in turn.falling)
            if gone > turn.excused() + overdue:
                self._foul("5", f"{_told(turn)} while blind")
        self._floors(turn)
        if turn.falling:
            self._capacity(turn)

    def _is_blind(self, shop: Shop, snapshot: Mapping[str, Any]) -> bool:
        """Whether a signal that demand depends on is certainly missing or stale."""
        return any(value is None for value in self._values(shop, snapshot).values())

    def _values(self, shop: Shop, snapshot: Mapping[str, Any]) -> dict[str, float | None]:
        """What the signals say; None: missing, and no excuse; left out: missing, and perhaps excused."""
        assert self.configuration is not None
        if not rules.measures(shop, self.configuration):
            return {}
        readings = snapshot.get("signals", {}).get(shop.name, {})
        serves = any(
            (seen := snapshot.get("deployments", {}).get(f"{shop.name}/{place.name}")) is not None
            and (seen.get("replicas_ready") or 0) > 0
            for place in shop.places
        )
        values: dict[str, float | None] = {}
        for name in ("queued", "running"):
            reading = readings.get(name, {})
            fresh = "value" in reading and abs(self.due_at - rules.seconds(reading["at"])) <= shop.max_age_s
            if fresh:
                values[name] = reading["value"]
            elif serves or (name == "queued" and shop.wakes_by_signal):
                values[name] = None
        return values

    def _sight(
        self, turn: Turn, snapshot: Mapping[str, Any], evidence: Mapping[str, Any], blind: bool
    ) -> None:
        """The want that the plan rests on, and whether it knows that it is blind."""
        assert self.configuration is not None
        if blind and not evidence.get("blind"):
            self._foul("blind", f"{turn.shop.name}: a signal is missing, and the plan does not say so")
        want = evidence.get("want")
        values = self._values(turn.shop, snapshot)
        target = rules.plain_target(turn.shop, self.configuration)
        if target is not None and len(values) == 2 and not blind:
            total = sum(value or 0.0 for value in values.values())
            if want is None or abs(want - total / target) > SLACK * max(1.0, total / target):
                self._foul("want", f"{turn.shop.name}: the want is {want}, {total} at {target} is demanded")
        window_s = float(turn.shop.keys.get("stabilise_down_s", 300.0))
        # What a shorter window has forgotten, a longer one of a new configuration does not bring back.
        wants = [one for one in self.wants.get(turn.shop.name, ()) if one[0] > turn.at - window_s]
        if want is not None:
            wants.append((turn.at, want))
        self.wants[turn.shop.name] = wants

    def need(self, shop: Shop, at: float) -> float:
        """At least this much is needed: the largest want of the window, (now - w, now]."""
        window_s = float(shop.keys.get("stabilise_down_s", 300.0))
        return max(
            (want for when, want in self.wants.get(shop.name, ()) if when > at - window_s), default=0.0
        )

    def _bounds(self, turn: Turn, move: Move) -> None:
        low = 0 if turn.overridden else move.place.min_replicas
        high = move.place.max_replicas
        inside = low <= move.to <= high
        towards = move.was <= move.to <= low or high <= move.to <= move.was
        if not inside and not towards and move.to != move.was:
            self._foul("4", f"{turn.shop.name}/{move.name}: {move.was} to {move.to}, bounds {low} to {high}")
        known = self.known.get(f"{turn.shop.name}/{move.name}")
        if known is not None and move.spread[1] > max(high, known.spread[1], move.to):
            self._foul("4", f"{turn.shop.name}/{move.name}: a maximum of {move.spread[1]}, allowed {high}")

    def _unpaused(self, turn: Turn, move: Move) -> None:
        key = f"{turn.shop.name}/{move.name}"
        known = self.known[key]
        falls = move.spread[0] < known.spread[0] or move.spread[1] < known.spread[1]
        for pause in self.acts.pauses_on(turn.shop.name, turn.at):
            if pause.get("direction") != "down" or falls:
                self._foul("11", f"{key}: {known.spread} to {move.spread} during a pause")
        if self.hands.are_off(key, turn.at):
            over_max = move.was > move.place.max_replicas and move.to >= move.place.max_replicas
            if not over_max and known.spread[1] <= move.place.max_replicas:
                self._foul("drift", f"{key}: {known.spread} to {move.spread} during somebody else's hold")

    def _floors(self, turn: Turn) -> None:
        forced = turn.excused(forced=True)
        gone = sum(move.was - move.to for move in turn.falling)
        for move in turn.moves:
            low = turn.each[move.name].low
            if move.to >= low:
                continue
            if move.to < move.was and not turn.overridden:
                self._foul("6", f"{turn.shop.name}/{move.name}: {move.was} to {move.to}, floor {low}")
            elif move.to <= move.was and not turn.overridden and move.reason in NO_OBSTACLE:
                self._foul("6", f"{turn.shop.name}/{move.name}: {move.to} for {move.reason}, floor {low}")
        counts = {**turn.counts, **{move.name: move.to for move in turn.moves}}
        floor = min(turn.total.low, sum(turn.counts.values()))
        if turn.falling and sum(counts.values()) < floor and gone > forced:
            self._foul("6", f"{_told(turn)}, the service's floor is {turn.total.low}")

    def _capacity(self, turn: Turn) -> None:
        """No decrease below need, in what is set and in what serves, but for ceilings."""
        need = self.need(turn.shop, turn.at)
        largest = max(place.capacity for place in turn.shop.places)
        tos = {**turn.counts, **{move.name: move.to for move in turn.moves}}
        ready = {name: self.known[f"{turn.shop.name}/{name}"].ready for name in turn.counts}
        self._measure(turn, "serving capacity", need, largest, ready, tos)
        overdue = {move.name: move.overdue for move in turn.moves}
        held = {n: max(0, max(turn.counts[n], tos[n]) - overdue.get(n, 0)) for n in turn.counts}
        self._measure(turn, "capacity", need, largest, held, tos)
        if self.truth is not None and self.trusts():
            true = self.truth(turn.shop.name)
            served = {n: true.get(f"{turn.shop.name}/{n}", 0) for n in turn.counts}
            self._measure(turn, "true serving capacity", need, largest, served, tos)

    def _measure(
        self,
        turn: Turn,
        what: str,
        need: float,
        largest: float,
        there: Mapping[str, int],
        tos: Mapping[str, int],
    ) -> None:
        sizes = {place.name: place.capacity for place in turn.shop.places}
        before = sum(min(there[n], turn.counts[n]) * sizes[n] for n in turn.counts)
        after = sum(min(there[n], tos[n]) * sizes[n] for n in turn.counts)
        left = min(need, before - turn.excused() * largest)
        if after < before - SLACK and after < left - SLACK:
            self._foul("7", f"{_told(turn)}: {what} falls from {before:g} to {after:g}, need {need:g}")

    # --- money ----------------------------------------------------------------------------------

    def _budgets(self, turns: list[Turn]) -> None:
        assert self.configuration is not None
        costs: dict[str, float] = {}
        for turn in turns:
            tos = {move.name: move.to for move in turn.moves}
            cost = 0.0
            for place in turn.shop.places:
                known = self.known.get(f"{turn.shop.name}/{place.name}")
                price = rules.usd_per_replica_hour(place, known, self.configuration, self.prices)
                if known is not None:
                    cost += (price or 0.0) * max(tos.get(place.name, 0), known.count, known.running)
            costs[turn.shop.name] = cost
        for turn in turns:
            own = turn.shop.keys.get("budget_usd_per_hour")
            self._within(turn, own, costs[turn.shop.name])
            self._within(turn, self.configuration.budget_usd_per_hour, sum(costs.values()))

    def _within(self, turn: Turn, budget: float | None, cost: float) -> None:
        if budget is None:
            return
        assert self.configuration is not None
        total = sum({**turn.counts, **{move.name: move.to for move in turn.moves}}.values())
        for move in turn.moves:
            known = self.known[f"{turn.shop.name}/{move.name}"]
            rises = move.to > max(move.was, known.running)
            by_floor = move.to <= turn.each[move.name].low or total <= turn.total.low
            if not rises or by_floor:
                continue
            price = rules.usd_per_replica_hour(move.place, known, self.configuration, self.prices)
            if price is None:
                self._foul("8", f"{turn.shop.name}/{move.name}: grows at an unknown price under a budget")
            elif cost > budget + SLACK * max(1.0, budget):
                self._foul("8", f"{_told(turn)}: {cost:.3f} USD/h, the budget is {budget:.3f}")


def _spread(decision: Mapping[str, Any], end: str) -> tuple[int, int] | None:
    """The range that a decision starts from, or goes to."""
    if f"range_{end}" in decision:
        low, high = decision[f"range_{end}"]
        return int(low), int(high)
    count = decision[f"replicas_{end}"]
    return None if count is None else (int(count), int(count))


def _told(turn: Turn) -> str:
    moves = ", ".join(f"{m.name} {m.was} to {m.to} ({m.reason})" for m in turn.moves if m.was != m.to)
    return f"{turn.shop.name}: {moves or 'no change'}"
