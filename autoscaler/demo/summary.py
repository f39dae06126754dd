"""What a run came to: from the world's own bill and waits, and from the ticks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from autoscaler.core.fleet import Service
from autoscaler.demo.play import MONDAY, Stage
from autoscaler.demo.scenario import DemoService, deployment_id
from autoscaler.demo.traffic import Street
from autoscaler.policies.queue_depth import QueueDepth


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    """One service. Money in USD, waits in seconds; None: nothing to tell it from."""

    service: str
    cost_usd: float  # billed by the emulated vendors: start-up and draining too
    fixed_cost_usd: float
    fixed_replicas: dict[str, int]
    requests: int
    promise_wait_s: float
    in_time_share: float | None  # of all who came; who waits still counts with the wait so far
    wait_p50_s: float | None
    wait_p95_s: float | None
    wait_p99_s: float | None
    waiting_now: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole run."""

    simulated_s: float
    wall_s: float
    speed: float  # as asked for
    starts_at: float
    ends_at: float
    ticks: int
    decisions: dict[str, int]  # by reason, holds too
    changes: dict[str, int]  # by reason
    directions: dict[str, int]
    outcomes: dict[str, int]  # of the writes
    drifts: int
    broken_promises: int
    pushes_failed: int
    cost_usd: float
    fixed_cost_usd: float
    services: tuple[ServiceSummary, ...]
    events: tuple[tuple[float, str], ...]

    @property
    def saved_share(self) -> float | None:
        """Share of the fixed cost that was not spent; None where that is zero."""
        return 1 - self.cost_usd / self.fixed_cost_usd if self.fixed_cost_usd else None

    def as_json(self) -> dict[str, Any]:
        """Plain values for ``--json``; keys carry their units, instants are epoch seconds."""
        body = asdict(self)
        body["services"] = [asdict(one) for one in self.services]
        body["events"] = [{"at": at, "text": text} for at, text in self.events]
        body["saved_share"] = self.saved_share
        return body


def summarise(on: Stage) -> Summary:
    """The run so far; at its end, the run."""
    tally = on.tally
    services = tuple(_service(on, street) for street in on.streets)
    return Summary(
        simulated_s=on.simulated_s(),
        wall_s=on.wall_s(),
        speed=on.wish.speed,
        starts_at=on.starts_at,
        ends_at=on.world.now,
        ticks=tally.ticks,
        decisions=dict(tally.decisions.most_common()),
        changes=dict(tally.changes.most_common()),
        directions=dict(tally.directions),
        outcomes=dict(tally.outcomes),
        drifts=tally.drifts,
        broken_promises=tally.broken_promises,
        pushes_failed=tally.pushes_failed,
        cost_usd=on.world.billed_usd(),
        fixed_cost_usd=sum(one.fixed_cost_usd for one in services),
        services=services,
        events=tuple((line.at, line.text) for line in tally.events),
    )


def cost_usd(on: Stage, service: DemoService) -> float:
    """What the emulated vendors have billed for a service so far."""
    return sum(
        on.world.status(deployment_id(service.name, one.name)).billed_usd for one in service.deployments
    )


def fixed_cost_usd(on: Stage) -> float:
    """What fixed capacity for the peaks so far would have cost so far."""
    return sum(_fixed(on, street)[1] for street in on.streets)


def _fixed(on: Stage, street: Street) -> tuple[dict[str, int], float]:
    prices = prices_usd_per_hour(on, street.service)
    fixed = fixed_replicas(
        on.fleet.services[street.service.name], prices, street.load.peak(on.world.now - MONDAY)
    )
    usd_per_hour = sum(count * prices[name] for name, count in fixed.items())
    return fixed, usd_per_hour * on.simulated_s() / 3600


def _service(on: Stage, street: Street) -> ServiceSummary:
    own = street.service
    waits = street.gateway.report()
    fixed, fixed_usd = _fixed(on, street)
    return ServiceSummary(
        service=own.name,
        cost_usd=cost_usd(on, own),
        fixed_cost_usd=fixed_usd,
        fixed_replicas=fixed,
        requests=waits.requests,
        promise_wait_s=own.promise_wait_s,
        in_time_share=waits.on_time_share,
        wait_p50_s=waits.p50_s,
        wait_p95_s=waits.p95_s,
        wait_p99_s=waits.p99_s,
        waiting_now=street.gateway.counters.queued,
    )


def prices_usd_per_hour(on: Stage, service: DemoService) -> dict[str, float]:
    """USD per replica-hour by deployment, at the start of the run."""
    specs = {one.name: on.world.spec(deployment_id(service.name, one.name)) for one in service.deployments}
    return {name: spec.usd_per_gpu_hour * spec.gpus_per_replica for name, spec in specs.items()}


def fixed_replicas(service: Service, usd_per_hour: dict[str, float], peak_load: float) -> dict[str, int]:
    """The cheapest replicas that carry this load (requests at once) at the policy's own utilisation.

    Within ``max_replicas``; all of them where even those do not carry it. None for no load.
    """
    capacity = peak_load / _utilisation(service)
    best: tuple[float, dict[str, int]] | None = None
    for counts in _all_counts(service):
        carried = sum(counts[one.name] * one.capacity_per_replica for one in service.deployments)
        cost = sum(count * usd_per_hour[name] for name, count in counts.items())
        if carried >= capacity and (best is None or cost < best[0]):
            best = cost, counts
    return best[1] if best is not None else {one.name: one.max_replicas for one in service.deployments}


def _all_counts(service: Service) -> Iterator[dict[str, int]]:
    names = [one.name for one in service.deployments]
    for counts in itertools.product(*(range(one.max_replicas + 1) for one in service.deployments)):
        yield dict(zip(names, counts, strict=True))


def _utilisation(service: Service) -> float:
    """The target of the service's demand policy; the smallest of several."""
    targets = [
        named.policy.target_utilisation for named in service.policies if isinstance(named.policy, QueueDepth)
    ]
    return min(targets, default=1.0)
