"""What the plant tells whoever carries requests to its replicas, and what it is told back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from autoscaler.world.deployment import DeploymentSpec, Replica


@dataclass(frozen=True, slots=True)
class Work:
    """Requests of one deployment: running now, and those that ended, with the time that these ran."""

    running: int = 0
    finished_total: int = 0
    finished_busy_s: float = 0.0


class Traffic(Protocol):
    """What carries requests to replicas: told of every change, and run up to every instant."""

    def run_until(self, until: float) -> None:
        """Carry all traffic up to and including this instant."""
        ...

    def join(self, replica: Replica, spec: DeploymentSpec, at: float) -> None:
        """The replica serves from now."""
        ...

    def leave(self, replica: Replica, at: float) -> bool:
        """The replica takes nothing new. True: it runs nothing. False: ``release`` will be called."""
        ...

    def crash(self, replica: Replica, at: float) -> None:
        """The replica is dead; what it ran goes back to the front of the queue."""
        ...

    def work(self, deployment_id: str) -> Work:
        """What this deployment's replicas run, and have run until now."""
        ...
