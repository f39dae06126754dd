"""One scalable thing at Baseten: its settings on their way, its native autoscaler, its stages."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from autoscaler.emulators.baseten.autoscaling import Autoscaling
from autoscaler.emulators.baseten.exhibits import Exhibit, Stage
from autoscaler.emulators.baseten.settings import BasetenSettings
from autoscaler.emulators.baseten.start_ups import StartUps
from autoscaler.emulators.load import Loads
from autoscaler.emulators.native import NativeAutoscaler
from autoscaler.world.plant import World, WorldEvent


class Answer(StrEnum):
    """What becomes of a write. Source: PyPI ``baseten`` 0.13.1 (UpdateAutoscalingSettingsResponse)."""

    ACCEPTED = "ACCEPTED"
    QUEUED = "QUEUED"  # an earlier one is still being applied
    UNCHANGED = "UNCHANGED"


class Managed:
    """A deployment of a model or a chainlet, which Baseten scales within its settings."""

    def __init__(
        self,
        world: World,
        loads: Loads,
        exhibit: Exhibit,
        asked: Autoscaling,
        settings: Callable[[], BasetenSettings],
    ) -> None:
        self.exhibit = exhibit
        self.wanted = asked  # what the last write asked for, applied or not
        self.start_ups = StartUps()
        self.async_queued = 0
        self.async_running = 0
        self._world = world
        self._settings = settings
        self._applied_at = world.now  # when the last write is or was applied
        self._turn = 0  # of stages: a later order voids what an earlier one planned
        status = exhibit.now.status
        self.start_ups.begin_with(status.ready, status.starting, world.now)
        self.native = NativeAutoscaler(
            world, loads, exhibit.world_id, asked.bounds, asked.rule, self._note_pending
        )

    @property
    def id(self) -> str:
        """The world's name for it."""
        return self.exhibit.world_id

    # --- settings -------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a write is still being applied."""
        return self._applied_at > self._world.now

    @property
    def applied_at(self) -> float:
        """When the last write is, or was, applied."""
        return self._applied_at

    def write(self, asked: Autoscaling) -> Answer:
        """These settings, once earlier ones are applied and some time has passed."""
        if asked == self.wanted:
            return Answer.UNCHANGED
        answer = Answer.QUEUED if self.busy else Answer.ACCEPTED
        self.wanted = asked
        now = self._world.now
        self._applied_at = max(now, self._applied_at) + self._settings().applied_after_s
        if self._settings().shows_updating:
            self.exhibit.change(now, updating=True)
        if self._applied_at <= now:
            self._apply(asked)
        else:
            self._world.call_at(self._applied_at, lambda _: self._apply(asked))
        return answer

    def _apply(self, asked: Autoscaling) -> None:
        self.exhibit.change(self._world.now, settings=asked, updating=self.busy and self.exhibit.now.updating)
        self.native.set(asked.bounds, asked.rule)

    # --- stages ---------------------------------------------------------------------------------

    def activate(self) -> bool:
        """Deploy anew. False: it is active, or on its way."""
        if self.exhibit.now.stage not in (Stage.STOPPING, Stage.STOPPED):
            return False
        self._deploy()
        return True

    def deactivate(self) -> bool:
        """No replicas until it is activated. False: it is inactive, or on its way."""
        if self.exhibit.now.stage in (Stage.STOPPING, Stage.STOPPED):
            return False
        turn = self._next_turn()
        self.exhibit.change(self._world.now, stage=Stage.STOPPING, waking=False)
        self.native.stop()
        self._world.call_at(
            self._world.now + self._settings().deactivating_s, lambda at: self._end_stopping(turn, at)
        )
        return True

    def redeploy(self) -> None:
        """Built from the beginning: it shows no settings until a replica serves."""
        turn = self._next_turn()
        self.exhibit.change(self._world.now, stage=Stage.BUILDING, deployed=False, waking=False)
        self.native.stop()
        self._world.call_at(
            self._world.now + self._settings().building_s,
            lambda _: self._deploy() if turn == self._turn else None,
        )

    def wake(self) -> None:
        """Traffic came, or a call that asks for it."""
        self.native.wake()

    def _deploy(self) -> None:
        turn = self._next_turn()
        self.exhibit.change(self._world.now, stage=Stage.DEPLOYING)
        self._world.call_at(self._world.now + self._settings().deploying_s, lambda _: self._load(turn))

    def _load(self, turn: int) -> None:
        if turn != self._turn:
            return
        self.exhibit.change(self._world.now, stage=Stage.LOADING)
        self.native.start()

    def _end_stopping(self, turn: int, at: float) -> None:
        if turn != self._turn:
            return
        if self._world.status(self.id).draining:
            self._world.call_at(at + 1.0, lambda later: self._end_stopping(turn, later))
        else:
            self.exhibit.change(self._world.now, stage=Stage.STOPPED)

    def _next_turn(self) -> int:
        self._turn += 1
        return self._turn

    # --- seeing the world -----------------------------------------------------------------------

    def see(self, event: WorldEvent) -> None:
        """Something happened to one of its replicas."""
        face, status = self.exhibit.now, event.status
        from_zero = face.status.replicas_set == 0 and status.replicas_set > 0
        stage, deployed = face.stage, face.deployed
        if stage is Stage.LOADING and status.ready > 0:
            stage, deployed = Stage.LIVE, True
        self.exhibit.change(
            event.at,
            status=status,
            stage=stage,
            deployed=deployed,
            waking=status.ready == 0 and status.replicas_set > 0 and (face.waking or from_zero),
        )
        if event.replica is not None:
            self.start_ups.see(event.at, event.kind, event.replica)

    def _note_pending(self) -> None:
        self.exhibit.change(self._world.now, pending=self.native.pending)
