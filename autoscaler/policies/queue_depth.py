"""Scale by what is queued and what runs: the policy that nearly every service starts with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, field_validator

from autoscaler.core.exact import LARGEST, quotient, total
from autoscaler.core.model import Sample
from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.core.quick import quick
from autoscaler.policies.flow import SPAN_S_MAX, SPAN_S_MIN, counter_rate, growth, mean, recent, since

QUEUED: Final = "queued"
RUNNING: Final = "running"
ARRIVED: Final = "arrived_total"
STARTED: Final = "started_total"

SERVICE_S_MIN: Final = 0.001
SERVICE_S_MAX: Final = 86_400.0
"""Measured service times beyond these are an artefact of the counters, and are taken as these."""

STATE_VERSION: Final = 1

_IS: Final = ("stale", "missing", "dated", "empty", "negative", "infinite")

Name = Annotated[str, Field(min_length=1, max_length=100)]
Number = Annotated[float, Field(strict=True)]  # true and "0.8" are not numbers


@quick
@dataclass(frozen=True, slots=True)
class Sight:
    """What the signals of the policy say now. A signal that may be absent while nothing is ready is zero."""

    values: Mapping[str, float]
    missing: tuple[str, ...]
    excused: tuple[str, ...]

    @property
    def nothing_known(self) -> bool:
        """No signal has a value, and at least one should have one."""
        return bool(self.missing) and len(self.values) == len(self.excused)


@quick
@dataclass(frozen=True, slots=True)
class Rates:
    """What the last minute's samples say, and which samples those are."""

    signals: Mapping[str, Sample]
    history: Mapping[str, tuple[Sample, ...]]
    arrivals_per_s: float | None
    service_s: float | None  # by Little's law; None when nothing ran or started
    running_rise: float  # how many more run than at its start


@quick
@dataclass(frozen=True, slots=True)
class Flow:
    """What arrives, where the service time is known. ``load`` is in requests at once."""

    service_s: float
    arrivals_per_s: float | None  # None: load was derived from the growth of the queue
    load: float


