"""What each emulated deployment carries: its gateway's traffic, or what a test says."""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.world.plant import World


@dataclass(frozen=True, slots=True)
class Script:
    """Demand that a person or a test lays down, instead of traffic: it goes on until it is changed.

    ``running`` requests are in service and ``waiting`` ones queue at the vendor, at once;
    ``requests_per_s`` end each second, after ``service_s`` seconds each.
    """

    running: float = 0.0
    waiting: float = 0.0
    requests_per_s: float = 0.0
    service_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """One deployment's demand at one instant. Totals count since the emulator began."""

    running: float
    waiting: float
    finished_total: float
    finished_busy_s: float


@dataclass(slots=True)
class _Scripted:
    script: Script
    since: float
    finished: float = 0.0
    busy_s: float = 0.0

    def totals(self, now: float) -> tuple[float, float]:
        ended = self.script.requests_per_s * max(0.0, now - self.since)
        return self.finished + ended, self.busy_s + ended * self.script.service_s


@dataclass(slots=True)
class Loads:
    """The load of every deployment of one emulator."""

    world: World
    _scripted: dict[str, _Scripted] = field(default_factory=dict)

    def lay_down(self, deployment_id: str, script: Script) -> None:
        """From now on this deployment carries what is said here."""
        finished, busy_s = self._totals(deployment_id)
        self._scripted[deployment_id] = _Scripted(script, self.world.now, finished, busy_s)

    def of(self, deployment_id: str) -> Load:
        """The load at ``world.now``. Raises: UnknownDeployment."""
        work = self.world.work(deployment_id)
        scripted = self._scripted.get(deployment_id)
        if scripted is None:
            return Load(work.running, 0.0, work.finished_total, work.finished_busy_s)
        finished, busy_s = scripted.totals(self.world.now)
        script = scripted.script
        return Load(
            running=work.running + script.running,
            waiting=script.waiting,
            finished_total=work.finished_total + finished,
            finished_busy_s=work.finished_busy_s + busy_s,
        )

    def _totals(self, deployment_id: str) -> tuple[float, float]:
        scripted = self._scripted.get(deployment_id)
        return (0.0, 0.0) if scripted is None else scripted.totals(self.world.now)
