"""Who asks for what, when: one service's demand, the same for every scaler that is tried on it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final

from autoscaler.sim.facts import KnownDemand
from autoscaler.world.demand import arrivals
from autoscaler.world.service_time import MeanServiceTime, ServiceTime
from autoscaler.world.trace import Row

USUAL: Final = MeanServiceTime()
"""How long a request takes where nothing says it."""


FIRST_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Demand:
    """Expected requests in steps of time, and how long one takes.

    ``rows`` gives them anew at each call, from ``t_s`` 0 on; ``scale`` multiplies their rate. ``length_s``
    is where the demand ends, seconds from its start. ``source`` says in a few words where it comes from.
    """

    rows: Callable[[], Iterable[Row]]
    length_s: float
    service_time: ServiceTime = USUAL
    scale: float = 1.0
    source: str = ""

    def arrivals(self, service: str, seed: int, starts_at: float) -> Iterator[list[tuple[float, float]]]:
        """Requests, for a gateway. The same seed and service give the same requests to every scaler."""
        rows = takewhile(lambda row: row.t_s < self.length_s, self.rows())
        return arrivals(
            rows, self.service_time, seed=seed, name=service, scale=self.scale, starts_at=starts_at
        )

    def known(self, service: str, seed: int, starts_at: float) -> KnownDemand:
        """All requests at once, for who knows the future."""
        at, service_s = array("d"), array("d")
        for batch in self.arrivals(service, seed, starts_at):
            for arrived_at, runs_s in batch:
                at.append(arrived_at)
                service_s.append(runs_s)
        return KnownDemand(at, service_s)

    def summary(self) -> Summary:
        """What the rows say, before any chance."""
        peak = first = requests = work_s = 0.0
        for row in takewhile(lambda row: row.t_s < self.length_s, self.rows()):
            mean_s = self.service_time.mean_s(row)
            at_once = row.requests / row.step_s * mean_s * self.scale
            if row.t_s < FIRST_S:
                first = max(first, at_once)
            peak = max(peak, at_once)
            requests += row.requests * self.scale
            work_s += row.requests * self.scale * mean_s
        return Summary(peak, first, requests, work_s / requests if requests else 0.0)


@dataclass(frozen=True, slots=True)
class Summary:
    """Expected values of a demand. ``at_once`` is work in requests at once: rate x mean service time.

    The first one is the largest of the first ``FIRST_S``, in which nobody's replicas can be there yet.
    """

    peak_at_once: float
    first_at_once: float
    requests: float
    mean_service_s: float


def scaled_to_peak(demand: Demand, requests_at_once: float) -> Demand:
    """The same demand, thinned or raised so that its busiest step keeps so many places busy.

    Raises: ValueError where nothing arrives.
    """
    peak = replace(demand, scale=1.0).summary().peak_at_once
    if peak <= 0:
        raise ValueError("no requests in any row: there is no peak to scale to")
    return replace(demand, scale=requests_at_once / peak)
