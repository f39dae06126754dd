"""Exoscale's asynchronous operations: a change is accepted at once, and ends later."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from autoscaler.world.chance import stream

_OPERATIONS_KEPT: Final = 1000


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
