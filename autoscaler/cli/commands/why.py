"""``autoscaler why``: one service's recorded decision, from the daemon or else from its journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoscaler.cli.reach.client import Client, NoDaemon
from autoscaler.cli.reach.moments import moment
from autoscaler.cli.reach.past import from_journal, why_of
from autoscaler.cli.reach.settings import public
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.say import answer, answer_json, note
from autoscaler.cli.terminal.transcript import render
from autoscaler.clock import SystemClock
from autoscaler.config import Config


def run_why(option: Path | None, service: str, at: str | None, *, as_json: bool) -> int:
    """Show the transcript. Raises: Trouble."""
    config = public(option)
    instant = moment("--at", at)
    client = Client(config)
    try:
        why = client.get("services", service, "why", at=at)
    except NoDaemon as error:
        note(f"{error}; from the journal {config.daemon.journal_path}:")
        why = _from_journal(config, service, SystemClock().now() if instant is None else instant)
    if as_json:
        answer_json(why)
    else:
        answer(render(why))
    return Exit.OK


def _from_journal(config: Config, service: str, at: float) -> Mapping[str, Any]:
    if service not in config.fleet.services:
        known = ", ".join(sorted(config.fleet.services))
        raise Trouble(f"there is no service {service!r}; there is {known}")
    return asyncio.run(from_journal(config, lambda journal: why_of(journal, config.fleet, service, at)))
