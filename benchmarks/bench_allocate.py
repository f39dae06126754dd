"""How long it takes to spread one service over up to eight deployments, at worst."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from autoscaler.cli.collector import settle
from autoscaler.core.allocate import Offer, cheapest
from autoscaler.core.decide import step
from autoscaler.core.fleet import Deployment, Fleet, NamedPolicy, Service, SignalRule
from autoscaler.core.memory import Memory
from autoscaler.core.model import Observation, Phase, Sample, Snapshot, exactly
from autoscaler.policies.queue_depth import QueueDepth
from benchmarks.figures import Figure, show

START = 1_795_262_400.0
CASES = 3000
DEPLOYMENTS = 8
REPLICAS_MAX = 64
UNLIMITED = 1_000_000_000
PROMISED_S = 0.001

SIZES = (4, 6, 7, 8, 10, 11, 16, 24)

Question = tuple[tuple[Offer, ...], float, int, int]


def _offers(
    rng: random.Random, capacity: Callable[[], float], price: Callable[[float], int]
) -> tuple[Offer, ...]:
    """Eight deployments; some are kept in part, some are fixed, as overdue ones and unread ones are."""
    offers = []
    for i in range(DEPLOYMENTS):
        size = capacity()
        low = rng.choice([0, 0, 0, rng.randint(0, REPLICAS_MAX)])
        high = low if rng.random() < 0.15 else rng.randint(low, REPLICAS_MAX)
        offers.append(Offer(f"d{i}", size, price(size), low, high))
    return tuple(offers)


def _question(rng: random.Random, offers: tuple[Offer, ...], need: float | None = None) -> Question:
    reach = sum(o.capacity * o.hi for o in offers)
    return offers, round(rng.random() * reach, 1) if need is None else need, 0, UNLIMITED


def plain(rng: random.Random) -> Question:
    """GPU types of usual sizes, any price."""
    return _question(
        rng,
        _offers(
            rng, lambda: float(rng.choice([4, 8, 16, 24, 32, 64])), lambda _: rng.randint(300_000, 9_000_000)
        ),
    )


def equal_prices(rng: random.Random) -> Question:
    """Prices by the list, so that many plans cost the same."""
    return _question(
        rng,
        _offers(
            rng,
            lambda: float(rng.choice([8, 16, 24])),
            lambda _: rng.choice([1_100_000, 2_200_000, 3_300_000]),
        ),
    )


def by_size(rng: random.Random) -> Question:
    """Everything costs the same for its capacity."""
    return _question(rng, _offers(rng, lambda: float(rng.choice(SIZES)), lambda size: int(size * 100_000)))


def by_size_nearly(rng: random.Random) -> Question:
    """The same, but for a millionth of a dollar, which no price list has and which makes all plans rivals."""
    return _question(
        rng,
        _offers(
            rng,
            lambda: float(rng.choice(SIZES)),
            lambda size: int(size * 100_000) + rng.choice([0, 0, 1, -1]),
        ),
    )


def coprime(rng: random.Random) -> Question:
    """Sizes that hardly add up to anything."""
    return _question(
        rng,
        _offers(
            rng,
            lambda: float(rng.choice([7, 11, 13, 17, 19, 23, 29, 31, 37])),
            lambda size: int(size * rng.uniform(60_000, 90_000)),
        ),
    )


def fractions(rng: random.Random) -> Question:
    """Sizes that are no whole numbers."""
    return _question(
        rng,
        _offers(
            rng,
            lambda: rng.choice([0.3, 2.5, 4.7, 6.4, 9.9, 12.8]),
            lambda size: int(size * rng.uniform(60_000, 90_000)),
        ),
    )


def just_above(rng: random.Random) -> Question:
    """A need a hair above a multiple of what one deployment carries."""
    offers = plain(rng)[0]
    capacity = offers[0].capacity
    most = sum(o.capacity * o.hi for o in offers)
    return _question(rng, offers, float(int(rng.random() * most / capacity)) * capacity + 1e-6)


def tight_ceiling(rng: random.Random) -> Question:
    """A ceiling on the total that hardly suffices, or does not."""
    offers, need, _, _ = rng.choice([plain, coprime, by_size])(rng)
    fewest = need / max(o.capacity for o in offers)
    return offers, need, 0, int(fewest * rng.uniform(0.9, 2.0)) + 1


def high_floor(rng: random.Random) -> Question:
    """A floor of the total above what the need takes."""
    offers, need, _, _ = rng.choice([plain, coprime, by_size])(rng)
    return offers, need, rng.randint(0, sum(o.hi for o in offers)), UNLIMITED


KINDS = (plain, equal_prices, by_size, coprime, fractions, just_above, tight_ceiling, high_floor)


def questions(count: int) -> list[Question]:
    """Seeded, of all kinds in turn."""
    return [KINDS[seed % len(KINDS)](random.Random(seed)) for seed in range(count)]


def times_of(asked: list[Question]) -> list[float]:
    """Seconds for each, the least of three runs so that a neighbour's burst is not counted; ascending."""
    found = []
    for offers, need, least, most in asked:
        seconds = []
        for run in range(3):
            # Under other names: the answer to the very same question is remembered.
            fresh = [offer._replace(name=f"{run}-{offer.name}") for offer in offers]
            started = time.perf_counter()
            cheapest(fresh, need, least, most)
            seconds.append(time.perf_counter() - started)
        found.append(min(seconds))
    return sorted(found)


