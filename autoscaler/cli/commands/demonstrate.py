"""``autoscaler demo``: hands over to the demo, which is a layer of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoscaler.demo.command import demo


def run_demo(
    *,
    for_s: float | None,
    trace: Path | None,
    speed: float | None,
    port: int | None,
    live: bool,
    seed: int | None,
    as_json: bool,
) -> int:
    """Run it; options that were not given are the demo's own defaults."""
    given: dict[str, Any] = {
        "for_s": for_s,
        "trace": trace,
        "speed": speed,
        "port": port,
        "live": live,
        "seed": seed,
        "as_json": as_json,
    }
    return demo(**{name: value for name, value in given.items() if value is not None})