class QueueDepth(Policy, kind="queue_depth", demand=True):
    """Want capacity for the sum of some signals, at a target utilisation.

    With the service time known (from counters, or ``service_s``), a queue that built up while replicas
    start is drained within ``drain_within_s`` instead of being counted in full again and again.
    Durations are seconds, capacity is in the unit of the signals (requests at once).
    """

    history_s: ClassVar[float] = SPAN_S_MAX

    signals: tuple[Name, ...] = Field(default=(QUEUED, RUNNING), min_length=1, max_length=16)
    target_utilisation: Number = Field(default=0.8, gt=0, le=1)
    idle_s: Number = Field(default=300.0, ge=0, le=2_592_000)
    drain_within_s: Number | None = Field(default=None, gt=0, le=2_592_000)
    service_s: Number | None = Field(default=None, gt=0, le=2_592_000)

    @field_validator("signals")
    @classmethod
    def _distinct(cls, signals: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in signals if signals.count(name) > 1})
        if twice:
            raise ValueError(
                f"signals must be distinct, since they are added up: {', '.join(twice)} repeated"
            )
        return signals

    def signals_read(self) -> tuple[str, ...]:
        """The signals that are added up; without one of them the policy is blind."""
        return self.signals

    def knows_service_time(self, signals: Collection[str]) -> bool:
        """Whether, with these signals configured, a queue is drained in time instead of counted in full.

        Where not, a start-up time of over a minute makes the policy ask for too much.
        """
        return self._plays_roles and (self.service_s is not None or STARTED in signals)

    def measure(self, view: View) -> Rates | None:
        """The rates of the counters, where the signals mean a queue and what left it."""
        return _rates(view) if self._plays_roles else None

    def propose(self, view: View) -> tuple[Proposal, ...]:
        """One proposal for the whole service: what the known signals want, blind if one is missing."""
        sight = self._look(view)
        flow = self._flow(view, sight)
        demand = total(sight.values.values())
        want: float | None
        if flow is not None:
            want, reason = self._want_of_flow(view, sight, flow)
            # Requests too short for the gauges to catch are demand all the same.
            demand = demand or flow.load
        elif sight.nothing_known:
            want, reason = None, ""
        else:
            want, reason = quotient(demand, self.target_utilisation), self._plain_reason(sight, demand)
        known: float | None = demand
        if sight.missing:
            reason = self._blind_reason(view, sight, want)
            known = demand or None  # Zero of what is seen is not zero demand.
        return (Proposal(reason, want=want, blind=bool(sight.missing), demand=known, idle_s=self.idle_s),)

    def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
        """The service time last measured: ``{"v": 1, "service_s": 30.0}``, or nothing yet."""
        service_s = _remembered(state)
        rates = _rates_of(view) if self._plays_roles else None
        if rates is not None and rates.service_s is not None:
            known_s = service_s if service_s is not None else self.service_s
            service_s = _corrected(rates.service_s, known_s, rates.running_rise)
        return {} if service_s is None else {"v": STATE_VERSION, "service_s": service_s}

    # --- what is seen ---------------------------------------------------------------------------

    @property
    def _plays_roles(self) -> bool:
        """Whether the signals mean a queue of requests and the requests that left it."""
        return QUEUED in self.signals and RUNNING in self.signals

    def _look(self, view: View) -> Sight:
        values: dict[str, float] = {}
        missing: list[str] = []
        excused: list[str] = []
        for name in self.signals:
            sample = view.signals.get(name)
            if sample is not None:
                values[name] = sample.value
            elif view.replicas_ready == 0 and name not in view.exists_at_zero:
                # Only a running replica exports it, and none runs: nothing is in use there.
                values[name] = 0.0
                excused.append(name)
            else:
                missing.append(name)
        return Sight(values, tuple(missing), tuple(excused))

    # --- what arrives ---------------------------------------------------------------------------

    def _flow(self, view: View, sight: Sight) -> Flow | None:
        """None where the service time is not known, or nothing is: the plain sum speaks then."""
        if not self._plays_roles:
            return None
        rates = _rates_of(view)
        service_s = self._service_s(view, rates)
        if service_s is None:
            return None
        others = sum([value for name, value in sight.values.items() if name not in (QUEUED, RUNNING)])
        arrivals_per_s = rates.arrivals_per_s
        if arrivals_per_s is not None:
            return Flow(service_s, arrivals_per_s, _tidy(arrivals_per_s * service_s + others))
        if sight.nothing_known:
            return None
        return Flow(service_s, None, _tidy(_load_by_growth(view, sight, service_s) + others))

    def _service_s(self, view: View, rates: Rates) -> float | None:
        remembered_s = _remembered(view.state)
        known_s = remembered_s if remembered_s is not None else self.service_s
        return (
            known_s if rates.service_s is None else _corrected(rates.service_s, known_s, rates.running_rise)
        )

    # --- what is wanted -------------------------------------------------------------------------

    def _want_of_flow(self, view: View, sight: Sight, flow: Flow) -> tuple[float, str]:
        queued = sight.values.get(QUEUED, 0.0)
        busy = total([value for name, value in sight.values.items() if name != QUEUED])
        drain_s = self.drain_within_s if self.drain_within_s is not None else view.start_up_p90_s
        # One request occupies one unit for its service time: more than one each drains nothing sooner.
        for_queue = queued * flow.service_s / drain_s if drain_s > flow.service_s else queued
        steady = quotient(flow.load, self.target_utilisation)
        draining = _tidy(flow.load + for_queue) if for_queue else flow.load
        # What is in use stays: a load that fell does not end the requests that run.
        want = max(steady, draining, busy)
        waiting = f" and {_number(queued)} queued" if queued else ""
        if want == 0.0:
            return want, self._nothing_reason(sight)
        if want == steady:
            return want, f"{_arriving(flow)}{waiting} need {{supply}} at {self._target}"
        if want == draining:
            return want, f"{_arriving(flow)}{waiting} need {{supply}} to drain within {_number(drain_s)} s"
        return want, f"{_number(busy)} requests running need {{supply}}"

    # --- what is said ---------------------------------------------------------------------------

    @property
    def _target(self) -> str:
        target = self.target_utilisation
        return f"{target:.2f}" if target >= 0.01 else f"{target:.3g}"

    def _plain_reason(self, sight: Sight, demand: float) -> str:
        if demand == 0.0:
            return self._nothing_reason(sight)
        requests = set(self.signals) <= {QUEUED, RUNNING}
        what = "requests at once" if requests else f"of {' and '.join(self.signals)}"
        if requests and demand == 1.0:
            return f"1 request needs {{supply}} at {self._target}"
        return f"{_number(demand)} {what} need {{supply}} at {self._target}"

    def _nothing_reason(self, sight: Sight) -> str:
        if sight.excused:
            return f"no replica is ready to say more, and nothing is known of {' and '.join(sight.excused)}"
        return f"{' and '.join(self.signals)} {'is' if len(self.signals) == 1 else 'are'} zero"

    def _blind_reason(self, view: View, sight: Sight, want: float | None) -> str:
        # Without {supply}: the sentence also explains holds, where another number than this want stays.
        trouble = " and ".join(
            _absent(name, view.missing.get(name, "not configured")) for name in sight.missing
        )
        if want is None:
            return trouble
        return f"{trouble}; what is known wants {_number(want)} of capacity at {self._target}"