def decision_times(count: int) -> list[float]:
    """Seconds for the whole decision of one such service: overdue and unreadable deployments, moves."""
    signals = {"queued": SignalRule(60, exists_at_zero=True), "running": SignalRule(60)}
    found = []
    for seed in range(count):
        rng = random.Random(seed)
        offers = KINDS[seed % len(KINDS)](rng)[0]
        deployments = tuple(Deployment("s", o.name, f"v{o.name}", o.capacity, REPLICAS_MAX) for o in offers)
        service = Service("s", (NamedPolicy("queue-depth", QueueDepth()),), deployments, signals)
        prices = {f"v{o.name}/{o.name}": o.micro_usd / 1e6 for o in offers}
        fleet, memory, at = Fleet({"s": service}, fixed_prices=prices), Memory(), START
        counts = {d.key: rng.randint(0, 20) for d in deployments}
        reach = sum(o.capacity for o in offers) * REPLICAS_MAX
        for _ in range(6):
            at += 90.0
            seen = {
                key: Observation(
                    exactly(n) if rng.random() < 0.9 else None,
                    rng.choice([n, n, n // 2]),
                    None,
                    Phase.READY,
                    key[2:],
                    1,
                )
                for key, n in counts.items()
            }
            running = Sample(round(rng.random() * reach * 0.7, 1), at - 2)
            snapshot = Snapshot(
                at, {"s": {"queued": Sample(0.0, at - 1), "running": running}}, seen, {}, None, ()
            )
            started = time.perf_counter()
            plan, memory = step(memory, snapshot, fleet)
            found.append(time.perf_counter() - started)
            counts.update(
                {f"s/{d.deployment}": d.replicas_to for d in plan.decisions if d.replicas_to is not None}
            )
    return sorted(found)


def main() -> None:
    """Print the figures. An argument is the number of cases."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    settle()  # as the daemon does
    figures = []
    for kind in (*KINDS, by_size_nearly):
        times = times_of([kind(random.Random(seed)) for seed in range(count // len(KINDS))])
        figures.append(Figure(f"  {kind.__name__.replace('_', ' ')}, worst", _ms(times[-1]), ""))
    times = times_of(questions(count))
    worst = times[-1]
    figures = [
        Figure(f"{count:,} allocations over {DEPLOYMENTS} deployments, median", _ms(times[count // 2]), ""),
        Figure("the same, 99th percentile", _ms(times[count * 99 // 100]), ""),
        Figure("the same, worst", _ms(worst), f"at most {_ms(PROMISED_S)}", worst <= PROMISED_S),
        Figure(f"how many took longer than {_ms(PROMISED_S)}", f"{sum(t > PROMISED_S for t in times)}", ""),
        *figures,
    ]
    whole = decision_times(count // 10)
    figures.append(
        Figure("whole decision of one such service, 99th percentile", _ms(whole[len(whole) * 99 // 100]), "")
    )
    show("Allocation", figures)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


if __name__ == "__main__":
    main()
