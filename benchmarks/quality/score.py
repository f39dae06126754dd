"""From runs to scores: what a policy paid over the plan, who was late, and what keeping the promise costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.quality.scenario import SHARE


@dataclass(frozen=True, slots=True)
class TraceScore:
    """One policy on one trace. Replica-seconds are billed ones, shares from 0 to 1."""

    replica_s: float
    on_time: float
    changes_per_hour: float

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return self.on_time >= SHARE


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a trace is measured with: the plan that knew it, and the least fixed size that keeps the promise.

    ``bound_replica_s`` is the proven lower bound.
    """

    plan_replica_s: float
    fixed_replica_s: float
    bound_replica_s: float


@dataclass(frozen=True, slots=True)
class Score:
    """One policy over all traces, by the definitions of ``docs/quality.md``."""

    cost_over_plan: float  # geometric mean
    on_time: float  # mean share
    kept: int
    traces: int
    kept_cost: float  # geometric mean, a missed trace charged its fixed size
    j: float
    changes_per_hour: float  # mean


def score(by_trace: Mapping[str, TraceScore], yardsticks: Mapping[str, Yardstick]) -> Score:
    """The row of a policy."""
    ratios = [one.replica_s / yardsticks[name].plan_replica_s for name, one in by_trace.items()]
    kept_ratios = [kept_ratio(one, yardsticks[name]) for name, one in by_trace.items()]
    values = list(by_trace.values())
    return Score(
        cost_over_plan=geometric_mean(ratios),
        on_time=_mean([one.on_time for one in values]),
        kept=sum(one.kept for one in values),
        traces=len(values),
        kept_cost=geometric_mean(kept_ratios),
        j=_mean([ratio + 10 * (1 - one.on_time) for ratio, one in zip(ratios, values, strict=True)]),
        changes_per_hour=_mean([one.changes_per_hour for one in values]),
    )


def kept_ratio(one: TraceScore, yardstick: Yardstick) -> float:
    """Cost over the plan's for who must keep the promise: the fixed size's where the policy missed it."""
    paid = one.replica_s if one.kept else yardstick.fixed_replica_s
    return paid / yardstick.plan_replica_s


def geometric_mean(values: Sequence[float]) -> float:
    """Of positive numbers."""
    return math.exp(_mean([math.log(value) for value in values]))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
