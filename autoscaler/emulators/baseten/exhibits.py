"""What an emulated deployment or chainlet showed at any recent instant: reads may be late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from autoscaler.emulators.baseten.autoscaling import Autoscaling
from autoscaler.emulators.baseten.catalogue import InstanceType
from autoscaler.emulators.faces import Faces
from autoscaler.world.plant import DeploymentStatus


class Stage(StrEnum):
    """Where a deployment is between being built and being stopped."""

    BUILDING = "BUILDING"
    DEPLOYING = "DEPLOYING"
    LOADING = "LOADING_MODEL"  # replicas start, none has served yet
    LIVE = "ACTIVE"
    STOPPING = "DEACTIVATING"
    STOPPED = "INACTIVE"


@dataclass(frozen=True, slots=True)
class Face:
    """What a deployment shows."""

    status: DeploymentStatus
    settings: Autoscaling
    stage: Stage = Stage.LIVE
    deployed: bool = True  # has finished deploying once; before that it shows no settings
    pending: int = 0  # replicas that the stock does not hold
    waking: bool = False  # from zero, and none serves yet
    updating: bool = False
    environment: str | None = None
    promoting: bool = False
    backpressure: str | None = None
    word: str | None = None  # set by hand
    details: str = ""

    @property
    def shown_word(self) -> str:
        """The status, by Baseten's fourteen words or the one set by hand."""
        if self.word is not None:
            return self.word
        if self.stage is not Stage.LIVE:
            return str(self.stage)
        if self.status.ready > 0:
            return "UPDATING" if self.updating else "ACTIVE"
        if self.status.starting > 0:
            return "WAKING_UP" if self.waking and not self.status.start_ups_failed else "UNHEALTHY"
        return "WAKING_UP" if self.pending else "SCALED_TO_ZERO"

    @property
    def replicas_starting(self) -> int:
        """Loading the model, or waiting for a GPU."""
        return self.status.starting + self.pending


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """One deployment of a model, or one chainlet of a chain's deployment: what never changes, and its
    faces over time. ``world_id`` is the world's name for it, ``id`` Baseten's."""

    world_id: str
    id: str
    name: str
    instance_type: InstanceType
    created_at: float
    places: int  # requests at once per replica
    faces: Faces[Face]
    model_id: str | None = None
    is_development: bool = False
    chain_id: str | None = None
    chainlet: str | None = None
    chain_deployment_id: str | None = None

    @property
    def now(self) -> Face:
        """The latest face."""
        return self.faces.now

    def face(self, at: float) -> Face | None:
        """The face at this instant; None before there was one."""
        return self.faces.at(at)

    def change(self, at: float, **changes: Any) -> None:
        """Show something else from now on."""
        self.faces.show(at, replace(self.now, **changes))
