"""``autoscaler demo``: one day in a few minutes, with nothing to sign up for."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer
from rich.console import Console

from autoscaler.daemon import logs
from autoscaler.demo import words
from autoscaler.demo.audience import Audience, Lines, Silent
from autoscaler.demo.demand import ChatDemand, generated_day, traced
from autoscaler.demo.files import DemoError, folder, free_port
from autoscaler.demo.loop import PatientLoop
from autoscaler.demo.play import Wish, play, stage
from autoscaler.demo.scenario import SERVICES
from autoscaler.demo.screen import Screen
from autoscaler.demo.summary import Summary, summarise
from autoscaler.ports import JournalError
from autoscaler.world.trace import TraceError

DEFAULT_PORT: Final = 9464
DEFAULT_SPEED: Final = 360.0
SPEED_MAX: Final = 3600.0


def demo(
    for_s: float | None = None,
    trace: Path | None = None,
    speed: float = DEFAULT_SPEED,
    port: int = DEFAULT_PORT,
    live: bool = True,
    seed: int = 0,
    as_json: bool = False,
) -> int:
    """Play the day. Exit status 0; 1 where it could not go on or broke a promise; 2 for a bad option.

    ``for_s`` is real seconds, None until the demand ends. ``as_json`` prints the summary as JSON and nothing
    else on standard output.
    """
    try:
        _check(for_s, speed, port)
        chat = _chat(trace)
        found = free_port(port)
    except (DemoError, TraceError, OSError, ValueError) as error:
        return _failed(error, 2)
    if port not in (found, 0):
        typer.echo(f"port {port} is taken; the page is on port {found}", err=True)
    wish = Wish(chat=chat, speed=speed, port=found, seed=seed, for_s=for_s)
    try:
        with (
            folder() as path,
            _logged(path / "daemon.log"),
            asyncio.Runner(loop_factory=lambda: PatientLoop(speed)) as runner,
        ):
            summary = runner.run(_run(wish, path, _audience(live, as_json)))
    except (DemoError, JournalError, OSError) as error:
        return _failed(error, 1)
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 130  # interrupted a second time
    if as_json:
        typer.echo(json.dumps(summary.as_json(), allow_nan=False))
    else:
        for line in words.closing(summary):
            typer.echo(line)
    return 1 if summary.broken_promises else 0


async def _run(wish: Wish, path: Path, audience: Audience) -> Summary:
    async with stage(wish, path, audience.tell) as on:
        audience.open(on, path)
        try:
            await play(on, audience.watch)
        finally:
            audience.close()
        return summarise(on)


def _check(for_s: float | None, speed: float, port: int) -> None:
    """Raises: DemoError."""
    if for_s is not None and not 0 < for_s < math.inf:
        raise DemoError(f"--for is {for_s:g}; allowed is more than 0 s")
    if not 1 <= speed <= SPEED_MAX:
        raise DemoError(f"--speed is {speed:g}; allowed is 1 to {SPEED_MAX:g}")
    if not 0 <= port <= 65_535:
        raise DemoError(f"--port is {port}; allowed is 0 (any) to 65535")


def _chat(trace: Path | None) -> ChatDemand:
    """Raises: TraceError, OSError, ValueError where nothing arrives in the trace."""
    service_s = next(service.service_s for service in SERVICES if service.name == "chat")
    return generated_day(service_s) if trace is None else traced(trace, service_s)


def _audience(live: bool, as_json: bool) -> Audience:
    if as_json:
        return Silent()
    console = Console()
    return Screen(console) if live and console.is_terminal else Lines()


def _failed(error: BaseException, status: int) -> int:
    typer.echo(f"autoscaler demo: {error}", err=True)
    return status


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """The daemon's log goes to a file: the terminal is for the demo."""
    with path.open("w", encoding="utf-8") as file:
        logs.configure("console", "info", file)
        # Ticks follow each other so fast that one may still run when the next is due: that is not news here.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        try:
            yield
        finally:
            logs.configure("auto", "warning", sys.stderr)
