"""Bodies like the daemon's, for the journal's tests."""

from __future__ import annotations

from typing import Any

DAY_S = 86_400.0
T0 = 1_795_046_400.0


def a_tick(at: float, *, demand: float | None = 10.0, replicas: int = 2, **change: Any) -> dict[str, Any]:
    """A tick of one service with one deployment; it holds unless ``replicas_to`` or ``reason`` say other."""
    decision = {
        "service": "chat",
        "deployment": "exo",
        "replicas_from": replicas,
        "replicas_to": replicas,
        "reason": "hold",
        "why": f"{demand} requests at once",
        **change,
    }
    return {
        "snapshot": {"at": at, "deployments": {"chat/exo": {"replicas_set": replicas}}},
        "plan": {
            "at": at,
            "decisions": [decision],
            "services": {
                "chat": {
                    "demand": demand,
                    "usd_per_hour": replicas * 1.1,
                    "deployments": {"exo": {"replicas_set": replicas, "replicas_ready": replicas - 1}},
                }
            },
        },
    }
