"""What an emulated deployment showed at any recent instant: reads may be late, operations take time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Final

from autoscaler.emulators.exoscale.operations import Operation, OperationState
from autoscaler.emulators.faces import Faces
from autoscaler.world.plant import DeploymentStatus

_OPERATIONS_KEPT: Final = 20  # per deployment, as the others
_LOGS_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class Face:
    """What a deployment shows for a while."""

    status: DeploymentStatus
    name: str
    engine_version: str
    engine_parameters: tuple[str, ...]
    updated_at: float
    word: str | None = None  # set by hand
    details: str = ""
    deleted: bool = False


@dataclass(slots=True, eq=False)
class Exhibit:
    """One deployment at the vendor: what never changes, and its faces over time."""

    id: str
    gpu_type: str
    gpu_count: int
    model: str
    faces: Faces[Face]
    visibility: str = "private"
    operations: deque[Operation] = field(default_factory=lambda: deque(maxlen=_OPERATIONS_KEPT))
    logs: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=_LOGS_KEPT))

    @property
    def now(self) -> Face:
        """The latest face."""
        return self.faces.now

    def change(self, at: float, **changes: Any) -> None:
        """Show something else from now on."""
        self.faces.show(at, replace(self.now, **changes))

    def pending(self, at: float) -> Operation | None:
        """The operation that runs at this instant, if any."""
        for operation in self.operations:
            if operation.starts_at <= at and operation.state(at) is OperationState.PENDING:
                return operation
        return None

    def settle(self, at: float) -> None:
        """Operations that waited for replicas end once all serve."""
        for operation in self.operations:
            if operation.ends_at is None and self.now.status.starting == 0:
                operation.ends_at = at

    def word(self, at: float) -> str:
        """The state's word at this instant."""
        face = self.faces.at(at) or self.now
        operation = self.pending(at)
        if face.word is not None:
            return face.word
        if operation is not None and operation.command == "create":
            return "creating"
        if face.status.ready == 0 and face.status.starting > 0:
            return "error" if face.status.start_ups_failed else "deploying"
        if operation is not None and operation.command == "update":
            return "updating"
        return "scaling" if operation is not None or face.status.starting > 0 else "ready"

    def details(self, at: float) -> str:
        """The text that goes with the state."""
        face = self.faces.at(at) or self.now
        if face.details or face.word is not None or self.word(at) != "error":
            return face.details
        return f"replica start-up failed {face.status.start_ups_failed} times: CUDA out of memory"
