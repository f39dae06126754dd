"""What the daemon is given: the configuration's values and the live ends of its ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from autoscaler.core.fleet import Fleet
from autoscaler.ports import Provider, Ref, SignalQuery, SignalSource

PRICE_REFRESH_S: Final = 300.0
"""How often vendors are asked for their prices."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One configuration, made live. Replaced whole when the configuration is read again.

    ``refs`` are by provider name, ``queries`` by source name. ``push`` takes one sample from outside and
    raises the errors of ``daemon.report``. ``shadows`` holds, by service that has one, the service alone with
    its shadow policies.
    """

    fleet: Fleet
    providers: Mapping[str, Provider]
    refs: Mapping[str, tuple[Ref, ...]]
    sources: Mapping[str, SignalSource]
    queries: Mapping[str, tuple[SignalQuery, ...]]
    push: Callable[[str, str, float, float | None], None]
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    shadows: Mapping[str, Fleet] = field(default_factory=dict)

    def ref(self, key: str) -> tuple[str, Ref] | None:
        """Provider name and ref of a deployment."""
        for provider, refs in self.refs.items():
            for ref in refs:
                if ref.key == key:
                    return provider, ref
        return None


def read_deadline_s(interval_s: float) -> float:
    """How long one read may take: 0.4 of the interval, between 1 and 10 s."""
    return min(10.0, max(1.0, 0.4 * interval_s))


def tick_deadline_s(interval_s: float) -> float:
    """How long a whole tick may take: 0.8 of the interval, at least 5 s."""
    return max(5.0, 0.8 * interval_s)


def late_after_s(interval_s: float) -> float:
    """From which age of the last tick on ticks have stopped: 3 intervals, at least 30 s."""
    return max(30.0, 3.0 * interval_s)
