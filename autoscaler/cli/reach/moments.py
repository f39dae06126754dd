"""Instants as options give them, and whose clock they count back from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from autoscaler.cli.reach.client import Client
from autoscaler.cli.terminal.exits import Trouble
from autoscaler.clock import SystemClock
from autoscaler.config import Config
from autoscaler.daemon.bodies import parse_at
from autoscaler.daemon.report import Invalid


def now_of(fleet: Mapping[str, Any]) -> float:
    """The clock of the daemon that told this, which a demo speeds up; this machine's where it tells none."""
    told = fleet.get("now")
    return SystemClock().now() if told is None else datetime.fromisoformat(told).timestamp()


def present(config: Config) -> float:
    """Now by the running daemon's clock, or by this machine's where no daemon answers."""
    try:
        return now_of(Client(config).get("services"))
    except Trouble:
        return SystemClock().now()


def moment(option: str, text: str | None, now: float | None = None) -> float | None:
    """Seconds since the epoch of ISO 8601 or ``-2h``; None where nothing was given. Raises: Trouble.

    ``now`` is by default this machine's.
    """
    if text is None:
        return None
    try:
        return parse_at(text, SystemClock().now() if now is None else now)
    except Invalid as error:
        raise Trouble(
            f"{option}: {text!r} is no time; allowed is ISO 8601 with a zone, such as "
            "2026-11-21T12:00:00Z, or back from now, such as -2h"
        ) from error
