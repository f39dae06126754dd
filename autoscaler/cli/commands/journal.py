"""``autoscaler journal export``: recorded snapshots as lines, and beside them what to know about them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from autoscaler.cli.commands.history import Stretch, lines_of
from autoscaler.cli.reach.moments import moment, present
from autoscaler.cli.reach.settings import public
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.say import note
from autoscaler.cli.terminal.times import clock_text
from autoscaler.config import Config
from autoscaler.core.codec import instant_text
from autoscaler.journals import open_journal
from autoscaler.ports import JournalError


def run_export(option: Path | None, since: str | None, until: str | None) -> int:
    """Write the lines. Raises: Trouble, BrokenPipeError."""
    config = public(option)
    given = (("--since", since), ("--until", until))
    # Only what counts back from now has to know whose now: a demo's daemon lives in another time.
    now = present(config) if any(text and text.startswith("-") for _, text in given) else None
    from_at, to_at = (moment(option, text, now) for option, text in given)
    stretch = Stretch()
    try:
        asyncio.run(_export(config, from_at, to_at, stretch))
    except JournalError as error:
        raise Trouble(str(error), Exit.UNREACHABLE) from error
    _tell(stretch, config)
    return Exit.OK if stretch.lines else Exit.NO


async def _export(config: Config, since: float | None, until: float | None, stretch: Stretch) -> None:
    journal = await open_journal(config.daemon.journal, read_only=True)
    try:
        async for line in lines_of(journal, config.fleet, since, until, stretch):
            sys.stdout.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
        sys.stdout.flush()
    finally:
        await journal.close()


def _tell(stretch: Stretch, config: Config) -> None:
    if stretch.skipped_at is not None:
        note(
            f"left out: ticks from {_text(stretch.skipped_at)} on, whose memory cannot be had exactly (older "
            "ones are thinned, or were made with another configuration)"
        )
    if not stretch.lines:
        note("no whole tick in this range; ticks keep their snapshots for 7 days")
        return
    if stretch.config_hash != config.fleet.config_hash:
        note(
            f"these lines were recorded with configuration {stretch.config_hash}; yours is "
            f"{config.fleet.config_hash}, so its plans may differ"
        )
    if stretch.other_hash is not None and stretch.other_at is not None:
        note(
            f"stopped: configuration {stretch.other_hash} begins at {_text(stretch.other_at)}; go on with\n"
            f"  autoscaler journal export --since {instant_text(stretch.other_at)}"
        )


def _text(at: float) -> str:
    return clock_text(instant_text(at))
