"""Requests from rows: a Poisson process whose rate is constant inside a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from autoscaler.world.chance import stream
from autoscaler.world.gateway import Request
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
) -> Iterator[list[Request]]:
    """Batches of requests in order of time, one batch per row, for a gateway.

    ``scale`` multiplies the rate: below one it thins, above one it raises. ``starts_at`` is the epoch
    second of ``t_s`` 0. ``name`` tells services of one seed apart. When requests arrive and how
    long they run come from separate streams, so that one can be changed without the other.
    """
    if not 0 <= scale < math.inf:
        raise ValueError(f"scale must be finite and 0 or more, not {scale}")
    when, how_long = stream(seed, "arrivals", name), stream(seed, "service", name)
    gap, normal, exp = when.expovariate, how_long.gauss, math.exp
    for row in rows:
        rate = row.requests * scale / row.step_s
        if rate <= 0:
            continue
        mu, sigma = lognormal(service_time.mean_s(row), service_time.variation)
        at, end = starts_at + row.t_s, starts_at + row.t_s + row.step_s
        batch: list[Request] = []
        while (at := at + gap(rate)) < end:
            batch.append(Request(at, exp(normal(mu, sigma))))
        if batch:
            yield batch


def scale_to_work(rows: Iterable[Row], service_time: ServiceTime, requests_at_once: float) -> float:
    """The ``scale`` at which the busiest row keeps so many places busy (rate x mean service time).

    Raises: ValueError if nothing arrives.
    """
    busiest = max((row.requests / row.step_s * service_time.mean_s(row) for row in rows), default=0.0)
    if busiest <= 0:
        raise ValueError("no requests in any row: there is no peak to scale to")
    return requests_at_once / busiest
