"""What an emulated deployment showed at any recent instant: reads may be late."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from autoscaler.emulators.deepinfra.catalogue import configuration
from autoscaler.emulators.faces import Faces

_LOGS_KEPT: Final = 2000  # lines per deployment


class Stage(StrEnum):
    """Where a deployment is in its life; a live one's word depends on its instances."""

    INITIALIZING = "initializing"
    DOWNLOADING = "downloading"
    LIVE = "live"
    STOPPED = "stopped"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Face:
    """What a deployment shows for a while."""

    bounds: tuple[int, int]
    updated_at: float
    stage: Stage = Stage.LIVE
    running: int = 0
    starting: int = 0
    pending: int = 0  # the stock does not hold them
    start_ups_failed: int = 0
    standard_args: Mapping[str, Any] | None = None
    extra_args: tuple[str, ...] | None = None
    word: str | None = None  # set by hand
    details: str = ""

    @property
    def shown_word(self) -> str:
        """The status. Source: DeepInfra's page for GET /deploy/list, the words of its filter."""
        if self.word is not None:
            return self.word
        if self.stage is not Stage.LIVE:
            return str(self.stage)
        if self.running > 0:
            return "running"
        if self.start_ups_failed > 0:
            return "failed"
        return "deploying" if self.starting + self.pending > 0 else "running"

    @property
    def fail_reason(self) -> str:
        """Empty where nothing failed."""
        if self.word is not None or self.details:
            return self.details
        if self.shown_word != "failed":
            return ""
        return f"instance failed to start {self.start_ups_failed} times: CUDA out of memory"


@dataclass(frozen=True, slots=True)
class Made:
    """What never changes: the immutable configuration of a deployment."""

    id: str
    model_name: str
    model: str
    gpu: str
    gpus: int  # of one instance
    max_batch_size: int
    weights: Mapping[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Exhibit:
    """One dedicated deployment and its faces over time."""

    made: Made
    faces: Faces[Face]
    logs: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=_LOGS_KEPT))

    @property
    def now(self) -> Face:
        """The latest face."""
        return self.faces.now

    @property
    def configuration(self) -> str:
        """What is rented for each instance."""
        return configuration(self.made.gpus, self.made.gpu)

    def change(self, at: float, **changes: Any) -> None:
        """Show something else from now on."""
        self.faces.show(at, replace(self.now, **changes))

    def body(self, face: Face) -> dict[str, Any]:
        """The deployment in a reply. Source: DeepInfra OpenAPI, DeploymentOut."""
        made = self.made
        return {
            **described(made.id, made.model_name, made.model, self.faces.since, face.updated_at),
            "status": face.shown_word,
            "fail_reason": face.fail_reason,
            "type": "llm",
            "instances": {"running": face.running, "pending": face.starting + face.pending},
            "config": {
                "gpu": made.gpu,
                "num_gpus": made.gpus,
                "max_batch_size": made.max_batch_size,
                "weights": made.weights,
            },
            "settings": {"min_instances": face.bounds[0], "max_instances": face.bounds[1]},
            "standard_args": face.standard_args,
            "extra_args": None if face.extra_args is None else list(face.extra_args),
        }


def legacy_body(id_: str, model_name: str, created_at: float) -> dict[str, Any]:
    """A reference to a model that is paid per token: nothing of it can be scaled."""
    return {
        **described(id_, model_name, model_name, created_at, created_at),
        "status": "deployed",
        "fail_reason": "",
        "type": "legacy",
        "instances": None,
        "config": None,
        "settings": None,
    }


def described(id_: str, model_name: str, model: str, created_at: float, updated_at: float) -> dict[str, Any]:
    """What every deployment has."""
    return {
        "deploy_id": id_,
        "model_name": model_name,
        "version": hashlib.sha256(model.encode()).hexdigest(),
        "task": "text-generation",
        "created_at": _instant(created_at),
        "updated_at": _instant(updated_at),
    }


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