def _rates_of(view: View) -> Rates:
    """As they were measured for this view already, or measured now."""
    known = view.measured
    # Who calls us with samples of his own making gets the rates of those.
    if isinstance(known, Rates) and known.signals is view.signals and known.history is view.history:
        return known
    return _rates(view)


def _rates(view: View) -> Rates:
    arrivals_per_s = counter_rate(recent(view, ARRIVED))
    started, running = recent(view, STARTED), recent(view, RUNNING)
    service_s, running_rise = None, 0.0
    if len(started) > 1 and len(running) > 1:
        service_s, running_rise = _measured_s(started, running), running[-1].value - running[0].value
    return Rates(view.signals, view.history, arrivals_per_s, service_s, running_rise)


def _measured_s(started: Sequence[Sample], running: Sequence[Sample]) -> float | None:
    """Mean running over the rate of starts, by Little's law; None when nothing ran or started."""
    both_from = max(started[0].at, running[0].at)
    starts_per_s = counter_rate(since(started, both_from))
    busy = mean(since(running, both_from))
    if not starts_per_s or not busy or not isfinite(busy / starts_per_s):
        return None
    return _tidy(min(max(busy / starts_per_s, SERVICE_S_MIN), SERVICE_S_MAX))


def _load_by_growth(view: View, sight: Sight, service_s: float) -> float:
    """Load without a counter of arrivals: what runs, and what piles up per second times its service time."""
    # Over one service time (as far as history allows) the sum is exact while replicas take a part of the
    # queue at once: what ran at its start has ended, so what runs now or was added to the queue came since.
    window_s = min(max(service_s, SPAN_S_MIN), SPAN_S_MAX)
    piles_up_per_s = growth(recent(view, QUEUED, window_s)) or 0.0
    return max(0.0, sight.values.get(RUNNING, 0.0) + piles_up_per_s * service_s)


def _corrected(measured_s: float, known_s: float | None, running_rise: float) -> float:
    """What a measured service time does to the known one.

    While more and more run, most have not spent their time yet and the measured one is too low; while
    fewer and fewer run it is too high. So a rise may only raise what is known, and a fall only lower it.
    """
    if known_s is None:
        return measured_s
    if running_rise > 0.0:
        return max(measured_s, known_s)
    return min(measured_s, known_s) if running_rise < 0.0 else measured_s


def _remembered(state: Mapping[str, Any]) -> float | None:
    """The service time in a state of our version; None from any other."""
    service_s = state.get("service_s")
    if state.get("v") != STATE_VERSION or isinstance(service_s, bool):
        return None
    if not isinstance(service_s, (int, float)) or not isfinite(service_s):
        return None
    return min(max(float(service_s), SERVICE_S_MIN), SERVICE_S_MAX)


def _tidy(x: float) -> float:
    """Nine digits: a rate times a time is an estimate, and binary noise must not cost a replica."""
    return float(f"{min(x, LARGEST / 2):.9g}")


def _arriving(flow: Flow) -> str:
    if flow.arrivals_per_s is None:
        return f"a load of {_number(flow.load)} requests at once"
    return f"{flow.arrivals_per_s:.2f} requests/s of {_number(flow.service_s)} s"


def _absent(name: str, why: str) -> str:
    return f"{name} is {why}" if why.startswith(_IS) else f"{name} has no value ({why})"


def _number(x: float) -> str:
    """As a person writes it: whole, or three digits."""
    return f"{x:.0f}" if 100 <= x < 1e15 or (x < 100 and x == int(x)) else f"{x:.3g}"
