"""Baseten's autoscaling settings: eight fields, their defaults and ranges, and partial updates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from autoscaler.emulators.baseten.refusals import Refused
from autoscaler.emulators.native import Rule

_REPLICAS_MAX: Final = 10_000
_COUNT_MAX: Final = 1_000_000

RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "min_replica": (0, _REPLICAS_MAX),
    "max_replica": (1, _REPLICAS_MAX),
    "autoscaling_window": (10, 3600),
    "scale_down_delay": (0, 3600),
    "concurrency_target": (1, _COUNT_MAX),
    "target_utilization_percentage": (1, 100),
    "max_scale_down_rate": (1, 50),
}
"""What is allowed, by field. Source: docs.baseten.co, deploy/autoscaling; PyPI ``baseten`` 0.13.1."""


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """Settings of one deployment or environment; the defaults are Baseten's.

    ``autoscaling_window`` and ``scale_down_delay`` are seconds, ``concurrency_target`` requests at once
    per replica, percentages whole numbers. ``max_scale_down_rate`` is kept and has no effect here.
    """

    min_replica: int = 0
    max_replica: int = 1
    autoscaling_window: int = 60
    scale_down_delay: int = 900
    concurrency_target: int = 1
    target_utilization_percentage: int = 70
    target_in_flight_tokens: int | None = None
    max_scale_down_rate: int | None = None

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and most replicas."""
        return self.min_replica, self.max_replica

    @property
    def rule(self) -> Rule:
        """How replicas are added and removed within the bounds."""
        return Rule(
            per_replica=self.concurrency_target * self.target_utilization_percentage / 100,
            window_s=float(self.autoscaling_window),
            scale_down_delay_s=float(self.scale_down_delay),
            maximum_waits=True,
        )

    def body(self) -> dict[str, Any]:
        """As the API shows them."""
        return asdict(self)

    def with_changes(self, changes: Mapping[str, int | None]) -> Autoscaling:
        """Other values for the fields that are named; null is the default again. Raises: Refused."""
        defaults = Autoscaling()
        cleared = {key: getattr(defaults, key) if value is None else value for key, value in changes.items()}
        wanted = replace(self, **cleared)
        if wanted.min_replica > wanted.max_replica:
            raise Refused(
                400,
                f"min_replica ({wanted.min_replica}) must not be above max_replica ({wanted.max_replica})",
            )
        return wanted


def changes_in(sent: Any, where: str = "autoscaling_settings") -> dict[str, int | None]:
    """The fields of a partial update: absent ones are kept, so they are not in it. Raises: Refused."""
    if not isinstance(sent, dict):
        raise Refused(400, f"{where} must be an object")
    known = (*RANGES, "target_in_flight_tokens")
    if unknown := sorted(set(sent) - set(known)):
        raise Refused(400, f"{where}: unknown field {unknown[0][:64]!r}; there is {', '.join(known)}")
    return {key: _checked(where, key, value) for key, value in sent.items()}


def _checked(where: str, key: str, value: Any) -> int | None:
    if value is None:
        return None
    if key == "target_in_flight_tokens":
        raise Refused(400, f"{where}.{key} is in early access and not enabled for this organization")
    low, high = RANGES[key]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused(400, f"{where}.{key} must be a whole number from {low} to {high}")
    return value
