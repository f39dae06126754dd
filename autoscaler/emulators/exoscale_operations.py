"""Exoscale's asynchronous operations, and what a deployment looked like at any recent instant."""

from __future__ import annotations

import uuid
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from autoscaler.world.chance import stream
from autoscaler.world.plant import DeploymentStatus

_FACES_KEPT: Final = 2000  # per deployment
_OPERATIONS_KEPT: Final = 1000
_LOGS_KEPT: Final = 500


class OperationState(StrEnum):
    """Words of the published API."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"


class OperationReason(StrEnum):
    """Words of the published API, sent with failure and timeout."""

    BUSY = "busy"
    CONFLICT = "conflict"
    FAULT = "fault"
    FORBIDDEN = "forbidden"
    INCORRECT = "incorrect"
    INTERRUPTED = "interrupted"
    NOT_FOUND = "not-found"
    PARTIAL = "partial"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"


@dataclass(slots=True, eq=False)
class Operation:
    """A change that was accepted. ``ends_at`` None: it ends when all replicas serve."""

    id: str
    deployment_id: str
    command: str
    starts_at: float
    ends_at: float | None
    end: OperationState = OperationState.SUCCESS
    reason: OperationReason | None = None
    message: str | None = None

    def state(self, at: float) -> OperationState:
        """Its state at this instant."""
        return OperationState.PENDING if self.ends_at is None or at < self.ends_at else self.end

    def body(self, at: float) -> dict[str, Any]:
        """As the published API shows it. The form of the link is by analogy."""
        state = self.state(at)
        body: dict[str, Any] = {
            "id": self.id,
            "state": state,
            "reference": {
                "id": self.deployment_id,
                "link": f"/v2/ai/deployment/{self.deployment_id}",
                "command": "get-deployment",
            },
        }
        if state in (OperationState.FAILURE, OperationState.TIMEOUT):
            body["reason"] = self.reason or OperationReason.UNKNOWN
            body["message"] = self.message or f"{self.command} failed"
        return body


@dataclass(frozen=True, slots=True)
class Face:
    """What a deployment showed from ``since`` on."""

    since: float
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
    created_at: float
    visibility: str = "private"
    faces: deque[Face] = field(default_factory=lambda: deque(maxlen=_FACES_KEPT))
    operations: deque[Operation] = field(default_factory=lambda: deque(maxlen=20))
    logs: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=_LOGS_KEPT))

    @property
    def now(self) -> Face:
        """The latest face."""
        return self.faces[-1]

    def face(self, at: float) -> Face | None:
        """The face at this instant; None before there was one. Very old instants get the oldest kept."""
        index = bisect_right(self.faces, at, key=lambda face: face.since)
        if index == 0:
            return self.faces[0] if self.created_at <= at else None
        return self.faces[index - 1]

    def change(self, at: float, **changes: Any) -> None:
        """Show something else from now on."""
        self.faces.append(replace(self.now, since=max(at, self.now.since), **changes))

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
        face = self.face(at) or self.now
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
        face = self.face(at) or self.now
        if face.details or face.word is not None or self.word(at) != "error":
            return face.details
        return f"replica start-up failed {face.status.start_ups_failed} times: CUDA out of memory"


class Operations:
    """All operations, by id; the oldest are forgotten. Ids come from the seed."""

    def __init__(self, seed: int) -> None:
        self._chance = stream(seed, "exoscale", "operation ids")
        self._by_id: dict[str, Operation] = {}

    def new_id(self) -> str:
        """A UUID that was not used before."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def add(self, operation: Operation) -> None:
        """Remember it."""
        if len(self._by_id) >= _OPERATIONS_KEPT:
            del self._by_id[next(iter(self._by_id))]
        self._by_id[operation.id] = operation

    def get(self, operation_id: str) -> Operation | None:
        """The operation with this id."""
        return self._by_id.get(operation_id)
