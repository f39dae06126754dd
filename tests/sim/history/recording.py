"""Hours of the demo's day, recorded by its daemon: three emulated vendors over HTTP, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

from autoscaler.config import Config
from autoscaler.demo.demand import generated_day
from autoscaler.demo.events import events
from autoscaler.demo.play import Stage, Wish, stage
from autoscaler.demo.scenario import SIGNALS
from tests.virtual_time import VirtualTimeLoop

INTERVAL_S = 15.0


def recorded_day(folder: Path, hours: float) -> Config:
    """The configuration of a demo whose journal holds so many hours, with what goes wrong in them."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_record(folder, hours))


async def _record(folder: Path, hours: float) -> Config:
    wish = Wish(generated_day(8.0), speed=1.0, port=9, seed=0, interval_s=INTERVAL_S)
    async with stage(wish, folder, lambda line: None) as on:
        until = on.starts_at + hours * 3600
        coming = sorted(
            events(on.vendors, on.world, on.wish.chat.stretch, on.starts_at), key=lambda event: event.at
        )
        while on.clock.now() < until:
            began = on.clock.monotonic()
            on.world.advance(on.clock.now())
            while coming and coming[0].at <= on.clock.now():
                coming.pop(0).act()
            await _push(on)
            await on.running.daemon.tick()
            await on.clock.sleep(max(0.0, INTERVAL_S - (on.clock.monotonic() - began)))
        return on.config


async def _push(on: Stage) -> None:
    """As the demo's gateways do, without HTTP in between."""
    for street in on.streets:
        counters = asdict(street.gateway.counters)
        for signal in SIGNALS:
            await on.running.daemon.push(street.service.name, signal, counters[signal], on.clock.now())
