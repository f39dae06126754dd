"""How long the plan that knew the future takes for a week, its bound and its trials included."""

from __future__ import annotations

import time

from autoscaler.sim.clairvoyant import plan
from autoscaler.sim.facts import KnownDemand, Task
from autoscaler.world.chance import stream
from autoscaler.world.default_day import day_rows
from autoscaler.world.demand import arrivals, scale_to_work
from autoscaler.world.service_time import MeanServiceTime
from autoscaler.world.start_up import StartUp
from benchmarks.figures import Figure, show

DAYS = 7
PEAK_AT_ONCE = 48.0  # twelve replicas
TASK = Task(min_replicas=1, max_replicas=24, concurrency=4, interval_s=15.0, initial_replicas=1)
PROMISED_S = 10.0


def week() -> KnownDemand:
    """Office hours with bursts, two quiet days."""
    rows = list(day_rows(peak_per_s=1.0, seed=1, days=DAYS))
    service_time = MeanServiceTime()
    scale = scale_to_work(rows, service_time, PEAK_AT_ONCE)
    requests = [one for batch in arrivals(rows, service_time, seed=1, scale=scale) for one in batch]
    return KnownDemand([at for at, _ in requests], [service_s for _, service_s in requests])


def main() -> None:
    """Print the figures."""
    demand, chance = week(), stream(1, "start-up")
    start_ups_s = [StartUp(180.0, 400.0).draw_s(chance) for _ in range(20_000)]
    wall, cpu = time.perf_counter(), time.process_time()
    found = plan(demand, TASK, starts_at=0.0, length_s=DAYS * 86_400.0, start_ups_s=start_ups_s)
    cpu_s, took_s = time.process_time() - cpu, time.perf_counter() - wall
    near = found.lower_bound_replica_s / found.billed_replica_s
    show(
        "The clairvoyant plan",
        [
            Figure(
                f"requests in {DAYS} days, {len(found.targets):,} ticks", f"{len(demand.arrived_at):,}", ""
            ),
            Figure(
                "plan, trials and bound",
                f"{took_s:.1f} s",
                f"at most {PROMISED_S:.0f} s",
                took_s <= PROMISED_S,
            ),
            Figure("the same, CPU", f"{cpu_s:.1f} s", ""),
            Figure("on time", f"{found.on_time_share:.3%}", "at least 99 %", found.keeps_promise),
            Figure("bound over plan", f"{near:.3f}", ""),
        ],
    )


if __name__ == "__main__":
    main()
