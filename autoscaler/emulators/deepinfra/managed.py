"""One dedicated deployment: its life, and DeepInfra's own autoscaler inside its bounds."""

from __future__ import annotations

from typing import Final

from autoscaler.emulators.deepinfra.exhibits import Exhibit, Face, Made, Stage
from autoscaler.emulators.deepinfra.history import History
from autoscaler.emulators.deepinfra.settings import DeepInfraSettings
from autoscaler.emulators.faces import Faces
from autoscaler.emulators.load import Loads
from autoscaler.emulators.native import NativeAutoscaler, Rule
from autoscaler.world.plant import World, WorldEvent

_LOG_LINES: Final = {
    "requested": "instance requested",
    "ready": "Application startup complete.",
    "draining": "shutting down, waiting for requests to finish",
    "released": "instance released",
    "killed": "engine core died, restarting",
    "start_up_failed": "start-up failed: torch.OutOfMemoryError: CUDA out of memory",
}


class Managed:
    """A deployment that is in the world already, with these bounds; stopped or not."""

    def __init__(
        self,
        world: World,
        loads: Loads,
        made: Made,
        bounds: tuple[int, int],
        settings: DeepInfraSettings,
        *,
        stage: Stage = Stage.LIVE,
    ) -> None:
        self._world = world
        self._turn = 0  # of the life: a later order voids what an earlier one planned
        self.exhibit = Exhibit(made, Faces(world.now, Face(bounds, world.now, stage)))
        self.native = NativeAutoscaler(world, loads, made.id, bounds, _rule(made, settings), self._note)
        if stage is Stage.LIVE:
            self._note()
        else:
            self.native.stop()
        self.history = History(world, loads, made.id, self._reserved)

    @property
    def id(self) -> str:
        """Its deploy_id, and the world's name for it."""
        return self.exhibit.made.id

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self.exhibit.now.stage is Stage.STOPPED

    @property
    def deleted(self) -> bool:
        """Whether there is nothing left to change."""
        return self.exhibit.now.stage is Stage.DELETED

    def bound(self, bounds: tuple[int, int]) -> None:
        """Other bounds; what is stopped stays so. Raises: ValueError."""
        self.history.note()
        self.native.set(bounds)
        self._show(bounds=bounds, updated_at=self._world.now)

    def use(self, settings: DeepInfraSettings) -> None:
        """Scale by these from the next step on."""
        self.native.rule = _rule(self.exhibit.made, settings)

    def stop(self) -> None:
        """No instances until ``start``."""
        self._turn += 1
        self.native.stop()
        self._enter(Stage.STOPPED)

    def start(self) -> None:
        """Instances anew, as many as the autoscaler wants."""
        self._turn += 1
        self._enter(Stage.LIVE)
        self.native.start()

    def begin(self, settings: DeepInfraSettings) -> None:
        """The first stages of a new deployment; its instances start after them."""
        turn, downloads_at = self._turn, self._world.now + settings.initializing_s

        def start(at: float) -> None:
            del at
            if turn == self._turn:
                self.start()

        def download(at: float) -> None:
            if turn == self._turn:
                self._enter(Stage.DOWNLOADING)
                self._world.call_at(at + settings.downloading_s, start)

        self._world.call_at(downloads_at, download)

    def delete(self) -> None:
        """Gone for good."""
        self._turn += 1
        self.native.stop()
        self.history.note()
        self._enter(Stage.DELETED)
        self._world.remove(self.id, self._world.now)

    def see(self, event: WorldEvent) -> None:
        """Something happened to one of its instances."""
        self.exhibit.change(
            event.at,
            running=event.status.ready,
            starting=event.status.starting,
            start_ups_failed=event.status.start_ups_failed,
        )
        if event.replica is not None:
            pod = f"{self.id}-{event.replica}"
            self.exhibit.logs.append((event.at, pod, _LOG_LINES.get(event.kind, event.kind)))

    def _enter(self, stage: Stage) -> None:
        self.history.note()
        self._show(stage=stage, updated_at=self._world.now)

    def _note(self) -> None:
        status = self._world.status(self.id)
        self._show(
            running=status.ready,
            starting=status.starting,
            start_ups_failed=status.start_ups_failed,
            pending=self.native.pending,
        )

    def _show(self, **changes: object) -> None:
        self.exhibit.change(self._world.now, **changes)

    def _reserved(self) -> int:
        return self.exhibit.now.bounds[0] if self.stopped else 0


def _rule(made: Made, settings: DeepInfraSettings) -> Rule:
    return Rule(
        per_replica=made.max_batch_size * settings.target_utilisation,
        window_s=settings.window_s,
        scale_down_delay_s=settings.scale_down_delay_s,
    )
