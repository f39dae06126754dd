"""Requests from rows: a Poisson process whose rate is constant inside a row."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import cos, exp, log, sin, sqrt, tau

from autoscaler.world.chance import stream
from autoscaler.world.service_time import ServiceTime, lognormal
from autoscaler.world.trace import Row


def arrivals(
    rows: Iterable[Row],
    service_time: ServiceTime,
    *,
    seed: int = 0,
    name: str = "",
    scale: float = 1.0,
    starts_at: float = 0.0,
) -> Iterator[list[tuple[float, float]]]:
    """Batches of requests in order of time, one batch per row, for a gateway.

    ``scale`` multiplies the rate: below one it thins, above one it raises. ``starts_at`` is the epoch
    second of ``t_s`` 0. ``name`` tells services of one seed apart. When requests arrive and how
    long they run come from separate streams, so that one can be changed without the other.
    """
    if not 0 <= scale < math.inf:
        raise ValueError(f"scale must be finite and 0 or more, not {scale}")
    chance = stream(seed, "arrivals", name).random
    normals = _normals(stream(seed, "service", name))
    for row in rows:
        rate = row.requests * scale / row.step_s
        if rate <= 0:
            continue
        mu, sigma = lognormal(service_time.mean_s(row), service_time.variation)
        instants = _poisson(starts_at + row.t_s, starts_at + row.t_s + row.step_s, rate, chance)
        if instants:
            lengths = [exp(mu + sigma * z) for z in islice(normals, len(instants))]
            yield list(zip(instants, lengths, strict=True))


def _poisson(begin: float, end: float, rate: float, chance: Callable[[], float]) -> list[float]:
    """The instants of a Poisson process of this rate, ascending. Its gaps are exponential."""
    instants: list[float] = []
    at = begin - log(1.0 - chance()) / rate
    while at < end:
        instants.append(at)
        at -= log(1.0 - chance()) / rate
    return instants


def _normals(chance: random.Random) -> Iterator[float]:
    """Independent standard normal numbers, without end, two at a time by Box and Muller's method (Annals of
    Mathematical Statistics 29, 1958), as ``random.gauss`` draws them; its call costs more than the draw."""
    draw = chance.random
    while True:
        angle, radius = tau * draw(), sqrt(-2.0 * log(1.0 - draw()))
        yield cos(angle) * radius
        yield sin(angle) * radius


def scale_to_work(rows: Iterable[Row], service_time: ServiceTime, requests_at_once: float) -> float:
    """The ``scale`` at which the busiest row keeps so many places busy (rate x mean service time).

    Raises: ValueError if nothing arrives.
    """
    busiest = max((row.requests / row.step_s * service_time.mean_s(row) for row in rows), default=0.0)
    if busiest <= 0:
        raise ValueError("no requests in any row: there is no peak to scale to")
    return requests_at_once / busiest
