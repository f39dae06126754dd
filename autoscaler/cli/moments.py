"""Instants as options give them, against this machine's clock."""

from __future__ import annotations

from autoscaler.cli.exits import Trouble
from autoscaler.clock import SystemClock
from autoscaler.daemon.bodies import parse_at
from autoscaler.daemon.report import Invalid


def moment(option: str, text: str | None) -> float | None:
    """Seconds since the epoch of ISO 8601 or ``-2h``; None where nothing was given. Raises: Trouble."""
    if text is None:
        return None
    try:
        return parse_at(text, SystemClock().now())
    except Invalid as error:
        raise Trouble(
            f"{option}: {text!r} is no time; allowed is ISO 8601 with a zone, such as "
            "2026-11-21T12:00:00Z, or back from now, such as -2h"
        ) from error
