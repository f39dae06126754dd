"""The demo as its own process, and a run of it inside this one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoscaler.demo.demand import ChatDemand, generated_day
from autoscaler.demo.files import free_port
from autoscaler.demo.loop import PatientLoop
from autoscaler.demo.play import Stage, Wish, play, stage
from autoscaler.demo.tally import Line

_CODE = "import sys; from autoscaler.demo.command import demo; sys.exit(demo({arguments}))"


@contextmanager
def started(**arguments: object) -> Iterator[subprocess.Popen[str]]:
    """``demo(...)`` in a process of its own; killed at the end if it still runs."""
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    process = subprocess.Popen(
        [sys.executable, "-c", _CODE.format(arguments=text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finished(**arguments: object) -> subprocess.CompletedProcess[str]:
    """``demo(...)`` until it ends by itself, within 30 s."""
    with started(**arguments) as process:
        out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def played(
    folder: Path, *, for_s: float, speed: float = 1000.0, chat: ChatDemand | None = None
) -> tuple[Stage, list[Line]]:
    """A run inside this process; what is left of it, and all that it told."""
    lines: list[Line] = []
    wish = Wish(chat or generated_day(8.0), speed, free_port(0), seed=0, for_s=for_s)

    async def run() -> Stage:
        async with stage(wish, folder, lines.append) as on:
            await play(on)
            return on

    with asyncio.Runner(loop_factory=lambda: PatientLoop(speed)) as runner:
        return runner.run(run()), lines
